//! Files of captions and answers as people bring them, against the official tools' numbers.
//!
//! The fixture comes from `tests/fixtures/make_scores.py`. METEOR is compared too if
//! `TOOLKIT_METEOR` names the folder of pycocoevalcap.

use crate::official::{CaptionFiles, ScoredCaptions, VqaFiles};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toolkit_metrics::Meteor;
use toolkit_system::progress::Silent;

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn captions(
        &self,
        annotations: impl AsRef<[u8]>,
        results: impl AsRef<[u8]>,
    ) -> Result<CaptionFiles, String> {
        let (annotations, results) = (self.put("a.json", annotations), self.put("r.json", results));
        CaptionFiles::read(&annotations, &results, false).map_err(|error| error.to_string())
    }

    fn answers(
        &self,
        questions: &Value,
        annotations: &Value,
        results: &str,
    ) -> Result<VqaFiles, String> {
        let files = [questions.to_string(), annotations.to_string(), results.to_owned()];
        let [q, a, r] =
            std::array::from_fn(|at| self.put(["q.json", "a.json", "r.json"][at], &files[at]));
        VqaFiles::read(&q, &a, &r, false).map_err(|error| error.to_string())
    }
}

fn cases() -> BTreeMap<String, Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/scores.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn meteor() -> Meteor {
    std::env::var("TOOLKIT_METEOR").map_or_else(
        |_| Meteor::without_tables(),
        |folder| Meteor::open(Path::new(&folder)).unwrap(),
    )
}

fn compare(name: &str, scored: &ScoredCaptions, right: &Value) {
    for (metric, expected) in right.as_object().unwrap() {
        let Some(found) = scored.scores.get(metric.as_str()) else {
            assert_eq!(metric, "METEOR", "{name}");
            continue;
        };
        let (found, expected) = (found.unwrap(), expected.as_f64().unwrap());
        assert!((found - expected).abs() < 1e-9, "{name}, {metric}: {found}, official {expected}");
        assert!(found.is_sign_positive(), "{name}, {metric}: {found}");
    }
}

#[test]
fn captions_however_they_are_written_score_as_by_the_official_tool() {
    let (files, meteor, cases) = (Files::new(), meteor(), cases());
    assert_eq!(cases.len(), 14);
    for (name, case) in cases {
        let annotations = case["annotations"].to_string();
        let rows = case["results"].as_array().unwrap();
        let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let list = case["results"].to_string();
        let marked = |text: &str| format!("\u{feff}{text}");
        for (a, r) in [
            (annotations.clone(), list.clone()),
            (marked(&annotations), marked(&list)),
            (annotations.clone(), lines.clone()),
            (annotations.clone(), marked(&lines)),
        ] {
            let read = files.captions(&a, &r).unwrap();
            let scored = read.score(&meteor, &Silent).unwrap();
            compare(&name, &scored, &case["right"]);
            let each: Vec<_> = scored.each(&read).collect();
            assert_eq!(each.len(), rows.len());
            let cider = each.iter().map(|row| row.scores["CIDEr"]).sum::<f64>() / each.len() as f64;
            assert!(
                (Some(cider) == scored.scores["CIDEr"])
                    || (cider - scored.scores["CIDEr"].unwrap()).abs() < 1e-12
            );
        }
    }
}

#[test]
fn numbers_that_surprise_say_why() {
    let (files, meteor, cases) = (Files::new(), Meteor::without_tables(), cases());
    let notes = |name: &str| {
        let read = files
            .captions(cases[name]["annotations"].to_string(), cases[name]["results"].to_string())
            .unwrap();
        read.score(&meteor, &Silent).unwrap().notes.join("\n")
    };
    assert_eq!(notes("negative and large ids"), notes("plain"));
    assert_eq!(
        notes("plain"),
        "BLEU-4 is (nearly) 0: no 4 words in a row of any caption are in a reference of its image."
    );
    assert!(
        notes("one image").contains("CIDEr is 0 whatever the caption")
            && notes("one image").contains("BLEU-2 to BLEU-4")
    );
    assert!(
        notes("all images have the same references")
            .contains("all images have the same references")
    );
    assert!(notes("fewer than four words").contains("BLEU-2 to BLEU-4 are (nearly) 0"));
    assert!(notes("one word each").contains("no caption has 2 words"));
    assert!(notes("one empty").contains("1 of 4 captions have no word"));
    assert!(notes("punctuation only").starts_with("4 of 4 captions have no word"));
    assert!(!notes("punctuation only").contains("BLEU"));
    assert!(
        notes("nothing matches")
            .contains("BLEU-1 to BLEU-4 are (nearly) 0: no word of any caption")
    );
}

