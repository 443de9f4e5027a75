//! Walks over files of any bytes, in blocks of any size.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::fault::{Counted, Fault};
use super::json_stream::Scan;
use super::paths::{find, is_absolute, moved, plain};
use super::row::{Row, elements, parsed, text};
use super::rows::{entries, list, section};
use super::table::Table;
use super::text::{Encoding, encoding};
use super::values::{ANSWERS, CAPTIONS, Id, texts};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1e6..1e6).prop_map(|x: f64| json!(x)),
        "[\\PC\"\\\\\n\t{}\\[\\],:]{0,6}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z\"\\\\]{0,3}", inner), 0..4)
                .prop_map(|fields| fields.into_iter().collect::<Value>()),
        ]
    })
}

/// Rows, each with a key of its own.
fn rows_of_any() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(value(), 0..5).prop_map(|all| {
        all.into_iter().enumerate().map(|(at, value)| json!({"row": at, "x": value})).collect()
    })
}

fn put(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn listed(path: &Path) -> Vec<Value> {
    let mut all = Vec::new();
    list(path, &[], &mut |at, _, bytes| {
        assert_eq!(at.row, all.len() + 1);
        all.push(serde_json::from_slice(bytes).unwrap());
        Ok(())
    })
    .unwrap();
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn the_end_of_a_value_is_found_wherever_blocks_end(value in value(), pretty: bool, size in 1..9_usize) {
        let text = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        let bytes = format!("{text} ,").into_bytes();
        let (mut scan, mut end) = (Scan::default(), 0);
        for block in bytes.chunks(size) {
            end += scan.feed(block).unwrap();
            if scan.done {
                break;
            }
        }
        prop_assert_eq!(&bytes[..end], text.as_bytes());
    }

    #[test]
    fn fields_and_elements_are_those_of_the_parser(value in value()) {
        let bytes = value.to_string().into_bytes();
        match (&value, Row::parse(&bytes)) {
            (Value::Object(map), Ok(row)) => {
                let found: Vec<(String, Value)> =
                    row.fields().map(|(key, value)| (key.to_owned(), serde_json::from_slice(value).unwrap())).collect();
                let expected: Vec<(String, Value)> = map.clone().into_iter().collect();
                prop_assert_eq!(found, expected);
            }
            (Value::Object(_), Err(error)) => prop_assert!(false, "{}", error),
            (_, row) => prop_assert!(row.is_err()),
        }
        if let Value::Array(all) = &value {
            let found: Vec<Value> = elements(&bytes).unwrap().into_iter().map(|v| serde_json::from_slice(v).unwrap()).collect();
            prop_assert_eq!(&found, all);
        }
        if let Value::String(plain) = &value {
            let found = text(&bytes).unwrap();
            prop_assert_eq!(found.as_ref(), plain.as_str());
        }
    }

    #[test]
    fn every_shape_of_a_list_has_the_same_rows(rows in rows_of_any(), mark: bool) {
        let lines: String = rows.iter().map(|row| format!("{row}\r\n\n")).collect();
        let all = Value::from(rows.clone());
        let shapes = [
            ("a.json", all.to_string()),
            ("b.json", serde_json::to_string_pretty(&all).unwrap()),
            ("c.json", json!({"info": {"a": [1]}, "annotations": rows}).to_string()),
            ("d.jsonl", lines.clone()),
            ("e.json", lines),
        ];
        for (name, text) in shapes {
            if text.is_empty() {
                continue;
            }
            let bytes = if mark { [b"\xef\xbb\xbf", text.as_bytes()].concat() } else { text.into_bytes() };
            let (_dir, path) = put(name, &bytes);
            prop_assert_eq!(&listed(&path), &rows, "{}", name);
        }
        let (_dir, path) = put("f.json", json!({"x": [[]], "images": rows, "y": null}).to_string().as_bytes());
        let mut found: Vec<Value> = Vec::new();
        let there = section(&path, "images", false, &mut |_, _, bytes| {
            found.push(serde_json::from_slice(bytes).unwrap());
            Ok(())
        });
        prop_assert!(there.unwrap());
        prop_assert_eq!(&found, &rows);
    }

    #[test]
    fn no_bytes_make_a_walk_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), start in 0..6_usize) {
        let start = ["", "[", "{\"annotations\": [", "{\"a\": ", "[{\"image\": \"a\"}", "{\"image\": \"a\"}\n"][start];
        let all = [start.as_bytes(), &bytes].concat();
        for name in ["a.json", "a.jsonl"] {
            let (_dir, path) = put(name, &all);
            let each = &mut |_, _: &str, bytes: &[u8]| {
                if let Ok(row) = Row::parse(bytes) {
                    for (key, value) in row.fields() {
                        let _ = (texts(key, value, &CAPTIONS), texts(key, value, &ANSWERS), Id::numbered(key, value));
                    }
                }
                Ok(())
            };
            let _ = (list(&path, &[], each), section(&path, "a", true, each), entries(&path, each));
        }
        for name in ["a.csv", "a.tsv"] {
            let (_dir, path) = put(name, &all);
            if let Ok(mut table) = Table::open(&path, &[]) {
                let _ = (table.picture(), table.captions(), table.questions());
                while table.row().unwrap().is_some() {}
            }
        }
    }

    #[test]
    fn plain_paths_stay_in_their_folder(path in "[./\\\\a:é\n]{0,12}") {
        if let Some(plain_path) = plain(&path) {
            prop_assert_eq!(plain(&plain_path), Some(plain_path.clone()));
            prop_assert!(!plain_path.split('/').any(|part| part == ".." || part == "."));
            prop_assert_eq!(plain_path.starts_with('/'), path.starts_with(['/', '\\']));
        }
    }
}

