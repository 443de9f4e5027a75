//! Refused files, and the words of the refusals.

use super::*;

/// A good file in each format, with further keys of the split, and a file with the id of the first
/// row again.
const GOOD: [(&str, &str, &str, &str); 9] = [
    (
        "coco-captions",
        "",
        r#"{"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"id": 1, "image_id": 1, "caption": "one"}]}"#,
        r#"{"images": [{"id": 1, "file_name": "1.jpg"}, {"id": 1, "file_name": "1.jpg"}], "annotations": []}"#,
    ),
    (
        "karpathy",
        "",
        r#"{"images": [{"filename": "1.jpg", "imgid": 1, "split": "train", "sentences": [{"raw": "one"}]}]}"#,
        r#"{"images": [{"filename": "1.jpg", "imgid": 1, "split": "train", "sentences": []},
                       {"filename": "2.jpg", "imgid": 1, "split": "train", "sentences": []}]}"#,
    ),
    (
        "lavis-captions",
        "",
        r#"[{"image": "1.jpg", "caption": "one"}]"#,
        r#"[{"image": "a/COCO_1.jpg", "caption": "one"}, {"image": "b/COCO_1.jpg", "caption": "one"}]"#,
    ),
    (
        "nocaps",
        "",
        r#"{"images": [{"id": 1, "file_name": "1.jpg", "domain": "in-domain"}], "annotations": []}"#,
        r#"{"images": [{"id": 1, "file_name": "1.jpg"}, {"id": 1, "file_name": "2.jpg"}], "annotations": []}"#,
    ),
    (
        "vqa",
        "image_name = \"{id}.jpg\"",
        r#"{"questions": [{"image_id": 1, "question": "What?", "question_id": 1}]}"#,
        r#"{"questions": [{"image_id": 1, "question": "What?", "question_id": 1}, {"image_id": 2, "question": "What?", "question_id": 1}]}"#,
    ),
    (
        "lavis-vqa",
        "",
        r#"[{"question_id": 1, "question": "What?", "answer": ["a", "b"], "image": "1.jpg"}]"#,
        r#"[{"question_id": 1, "question": "What?", "answer": "a", "image": "1.jpg"}, {"question_id": 1, "question": "What?", "answer": "a", "image": "1.jpg"}]"#,
    ),
    (
        "gqa",
        "image_name = \"{id}.jpg\"",
        r#"{"1": {"imageId": "1", "question": "What?", "answer": "a"}}"#,
        r#"{"1": {"imageId": "1", "question": "What?", "answer": "a"}, "01": {"imageId": "1", "question": "What?", "answer": "a"}}"#,
    ),
    (
        "visual-genome-regions",
        "image_name = \"{id}.jpg\"",
        r#"[{"id": 1, "regions": [{"region_id": 1, "image_id": 1, "phrase": "one"}]}]"#,
        r#"[{"id": 1, "regions": []}, {"id": 1, "regions": []}]"#,
    ),
    (
        "visual-genome-qa",
        "image_name = \"{id}.jpg\"",
        r#"[{"id": 1, "qas": [{"qa_id": 1, "question": "What?", "answer": "a"}]}]"#,
        r#"[{"id": 1, "qas": [{"qa_id": 1, "question": "What?", "answer": "a"}, {"qa_id": 1, "question": "What?", "answer": "a"}]}]"#,
    ),
];

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused() {
    for (format, more, good, _) in GOOD {
        let disk = Disk::of(format, more);
        disk.put("a.json", good);
        assert_eq!(disk.open().len(), 1, "{format}");
        for end in 0..good.len() {
            disk.put("a.json", &good[..end]);
            let error = disk.error();
            assert!(
                error.contains(" --> ROOT/a.json; hint: ") && error.contains("cut off"),
                "{format} {end}: {error}"
            );
            assert_eq!(disk.check().count(Fault::DamagedFile).min(1), 1, "{format} {end}");
        }
        disk.put("a.json", format!("{good} x"));
        assert!(disk.error().contains("trailing characters"), "{format}");
    }
}

