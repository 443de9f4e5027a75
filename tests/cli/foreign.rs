//! Pictures, texts and settings of others: many of them, some of them bad, none of them in charge
//! of the terminal.

use super::support::{
    TINY, called, command, experiment, finished, fixture, folder, picture, run_command, text,
    toolkit,
};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Pictures in a folder, of which those of `broken` are cut off.
fn pictures(dir: &Path, count: usize, broken: &[usize]) -> Vec<String> {
    let one = |at: usize| {
        let path = dir.join(format!("{at:03}.png"));
        picture(&path);
        if broken.contains(&at) {
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        }
        text(&path).to_owned()
    };
    (0..count).map(one).collect()
}

fn with<'a>(first: &[&'a str], files: &'a [String], last: &[&'a str]) -> Vec<&'a str> {
    first
        .iter()
        .copied()
        .chain(files.iter().map(String::as_str))
        .chain(last.iter().copied())
        .collect()
}

#[test]
fn one_bad_picture_does_not_stop_many() {
    let (dir, model) = (folder(), fixture("hub-opt"));
    let files = pictures(dir.path(), 20, &[3, 17]);
    let short = ["--quiet", "--beams", "1", "--max-new-tokens", "2"];

    // Strict by default: the file and the option are named, and what was made before it has been
    // printed.
    let strict = toolkit(&with(&["caption", &model], &files, &short));
    assert_eq!(strict.code, Some(2));
    assert!(
        strict.stderr.contains("003.png") && strict.stderr.contains("--skip-unreadable"),
        "{}",
        strict.stderr
    );
    let late = toolkit(&with(&["caption", &model], &pictures(dir.path(), 20, &[17]), &short));
    assert_eq!(
        (late.code, late.stdout.lines().count()),
        (Some(2), 16),
        "the first batch is there: {}",
        late.stdout
    );

    pictures(dir.path(), 20, &[3, 17]);
    let some = toolkit(&with(
        &["caption", &model],
        &files,
        &["--skip-unreadable", "--json", "--beams", "1", "--max-new-tokens", "2"],
    ));
    assert!(
        some.stderr.contains("2 of 20 pictures were left out") && some.stderr.contains("017.png"),
        "{}",
        some.stderr
    );
    let lines = some.json_lines();
    assert_eq!(lines.as_array().unwrap().len(), 18);
    assert!(
        lines
            .as_array()
            .unwrap()
            .iter()
            .all(|line| !line["image"].as_str().unwrap().ends_with("003.png"))
    );

    let bad = [files[3].clone(), files[17].clone()];
    toolkit(&with(&["caption", &model], &bad, &["--skip-unreadable", "--quiet"]))
        .fails_with(&["none of 2 pictures"]);

    let run = text(finished().0);
    let matched = toolkit(&with(
        &["match", run],
        &files[..5],
        &["--text", "a cat", "--skip-unreadable", "--json"],
    ))
    .json();
    assert_eq!(matched.as_array().unwrap().len(), 4);
    let ranked = toolkit(&[
        "retrieve",
        run,
        "--images",
        text(dir.path()),
        "--text",
        "a cat",
        "--skip-unreadable",
        "--json",
    ])
    .json();
    assert_eq!(ranked[0]["ranks"].as_array().unwrap().len(), 18);
}

#[test]
fn embeddings_go_on_where_they_were_killed() {
    let (dir, model) = (folder(), fixture("hub-opt"));
    let files = pictures(dir.path(), 400, &[5, 250]);
    let call = |out: &Path| {
        let mut call = command();
        call.args(with(&["embed", &model], &files, &["--skip-unreadable", "--out", text(out)]));
        call
    };
    let (whole, killed) =
        (dir.path().join("whole.safetensors"), dir.path().join("killed.safetensors"));
    let said = called(&mut call(&whole)).ok();
    assert!(said.stdout.contains("image.queries [398, "), "{}", said.stdout);
    let mut at = Duration::from_millis(60);
    for _ in 0..6 {
        let mut child = call(&killed)
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(at);
        let _ = child.kill();
        child.wait().unwrap();
        at += Duration::from_millis(90);
    }
    called(&mut call(&killed)).ok();
    assert_eq!(std::fs::read(&whole).unwrap(), std::fs::read(&killed).unwrap());
    let left: Vec<PathBuf> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|e| e != "png"))
        .collect();
    assert_eq!(left.len(), 2, "nothing is left beside the files: {left:?}");
}

