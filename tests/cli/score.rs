//! `toolkit score`: the official tools' numbers, and files that do not go together. Data sets as
//! published.

use super::support::{
    TINY, called, command, experiment, files, finished, fixture, folder, picture, run_command,
    toolkit,
};
use serde_json::{Value, json};
use std::path::Path;

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn write(dir: &Path, name: &str, value: &Value) -> String {
    let path = dir.join(name);
    std::fs::write(&path, value.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn captions_score_as_the_official_tool_says() {
    let dir = folder();
    let tiny = Path::new(&fixture("captions-tiny")).to_owned();
    let path = |name: &str| tiny.join(name).to_str().unwrap().to_owned();
    let samples = dir.path().join("each.jsonl");
    let call = [
        "score",
        "captions",
        "--annotations",
        &path("captions.json"),
        "--results",
        &path("results.json"),
    ];
    let got =
        toolkit(&[&call[..], &["--json", "--samples", samples.to_str().unwrap()]].concat()).json();
    let expected = read(&tiny.join("expected.json"));
    let scores = got
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| !name.starts_with("METEOR") && *name != "notes");
    for (name, value) in scores {
        let (got, want) = (value.as_f64().unwrap(), expected[name].as_f64().unwrap());
        assert!((got - want).abs() < 1e-6, "{name}: {got}, wanted {want}");
    }
    for name in ["Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr"] {
        assert!(got[name].is_f64(), "no {name}");
    }
    let tokens = read(&tiny.join("tokenized_results.json"));
    let rows: Vec<Value> = std::fs::read_to_string(samples)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), tokens.as_object().unwrap().len());
    for row in &rows {
        assert_eq!(row["tokens"], tokens[row["image_id"].to_string()][0]);
    }
    let cider =
        rows.iter().map(|row| row["CIDEr"].as_f64().unwrap()).sum::<f64>() / rows.len() as f64;
    assert!((cider - got["CIDEr"].as_f64().unwrap()).abs() < 1e-9);
    assert!(toolkit(&call).ok().stdout.contains("CIDEr"));
}

#[test]
fn answers_score_as_the_official_tool_says() {
    let tiny = Path::new(&fixture("vqa-tiny")).to_owned();
    let path = |name: &str| tiny.join(name).to_str().unwrap().to_owned();
    let files = [path("questions.json"), path("annotations.json"), path("results.json")];
    let got = toolkit(&[
        "score",
        "vqa",
        "--questions",
        &files[0],
        "--annotations",
        &files[1],
        "--results",
        &files[2],
        "--json",
    ]);
    assert_eq!(got.json(), read(&tiny.join("expected.json")));
}

#[test]
fn captions_that_do_not_go_together_are_refused() {
    let dir = folder();
    let good = json!({"images": [{"id": 1}, {"id": "2"}], "annotations": [
        {"id": 1, "image_id": 1, "caption": "a dog runs on grass"}, {"id": 2, "image_id": 2, "caption": "two red kites"},
    ]});
    let results = json!([{"image_id": 1, "caption": "a dog"}, {"image_id": 2, "caption": "kites"}]);
    let score = |annotations: &Value, results: &Value, more: &[&str]| {
        let (a, r) =
            (write(dir.path(), "a.json", annotations), write(dir.path(), "r.json", results));
        toolkit(
            &[&["score", "captions", "--annotations", &a, "--results", &r, "--json"], more]
                .concat(),
        )
    };
    // An id may be a number or a text.
    assert!(score(&good, &results, &[]).json()["CIDEr"].is_f64());
    let changed = |at: &str, value: Value| {
        let mut all = json!({"good": good, "results": results});
        *all.pointer_mut(at).unwrap() = value;
        (all["good"].clone(), all["results"].clone())
    };
    let refused = |(a, r): (Value, Value), parts: &[&str]| score(&a, &r, &[]).fails_with(parts);
    refused(changed("/results/1/image_id", json!(1)), &["r.json", "image 1 is there twice"]);
    refused(
        changed("/results/1/image_id", json!(7)),
        &["r.json", "image 7 has a result but no reference"],
    );
    refused(changed("/results/1/image_id", json!(1.5)), &["r.json:1:", "an id"]);
    refused(
        changed("/results/1", json!({"image_id": 2})),
        &["r.json:1:", "row 2 (`image_id` 2) has no `caption`; it has `image_id`"],
    );
    refused(
        changed("/results", json!([{"image_id": 1, "caption": "a dog"}])),
        &["1 of 2 images have no result", "--partial"],
    );
    refused(changed("/results", json!([])), &["2 of 2 images have no result"]);
    refused(changed("/results", json!({"1": "a dog"})), &["r.json:1:"]);
    refused(
        changed("/good/annotations/1/image_id", json!(9)),
        &["a.json", "row 2 of \"annotations\" is of image 9"],
    );
    refused(
        changed("/good/annotations/1/id", json!(1)),
        &["a.json", "annotation 1 is there twice"],
    );
    refused(
        changed("/good/annotations/1/caption", Value::Null),
        &["a.json:1:", "row 2 of \"annotations\"", "`caption` is null"],
    );
    refused(changed("/good/images/1/id", json!(1)), &["a.json", "image 1 is there twice"]);
    let half = json!([{"image_id": 1, "caption": "a dog"}]);
    assert!(score(&good, &half, &["--partial"]).json()["Bleu_1"].is_f64());
    score(&good, &json!([]), &["--partial"]).fails_with(&["nothing to score"]);

    let text = dir.path().join("broken.json");
    std::fs::write(&text, "[\n{\"image_id\": 1,\n \"caption\": }\n]").unwrap();
    let a = write(dir.path(), "a.json", &good);
    toolkit(&["score", "captions", "--annotations", &a, "--results", text.to_str().unwrap()])
        .fails_with(&["broken.json:3:13", "row 1 (line 2): the row is broken"]);
    toolkit(&["score", "captions", "--annotations", "none.json", "--results", "r.json"])
        .fails_with(&["none.json"]);
    assert_eq!(files(dir.path()).len(), 3);
}

