//! Shards on the command line: packed, checked, trained on.

use super::support::{TINY, called, command, experiment, files, folder, text, toolkit};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Packs the training split of the tiny data into shards of 20 pictures.
fn packed(dir: &Path) -> PathBuf {
    let out = dir.join("shards");
    let call = ["data", "pack", "tiny:train", "--shard-size", "20", "--json", "--out", text(&out)];
    let told = toolkit(&call).json();
    assert_eq!((&told["shards"], &told["samples"]), (&4.into(), &64.into()));
    assert_eq!(told["left_out"], 0);
    assert_eq!(toolkit(&call).json(), told, "nothing is left to do");
    out
}

#[test]
fn a_pack_is_whole_and_damage_is_named() {
    let dir = folder();
    let out = packed(dir.path());
    let name = format!("shards:{}", out.display());
    let checked = toolkit(&["data", "check", &name, "--json"]).json();
    assert_eq!((&checked[0]["shards"], &checked[0]["items"]), (&4.into(), &64.into()));
    assert_eq!(checked[0]["findings"], serde_json::json!({}));
    let shown = toolkit(&["data", "check", &name]).ok().stdout;
    assert!(shown.contains("shards                  4\n"), "{shown}");

    // A picture that is no picture, and a shard that is cut.
    let first = out.join("00000.tar");
    let mut bytes = std::fs::read(&first).unwrap();
    let member = bytes.windows(13).position(|name| name == b"000000005.png").unwrap();
    bytes[member + 512..member + 520].fill(0);
    std::fs::write(&first, bytes).unwrap();
    let second = out.join("00001.tar");
    let bytes = std::fs::read(&second).unwrap();
    std::fs::write(&second, &bytes[..bytes.len() / 2]).unwrap();
    let checked = toolkit(&["data", "check", &name, "--json", "--quiet"]);
    checked.fails_with(&["00000.tar: 000000005.png"]);
    let report: Value = serde_json::from_str(&checked.stdout).unwrap();
    let findings = &report[0]["findings"];
    assert_eq!(findings["damaged-file"]["count"], 1);
    assert_eq!(findings["wrong-size"]["count"], 1);
    let example = findings["wrong-size"]["examples"][0].as_str().unwrap();
    assert!(example.contains("00001_stats.json says 20 --> 00001.tar"), "{example}");
    let worst = &report[0]["worst_shards"][0];
    assert_eq!((&worst["shard"], &worst["unreadable"]), (&"00000.tar".into(), &1.into()));
    // What is left out is told at every start.
    let sheet = dir.path().join("sheet.png");
    let shown = toolkit(&["data", "preview", &name, "--count", "2", "--out", text(&sheet)]).ok();
    assert!(shown.stderr.contains("damaged-file: 1, such as: "), "{}", shown.stderr);
}

#[test]
fn names_of_nothing_have_hints() {
    let dir = folder();
    for (name, expected) in [
        ("shards:", "no shard is named"),
        ("shards:none/{0..3}.tar", "4 shards are not there"),
        ("shards:none/*.tar", "nothing is called like"),
    ] {
        toolkit(&["data", "check", name]).fails_with(&[expected]);
    }
    let out = dir.path().join("out");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("mine"), "").unwrap();
    let call = ["data", "pack", "tiny:val", "--out", text(&out)];
    toolkit(&call).fails_with(&["the folder has other files"]);
    let call = ["data", "pack", "tiny:val", "--out", text(&out), "--shard-size", "0"];
    toolkit(&call).fails_with(&["--shard-size", "at least one sample"]);
}

/// The logs of both stages of a run of [`TINY`].
fn logs(dir: &Path, name: &str, train: &str, more: &[&str]) -> Vec<String> {
    let file = experiment(dir, &TINY.replace("tiny:train", train));
    let out = dir.join(name);
    let mut call = command();
    call.env("TOOLKIT_CACHE", dir.join("cache")).args(more).arg("run").arg(file);
    called(call.arg("--out").arg(&out).args(["--smoke", "--quiet"])).ok();
    let logs = files(&out).into_iter().filter(|path| path.ends_with("metrics.jsonl"));
    let mut logs: Vec<String> =
        logs.map(|path| std::fs::read_to_string(out.join(path)).unwrap()).collect();
    logs.sort();
    assert!(!logs.is_empty());
    if name != "plain" {
        let manifest: Value =
            serde_json::from_slice(&std::fs::read(out.join("manifest.json")).unwrap()).unwrap();
        let shards = manifest["shards"].as_object().unwrap().values().next().unwrap();
        assert_eq!(shards.as_array().unwrap().len(), 4);
        assert_eq!(shards[3]["samples"], 4);
        assert_eq!(shards[0]["sha256"].as_str().unwrap().len(), 64);
    }
    logs
}

#[test]
fn training_from_a_pack_gives_the_numbers_of_the_data_set() {
    let dir = folder();
    let out = packed(dir.path());
    let plain = logs(dir.path(), "plain", "tiny:train", &[]);
    let shards = format!("shards:{}/{{00000..00003}}.tar", out.display());
    assert_eq!(logs(dir.path(), "shards", &shards, &[]), plain);
    // A card of shards is the same data again.
    let cards = dir.path().join("registry");
    std::fs::create_dir_all(cards.join("datasets")).unwrap();
    let card = format!(
        "kind = \"shards\"\n[config]\nroot = \"{}\"\n[config.splits.train]\nfiles = [\"*.tar\"]\nimages = 64\n",
        out.display()
    );
    std::fs::write(cards.join("datasets/packed.toml"), card).unwrap();
    let more = ["--registry", text(&cards)];
    assert_eq!(logs(dir.path(), "card", "packed:train", &more), plain);
    let check = ["--registry", text(&cards), "data", "check", "packed", "--json"];
    assert_eq!(toolkit(&check).json()[0]["items"], 64);
}