#[test]
fn texts_of_others_cannot_drive_a_terminal() {
    let dir = folder();
    picture(&dir.path().join("a.png"));
    let line = r#"{"image": "a.png", "captions": ["\u001b]0;pwn\u0007 a \u009b31m dog \u202egod"], "questions": [{"question": "\u001b[2J?", "answers": ["\u001b[A"]}]}"#;
    std::fs::write(dir.path().join("captions.jsonl"), format!("{line}\n")).unwrap();
    let data = format!("folder:{}", text(dir.path()));
    let bad = |text: &str| {
        text.chars().find(|c| (c.is_control() && *c != '\n' && *c != '\t') || *c == '\u{202e}')
    };
    for call in [vec!["data", "preview", &data], vec!["data", "check", &data]] {
        let said = toolkit(&call);
        assert_eq!(
            (bad(&said.stdout), bad(&said.stderr)),
            (None, None),
            "{call:?}: {:?}",
            said.stdout
        );
    }
    // JSON stays exact.
    let json = toolkit(&["data", "preview", &data, "--json"]).json().to_string();
    assert!(json.contains("\\u001b]0;pwn\\u0007 a"), "{json}");
    // Cards, too.
    let cards = dir.path().join("cards/tasks");
    std::fs::create_dir_all(&cards).unwrap();
    let card = include_str!("../../registry/tasks/scenes-vqa.toml");
    let card: String = card
        .lines()
        .map(|l| {
            if l.starts_with("about") {
                "about = \"\\u001B[2J\"\n".to_owned()
            } else {
                format!("{l}\n")
            }
        })
        .collect();
    std::fs::write(cards.join("odd.toml"), card).unwrap();
    let registry = dir.path().join("cards");
    for call in [["list", "tasks"], ["inspect", "odd"]] {
        let said = toolkit(&[&["--registry", text(&registry)][..], &call].concat()).ok();
        assert_eq!(bad(&said.stdout), None, "{}", said.stdout);
        assert!(said.stdout.contains("\\u{1b}[2J"), "{}", said.stdout);
    }
}

#[test]
fn settings_that_would_have_no_effect_are_refused() {
    let (model, wide, run) = (fixture("hub-opt"), fixture("hub-opt/wide.png"), text(finished().0));
    for asks in [["vqa", &model], ["chat", &model]] {
        toolkit(
            &[&asks[..], &[&wide, "--question", "a", "--prompt", "no braces", "--quiet"]].concat(),
        )
        .fails_with(&["`--prompt` has no {}", "no braces"]);
    }
    toolkit(&["caption", run, &wide, "--dtype", "q8", "--quiet"])
        .fails_with(&["`--dtype`", "as they were trained"]);
    toolkit(&["caption", &model, &wide, "--prompt", "<image>a photo of", "--quiet"])
        .fails_with(&["`<image>`"]);
    toolkit(&["caption", &model, &wide, "--most-pixels", "10", "--quiet"])
        .fails_with(&["more than the limit of 10", "wide.png"]);
}

#[test]
fn answers_of_a_list_are_ranked() {
    for model in ["hub-opt", "hub-t5"] {
        let (model, wide) = (fixture(model), fixture("hub-opt/wide.png"));
        let ask = |choices: &str| {
            toolkit(&[
                "vqa",
                &model,
                &wide,
                "--question",
                "what is it?",
                "--choices",
                choices,
                "--json",
            ])
            .json()
        };
        let three = ask("a dog,cat,the red car");
        let ranked = three["choices"].as_array().unwrap();
        assert_eq!((ranked.len(), &three["text"]), (3, &ranked[0]["text"]));
        let scores: Vec<f64> =
            ranked.iter().map(|choice| choice["log_prob"].as_f64().unwrap()).collect();
        assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]) && scores[0] < 0.0, "{scores:?}");
        // A score does not depend on the others.
        let one = ask("cat");
        let cat = ranked.iter().find(|choice| choice["text"] == "cat").unwrap();
        assert_eq!(one["choices"][0]["log_prob"], cat["log_prob"]);
        toolkit(&["vqa", &model, &wide, "--question", "?", "--choices", "cat,", "--quiet"])
            .fails_with(&["empty"]);
    }
}

#[test]
fn a_run_that_is_at_its_beginning_says_so() {
    let dir = folder();
    std::fs::write(dir.path().join("spec.toml"), "name = \"x\"\n").unwrap();
    toolkit(&["caption", text(dir.path()), &fixture("hub-opt/wide.png"), "--quiet"])
        .fails_with(&["no trained cell yet"]);
}

#[test]
fn what_never_ends_is_no_input() {
    let dir = folder();
    let pipe = dir.path().join("pipe");
    if !std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|made| made.success()) {
        return;
    }
    let (pipe, model, wide) = (text(&pipe), fixture("hub-opt"), fixture("hub-opt/wide.png"));
    let annotations = fixture("captions-tiny");
    let began = Instant::now();
    for input in [pipe, "/dev/zero"] {
        for call in [
            vec!["run", input],
            vec!["plan", input],
            vec!["caption", &model, input],
            vec!["verify", &model, "--reference", input],
            vec!["score", "captions", "--annotations", input, "--results", input],
            vec!["caption", input, &wide],
            vec!["convert", input, &annotations, "--to", "hf"],
        ] {
            let said = toolkit(&[&call[..], &["--quiet"]].concat());
            assert_eq!(
                (said.code, said.stderr.lines().count()),
                (Some(2), 1),
                "{call:?}: {}",
                said.stderr
            );
        }
    }
    assert!(began.elapsed() < Duration::from_secs(60), "none of them waits");
}

