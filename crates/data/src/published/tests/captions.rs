//! Formats with captions.

use super::*;

const COCO: &str = r#"{"info": {"year": 2014, "nested": [[1, {"a": null}]]},
 "annotations": [{"id": 7, "image_id": 42, "caption": "A boat."}, {"id": 9, "image_id": 42, "caption": "A Lake!\n"},
                 {"id": 8, "image_id": 7, "caption": "Two kids."}],
 "images": [{"id": 42, "file_name": "COCO_val2014_000000000042.jpg", "height": 480, "width": 640},
            {"id": 7, "file_name": "COCO_val2014_000000000007.jpg", "height": 1, "width": 1}]}"#;

#[test]
fn coco_with_its_lists_in_any_order() {
    let disk = Disk::of("coco-captions", "folders = [\"images/val2014\"]");
    disk.put("a.json", COCO).put("images/val2014/COCO_val2014_000000000042.jpg", JPG);
    let data = disk.open();
    let expected = vec![
        ("42", "COCO_val2014_000000000042.jpg", "all", vec!["A boat.", "A Lake!\n"]),
        ("7", "COCO_val2014_000000000007.jpg", "all", vec!["Two kids."]),
    ];
    assert_eq!(captions(&data), expected);
    assert_eq!(data.image(0).unwrap(), crate::decode_bytes(JPG, Path::new("x")).unwrap());
    let error = disk.shown(&data.image(1).unwrap_err());
    assert_eq!(
        error,
        "there is no picture COCO_val2014_000000000007.jpg in ROOT/images/val2014; hint: put it there, or change \
         `folders` of the split"
    );
    let beyond = data.image(2).unwrap_err().to_string();
    assert!(beyond.contains("has 2 items, but item 2 was asked for"), "{beyond}");
}

#[test]
fn karpathy_selects_splits() {
    let text = r#"{"dataset": "coco", "images": [
        {"filepath": "val2014", "filename": "COCO_val2014_000000000042.jpg", "imgid": 0, "cocoid": 42, "split": "train",
         "sentids": [1], "sentences": [{"raw": "A boat.", "tokens": ["a", "boat"], "sentid": 1, "imgid": 0}]},
        {"filepath": "val2014", "filename": "COCO_val2014_000000000043.jpg", "imgid": 1, "cocoid": 43, "split": "restval",
         "sentids": [2], "sentences": [{"raw": "Rest.", "tokens": [], "sentid": 2, "imgid": 1}]},
        {"filename": "1000.jpg", "imgid": 2, "split": "test", "sentids": [3],
         "sentences": [{"raw": "One.", "tokens": [], "sentid": 3, "imgid": 2}, {"raw": "Two.", "sentid": 4}]}]}"#;
    let train = ("42", "val2014/COCO_val2014_000000000042.jpg", "all", vec!["A boat."]);
    let rest = ("43", "val2014/COCO_val2014_000000000043.jpg", "all", vec!["Rest."]);
    let test = ("2", "1000.jpg", "all", vec!["One.", "Two."]);
    // Without `select`, the split's own name.
    for (select, expected) in [
        ("", vec![train.clone()]),
        ("select = [\"train\", \"restval\"]", vec![train, rest]),
        ("select = [\"test\"]", vec![test]),
    ] {
        let disk = Disk::of("karpathy", select);
        disk.put("a.json", text);
        assert_eq!(captions(&disk.open()), expected);
    }
}

#[test]
fn lavis_rows_of_a_picture_are_put_together() {
    let disk = Disk::of("lavis-captions", "");
    disk.put(
        "a.json",
        r#"[{"caption": "A boat.", "image": "val2014/COCO_val2014_000000000042.jpg", "image_id": "coco_42"},
            {"caption": "a red kettle", "image": "VG_100K/0000001.jpg"},
            {"caption": "Again.", "image": "val2014/COCO_val2014_000000000042.jpg", "image_id": "coco_42"},
            {"image": "flickr30k-images/1000001.jpg", "caption": ["Two kids run.", "Kids play."]},
            {"image": "val/00a1.jpg", "img_id": 17},
            {"image": "cc3m/00_17.jpg", "caption": "Not picture 17."}]"#,
    );
    let expected = vec![
        ("42", "val2014/COCO_val2014_000000000042.jpg", "all", vec!["A boat.", "Again."]),
        ("VG_100K/0000001.jpg", "VG_100K/0000001.jpg", "all", vec!["a red kettle"]),
        (
            "flickr30k-images/1000001.jpg",
            "flickr30k-images/1000001.jpg",
            "all",
            vec!["Two kids run.", "Kids play."],
        ),
        ("17", "val/00a1.jpg", "all", vec![]),
        ("cc3m/00_17.jpg", "cc3m/00_17.jpg", "all", vec!["Not picture 17."]),
    ];
    assert_eq!(captions(&disk.open()), expected);
}

