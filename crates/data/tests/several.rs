//! Rows with texts under more than one key: nothing is lost in silence.
#![allow(clippy::unwrap_used, missing_docs)]

use serde_json::{Value, json};
use std::borrow::Cow;
use std::path::Path;
use tempfile::TempDir;
use toolkit_data::{
    CheckOptions, Dataset, Fault, Folder, Item, Published, PublishedConfig, check, check_folder,
};

const PNG: &[u8] = include_bytes!("fixtures/plain.png");

/// Returns an item of a data set that has its texts in memory.
fn item(data: &dyn Dataset, at: usize) -> &Item {
    match data.item(at) {
        Cow::Borrowed(item) => item,
        Cow::Owned(_) => panic!("texts are in memory"),
    }
}

/// A folder with the picture `a.png` and one more file.
fn with(name: &str, text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.png"), PNG).unwrap();
    std::fs::write(dir.path().join(name), text).unwrap();
    dir
}

/// The row of a picture: `row` with the key of its path.
fn of_picture(mut row: Value) -> String {
    row["image"] = json!("a.png");
    row.to_string()
}

fn split(format: &str, more: &str) -> PublishedConfig {
    let card = format!(
        "[splits.train]\nformat = \"{format}\"\nfiles = [\"list.json\"]\nfolders = [\".\"]\n{more}"
    );
    toml::from_str(&card).unwrap()
}

fn published(format: &str, row: Value) -> Published {
    let dir = with("list.json", &format!("[{}]", of_picture(row)));
    Published::open(&split(format, ""), dir.path(), "train").unwrap()
}

fn in_folder(name: &str, text: &str) -> (Folder, TempDir) {
    let dir = with(name, text);
    (Folder::open(dir.path()).unwrap(), dir)
}

fn captions(data: &dyn Dataset) -> Vec<&str> {
    item(data, 0).captions.iter().map(String::as_str).collect()
}

fn answers(data: &dyn Dataset) -> Vec<&str> {
    item(data, 0).questions[0].answers.iter().map(String::as_str).collect()
}

#[test]
fn captions_of_one_meaning_are_put_together() {
    for (row, right) in [
        (json!({"caption": "x", "captions": ["p", "q"]}), vec!["x", "p", "q"]),
        (json!({"captions": ["p", "x"], "caption": "x"}), vec!["x", "p"]),
        (json!({"caption": "", "captions": ["real"]}), vec!["real"]),
        (json!({"caption": null, "captions": ["real"]}), vec!["real"]),
        (json!({"caption": "real", "captions": []}), vec!["real"]),
        (json!({"Caption": "x", "caption": "y"}), vec!["y", "x"]),
        (json!({"text": "", "texts": ["p", "q"]}), vec!["p", "q"]),
        (json!({"captions": [{"raw": "", "caption": "p"}]}), vec!["p"]),
        // One list alone stays as it is.
        (json!({"captions": ["p", "p"]}), vec!["p", "p"]),
    ] {
        let data = published("lavis-captions", row.clone());
        let mut found = captions(&data);
        if row.get("Caption").is_some() {
            found.sort_unstable_by(|a, b| b.cmp(a));
        }
        assert_eq!(found, right, "{row}");
        assert!(data.notes().is_empty(), "{row}: {:?}", data.notes());
        let (folder, _dir) = in_folder("captions.jsonl", &of_picture(row.clone()));
        assert_eq!(captions(&folder).len(), right.len(), "{row}");
        assert!(folder.notes().is_empty(), "{row}: {:?}", folder.notes());
    }
}