#[test]
fn an_id_that_is_there_twice_is_refused() {
    for (format, more, _, twice) in GOOD {
        let disk = Disk::of(format, more);
        disk.put("a.json", twice);
        let error = disk.error();
        assert!(error.starts_with("row "), "{format}: {error}");
        assert!(error.contains(" --> ROOT/a.json; hint: "), "{format}: {error}");
        assert!(
            error.contains("1 is there again") || error.contains("here and"),
            "{format}: {error}"
        );
        assert_eq!(disk.check().count(Fault::Duplicate), 1, "{format}");
    }
}

#[test]
fn wrong_types_are_refused_with_the_row() {
    for (format, more, good, _) in GOOD {
        let disk = Disk::of(format, more);
        let pairs = [
            ("\"1.jpg\"", "[1]"),
            ("\"one\"", "5"),
            ("\"What?\"", "{}"),
            ("\"a\"", "false"),
            (": 1", ": -1.5"),
        ];
        for (wrong, right) in pairs {
            if good.contains(wrong) {
                disk.put("a.json", good.replace(wrong, right));
                let error = disk.error();
                assert!(error.contains("row 1"), "{format}: {error}");
                assert!(error.contains("`") && error.contains(" is "), "{format}: {error}");
                assert!(disk.check().count(Fault::BadRow) > 0, "{format}");
            }
        }
        for text in ["5", "null", "\"x\""] {
            disk.put("a.json", text);
            assert!(disk.error().contains("invalid type"), "{format} {text}");
        }
        // A row without a key, or a list where an object is expected.
        disk.put("a.json", if good.starts_with('[') { "{}" } else { "[]" });
        let error = disk.error();
        let known = ["it has no key", "invalid type", "has no picture"];
        assert!(known.iter().any(|part| error.contains(part)), "{format}: {error}");
        disk.put("a.json", if good.starts_with('[') { "[]" } else { "{}" });
        let error = disk.error();
        assert!(
            error.contains("there is no list") || error.contains("has no picture"),
            "{format}: {error}"
        );
    }
}

fn refused(format: &str, more: &str, text: &str) -> String {
    let disk = Disk::of(format, more);
    disk.put("a.json", text);
    disk.error()
}