#[test]
fn answers_that_do_not_go_together_are_refused() {
    let dir = folder();
    let question = |id: u64| json!({"question_id": id, "image_id": 1, "question": "what is it?"});
    let annotation = |id: u64| {
        json!({"question_id": id, "image_id": 1, "question_type": "what is", "answer_type": "other",
            "answers": [{"answer": "dog", "answer_id": 1}]})
    };
    let good = json!({
        "q": {"questions": [question(1), question(2)]}, "a": {"annotations": [annotation(1), annotation(2)]},
        "r": [{"question_id": 1, "answer": "dog"}, {"question_id": 2, "answer": "cat"}],
    });
    let score = |all: &Value, more: &[&str]| {
        let names =
            ["q", "a", "r"].map(|name| write(dir.path(), &format!("{name}.json"), &all[name]));
        let [q, a, r] = &names;
        toolkit(
            &[
                &["score", "vqa", "--questions", q, "--annotations", a, "--results", r, "--json"],
                more,
            ]
            .concat(),
        )
    };
    assert!(score(&good, &[]).json()["overall"].is_f64());
    let refused = |at: &str, value: Value, parts: &[&str]| {
        let mut all = good.clone();
        *all.pointer_mut(at).unwrap() = value;
        score(&all, &[]).fails_with(parts);
    };
    refused("/r/1/question_id", json!(1), &["r.json", "question 1 is there twice"]);
    refused("/r/1/question_id", json!(7), &["r.json", "question 7 has a result but is not in"]);
    refused(
        "/r/1/answer",
        json!(true),
        &["r.json:1:", "row 2 (`question_id` 2): `answer` is true, not a text"],
    );
    let mut number = good.clone();
    number["r"][1]["answer"] = json!(2);
    assert!(score(&number, &[]).json()["overall"].is_f64());
    refused(
        "/r",
        json!([{"question_id": 1, "answer": "dog"}]),
        &["1 of 2 questions have no result", "--partial"],
    );
    refused(
        "/a/annotations/1/question_id",
        json!(3),
        &["a.json", "question 3 is annotated but not in"],
    );
    refused(
        "/a/annotations",
        json!([annotation(1)]),
        &["a.json", "question 2 of", "has no annotation"],
    );
    refused("/a/annotations/0/answers", json!([]), &["a.json", "question 1 has no answers"]);
    refused("/q/questions/1/question_id", json!(1), &["q.json", "question 1 is there twice"]);
    refused("/q", json!([]), &["q.json:1:"]);
    let mut half = good.clone();
    half["r"] = json!([{"question_id": 2, "answer": "dog"}]);
    assert!(score(&half, &["--partial"]).json()["overall"].as_f64().unwrap() >= 0.0);
}