#[test]
fn whole_floats_are_ids() {
    let id = |text: &str| Id::read("id", text.as_bytes()).map(|id| id.to_string());
    for (text, expected) in [
        ("3", "3"),
        ("3.0", "3"),
        ("\"3.0\"", "3"),
        ("-1", "-1"),
        ("-1.0", "-1"),
        ("-0.0", "0"),
        ("1e3", "1000"),
        ("18446744073709551615", "18446744073709551615"),
        ("\"007\"", "007"),
        ("\"a.b\"", "a.b"),
        ("\"v1.0\"", "v1.0"),
        ("\"1.\"", "1."),
    ] {
        assert_eq!(id(text).unwrap(), expected, "{text}");
    }
    for text in [
        "3.5",
        "NaN",
        "true",
        "[1]",
        "{}",
        "1e300",
        "9007199254740993.0",
        "18446744073709551616",
        "0x3",
    ] {
        assert!(id(text).unwrap_err().starts_with("`id` is "), "{text}");
    }
    let numbered = |text: &str| Id::numbered("id", text.as_bytes()).unwrap().to_string();
    assert_eq!(numbered("\"007\""), "7");
    assert_eq!(numbered("\"COCO_val2014_000000000040\""), "40");
    assert_eq!(numbered("\"COCO_val2014_000000000040.jpg\""), "40");
    assert_eq!(numbered("\"img_40\""), "img_40");
}

#[test]
fn encodings_are_told_by_their_first_bytes() {
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    assert_eq!(encoding(&utf16("[{")), Encoding::Utf16);
    assert_eq!(encoding(b"\xff\xfea\0"), Encoding::Utf16);
    assert_eq!(encoding(b"\xef\xbb\xbf[]"), Encoding::Utf8 { mark: 3 });
    for text in [&b""[..], b"a", b"[]", b"\0\0\0\0", b"ab\0c"] {
        assert_eq!(encoding(text), Encoding::Utf8 { mark: 0 });
    }
    let (_dir, path) = put("a.json", &utf16("[{}]"));
    let error = list(&path, &[], &mut |_, _, _| Ok(())).unwrap_err().to_string();
    assert!(error.contains("this is UTF-16") && error.contains("hint: "), "{error}");
}