#[test]
fn nocaps_has_domains_and_its_test_no_captions() {
    let disk = Disk::of("nocaps", "");
    disk.put(
        "a.json",
        r#"{"licenses": [], "images": [{"id": 0, "file_name": "a.jpg", "coco_url": "", "open_images_id": "a", "domain": "in-domain"},
            {"id": 1, "file_name": "b.jpg", "domain": "out-domain"}, {"id": 2, "file_name": "c.jpg"}],
            "annotations": [{"id": 0, "image_id": 1, "caption": "A b."}]}"#,
    );
    let expected = vec![
        ("0", "a.jpg", "in-domain", vec![]),
        ("1", "b.jpg", "out-domain", vec!["A b."]),
        ("2", "c.jpg", "all", vec![]),
    ];
    assert_eq!(captions(&disk.open()), expected);
    disk.put("a.json", r#"{"images": [{"id": 0, "file_name": "a.jpg", "domain": "near-domain"}]}"#);
    assert_eq!(captions(&disk.open()), vec![("0", "a.jpg", "near-domain", vec![])]);
}

#[test]
fn regions_are_captions() {
    let disk = Disk::of(
        "visual-genome-regions",
        "image_name = \"{id}.jpg\"\nfolders = [\"VG_100K\", \"VG_100K_2\"]",
    );
    disk.put(
        "a.json",
        r#"[{"id": 1, "regions": [{"region_id": 3, "image_id": 1, "phrase": "red kettle", "x": 1, "y": -2, "width": 3, "height": 4},
                                 {"region_id": 4, "phrase": " "}, {"region_id": 5, "phrase": "stove"}]},
            {"id": 20, "regions": []}]"#,
    )
    .put("VG_100K/1.jpg", JPG)
    .put("VG_100K_2/20.jpg", PNG);
    let data = disk.open();
    assert_eq!(
        captions(&data),
        vec![("1", "1.jpg", "all", vec!["red kettle", "stove"]), ("20", "20.jpg", "all", vec![])]
    );
    assert_eq!(data.image(1).unwrap(), crate::decode_bytes(PNG, Path::new("x")).unwrap());
}

#[test]
fn splits_are_joined_with_their_own_folders() {
    let disk = Disk::new(
        "[splits.a]\nformat = \"lavis-captions\"\nfiles = [\"a.json\"]\nfolders = [\"x\"]\n\
         [splits.b]\nformat = \"lavis-captions\"\nfiles = [\"b.json\"]\nfolders = [\"y\"]\n\
         [splits.train]\njoin = [\"a\", \"b\"]\n",
    );
    disk.put("a.json", r#"[{"image": "1.png", "caption": "one"}]"#)
        .put("b.json", r#"[{"image": "2.jpg", "caption": "two"}]"#)
        .put("x/1.png", PNG)
        .put("y/2.jpg", JPG);
    let data = disk.open();
    assert_eq!(data.len(), 2);
    assert_eq!(data.image(0).unwrap(), crate::decode_bytes(PNG, Path::new("x")).unwrap());
    assert_eq!(data.image(1).unwrap(), crate::decode_bytes(JPG, Path::new("x")).unwrap());
    assert!(disk.check().is_clean());
}

#[test]
fn web_pictures_that_are_gone_are_left_out_if_wanted() {
    let disk = Disk::new(
        "[splits.a]\nformat = \"lavis-captions\"\nfiles = [\"a.json\"]\nskip_missing = true\n\
         [splits.b]\nformat = \"lavis-captions\"\nfiles = [\"b.json\"]\nfolders = [\"y\"]\n\
         [splits.train]\njoin = [\"a\", \"b\"]\n",
    );
    disk.put(
        "a.json",
        r#"[{"image": "gone.png", "caption": "gone"}, {"image": "1.png", "caption": "one"}]"#,
    )
    .put(
        "b.json",
        r#"[{"image": "2.jpg", "caption": "two"}, {"image": "kept.jpg", "caption": "three"}]"#,
    )
    .put("images/1.png", PNG)
    .put("y/2.jpg", JPG);
    let data = disk.open();
    let ids: Vec<&str> = captions(&data).iter().map(|item| item.0).collect();
    assert_eq!(ids, ["1.png", "2.jpg", "kept.jpg"]);
    assert!(data.image(0).is_ok() && data.image(1).is_ok() && data.image(2).is_err());
}

#[test]
fn a_fingerprint_is_of_texts_and_pictures_not_of_places() {
    let print = |caption: &str, picture: &[u8], folder: &str| {
        let disk = Disk::of("lavis-captions", &format!("folders = [\"{folder}\"]"));
        disk.put("a.json", format!(r#"[{{"image": "1.png", "caption": "{caption}"}}]"#))
            .put(&format!("{folder}/1.png"), picture);
        disk.open().fingerprint()
    };
    let first = print("one", PNG, "x");
    assert_eq!(first.len(), 64);
    assert_eq!(first, print("one", PNG, "y"));
    assert_ne!(first, print("two", PNG, "x"));
    assert_ne!(first, print("one", JPG, "x"));
    // The ends of a long file are looked at, and so is its length.
    let mut long = vec![7; 20_000];
    let prints: Vec<String> = [0, 4095, 19_999]
        .map(|at| {
            long[at] ^= 1;
            print("one", &long, "x")
        })
        .into_iter()
        .chain([print("one", &[7; 20_001], "x")])
        .collect();
    for (at, a) in prints.iter().enumerate() {
        assert!(prints[..at].iter().all(|b| a != b));
    }
}