/// A folder with COCO's files of two pictures and a card for it.
fn coco(dir: &Path) {
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "datasets/two.toml",
        "kind = \"published\"\n[config]\nhome = \
        \"https://example.org/two\"\n[config.splits.val]\nformat = \"coco-captions\"\nfiles = \
        [\"annotations/two.json\"]\nfolders = [\"images\"]\nimages = 2\n",
    );
    write(
        "tasks/two.toml",
        "kind = \"caption\"\nversion = 1\n[config]\ndata = \"two\"\nsplit = \
        \"val\"\n[decoding]\nmax_new_tokens = 3\n",
    );
    let images = json!([{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}]);
    let captions = json!([{"id": 1, "image_id": 1, "caption": "a dog"}, {"id": 2, "image_id": 1, "caption": "one dog"}, {"id": 3, "image_id": 2, "caption": "a kite"}]);
    write(
        "data/two/annotations/two.json",
        &json!({"images": images, "annotations": captions}).to_string(),
    );
    std::fs::create_dir_all(dir.join("data/two/images")).unwrap();
    picture(&dir.join("data/two/images/a.png"));
    picture(&dir.join("data/two/images/b.png"));
}

#[test]
fn published_data_are_checked_and_measured_on() {
    let dir = folder();
    coco(dir.path());
    let call = |data: Option<&Path>, args: &[&str]| {
        let mut command = command();
        match data {
            Some(data) => command.env("TOOLKIT_DATA", data),
            None => command.env_remove("TOOLKIT_DATA"),
        };
        called(command.arg("--registry").arg(dir.path()).args(args))
    };
    call(None, &["data", "check", "two"]).fails_with(&[
        "nothing says where the data set 'two' is",
        "TOOLKIT_DATA",
        "https://example.org/two",
    ]);
    call(Some(dir.path()), &["data", "check", "two"])
        .fails_with(&["no folder of the data set `two`", "https://example.org/two"]);
    call(None, &["data", "fetch", "two"])
        .fails_with(&["fetch it yourself", "https://example.org/two"]);

    let data = dir.path().join("data");
    let whole = call(Some(&data), &["data", "check", "two", "--json"]).json();
    assert_eq!(
        (&whole[0]["data"], &whole[0]["captions"], &whole[0]["clean"]),
        (&"two:val".into(), &3.into(), &true.into())
    );
    let run = finished().0.to_str().unwrap();
    let measured = call(Some(&data), &["eval", run, "--tasks", "two", "--json"]).json();
    let scores = &measured[0]["result"]["scores"];
    assert_eq!(measured[0]["result"]["samples"], 2);
    assert!(scores["meteor"].is_f64() || scores["meteor_exact_stem"].is_f64(), "{scores}");

    // A picture that is cut off is found by decoding, one that is gone in any case.
    let picture = data.join("two/images/b.png");
    let bytes = std::fs::read(&picture).unwrap();
    std::fs::write(&picture, &bytes[..bytes.len() / 2]).unwrap();
    call(Some(&data), &["data", "check", "two:val", "--quiet"]).ok();
    call(Some(&data), &["data", "check", "two:val", "--decode", "--quiet"])
        .fails_with(&["1 of 1 splits are not whole", "b.png"]);
    std::fs::remove_file(&picture).unwrap();
    let gone = call(Some(&data), &["data", "check", "two:val", "--json", "--quiet"]);
    gone.fails_with(&["b.png"]);
    let said: Value = serde_json::from_str(&gone.stdout).unwrap();
    assert_eq!(said[0]["findings"]["missing-image"]["count"], 1);
}

#[test]
fn meteor_is_called_so_only_with_its_tables() {
    let dir = folder();
    let tiny = Path::new(&fixture("captions-tiny")).to_owned();
    let path = |name: &str| tiny.join(name).to_str().unwrap().to_owned();
    let score = |more: &[&str]| {
        let call = [
            "score",
            "captions",
            "--annotations",
            &path("captions.json"),
            "--results",
            &path("results.json"),
        ];
        let mut command = command();
        command.env("TOOLKIT_CACHE", dir.path()).args(call).args(more).arg("--json");
        called(&mut command)
    };
    let without = score(&[]);
    assert!(without.stderr.contains("toolkit data fetch meteor"), "{}", without.stderr);
    let without = without.json();
    assert!(
        without["notes"][0]
            .as_str()
            .unwrap()
            .contains("METEOR-exact-stem is scored, which is no METEOR")
    );
    assert!(without["METEOR-exact-stem"].is_f64() && without.get("METEOR").is_none());

    // With tables, the jar's score of a case whose texts are tokens already.
    let cases = read(Path::new(&fixture("meteor-tiny/cases.json")));
    let case = &cases["cases"][0];
    let references = case["refs"].as_array().unwrap().iter().enumerate();
    let references: Vec<Value> =
        references.map(|(id, text)| json!({"id": id, "image_id": 1, "caption": text})).collect();
    let annotations =
        write(dir.path(), "a.json", &json!({"images": [{"id": 1}], "annotations": references}));
    let results = write(dir.path(), "r.json", &json!([{"image_id": 1, "caption": case["hyp"]}]));
    let tables = fixture("meteor-tiny");
    let call = [
        "score",
        "captions",
        "--annotations",
        &annotations,
        "--results",
        &results,
        "--meteor",
        &tables,
        "--json",
    ];
    let meteor = toolkit(&call).json()["METEOR"].as_f64().unwrap();
    assert!((meteor - case["score"].as_f64().unwrap()).abs() < 1e-9, "{meteor}");
    let none = dir.path().to_str().unwrap();
    toolkit(&[&call[..6], &["--meteor", none]].concat()).fails_last_with(&["meteor-1.5.jar"]);
}

