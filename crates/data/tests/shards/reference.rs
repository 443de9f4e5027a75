//! Shards of other tools are read as webdataset reads them: `tests/fixtures/make_shards.py`.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_data::{Dataset, Opening, ShardOptions, Shards};

#[derive(Deserialize)]
struct Row {
    key: String,
    ending: String,
    captions: Vec<String>,
}

#[test]
fn samples_are_those_of_webdataset() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/shards");
    let expected: BTreeMap<String, Vec<Row>> =
        serde_json::from_slice(&std::fs::read(root.join("expected.json")).unwrap()).unwrap();
    assert_eq!(expected.len(), 3);
    let cache = tempfile::tempdir().unwrap();
    for (name, rows) in expected {
        let options = ShardOptions { root: root.clone(), ..ShardOptions::default() };
        let opening = Opening::new(cache.path());
        let data = Shards::open("t", std::slice::from_ref(&name), &options, &opening).unwrap();
        assert_eq!(data.len(), rows.len(), "{name}");
        for (at, row) in rows.iter().enumerate() {
            let item = data.item(at);
            // webdataset keeps `./` in front of a key.
            let key = row.key.trim_start_matches("./");
            assert_eq!(item.id, format!("{name}/{key}"));
            assert_eq!(item.captions, row.captions);
            assert_eq!(data.picture_file(at).unwrap().unwrap().ending, row.ending);
            assert_eq!(data.image(at).unwrap().dimensions(), (3, 2));
        }
    }
}