#[test]
fn of_other_meanings_one_is_read_and_the_others_are_named() {
    for (row, right, note) in [
        (
            json!({"title": "T", "text": "real"}),
            "real",
            "`title` is passed over where `text` has the text",
        ),
        (
            json!({"caption": "real", "text": "T"}),
            "real",
            "`text` is passed over where `caption` has the text",
        ),
        (json!({"caption": "", "text": "real"}), "real", "`text` is read where `caption` is empty"),
        (
            json!({"caption": "", "title": "", "text": "real"}),
            "real",
            "`text` is read where `caption` is empty",
        ),
        (
            json!({"caption": "real", "comment": 5}),
            "real",
            "`comment` is passed over: it is no text",
        ),
    ] {
        let data = published("lavis-captions", row.clone());
        assert_eq!((captions(&data), data.notes()), (vec![right], vec![note.to_owned()]), "{row}");
        let (folder, dir) = in_folder("captions.jsonl", &of_picture(row.clone()));
        let note = format!("captions.jsonl: {note}");
        assert_eq!((captions(&folder), folder.notes()), (vec![right], vec![note.clone()]), "{row}");
        let report = check_folder(dir.path(), CheckOptions::default(), &|_, _| {}).unwrap().report;
        assert_eq!(report.notes, [note], "{row}");
    }
    // The same text twice is no loss.
    assert!(
        published("lavis-captions", json!({"caption": "real", "text": "real"})).notes().is_empty()
    );
    // A value that cannot be read is an error where nothing comes before it.
    let dir = with("list.json", &format!("[{}]", of_picture(json!({"caption": 5, "text": "T"}))));
    let error = Published::open(&split("lavis-captions", ""), dir.path(), "train")
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("`caption` is 5, not a text"), "{error}");
}

#[test]
fn blank_captions_stay_findings() {
    for (row, empty) in [
        (json!({"caption": "", "captions": []}), 1),
        (json!({"caption": " ", "captions": [""]}), 1),
        (json!({"caption": "x", "captions": ["x", ""]}), 1),
        (json!({"caption": "", "captions": ["x"]}), 0),
    ] {
        let dir = with("list.json", &format!("[{}]", of_picture(row.clone())));
        let report = check(
            &split("lavis-captions", ""),
            dir.path(),
            "train",
            CheckOptions::default(),
            &|_, _| {},
        )
        .unwrap();
        assert_eq!(report.count(Fault::EmptyCaption), empty, "{row}: {report:?}");
    }
    // Of a folder, empty captions are not counted as captions.
    let dir = with("captions.jsonl", &of_picture(json!({"captions": ["", " ", "x"]})));
    let report = check_folder(dir.path(), CheckOptions::default(), &|_, _| {}).unwrap().report;
    assert_eq!((report.captions, report.count(Fault::EmptyCaption)), (1, 2), "{report:?}");
}

#[test]
fn ten_answers_win_over_the_most_common_one() {
    let ten: Vec<String> =
        (0..10).map(|at| if at < 7 { "ball" } else { "a ball" }.to_owned()).collect();
    let objects: Vec<Value> =
        ten.iter().map(|answer| json!({"answer": answer, "answer_confidence": "yes"})).collect();
    for row in [
        json!({"answer": "ball", "answers": ten}),
        json!({"answer": ["ball"], "answers": ten}),
        json!({"answer": "", "answers": ten}),
        json!({"answer": "ball", "direct_answers": ten}),
        json!({"answers": objects, "answer": "ball", "answer_type": "other"}),
        json!({"multiple_choice_answer": "Ball", "answers": ten}),
    ] {
        let mut row = row;
        row["question"] = json!("what is it?");
        let data = published("lavis-vqa", row.clone());
        assert_eq!(
            (answers(&data), data.notes()),
            (ten.iter().map(String::as_str).collect(), vec![]),
            "{row}"
        );
        let data = published("visual-genome-qa", row.clone());
        assert_eq!(answers(&data), ten, "{row}");
        let (folder, _dir) = in_folder("captions.jsonl", &of_picture(row.clone()));
        assert_eq!(answers(&folder), ten, "{row}");
        let (folder, _dir) =
            in_folder("captions.jsonl", &json!({"image": "a.png", "questions": [row]}).to_string());
        assert_eq!(answers(&folder), ten, "{row}");
    }
    // One answer that none of the others is, is named. Blank ones never win.
    let data = published(
        "lavis-vqa",
        json!({"question": "q", "answer": "cat", "answers": ["dog", "dog"]}),
    );
    assert_eq!(data.notes(), ["`answer` is passed over where `answers` has the text"]);
    let data =
        published("lavis-vqa", json!({"question": "q", "answer": "cat", "answers": ["", ""]}));
    assert_eq!(answers(&data), ["cat"]);
    // Formats of one answer read the one.
    let data = published(
        "lavis-gqa",
        json!({"question": "q", "answer": "cat", "answers": ["cat", "dog"]}),
    );
    assert_eq!(answers(&data), ["cat"]);
    // A list that cannot be read is an error.
    let row = json!({"question": "q", "answer": "cat", "answers": [["dog"]]});
    let dir = with("list.json", &format!("[{}]", of_picture(row)));
    let error =
        Published::open(&split("lavis-vqa", ""), dir.path(), "train").err().unwrap().to_string();
    assert!(error.contains("row 1: `answers` is"), "{error}");
}