#[test]
fn scores_that_surprise_say_why() {
    let dir = folder();
    let captions = |references: &[(f64, &str)], given: &[(u64, &str)], more: &[&str]| {
        let row = |(id, (image, text)): (usize, &(f64, &str))| json!({"id": id, "image_id": image, "caption": text});
        let rows: Vec<Value> = references.iter().enumerate().map(row).collect();
        let given: Vec<Value> =
            given.iter().map(|(image, text)| json!({"image_id": image, "caption": text})).collect();
        let (a, r) = (
            write(dir.path(), "a.json", &json!({ "annotations": rows })),
            write(dir.path(), "r.json", &json!(given)),
        );
        let call = ["score", "captions", "--annotations", &a, "--results", &r, "--meteor"];
        toolkit(&[&call[..], &[&fixture("meteor-tiny")], more].concat()).ok()
    };
    // Ids are numbers of joined tables on one side.
    let one = captions(&[(3.0, "a dog on grass")], &[(3, "a dog on grass")], &[]);
    assert!(one.stderr.contains("CIDEr is 0 whatever the caption"), "{}", one.stderr);
    assert!(one.stdout.contains("0.0000") && one.stdout.contains("1.0000"), "{}", one.stdout);
    let said =
        captions(&[(3.0, "a dog on grass")], &[(3, "a dog on grass")], &["--json", "--quiet"])
            .json();
    assert_eq!((&said["CIDEr"], said["notes"].as_array().unwrap().len()), (&json!(0.0), 1));
    // Nothing matches: no score is less than nothing.
    let nothing =
        captions(&[(1.0, "a dog runs"), (2.0, "a cat sits")], &[(1, "zebra"), (2, "quiz")], &[]);
    assert!(
        !nothing.stdout.contains('-') && nothing.stdout.contains("CIDEr    0.0000"),
        "{}",
        nothing.stdout
    );
    let usual = captions(
        &[(1.0, "a dog runs on grass"), (2.0, "a red cat sits")],
        &[(1, "a dog runs on grass"), (2, "a cat")],
        &["--json"],
    );
    assert!(usual.json().get("notes").is_none());

    let answers = |count: usize, kinds: bool| {
        let annotation = |id: u64| {
            let mut one =
                json!({"question_id": id, "answers": vec![json!({"answer": "dog"}); count]});
            if kinds {
                (one["question_type"], one["answer_type"]) = ("what".into(), "other".into());
            }
            one
        };
        let question = |id: u64| json!({"question_id": id, "image_id": 1, "question": "what?"});
        let files = [
            ("q.json", json!({"questions": [question(1), question(2)]})),
            ("a.json", json!({"annotations": [annotation(1), annotation(2)]})),
            (
                "r.json",
                json!([{"question_id": 1.0, "answer": "dog"}, {"question_id": "2", "answer": "cat"}]),
            ),
        ];
        let [q, a, r] = files.map(|(name, value)| write(dir.path(), name, &value));
        toolkit(&[
            "score",
            "vqa",
            "--questions",
            &q,
            "--annotations",
            &a,
            "--results",
            &r,
            "--json",
        ])
    };
    assert_eq!(
        answers(10, true).json(),
        json!({"overall": 50.0, "perAnswerType": {"other": 50.0}, "perQuestionType": {"what": 50.0}})
    );
    let bare = answers(10, false).json();
    assert_eq!(
        (&bare["overall"], bare.get("perAnswerType"), bare.get("perQuestionType")),
        (&json!(50.0), None, None)
    );
    assert_eq!(bare["notes"].as_array().unwrap().len(), 2);
    let one = answers(1, true).ok();
    assert!(one.stderr.contains("a right answer reaches 0.00 % at most"), "{}", one.stderr);
    assert_eq!(one.json()["overall"], 0.0);
}

