//! No bytes make a reader panic, and checking never stops at what opening refuses.

use super::*;
use proptest::prelude::*;

const FORMATS: [(&str, &str); 10] = [
    ("coco-captions", ""),
    ("karpathy", ""),
    ("lavis-captions", ""),
    ("nocaps", ""),
    ("vqa", "answers = [\"a.json\"]\nimage_name = \"{id:012}.jpg\""),
    ("lavis-vqa", ""),
    ("gqa", "image_name = \"{id}.jpg\""),
    ("lavis-gqa", ""),
    ("visual-genome-regions", "image_name = \"{id}.jpg\""),
    ("visual-genome-qa", "image_name = \"{id}.jpg\""),
];

/// Pieces of the formats, so that some of what is drawn gets past the parser.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let key = prop::sample::select(vec![
        "images",
        "annotations",
        "questions",
        "image",
        "image_id",
        "img_id",
        "id",
        "file_name",
        "filename",
        "caption",
        "question",
        "question_id",
        "answer",
        "answers",
        "imgid",
        "cocoid",
        "split",
        "sentences",
        "raw",
        "regions",
        "phrase",
        "qas",
        "qa_id",
        "imageId",
        "domain",
        "1",
    ]);
    let text = prop::sample::select(vec![
        "a.jpg",
        "train",
        "COCO_1.jpg",
        "COCO_99999999999999999999.jpg",
        "",
        "../x",
        "7",
        "é\n",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        (0_u64..3).prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(|x| serde_json::json!(x)),
        text.prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|pairs| pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

fn every_format(bytes: &[u8]) {
    for (format, more) in FORMATS {
        let disk = Disk::of(format, more);
        disk.put("a.json", bytes);
        let report = disk.check();
        match Published::open(&disk.config, disk.root.path(), "train") {
            Ok(data) => {
                assert!(
                    report.findings.keys().all(|f| matches!(
                        f,
                        Fault::EmptyCaption | Fault::NoText | Fault::MissingImage
                    )),
                    "{report:?}"
                );
                assert_eq!(data.len() as u64, report.images);
                assert_eq!(data.fingerprint(), data.fingerprint());
                assert!(data.image(0).is_err());
            }
            Err(error) => {
                disk.shown(&error);
                assert!(!report.is_clean() || report.images == 0, "{format}: {error}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn json_of_any_shape(value in json()) {
        every_format(value.to_string().as_bytes());
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), list in any::<bool>()) {
        let mut text = if list { b"[".to_vec() } else { b"{\"images\": [".to_vec() };
        text.extend(bytes);
        every_format(&text);
    }

    #[test]
    fn image_names_of_any_text(text in "[{}:id0-9a/]{0,12}", id in "[0-9a-z]{0,14}") {
        if let Ok(name) = ImageName::try_from(text.clone()) {
            prop_assert!(name.of(&id).contains(&id));
            prop_assert_eq!(String::from(name), text);
        }
    }
}

#[test]
fn deep_nesting_is_an_error() {
    every_format("[".repeat(100_000).as_bytes());
    every_format(format!("{{\"x\": {}", "[".repeat(100_000)).as_bytes());
}

#[test]
fn names_are_filled_in() {
    let name = ImageName::try_from("val2014/COCO_val2014_{id:012}.jpg".to_owned()).unwrap();
    assert_eq!(name.of("42"), "val2014/COCO_val2014_000000000042.jpg");
    assert_eq!(name.of("1234567890123"), "val2014/COCO_val2014_1234567890123.jpg");
    assert_eq!(ImageName::try_from("{id}.jpg".to_owned()).unwrap().of("n16"), "n16.jpg");
}