#[test]
fn answers_of_vqa_are_those_of_all_people() {
    let dir = with(
        "list.json",
        r#"[{"image_id": 7, "question_id": 1, "question": "", "query": "what?"}]"#,
    );
    let row = r#"[{"image_id": 7, "question_id": 1, "answer": "a", "multiple_choice_answer": "a", "answers": ["a", "b"]}]"#;
    std::fs::write(dir.path().join("answers.json"), row).unwrap();
    let config = split("vqa", "image_name = \"{id}.png\"\nanswers = [\"answers.json\"]\n");
    let data = Published::open(&config, dir.path(), "train").unwrap();
    assert_eq!(
        (answers(&data), item(&data, 0).questions[0].text.as_str()),
        (vec!["a", "b"], "what?")
    );
    assert_eq!(data.notes(), ["`query` is read where `question` is empty"]);
}

#[test]
fn columns_of_tables_follow_the_same_rules() {
    let (data, _dir) =
        in_folder("captions.csv", "image,caption,captions\na.png,x,\"[\"\"p\"\", \"\"q\"\"]\"\n");
    assert_eq!((captions(&data), data.notes()), (vec!["x", "p", "q"], vec![]));
    let (data, _dir) = in_folder("captions.csv", "image,title,caption\na.png,T,x\n");
    assert_eq!(captions(&data), ["x"]);
    assert_eq!(data.notes(), ["captions.csv: `title` is passed over where `caption` has the text"]);
    let (data, _dir) = in_folder("captions.csv", "image,caption,text,width\na.png,,real,5\n");
    assert_eq!(captions(&data), ["real"]);
    let notes = [
        "captions.csv: passed over `width`",
        "captions.csv: `text` is read where `caption` is empty",
    ];
    assert_eq!(data.notes(), notes);
    let table =
        "image,question,answer,answers\na.png,what?,ball,\"[\"\"ball\"\", \"\"a ball\"\"]\"\n";
    let (data, _dir) = in_folder("captions.csv", table);
    assert_eq!(answers(&data), ["ball", "a ball"]);
    let (data, _dir) =
        in_folder("captions.csv", "image,caption,caption_1,caption_2,caption_3\na.png,x,y,,y\n");
    assert_eq!(captions(&data), ["x", "y"]);
    let (data, _dir) =
        in_folder("captions.csv", "image,caption_1,caption_2,caption_3\na.png,y,,y\n");
    assert_eq!(captions(&data), ["y", "y"]);
    // A list as another language writes it would be one wrong text.
    let dir = with("captions.csv", "image,question,answers\na.png,what?,\"['ball', 'a ball']\"\n");
    let error = Folder::open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("`answers` is a list written as a text"), "{error}");
    assert!(error.contains("captions.csv:2"), "{error}");
}

#[test]
fn texts_in_files_beside_pictures_and_of_regions() {
    let (data, _dir) = in_folder("a.json", r#"{"caption": "x", "captions": ["p"]}"#);
    assert_eq!(captions(&data), ["x", "p"]);
    let dir = with(
        "list.json",
        r#"[{"id": 1, "regions": [{"phrase": "", "caption": "x", "text": "y"}]}]"#,
    );
    let config = split(
        "visual-genome-regions",
        "image_name = \"a.png\"\n".replace("a.png", "{id}.png").as_str(),
    );
    let data = Published::open(&config, Path::new(dir.path()), "train").unwrap();
    assert_eq!(captions(&data), ["x"]);
    let both = r#"{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": 1, "caption": "", "captions": ["x", "y"]}]}"#;
    let dir = with("list.json", both);
    let data = Published::open(&split("coco-captions", ""), dir.path(), "train").unwrap();
    assert_eq!(captions(&data), ["x", "y"]);
}