#[test]
fn plans_and_cards_end_as_a_run_would() {
    let dir = folder();
    let cards = dir.path().join("cards");
    std::fs::create_dir_all(cards.join("language")).unwrap();
    std::fs::create_dir_all(cards.join("weights")).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("registry");
    std::fs::copy(root.join("language/opt-nano.toml"), cards.join("language/opt-nano.toml"))
        .unwrap();
    std::fs::copy(
        root.join("weights/opt-nano.tokenizer.json"),
        cards.join("weights/opt-nano.tokenizer.json"),
    )
    .unwrap();
    let mut weights = std::fs::read(root.join("weights/opt-nano.safetensors")).unwrap();
    let file = experiment(dir.path(), TINY);
    let ends = |weights: &[u8], parts: &[&str]| {
        std::fs::write(cards.join("weights/opt-nano.safetensors"), weights).unwrap();
        let registry = ["--registry", text(&cards), "--quiet"];
        toolkit(&[&registry[..], &["plan", text(&file)]].concat()).fails_with(parts);
        toolkit(&[&registry[..], &["inspect", "language/opt-nano"]].concat()).fails_with(parts);
    };
    weights.truncate(1000);
    ends(&weights, &["opt-nano"]);
    // A sweep that nobody can run is refused at once.
    let seeds = (0..200_000).map(|seed| seed.to_string()).collect::<Vec<_>>().join(",");
    std::fs::write(&file, TINY.replace("seeds = [1]", &format!("seeds = [{seeds}]"))).unwrap();
    called(&mut run_command(&file, &dir.path().join("out"), &["--plan", "--quiet"]))
        .fails_with(&["cells", "tiny.toml:3:"]);
    toolkit(&[
        "run",
        text(&experiment(dir.path(), TINY)),
        "--plan",
        "--quiet",
        "--set",
        "stage1.steps=9223372036854775807",
    ])
    .fails_with(&["stage1.steps"]);
    assert!(!dir.path().join("out").exists(), "nothing was written");
}

#[cfg(unix)]
#[test]
fn names_that_are_not_unicode_are_names_too() {
    use std::os::unix::ffi::OsStrExt;
    let (dir, model, run) = (folder(), fixture("hub-opt"), text(finished().0));
    let name = std::ffi::OsStr::from_bytes(b"bad\xff.png");
    let path = dir.path().join(name);
    picture(&path);
    let call = |first: &[&str], last: &[&str]| called(command().args(first).arg(&path).args(last));
    let short = ["--beams", "1", "--max-new-tokens", "2", "--json"];
    let said = call(&["caption", &model], &short).json_lines();
    assert!(said[0]["image"].as_str().unwrap().ends_with("bad\u{fffd}.png"), "{said}");
    call(&["vqa", &model], &[&["--question", "a"][..], &short].concat()).json();
    call(&["chat", &model], &[&["--question", "a"][..], &short].concat()).json();
    call(&["match", run], &["--text", "a cat", "--json"]).json();
    call(&["retrieve", run], &["--text", "a cat", "--json"]).json();
    call(&["embed", run], &["--json", "--out", text(&dir.path().join("e.safetensors"))]).json();
    call(&["attend", run], &["--json", "--out", text(&dir.path().join("a.png"))]).json();
    for command in ["run", "plan", "reproduce", "report", "verify"] {
        let said = call(&[command], &["--quiet"]);
        assert_eq!(
            (said.code, said.stderr.lines().count()),
            (Some(2), 1),
            "{command}: {}",
            said.stderr
        );
    }
}