#[test]
fn rows_that_are_no_results_are_refused_with_their_place() {
    let files = Files::new();
    let annotations = json!({"annotations": [{"image_id": 1, "caption": "a dog"}]}).to_string();
    for (results, parts) in [
        ("{\"1\": \"a dog\"}", ["r.json", "row 1 has no `image_id`; it has `1`"]),
        (
            "{\"annotations\": [{\"image_id\": 1, \"caption\": \"a dog\"}]}",
            ["r.json", "inside an object, as \"annotations\""],
        ),
        (
            "{\"image_id\": 1, \"caption\": \"a dog\"}\n{\"image_id\": 2}",
            ["r.json", "row 2 (line 2) (`image_id` 2) has no `caption`; it has `image_id`"],
        ),
        (
            "{\"image_id\": 1, \"caption\": \"a dog\"}\n{\"image_id\": 2, \"capt",
            ["row 2 (line 2)", "cut off"],
        ),
        (
            "[{\"image_id\": 1, \"caption\": \"a\"}, {\"image_id\": 4, \"caption\": null}]",
            [
                "r.json",
                "row 2 (`image_id` 4): `caption` is null, not a text; the row has `image_id`, \
                `caption`",
            ],
        ),
        (
            "[{\"image_id\": 1, \"caption\": [\"a\"]}]",
            ["row 1 (`image_id` 1)", "`caption` is [\"a\"], not a text"],
        ),
        (
            "[{\"image_id\": 1, \"captions\": \"a\"}]",
            ["row 1 (`image_id` 1) has no `caption`", "it has `image_id`, `captions`"],
        ),
        ("[{\"image_id\": 1, \"caption\": NaN}]", ["row 1 (`image_id` 1)", "`caption` is NaN"]),
        (
            "[{\"image_id\": 1, \"caption\": \"\\ud83c\"}]",
            ["row 1 (`image_id` 1)", "half of a character"],
        ),
        (
            "[{\"image_id\": 1, \"caption\": \"a\", \"score\": NaN}]",
            ["row 1 (`image_id` 1)", "`score` is NaN"],
        ),
        ("[{\"image_id\": 1.5, \"caption\": \"a\"}]", ["row 1: ", "`image_id` is 1.5, not an id"]),
        (
            "[{\"image_id\": 1, \"caption\": \"a\"}, {\"image_id\": 2, \"cap",
            ["row 2: ", "the file ends in the middle"],
        ),
        (
            "[{\"image_id\": 1.0, \"caption\": \"a\"}, {\"image_id\": \"1\", \"caption\": \"b\"}]",
            ["r.json", "image 1 is there twice, in rows 1 and 2"],
        ),
        ("\u{feff}", ["r.json", "the file is empty"]),
    ] {
        let error = files.captions(&annotations, results).unwrap_err();
        assert!(
            parts.iter().all(|part| error.contains(part)) && error.contains("; hint: "),
            "{results}: {error}"
        );
    }
    let list = "[{\"image_id\": 1, \"caption\": \"a dog\"}]";
    let two = "{\"annotations\": [{\"image_id\": 1, \"id\": 5, \"caption\": \"a\"}, {\"image_id\": \
        1, \"id\": 6, \"caption\": 3}]";
    for (annotations, part) in [
        (
            format!("{two}}}"),
            "row 2 of \"annotations\" (`image_id` 1, `id` 6): `caption` is 3, not a text",
        ),
        (
            "{\"images\": [{\"id\": 1}, {\"ids\": 2}], \"annotations\": []}".to_owned(),
            "row 2 of \"images\" has no `id`; it has `ids`",
        ),
        ("{\"images\": []}".to_owned(), "missing field `annotations`"),
        ("[]".to_owned(), "the file is a list, not an object with \"annotations\""),
    ] {
        let error = files.captions(&annotations, list).unwrap_err();
        assert!(error.contains(part) && error.contains("a.json"), "{error}");
    }
    // With a mark, and told by its zeros.
    for list in [&b"\xFF\xFE[\0]\0"[..], b"[\0{\0}\0]\0"] {
        let error = files.captions(&annotations, list).unwrap_err();
        assert!(error.contains("UTF-16") && error.contains("save it as UTF-8"), "{error}");
    }
}

