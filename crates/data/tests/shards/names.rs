//! Names of shards.

use crate::make::{Place, png, tar};
use toolkit_data::Dataset;

fn ids(place: &Place, patterns: &str) -> String {
    let data = place.open(patterns).unwrap();
    (0..data.len()).map(|at| data.item(at).id.clone()).collect::<Vec<_>>().join(" ")
}

/// Two folders of shards with one sample each, called `1`.
fn place() -> Place {
    let place = Place::new();
    let picture = png(1);
    for name in ["a/00.tar", "a/01.tar", "a/02.tar", "b/00.tar"] {
        place.write(name, tar(&[("1.png", &picture), ("1.txt", b"one")]));
    }
    place.write("a/notes.md", "no shard");
    place
}

#[test]
fn patterns_stand_for_shards_in_the_order_of_their_paths() {
    let place = place();
    for (patterns, expected) in [
        ("a/{02..00}.tar", "00.tar/1 01.tar/1 02.tar/1"),
        ("a/*.tar", "00.tar/1 01.tar/1 02.tar/1"),
        ("a/0[12].tar", "01.tar/1 02.tar/1"),
        ("?/00.tar", "a/00.tar/1 b/00.tar/1"),
        ("b/00.tar::a/{00,02}.tar", "a/00.tar/1 a/02.tar/1 b/00.tar/1"),
        ("b/00.tar a/00.tar a/00.tar", "a/00.tar/1 b/00.tar/1"),
        ("a", "00.tar/1 01.tar/1 02.tar/1"),
        ("a b", "a/00.tar/1 a/01.tar/1 a/02.tar/1 b/00.tar/1"),
    ] {
        assert_eq!(ids(&place, patterns), expected, "{patterns}");
    }
}

#[test]
fn a_path_with_a_blank_is_one() {
    let place = Place::new();
    place.write("my shards/a b.tar", tar(&[("1.png", &png(1)), ("1.txt", b"one")]));
    assert_eq!(ids(&place, "my shards/a b.tar"), "a b.tar/1");
    assert_eq!(ids(&place, "my shards"), "a b.tar/1");
    assert_eq!(ids(&place, "my shards/a b.tar::my shards/*.tar"), "a b.tar/1");
    assert_eq!(ids(&place, "my shards/*.tar::"), "a b.tar/1");
}

#[test]
fn names_that_stand_for_nothing_are_errors() {
    let place = place();
    std::fs::create_dir(place.path("empty")).unwrap();
    place.write("c.tar.gz", b"\x1f\x8b packed");
    for (patterns, expected) in [
        ("", "no shard is named"),
        ("c/*.tar", "nothing is called like"),
        ("c/00.tar", "there is no shard c/00.tar"),
        ("a/{00..05}.tar", "3 shards are not there: a/03.tar, a/04.tar, a/05.tar"),
        ("a/[.tar", "is no pattern"),
        ("a/*.md", "only such as"),
        ("empty", "no shard in"),
        ("{0..99999999}.tar", "stands for more than"),
        ("c.tar.gz", "it is compressed (gzip), no tar --> c.tar.gz"),
        ("a/notes.md", "no picture can be used"),
    ] {
        let error = place.fails(patterns);
        assert!(error.contains(expected) && error.contains("; hint: "), "{patterns}: {error}");
    }
}

#[test]
fn the_folders_of_img2dataset_are_read() {
    let place = Place::new();
    for (folder, key) in [("00000", "000000000"), ("00001", "000010003")] {
        for (ending, bytes) in [
            ("jpg", png(7)),
            ("txt", b"a dog".to_vec()),
            ("json", br#"{"caption": "a dog", "key": "1", "status": "success"}"#.to_vec()),
        ] {
            place.write(&format!("files/{folder}/{key}.{ending}"), bytes);
        }
        place.write(&format!("files/{folder}.parquet"), "");
        place.write(&format!("files/{folder}_stats.json"), r#"{"count": 2, "successes": 1}"#);
    }
    assert_eq!(ids(&place, "files"), "00000/000000000 00001/000010003");
    assert_eq!(ids(&place, "files/00001"), "00001/000010003");
    let data = place.open("files").unwrap();
    assert_eq!(data.item(1).captions, ["a dog"]);
    assert_eq!(data.image(1).unwrap().get_pixel(0, 0).0, [7, 0, 255]);
    assert!(data.left_out().is_empty(), "{:?}", data.left_out());
}