#[test]
fn errors_name_the_row_and_what_to_do() {
    assert_eq!(
        refused(
            "lavis-captions",
            "",
            r#"[{"image": "1.jpg", "caption": "one"}, {"caption": "two"}]"#
        ),
        "row 2 has no `image`; it has `caption` --> ROOT/a.json; hint: correct or remove the row; \
         `toolkit data check` counts all such rows"
    );
    assert_eq!(
        refused(
            "coco-captions",
            "",
            r#"{"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"id": 3, "image_id": 2, "caption": "x"}]}"#
        ),
        "row 1 of \"annotations\": there is no picture 2 --> ROOT/a.json; hint: the file names no \
        such picture; get it again"
    );
    let path = refused("lavis-captions", "", r#"[{"image": "../1.jpg", "caption": "one"}]"#);
    assert_eq!(
        path,
        "row 1: '../1.jpg' is no plain path: paths are relative to a folder of pictures or \
         absolute, without `..` --> ROOT/a.json; hint: correct or remove the row; `toolkit data check` counts all such rows"
    );
    for path in ["a/../../1.jpg", "/etc/../1.jpg", "..\\\\1.jpg", "", ".", "a/", "a\\nb"] {
        let error =
            refused("lavis-captions", "", &format!(r#"[{{"image": "{path}", "caption": "one"}}]"#));
        assert!(error.contains("is no plain path"), "{path}: {error}");
    }
    let domain = r#"{"images": [{"id": 1, "file_name": "1.jpg", "domain": "moon"}]}"#;
    assert!(
        refused("nocaps", "", domain)
            .contains("row 1 of \"images\": 'moon' of picture 1 is no domain")
    );
    let split =
        r#"{"images": [{"filename": "1.jpg", "imgid": 1, "split": "moon", "sentences": []}]}"#;
    assert!(
        refused("karpathy", "", split)
            .contains("no row is of the split train; the file has moon (1)")
    );
    let answers =
        r#"[{"question_id": 1, "question": "What?", "answer": ["a", "b"], "image": "1.jpg"}]"#;
    assert!(refused("lavis-gqa", "", answers).contains("row 1: question 1 has not one answer"));
    let empty = r#"[{"question_id": 1, "question": "What?", "answer": [], "image": "1.jpg"}]"#;
    assert!(refused("lavis-vqa", "", empty).contains("row 1: question 1 has only empty answers"));
    let blank = r#"[{"question_id": 1, "question": " ", "answer": "a", "image": "1.jpg"}]"#;
    assert!(refused("lavis-vqa", "", blank).contains("row 1: question 1 is empty"));
    let some = r#"[{"question_id": 1, "question": "A?", "answer": "a", "image": "1.jpg"}, {"question_id": 2, "question": "B?", "image": "1.jpg"}]"#;
    assert!(
        refused("lavis-vqa", "", some)
            .contains("question 2 has no answers --> ROOT/a.json; hint: other questions have")
    );
    let name = "image_name = \"{id}.jpg\"";
    assert!(
        refused("gqa", name, r#"{"1": {"imageId": [1], "question": "A?"}}"#)
            .contains("`imageId` is [1], not an id")
    );
    let raw = r#"[{"id": 1, "qas": []}]"#;
    assert!(
        refused("visual-genome-qa", "", raw)
            .contains("the picture has only an id --> ROOT/a.json; hint: add `image_name")
    );
    assert!(refused("visual-genome-qa", "", r#"[{"id": 1}]"#).contains("row 1: neither"));
    let stray = r#"[{"id": 1, "regions": [{"image_id": 2, "phrase": "x"}]}]"#;
    assert!(
        refused("visual-genome-regions", name, stray)
            .contains("picture 1 has an annotation of picture 2")
    );
    assert!(
        refused("coco-captions", "", r#"{"images": [], "images": []}"#)
            .contains("\"images\" is there twice")
    );
}

#[test]
fn answers_must_fit_the_questions() {
    let answer = |question: u64, image: u64, answers: &str| {
        format!(r#"{{"question_id": {question}, "image_id": {image}, "answers": [{answers}]}}"#)
    };
    let a = r#"{"answer": "a"}"#;
    for (rows, fault, said) in [
        (
            vec![answer(1, 1, a), answer(3, 1, a), answer(2, 1, a)],
            Fault::Orphan,
            "row 2 of \"annotations\": there is no question 3",
        ),
        (
            vec![answer(1, 2, a), answer(2, 1, a)],
            Fault::BadRow,
            "question 1 is about picture 1, not 2",
        ),
        (
            vec![answer(1, 1, ""), answer(2, 1, a)],
            Fault::BadRow,
            "question 1 has only empty answers",
        ),
        (
            vec![answer(1, 1, a), answer(1, 1, a), answer(2, 1, a)],
            Fault::Duplicate,
            "answers to question 1 are there again",
        ),
        (vec![answer(2, 1, a)], Fault::Unanswered, "question 1 has no answers"),
    ] {
        let disk = Disk::of("vqa", "answers = [\"b.json\"]\nimage_name = \"{id}.jpg\"");
        disk.put(
            "a.json",
            r#"{"questions": [{"image_id": 1, "question": "A?", "question_id": 1}, {"image_id": 1, "question": "B?", "question_id": 2}]}"#,
        )
        .put("b.json", format!(r#"{{"annotations": [{}]}}"#, rows.join(",")));
        let error = disk.error();
        assert!(error.contains(" --> ROOT/b.json; hint: ") && error.contains(said), "{error}");
        assert_eq!(disk.check().count(fault), 1, "{fault:?}");
    }
}

#[test]
fn what_is_not_there_is_said_with_its_place_and_source() {
    let disk = Disk::of("lavis-captions", "");
    assert_eq!(
        disk.error(),
        "there is no annotation file ROOT/a.json; hint: put a.json there (published at \
        https://example.org/data)"
    );
    assert_eq!(disk.check().count(Fault::MissingFile), 1);
    let error = Published::open(&disk.config, &disk.path("gone"), "train").err().unwrap();
    assert_eq!(
        disk.shown(&error),
        "there is no folder ROOT/gone; hint: make it, put a.json there (published at https://example.org/data) and the \
         pictures into ROOT/gone/images"
    );
    let error = Published::open(&disk.config, disk.root.path(), "moon").err().unwrap();
    assert_eq!(disk.shown(&error), "no split 'moon'; hint: the splits are train");
}