#[test]
fn eval_reads_prompts_as_vqa_does() {
    let (dir, model) = (folder(), fixture("hub-opt"));
    picture(&dir.path().join("a.png"));
    let line = r#"{"image": "a.png", "captions": ["a"], "questions": [{"question": "what is it?", "answers": ["dog"]}]}"#;
    std::fs::write(dir.path().join("captions.jsonl"), line).unwrap();
    let data = format!("folder:{}", text(dir.path()));
    let eval = |more: &[&str]| {
        toolkit(&[&["eval", &model, "--data", &data, "--quiet", "--tasks"][..], more].concat())
    };
    eval(&["scenes-vqa", "--prompt", "<image> {}"]).fails_with(&["`<image>`"]);
    eval(&["scenes-caption", "--prompt", "<image>"]).fails_with(&["`<image>`"]);
    eval(&["scenes-vqa", "--batch", "0"]).fails_with(&["--batch"]);
    eval(&["scenes-vqa,scenes-vqa"]).fails_with(&["named twice"]);
    // A tokenizer whose own rule puts no `bos` before a prompt: both commands follow it.
    let other = dir.path().join("no_bos");
    std::fs::create_dir(&other).unwrap();
    for entry in std::fs::read_dir(&model).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), other.join(entry.file_name())).unwrap();
    }
    let file = other.join("tokenizer.json");
    let mut json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    json["post_processor"] = serde_json::Value::Null;
    std::fs::write(&file, json.to_string()).unwrap();
    let answer = |model: &str| {
        let out = dir.path().join(format!("out{}", model.len()));
        toolkit(&[
            "eval",
            model,
            "--data",
            &data,
            "--tasks",
            "scenes-vqa",
            "--out",
            text(&out),
            "--prompt",
            "Question: {}",
        ])
        .ok();
        let rows = std::fs::read_to_string(out.join("scenes-vqa/samples.jsonl")).unwrap();
        let row: serde_json::Value = serde_json::from_str(rows.lines().next().unwrap()).unwrap();
        let card = include_str!("../../registry/tasks/scenes-vqa.toml");
        let beams = card.lines().find_map(|line| line.strip_prefix("beams = ")).unwrap_or("1");
        let most =
            card.lines().find_map(|line| line.strip_prefix("max_new_tokens = ")).unwrap_or("10");
        let picture = dir.path().join("a.png");
        let asked = [
            "vqa",
            model,
            text(&picture),
            "--question",
            "what is it?",
            "--prompt",
            "Question: {}",
            "--json",
        ];
        let search = [
            "--beams",
            beams,
            "--max-new-tokens",
            most,
            "--length-penalty",
            "-1",
            "--early-stopping",
            "never",
        ];
        (
            row["raw"].as_str().unwrap().to_owned(),
            toolkit(&[&asked[..], &search].concat()).json()["text"].as_str().unwrap().to_owned(),
        )
    };
    let ((eval_with, vqa_with), (eval_without, vqa_without)) =
        (answer(&model), answer(text(&other)));
    assert_eq!((eval_with, eval_without), (vqa_with, vqa_without));
}

#[test]
fn a_result_never_replaces_what_is_read() {
    let (dir, run) = (folder(), text(finished().0));
    let photo = dir.path().join("p.png");
    picture(&photo);
    let before = std::fs::read(&photo).unwrap();
    let photo = text(&photo);
    toolkit(&["embed", run, photo, "--out", photo, "--quiet"])
        .fails_with(&["would replace what is read"]);
    toolkit(&["attend", run, photo, "--out", photo, "--quiet"])
        .fails_with(&["would replace what is read"]);
    let data = format!("folder:{}", text(dir.path()));
    toolkit(&["data", "preview", &data, "--out", photo, "--quiet"])
        .fails_with(&["would replace what is read"]);
    let results = format!("{run}/results.json");
    toolkit(&["embed", run, photo, "--out", &results, "--quiet"])
        .fails_with(&["would replace what is read"]);
    assert_eq!(std::fs::read(photo).unwrap(), before);
    let out = called(
        command().env("TOOLKIT_MOST_PIXELS", "abc").args(["caption", run, photo, "--quiet"]),
    );
    out.fails_with(&["TOOLKIT_MOST_PIXELS", "abc"]);
}

#[test]
fn metadata_with_one_bad_caption_are_an_error_and_not_fewer_captions() {
    let dir = folder();
    for name in ["a.png", "b.png"] {
        picture(&dir.path().join(name));
    }
    for bad in ["NaN", "5", "\"\\ud83c\""] {
        let good = r#"{"file_name": "a.png", "caption": "a dog"}"#;
        let rows = format!("{good}\n{{\"file_name\": \"b.png\", \"caption\": {bad}}}\n");
        std::fs::write(dir.path().join("metadata.jsonl"), rows).unwrap();
        let data = format!("folder:{}", text(dir.path()));
        let eval =
            ["eval", &fixture("hub-opt"), "--tasks", "scenes-caption", "--data", &data, "--quiet"];
        toolkit(&eval).fails_with(&["metadata.jsonl:2", "caption"]);
    }
    // Metadata about other things are no list of captions.
    std::fs::write(dir.path().join("metadata.jsonl"), "{\"file_name\": \"a.png\", \"label\": 3}\n")
        .unwrap();
    toolkit(&[
        "data",
        "preview",
        &format!("folder:{}", text(dir.path())),
        "--out",
        text(&dir.path().join("s.png")),
    ])
    .ok();
}
