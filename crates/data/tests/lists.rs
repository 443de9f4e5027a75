//! Lists of captions and questions as people have them. `fixtures/lists/make_lists.py` writes the
//! files.
#![allow(clippy::unwrap_used, missing_docs)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toolkit_data::{
    Check, CheckOptions, Dataset, Fault, Folder, FolderCheck, Item, Published, PublishedConfig,
    check, check_folder,
};

const CAPTIONS: [&str; 4] =
    ["a red ball on a table", "two cups beside a lamp", "a dog on wet grass", "an old clock"];

/// Returns an item of a data set that has its texts in memory.
fn item(data: &dyn Dataset, at: usize) -> &Item {
    match data.item(at) {
        Cow::Borrowed(item) => item,
        Cow::Owned(_) => panic!("texts are in memory"),
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lists")
}

/// A split that reads `files` with the pictures of all lists.
fn card(format: &str, file: &str, more: &str) -> PublishedConfig {
    let text = format!("[splits.train]\nformat = \"{format}\"\nfiles = [\"{file}\"]\n{more}\n");
    toml::from_str(&text).unwrap()
}

fn open(config: &PublishedConfig) -> Result<Published, String> {
    Published::open(config, &fixtures(), "train").map_err(|error| {
        let text = error.to_string();
        assert!(text.contains("hint: ") && text.lines().count() == 1, "{text}");
        text
    })
}

fn checked(config: &PublishedConfig) -> Check {
    check(config, &fixtures(), "train", CheckOptions { examples: 5, decode: true }, &|_, _| {})
        .unwrap()
}

fn counts(report: &Check) -> BTreeMap<Fault, u64> {
    report.findings.iter().map(|(fault, found)| (*fault, found.count)).collect()
}

fn files(folder: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(fixtures().join(folder))
        .unwrap()
        .map(|entry| format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

fn captions(data: &dyn Dataset) -> Vec<Vec<&str>> {
    (0..data.len()).map(|at| item(data, at).captions.iter().map(String::as_str).collect()).collect()
}

#[test]
fn the_same_captions_in_every_form_are_the_same() {
    for file in files("captions") {
        let config = card("lavis-captions", &file, "");
        let data = open(&config).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(captions(&data), CAPTIONS.map(|text| vec![text]), "{file}");
        let depicts: Vec<&str> = (0..4).map(|at| item(&data, at).depicts.as_str()).collect();
        assert_eq!(depicts, ["0.png", "1.png", "2.png", "3.png"], "{file}");
        for at in 0..4 {
            assert_eq!(data.image(at).unwrap().get_pixel(0, 0).0[0], 40 * at as u8, "{file}");
        }
        let report = checked(&config);
        assert!(report.is_clean() && report.has_text(), "{file}: {report:?}");
        assert_eq!((report.images, report.captions), (4, 4), "{file}");
    }
}

#[test]
fn the_same_questions_in_every_form_are_the_same() {
    for file in files("questions") {
        let config = card("lavis-vqa", &file, "");
        let data = open(&config).unwrap_or_else(|error| panic!("{file}: {error}"));
        for at in 0..4 {
            let [asked] = &item(&data, at).questions[..] else { panic!("{file}") };
            assert_eq!((asked.id, asked.text.as_str()), (at as u64, "what is it?"), "{file}");
            assert_eq!(asked.answers, ["ball", "a ball", "ball"], "{file}");
            assert!(data.image(at).is_ok(), "{file}");
        }
        assert!(checked(&config).is_clean(), "{file}");
    }
}

#[test]
fn ids_of_vqa_in_every_form_are_the_same() {
    for name in ["plain", "names", "floats", "digits", "lists"] {
        let ends = if name == "lists" { "lists_a" } else { name };
        let answers =
            if name == "lists" { format!("vqa/{ends}.json") } else { format!("vqa/{name}_a.json") };
        let more =
            format!("answers = [\"{answers}\"]\nimage_name = \"COCO_val2014_{{id:012}}.png\"");
        let config = card("vqa", &format!("vqa/{name}_q.json"), &more);
        let data = open(&config).unwrap_or_else(|error| panic!("{name}: {error}"));
        let ids: Vec<(&str, u64)> = (0..4)
            .map(|at| (item(&data, at).id.as_str(), item(&data, at).questions[0].id))
            .collect();
        assert_eq!(ids, [("40", 0), ("41", 1), ("42", 2), ("43", 3)], "{name}");
        assert_eq!(item(&data, 3).questions[0].answers, ["ball", "ball"], "{name}");
        assert!(checked(&config).is_clean(), "{name}");
    }
}

#[test]
fn text_ids_numbers_and_kept_back_answers() {
    let data = open(&card("lavis-vqa", "asked/text_ids.json", "")).unwrap();
    let ids: Vec<u64> = (0..4).map(|at| item(&data, at).questions[0].id).collect();
    // The first 53 bits of the SHA-256 of `q0`.
    assert_eq!(ids[0], u64::from_str_radix(&sha256_start("q0"), 16).unwrap() >> 11);
    assert!(ids.iter().all(|id| *id < 1 << 53) && ids[0] != ids[1]);
    assert!(
        data.notes()[0].contains("ids of questions are texts or below zero")
            && data.notes()[0].contains("for q0")
    );
    let data = open(&card("lavis-vqa", "asked/numbers.json", "")).unwrap();
    assert_eq!(item(&data, 0).questions[0].answers, ["2", "2", "2.5"]);
    assert_eq!(item(&data, 0).questions[0].answer_type, "number");
    let kept = card("lavis-vqa", "asked/kept_back.json", "");
    assert!(
        open(&kept).unwrap().item(0).questions[0].answers.is_empty() && checked(&kept).is_clean()
    );
    let all = card("lavis-vqa", "asked/all.json", "");
    assert!(
        open(&all)
            .err()
            .unwrap()
            .contains("row 1 has no `answer`; it has `image`, `question_id`, `question`, `labels`")
    );
    assert_eq!(counts(&checked(&all)), BTreeMap::from([(Fault::DamagedFile, 1)]));
    let list = open(&card("lavis-vqa", "asked/python_list.json", "")).err().unwrap();
    assert!(list.contains("row 1: `direct_answers` is a list written as a text"), "{list}");
}

/// 16 digits of what `printf q0 | sha256sum` prints.
fn sha256_start(text: &str) -> String {
    assert_eq!(text, "q0");
    "341c0a3e67c31467".to_owned()
}

#[test]
fn a_bad_row_is_a_finding_and_the_others_are_read() {
    for file in files("bad") {
        let config = card("lavis-captions", &file, "");
        let report = checked(&config);
        let name = file.split(['/', '.']).nth(1).unwrap();
        assert_eq!(counts(&report), BTreeMap::from([(Fault::BadRow, 1)]), "{file}");
        assert_eq!((report.images, report.captions), (3, 3), "{file}");
        let said = report.findings[&Fault::BadRow].examples[0].to_string();
        // The third row is in the fourth line of both forms.
        assert!(
            said.contains("row 3") && said.contains("(line 4)") && said.contains(&file),
            "{said}"
        );
        let key = match name {
            "list" | "text" => "a row is an object",
            "no_image" => "has no `image`; it has `picture_url`, `caption`",
            "comma" => "the row is broken: expected `,` or `}`",
            "escapes" => "is no plain path",
            "image_number" | "image_nan" | "two_images" => "`image`",
            _ => "`caption`",
        };
        assert!(said.contains(key), "{file}: {said}");
        // Opening stops there, with the same words.
        assert_eq!(open(&config).err().unwrap(), said, "{file}");
    }
}

#[test]
fn rows_without_text_are_counted_and_all_of_them_are_an_error() {
    let all = card("lavis-captions", "lacking/all.json", "");
    assert!(
        open(&all).err().unwrap().contains("row 1 has no `caption`; it has `image`, `captionz`")
    );
    assert_eq!(counts(&checked(&all)), BTreeMap::from([(Fault::DamagedFile, 1)]));
    let null = open(&card("lavis-captions", "lacking/all_null.json", "")).err().unwrap();
    assert!(null.contains("row 1 has no `caption`: it is null"), "{null}");

    let one = card("lavis-captions", "lacking/one.json", "");
    let report = checked(&one);
    assert_eq!(counts(&report), BTreeMap::from([(Fault::NoText, 1)]));
    assert!(
        report.findings[&Fault::NoText].examples[0]
            .to_string()
            .contains("row 4 has no `caption`; it has `image`, `captionz`")
    );
    // As before, such a picture has no caption; but that is said.
    let data = open(&one).unwrap();
    assert!(item(&data, 3).captions.is_empty());
    assert!(data.notes()[0].starts_with("no-text: 1, such as: "), "{:?}", data.notes());

    let report = checked(&card("lavis-captions", "lacking/mixed.json", ""));
    assert_eq!(counts(&report), BTreeMap::from([(Fault::NoText, 1), (Fault::EmptyCaption, 1)]));

    let kept = card("lavis-captions", "lacking/kept_back.json", "");
    let report = checked(&kept);
    assert!(report.is_clean() && !report.has_text() && open(&kept).is_ok());

    let nothing = card("lavis-captions", "lacking/nothing.json", "");
    assert_eq!(counts(&checked(&nothing)), BTreeMap::from([(Fault::Empty, 1)]));
    assert!(open(&nothing).is_err());

    let instances = card("coco-captions", "lacking/coco.json", "");
    let said = open(&instances).err().unwrap();
    assert!(
        said.contains(
            "row 1 of \"annotations\" has no `caption`; it has `image_id`, `category_id`, `bbox`"
        ),
        "{said}"
    );
}

#[test]
fn coco_and_karpathy_as_other_tools_write_them() {
    for (file, ids) in [
        ("floats", ["0", "1", "2", "3"]),
        ("below_zero", ["-1", "-2", "-3", "-4"]),
        ("captions_first", ["0", "1", "2", "3"]),
    ] {
        let config = card("coco-captions", &format!("coco/{file}.json"), "");
        let data = open(&config).unwrap_or_else(|error| panic!("{file}: {error}"));
        let found: Vec<&str> = (0..4).map(|at| item(&data, at).id.as_str()).collect();
        assert_eq!(found, ids);
        assert_eq!(captions(&data), CAPTIONS.map(|text| vec![text]), "{file}");
        assert!(checked(&config).is_clean(), "{file}");
    }
    // Percent codes, an ending in other letters, letters composed otherwise, a dot.
    let report = checked(&card("coco-captions", "coco/names.json", ""));
    assert!(report.is_clean(), "{report:?}");

    let own =
        |split: &str| card("karpathy", "karpathy/own.json", &format!("select = [\"{split}\"]"));
    assert_eq!(captions(&open(&own("dev")).unwrap()), [vec![CAPTIONS[2]]]);
    assert_eq!(open(&own("train")).unwrap().item(1).id, "img1");
    let said = open(&own("restval")).err().unwrap();
    assert!(
        said.contains("no row is of the split restval; the file has dev (1), test (1), train (2)"),
        "{said}"
    );
    assert_eq!(open(&card("karpathy", "karpathy/list.json", "")).unwrap().item(2).id, "2.png");
}

#[test]
fn absolute_paths_are_read_where_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let picture = fixtures().join("images/2.png");
    let list = dir.path().join("list.json");
    let row = |path: &Path| serde_json::json!([{"image": path, "caption": "a"}]).to_string();
    std::fs::write(&list, row(&picture)).unwrap();
    let config = card("lavis-captions", "list.json", "");
    let data = Published::open(&config, dir.path(), "train").unwrap();
    assert_eq!(data.image(0).unwrap().get_pixel(0, 0).0[0], 80);
    std::fs::write(&list, row(&fixtures().join("images/gone.png"))).unwrap();
    let data = Published::open(&config, dir.path(), "train").unwrap();
    let error = data.image(0).unwrap_err();
    assert!(error.is_unreadable() && error.to_string().contains("images/gone.png"), "{error}");
}

fn folder(name: &str) -> PathBuf {
    fixtures().join("folders").join(name)
}

fn checked_folder(name: &str) -> FolderCheck {
    check_folder(&folder(name), CheckOptions::default(), &|_, _| {}).unwrap()
}

#[test]
fn folders_of_every_form_are_read() {
    for name in [
        "metadata_jsonl",
        "metadata_csv",
        "captions_csv",
        "semicolons",
        "captions_tsv",
        "cc3m",
        "paths_first",
        "one_text",
        "list",
        "beside",
        "moved",
    ] {
        let data = Folder::open(&folder(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(captions(&data), [["a dog"], ["a cat"]], "{name}");
        let FolderCheck { data: again, report, .. } = checked_folder(name);
        assert!(report.is_clean() && report.has_text(), "{name}: {report:?}");
        assert_eq!((report.images, report.captions), (2, 2), "{name}");
        assert_eq!(again.fingerprint(), data.fingerprint(), "{name}");
    }
    assert_eq!(
        Folder::open(&folder("one_text")).unwrap().notes(),
        ["captions.jsonl: passed over `width`"]
    );
    let deep = Folder::open(&folder("deep")).unwrap();
    assert_eq!(
        (item(&deep, 0).id.as_str(), item(&deep, 1).id.as_str()),
        ("train/a.png", "val/b.PNG")
    );
    assert_eq!(captions(&deep), [["a dog"], ["a cat"]]);
    // A list above the folder of the pictures, as Flickr8k has it; of two pictures of a name
    // neither is meant.
    let above = Folder::open(&folder("above")).unwrap();
    assert_eq!(
        (item(&above, 0).id.as_str(), captions(&above)),
        ("Images/a.png", vec![vec!["a dog", "a brown dog"], vec![]])
    );
    let twice = Folder::open(&folder("above_twice")).err().unwrap().to_string();
    assert!(
        twice.contains("there are 2 pictures called a.png: x/a.png, y/a.png")
            && twice.contains("captions.csv:2; hint: "),
        "{twice}"
    );
    let map = Folder::open(&folder("map")).unwrap();
    assert_eq!(captions(&map), [vec!["a dog"], vec!["a cat", "one cat"]]);
    let quoted = Folder::open(&folder("quoted")).unwrap();
    assert_eq!(captions(&quoted), [["a dog, a \"big\" one\non a mat", "two dogs"]]);
}

#[test]
fn a_folder_says_what_it_passes_over() {
    let error = |name: &str| Folder::open(&folder(name)).err().unwrap().to_string();

    // A blank caption is left out, and counted.
    let data = Folder::open(&folder("blank")).unwrap();
    assert_eq!(captions(&data), [["a dog"], ["a cat"]]);
    assert_eq!(data.left_out()[&Fault::EmptyCaption].count, 1);
    assert_eq!(counts(&checked_folder("blank").report), BTreeMap::from([(Fault::EmptyCaption, 1)]));

    let FolderCheck { data, report, .. } = checked_folder("unread");
    assert_eq!((data.len(), counts(&report)), (1, BTreeMap::from([(Fault::UnreadFormat, 1)])));
    assert!(
        report.findings[&Fault::UnreadFormat].examples[0]
            .to_string()
            .contains("b.heic is passed over: HEIC is not read")
    );
    let notes = Folder::open(&folder("unread")).unwrap().notes().join("\n");
    for part in [
        "unread-format: 1, such as: ",
        "labels.csv",
        "stray.txt is not read: no picture is called so",
    ] {
        assert!(notes.contains(part), "{notes}");
    }

    let shard = error("shard");
    assert!(shard.contains("00000.tar is a webdataset shard: not read as a folder"), "{shard}");
    assert!(shard.contains("00000.parquet"), "{shard}");
    let utf16 = error("utf16");
    assert!(utf16.contains("this is UTF-16") && utf16.contains("a.txt:1"), "{utf16}");
    let latin = error("latin");
    assert!(latin.contains("not UTF-8 text") && latin.contains("a.txt:2"), "{latin}");
    let none = error("no_captions");
    assert!(
        none.contains("captions.jsonl:1")
            && none.contains("has no `caption`; it has `image`, `captionz`"),
        "{none}"
    );
    let column = error("no_column");
    assert!(
        column.contains("no column is called `caption`; there are `file_name`, `label`"),
        "{column}"
    );
    let row = error("bad_row");
    assert!(row.contains("the row is broken") && row.contains("captions.jsonl:1"), "{row}");
    let cell = error("bad_cell");
    assert!(cell.contains("not UTF-8 text") && cell.contains("captions.csv:2"), "{cell}");

    // In check all of these are findings, and the others are read.
    for (name, fault, captions) in [
        ("utf16", Fault::DamagedFile, 0),
        ("latin", Fault::DamagedFile, 0),
        ("no_captions", Fault::DamagedFile, 0),
        ("no_column", Fault::DamagedFile, 0),
        ("shard", Fault::UnreadFile, 0),
        ("half", Fault::NoText, 1),
        ("damaged", Fault::UnreadableImage, 2),
    ] {
        let report = checked_folder(name).report;
        assert!(report.count(fault) > 0 && report.captions == captions, "{name}: {report:?}");
    }
    for name in ["bad_row", "bad_cell"] {
        let report = checked_folder(name).report;
        assert_eq!((report.count(Fault::BadRow), report.captions), (1, 1), "{name}: {report:?}");
    }
    let FolderCheck { data, report, .. } = checked_folder("bare");
    assert!(report.is_clean() && !report.has_text() && data.len() == 2);
    let FolderCheck { data, unreadable, .. } = checked_folder("damaged");
    assert!(unreadable.len() == 1 && unreadable[0].to_string().contains("b.png"));
    assert!(data.image(1).unwrap_err().is_unreadable() && data.image(0).is_ok());
}

#[cfg(unix)]
#[test]
fn links_are_followed_once() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let picture = std::fs::read(fixtures().join("images/0.png")).unwrap();
    std::fs::create_dir_all(dir.path().join("z/deep")).unwrap();
    std::fs::write(dir.path().join("z/deep/a.png"), &picture).unwrap();
    symlink(dir.path(), dir.path().join("z/loop")).unwrap();
    symlink(dir.path().join("z/deep"), dir.path().join("a_link")).unwrap();
    symlink(dir.path().join("nowhere"), dir.path().join("broken.png")).unwrap();
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("b.png"), &picture).unwrap();
    symlink(other.path(), dir.path().join("other")).unwrap();
    let data = Folder::open(dir.path()).unwrap();
    let ids: Vec<&str> = (0..data.len()).map(|at| item(&data, at).id.as_str()).collect();
    assert_eq!(ids, ["other/b.png", "z/deep/a.png"]);
}