#[test]
fn what_follows_or_is_missing_is_named_with_its_line() {
    let said = |name: &str, text: &str| {
        let (_dir, path) = put(name, text.as_bytes());
        list(&path, &[], &mut |_, _, _| Ok(())).unwrap_err().to_string()
    };
    assert!(said("a.json", "[{},\n{}\n{}]").contains("expected `,` or `]`, at line 3"));
    assert!(said("a.json", "[{},\n]").contains("trailing comma"));
    assert!(said("a.json", "[{}\n] x").contains("trailing characters"));
    assert!(
        said("a.json", "[{}}").contains("closes nothing")
            || said("a.json", "[{}}").contains("expected")
    );
    assert!(said("a.json", "").contains("cut off"));
    for (start, is) in [
        ("<!doctype html>", "a web page or XML"),
        ("version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        ("PK\u{3}\u{4}", "a zip archive"),
        ("image,caption\n", "no JSON"),
        ("\"a\"", "a text"),
    ] {
        assert!(
            said("a.json", start).contains(&format!("invalid type: the file is {is}")),
            "{start}"
        );
    }
    assert!(
        said("a.json", "[{},\n{\"a\": [1,").contains("row 2 (line 2): the file ends in the middle")
    );
    assert!(said("a.json", r#"{"annotations": [], "annotations": []}"#).contains("is there twice"));
}

#[test]
fn tables_are_read_with_quotes_and_without() {
    let rows = |name: &str, text: &str| {
        let (_dir, path) = put(name, text.as_bytes());
        let mut table = Table::open(&path, &[]).unwrap();
        let mut all = Vec::new();
        while let Some((line, cells)) = table.row().unwrap() {
            all.push((line, cells));
        }
        (table.heading, all)
    };
    let (heading, all) = rows("a.csv", "File_Name, Caption \na,\"b, \"\"c\"\"\nd\"\n\ne,f\n");
    assert_eq!(heading, ["file_name", "caption"]);
    let cells = |cells: [&str; 2]| Ok(cells.map(str::to_owned).to_vec());
    assert_eq!(all, [(2, cells(["a", "b, \"c\"\nd"])), (5, cells(["e", "f"]))]);
    // CC3M's captions begin with quotes that close nothing.
    let (heading, all) = rows("a.tsv", "\" a man says\t1.jpg\nb\t2.jpg\n");
    assert!(heading.is_empty());
    assert_eq!(all, [(1, cells(["\" a man says", "1.jpg"])), (2, cells(["b", "2.jpg"]))]);
    let (_, all) = rows("a.csv", "image,caption\na,b,c\nd,e\n");
    assert!(all[0].1.as_ref().unwrap_err().starts_with("3 columns, not 2"));
    assert_eq!(all[1], (3, cells(["d", "e"])));
    let long = format!("image,caption\na,\"b{}\n", "\nx,y".repeat(300));
    assert!(rows("a.csv", &long).1[0].1.as_ref().unwrap_err().contains("is a quote not closed?"));
}

#[test]
fn other_spellings_of_a_name_are_found() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["cafe\u{301}.png", "a b.png", "LOUD.PNG", "7.jpg", "%20x.png"] {
        std::fs::write(dir.path().join(name), "").unwrap();
    }
    for name in ["caf\u{e9}.png", "a%20b.png", "LOUD.png", "7", "%20x.png"] {
        assert!(find(dir.path(), name).is_some(), "{name}");
    }
    // A code may not lead out.
    for name in ["gone.png", "%2e%2e/a b.png", "8"] {
        assert!(find(dir.path(), name).is_none(), "{name}");
    }
    let folders = [dir.path().to_owned()];
    let from = |paths: &[&'static str]| moved(paths.iter().copied(), &folders);
    assert_eq!(from(&["/no/where/a b.png", "/no/where/LOUD.PNG"]).as_deref(), Some("/no/where/"));
    assert_eq!(from(&["/no/where/a b.png", "/no/else/a b.png"]), None);
    assert_eq!(from(&["/no/where/gone.png"]), None);
    assert_eq!(from(&["a b.png"]), None);
    assert!(is_absolute("C:/a.png") && !is_absolute("C:a.png") && !is_absolute("a/b"));
}

#[test]
fn an_error_is_told_once() {
    use super::fault::{FaultSink, Strict};
    let error = || crate::DataError::new("what", "hint");
    let mut counted = Counted { most: 1, ..Counted::default() };
    for _ in 0..3 {
        counted.report_error(Fault::BadRow, error()).unwrap();
    }
    assert_eq!(
        (counted.findings[&Fault::BadRow].count, counted.findings[&Fault::BadRow].examples.len()),
        (3, 1)
    );
    let mut strict = Strict::default();
    assert_eq!(
        strict.report_error(Fault::BadRow, error()).unwrap_err().to_string(),
        "what; hint: hint"
    );
    strict.report_error(Fault::NoText, error()).unwrap();
    assert_eq!(strict.left_out.findings[&Fault::NoText].count, 1);
    assert_eq!(parsed::<u8>(b"300").unwrap_err(), "invalid value: integer `300`, expected u8");
}