/// A folder of pictures with captions, but no questions.
fn captioned(dir: &Path, captions: &[&str]) -> String {
    let lines = captions.iter().enumerate().map(|(at, caption)| {
        picture(&dir.join(format!("{at}.png")));
        json!({"image": format!("{at}.png"), "captions": [caption]}).to_string() + "\n"
    });
    let lines: String = lines.collect();
    std::fs::write(dir.join("captions.jsonl"), lines).unwrap();
    format!("folder:{}", dir.to_str().unwrap())
}

#[test]
fn nothing_is_measured_on_nothing() {
    let run = finished().0.to_str().unwrap();
    let dir = folder();
    let data = captioned(dir.path(), &["a dog", "a cat", "a dog"]);
    let eval = |task: &str, data: &str, more: &[&str]| {
        toolkit(&[&["eval", run, "--tasks", task, "--data", data, "--json"], more].concat())
    };
    eval("scenes-vqa", &data, &[]).fails_with(&[
        "the data have no questions",
        "task `scenes-vqa`",
        "folder",
    ]);
    eval("scenes-caption,scenes-vqa", &data, &[])
        .fails_with(&["the data have no questions", "task `scenes-vqa`"]);
    eval("scenes-retrieval", &data, &[])
        .fails_with(&["no two pictures to choose from", "leaves out 2 of 3 pictures"]);
    eval("scenes-caption", &data, &["--limit", "0"]).fails_with(&["`--limit 0` leaves nothing"]);
    let one = eval("scenes-caption", &data, &["--limit", "1"]).json();
    assert_eq!(one[0]["result"]["samples"], 1);
    let notes = one[0]["result"]["notes"].as_array().unwrap();
    assert!(
        notes.iter().any(|note| note.as_str().unwrap().contains("CIDEr is 0 whatever the caption")),
        "{notes:?}"
    );
    let bare = dir.path().join("bare");
    std::fs::create_dir(&bare).unwrap();
    picture(&bare.join("a.png"));
    let bare = format!("folder:{}", bare.to_str().unwrap());
    eval("scenes-caption", &bare, &[])
        .fails_with(&["the data have no captions", "task `scenes-caption`"]);
}

#[test]
fn a_run_without_questions_or_candidates_says_so() {
    let dir = folder();
    let pictures = dir.path().join("pictures");
    std::fs::create_dir(&pictures).unwrap();
    let data = captioned(&pictures, &["a dog", "a cat", "a dog", "a cat"]);
    let text = TINY
        .replace("tiny:train", &data)
        .replace("tiny:val", &data)
        .replace("tiny:test", &data)
        .replace("steps = 60", "steps = 2")
        .replace("batch = 8", "batch = 2");
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with("also ="))
        .map(|line| line.to_owned() + "\n")
        .collect();
    let out = dir.path().join("out");
    let done = called(&mut run_command(&experiment(dir.path(), &text), &out, &[])).ok();
    // A warm-up that is longer than the steps is in the log, and in the report below.
    let climbs = "`stage2.schedule.warmup` = 5 of `stage2.steps` = 2: the learning rate never \
        reaches its peak";
    assert_eq!(done.stderr.matches(climbs).count(), 1, "{}", done.stderr);
    assert!(
        done.stdout.contains("has no questions") && done.stdout.contains("VQA accuracy: –"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains("ITC text R@1: –")
            && done.stdout.contains("no two pictures to choose from"),
        "{}",
        done.stdout
    );
    let results = read(&out.join("results.json"));
    for cell in results["cells"].as_array().unwrap() {
        let scores = cell["scores"].as_object().unwrap();
        assert!(
            scores.contains_key("caption.cider")
                && !scores.keys().any(|key| key.starts_with("vqa.")),
            "{scores:?}"
        );
    }
    assert!(results["absent"]["vqa.overall"].as_str().unwrap().contains("has no questions"));
    let report = std::fs::read_to_string(out.join("report.md")).unwrap();
    assert_eq!(report.replace('\\', "").matches(climbs).count(), 1, "{report}");
    assert!(
        report.contains("No VQA accuracy was measured") && !report.contains("VQA accuracy: 0"),
        "{report}"
    );
}