/// Six questions by hand: 100, 60, 30, 100, 100 and 100 %.
fn vqa(answers: usize, id: impl Fn(u64) -> Value) -> (Value, Value) {
    let right: [[&str; 10]; 6] = [
        ["2"; 10],
        ["bus", "bus", "car", "car", "car", "car", "car", "car", "car", "car"],
        ["yes", "no", "no", "no", "no", "no", "no", "no", "no", "no"],
        ["red"; 10],
        ["dog", "dog", "dog", "dog", "cat", "cat", "cat", "cat", "cat", "cat"],
        ["6:30"; 10],
    ];
    let questions: Vec<Value> = (0..6)
        .map(|at| json!({"question_id": id(at), "image_id": at, "question": "what?"}))
        .collect();
    let annotation = |at: u64| {
        let answers: Vec<Value> =
            right[at as usize][..answers].iter().map(|answer| json!({"answer": answer})).collect();
        json!({"question_id": id(at), "answer_type": (["number", "other"][at as usize % 2]), "question_type": "what",
            "answers": answers})
    };
    (
        json!({"questions": questions}),
        json!({"annotations": (0..6).map(annotation).collect::<Vec<_>>()}),
    )
}

fn given(id: impl Fn(u64) -> Value) -> Vec<Value> {
    let said = ["Two", "the bus.", "Yes", "red", "a dog", "6:30"];
    (0..6).map(|at| json!({"question_id": id(at), "answer": said[at as usize]})).collect()
}

#[test]
fn answers_with_ids_of_other_tools_score_the_same() {
    let files = Files::new();
    let kinds: [fn(u64) -> Value; 4] = [
        |at| json!(at),
        |at| json!(at as f64),
        |at| json!(at.to_string()),
        |at| json!(format!("{at}.0")),
    ];
    for (asked, answered) in
        kinds.iter().flat_map(|asked| kinds.iter().map(move |answered| (asked, answered)))
    {
        let (questions, annotations) = vqa(10, asked);
        let rows = given(answered);
        let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
        for results in [json!(rows).to_string(), lines, format!("\u{feff}{}", json!(rows))] {
            let read = files.answers(&questions, &annotations, &results).unwrap();
            let score = read.score();
            assert_eq!(score.overall, Some(81.67));
            assert_eq!(
                (score.per_answer_type["number"], score.per_answer_type["other"]),
                (76.67, 86.67)
            );
            assert_eq!(read.notes(), [""; 0]);
        }
    }
}

/// One list of 40,000 rows on one line: the row is named, not the byte.
#[test]
fn a_row_among_many_is_named_by_its_number() {
    let files = Files::new();
    let row = |id: u64, caption: Value| json!({"image_id": id, "caption": caption});
    let mut rows: Vec<Value> = (0..40_000).map(|id| row(id, json!("a dog"))).collect();
    let annotations = json!({"annotations": rows}).to_string();
    rows[31_416] = row(31_416, Value::Null);
    let error = files.captions(&annotations, json!(rows).to_string()).unwrap_err();
    assert!(error.contains("row 31417 (`image_id` 31416): `caption` is null"), "{error}");
}

/// Answers as texts, as numbers, and in objects: the same score as the official form.
#[test]
fn answers_of_other_tools_are_texts_where_the_meaning_is_plain() {
    let files = Files::new();
    let (questions, official) = vqa(10, |at| json!(at));
    let mut results = given(|at| json!(at));
    results[0]["answer"] = json!(2);
    let with = |entry: fn(&str) -> Value| {
        let mut annotations = official.clone();
        for annotation in annotations["annotations"].as_array_mut().unwrap() {
            for answer in annotation["answers"].as_array_mut().unwrap() {
                *answer = entry(answer["answer"].as_str().unwrap());
            }
        }
        annotations
    };
    let number =
        |text: &str| text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number));
    let forms: [fn(&str) -> Value; 3] = [
        |text| json!(text),
        |text| json!({"answer": text.parse::<f64>().map_or(json!(text), |x| json!(x))}),
        number,
    ];
    for form in forms {
        let read = files.answers(&questions, &with(form), &json!(results).to_string()).unwrap();
        assert_eq!(read.score().overall, Some(81.67));
    }
    for (entry, part) in [
        (json!(null), "entry 10 of `answers`: `answer` is null, not a text"),
        (json!({"answer": true}), "entry 10 of `answers`: `answer` is true, not a text"),
        (json!({"text": "2"}), "entry 10 of `answers`: has no `answer`; it has `text`"),
    ] {
        let mut annotations = official.clone();
        annotations["annotations"][3]["answers"][9] = entry;
        let error =
            files.answers(&questions, &annotations, &json!(results).to_string()).unwrap_err();
        let place = "row 4 of \"annotations\" (`question_id` 3): ";
        assert!(error.contains(&format!("{place}{part}")) && error.contains("a.json"), "{error}");
    }
    results[4]["answer"] = Value::Null;
    let error = files.answers(&questions, &official, &json!(results).to_string()).unwrap_err();
    assert!(
        error.contains("row 5 (`question_id` 4): `answer` is null, not a text; the row has"),
        "{error}"
    );
    let asked = json!({"questions": [{"question_id": 0, "image_id": 0, "text": "what?"}]});
    let error = files.answers(&asked, &official, &json!(results[..4]).to_string()).unwrap_err();
    assert!(
        error.contains("row 1 of \"questions\" (`question_id` 0) has no `question`; it has"),
        "{error}"
    );
}

#[test]
fn types_are_for_breakdowns_only() {
    let files = Files::new();
    let (questions, mut annotations) = vqa(10, |at| json!(at));
    let results = json!(given(|at| json!(at))).to_string();
    annotations["annotations"][2].as_object_mut().unwrap().remove("question_type");
    let read = files.answers(&questions, &annotations, &results).unwrap();
    let score = read.score();
    assert_eq!(
        (score.overall, score.per_answer_type.len(), score.per_question_type.len()),
        (Some(81.67), 2, 0)
    );
    assert_eq!(
        read.notes(),
        ["1 of 6 questions have no `question_type`, so there is no breakdown by it."]
    );
    for annotation in annotations["annotations"].as_array_mut().unwrap() {
        annotation.as_object_mut().unwrap().retain(|key, _| !key.ends_with("_type"));
    }
    let read = files.answers(&questions, &annotations, &results).unwrap();
    let score = read.score();
    assert_eq!(
        (score.overall, score.per_answer_type.len(), score.per_question_type.len()),
        (Some(81.67), 0, 0)
    );
    assert_eq!(read.notes().len(), 2);
}

#[test]
fn few_answers_say_what_can_be_reached() {
    let files = Files::new();
    let results = json!(given(|at| json!(at))).to_string();
    for (answers, overall, note) in [
        (
            1,
            0.0,
            "fewest 1: each annotator's answer is compared with the other annotators', of whom 3 \
            must agree, so a right answer reaches 0.00 % at most",
        ),
        (2, 30.56, "fewest 2"),
        (3, 55.56, "reaches 66.67 % at most"),
        (4, 79.17, "6 of 6 questions have 4 to 9 answers"),
    ] {
        let (questions, annotations) = vqa(answers, |at| json!(at));
        let read = files.answers(&questions, &annotations, &results).unwrap();
        assert_eq!(read.score().overall, Some(overall), "{answers}");
        assert!(read.notes().len() == 1 && read.notes()[0].contains(note), "{:?}", read.notes());
    }
    let (questions, annotations) = vqa(10, |at| json!(at));
    let empty = results.replace("a dog", "a").replace("red", " the ");
    let read = files.answers(&questions, &annotations, &empty).unwrap();
    assert!(
        read.notes()[0].starts_with("2 of 6 answers are empty as they are compared"),
        "{:?}",
        read.notes()
    );
}

/// A caption of a million words is scored within seconds, and what cannot be is left out by name.
#[test]
fn texts_of_any_length_end() {
    let files = Files::new();
    let long = "a dog ".repeat(100_000);
    let annotations = |reference: &str| {
        json!({"annotations": [{"image_id": 1, "caption": "a dog runs"}, {"image_id": 2, "caption": reference}]})
            .to_string()
    };
    let results =
        json!([{"image_id": 1, "caption": "a dog"}, {"image_id": 2, "caption": long}]).to_string();
    let score = |reference: &str| {
        files
            .captions(annotations(reference), &results)
            .unwrap()
            .score(&Meteor::without_tables(), &Silent)
            .unwrap()
    };
    let scored = score("a dog on a mat");
    assert!(
        scored.scores.values().all(|score| score.is_some_and(f64::is_finite)),
        "{:?}",
        scored.scores
    );
    let other = "dog a cat ".repeat(60_000);
    let scored = score(&other);
    assert_eq!(scored.scores["METEOR-exact-stem"], None);
    assert!(scored.scores["ROUGE_L"].is_some() && scored.scores["CIDEr"].is_some());
    assert!(scored.notes.iter().any(|note| {
        note.starts_with("METEOR-exact-stem is left out: the caption and the references of image 2")
    }));
}
