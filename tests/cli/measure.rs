//! `toolkit eval`: any model on any data, presets, published scores, and two evaluations compared.

use super::support::{called, command, files, finished, fixture, folder, text, toolkit};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;

/// Lets `scores.json` say the hash of the samples that are there, as if they had been measured.
fn own_samples(task: &Path) {
    let path = task.join("scores.json");
    let mut report: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let hashes = report["result"]["hashes"].as_object_mut().unwrap();
    let samples = std::fs::read(task.join("samples.jsonl")).unwrap();
    hashes.insert("samples".to_owned(), toolkit_system::digest::sha256_hex(&samples).into());
    hashes.remove("outcome");
    std::fs::write(path, report.to_string()).unwrap();
}

#[test]
fn any_model_is_measured_on_any_data() {
    let out = folder();
    let hub = fixture("hub-opt");
    let measured = |model: &str, tasks: &str, more: &[&str]| {
        toolkit(
            &[&["eval", model, "--tasks", tasks, "--data", "tiny:test", "--json"], more].concat(),
        )
        .json()
    };
    let both =
        measured(&hub, "scenes-caption,scenes-vqa", &["--limit", "3", "--out", text(out.path())]);
    assert_eq!(
        (&both[0]["result"]["task"], &both[1]["result"]["task"]),
        (&"scenes-caption".into(), &"scenes-vqa".into())
    );
    for (at, task) in ["scenes-caption", "scenes-vqa"].into_iter().enumerate() {
        let samples = std::fs::read_to_string(out.path().join(task).join("samples.jsonl")).unwrap();
        assert!(samples.lines().all(|line| line.contains("\"picture_sha256\":\"")), "{samples}");
        assert_eq!((samples.lines().count(), &both[at]["result"]["samples"]), (3, &3.into()));
        let kept: Value = serde_json::from_slice(
            &std::fs::read(out.path().join(task).join("scores.json")).unwrap(),
        )
        .unwrap();
        assert_eq!(kept["result"]["scores"], both[at]["result"]["scores"]);
    }
    assert!(measured(&hub, "scenes-vqa", &["--limit", "2", "--prompt", "question: {} answer:"])[0]["result"]["scores"]["overall"].is_f64());

    // The same samples however many are evaluated together.
    let samples = |batch: &str| {
        let out = folder();
        measured(
            &hub,
            "scenes-vqa,scenes-caption",
            &["--limit", "5", "--batch", batch, "--out", text(out.path())],
        );
        ["scenes-vqa", "scenes-caption"].map(|task| {
            std::fs::read_to_string(out.path().join(task).join("samples.jsonl")).unwrap()
        })
    };
    assert_eq!(samples("1"), samples("4"));

    // Two evaluations are compared sample by sample.
    let (a, b) = (out.path().join("a"), out.path().join("b"));
    measured(&hub, "scenes-vqa,scenes-caption", &["--limit", "5", "--out", text(&a)]);
    measured(&hub, "scenes-vqa,scenes-caption", &["--limit", "5", "--out", text(&b)]);
    let same = toolkit(&["diff", text(&a), text(&b), "--json"]).json();
    assert_eq!(
        (&same[0]["task"], &same[0]["shared"], &same[0]["p"]),
        (&"scenes-caption".into(), &5.into(), &1.0.into())
    );
    let rows = std::fs::read_to_string(b.join("scenes-vqa/samples.jsonl")).unwrap();
    let right: String = rows
        .lines()
        .map(|line| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            row["score"] = 1.0.into();
            format!("{row}\n")
        })
        .collect();
    std::fs::write(b.join("scenes-vqa/samples.jsonl"), &right).unwrap();
    // As damage it is an error; as what was measured it is statistics.
    toolkit(&["diff", text(&a), text(&b)]).fails_with(&[
        "b/scenes-vqa/samples.jsonl",
        "SHA-256",
        "eval --out",
    ]);
    own_samples(&b.join("scenes-vqa"));
    let other = toolkit(&["diff", text(&a), text(&b), "--json"]).json();
    let scores: Vec<f64> = rows
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap()["score"].as_f64().unwrap())
        .collect();
    let wanted = 100.0 * (scores.iter().sum::<f64>() / 5.0 - 1.0);
    let row = &other[1];
    assert!(
        (row["a"].as_f64().unwrap() - row["b"].as_f64().unwrap() - wanted).abs() < 1e-9,
        "{row}"
    );
    assert!(row["p"].as_f64().unwrap() <= row["p_holm"].as_f64().unwrap());
    assert!(toolkit(&["diff", text(&a), text(&b)]).ok().stdout.contains("p, Holm"));
    // A sample less is a difference of what was measured, and so is a task less.
    let differs = || toolkit(&["diff", text(&a), text(&b)]);
    let less: String = right.lines().skip(1).map(|line| format!("{line}\n")).collect();
    std::fs::write(b.join("scenes-vqa/samples.jsonl"), less).unwrap();
    own_samples(&b.join("scenes-vqa"));
    let said = differs();
    assert!(
        said.code == Some(1) && said.stdout.contains("1 in one only"),
        "{}{}",
        said.stdout,
        said.stderr
    );
    std::fs::remove_dir_all(b.join("scenes-vqa")).unwrap();
    let said = differs();
    assert!(
        said.code == Some(1) && said.stderr.contains("scenes-vqa: only one of the two"),
        "{}",
        said.stderr
    );

    // A run is measured as it measured itself: the bridge after stage 2 for answers, the one after
    // stage 1 for retrieval.
    let run = finished().0;
    let of_run = measured(text(run), "scenes-vqa,scenes-retrieval", &["--limit", "32"]);
    let scores = run.join("cells").join(of_run[0]["of"].as_str().unwrap()).join("scores.json");
    let own: Value = serde_json::from_slice(&std::fs::read(scores).unwrap()).unwrap();
    let (answers, ranks) = (&of_run[0]["result"], &of_run[1]["result"]);
    for (task, found) in [("vqa", answers), ("retrieval", ranks)] {
        let scores = found["scores"].as_object().unwrap();
        assert!(scores.len() > 5, "{scores:?}");
        for (key, value) in scores {
            assert_eq!(value, &own["scores"][format!("{task}.{key}")], "{task}.{key}");
        }
    }
    let interval = &answers["intervals"]["overall"];
    let (low, high) = (interval["low"].as_f64().unwrap(), interval["high"].as_f64().unwrap());
    assert!(
        low <= high && (low..=high).contains(&interval["mean"].as_f64().unwrap()),
        "{interval}"
    );

    let fails = |args: &[&str]| toolkit(&[&["eval", "--quiet", &hub], args].concat());
    fails(&["--tasks", "scenes-retrieval", "--data", "tiny:test"]).fails_with(&["no text side"]);
    fails(&["--tasks", "scenes-vqa", "--data", "tiny:test", "--prompt", "why?"])
        .fails_with(&["no `{}`", "--prompt"]);
    fails(&["--tasks", "nowhere", "--data", "tiny:test"]).fails_with(&["nowhere"]);
    let dir = folder();
    std::fs::create_dir_all(dir.path().join("tasks")).unwrap();
    let card = "kind = \"vqa\"\nversion = 1\n[config]\nsplit = \"val\"\n";
    std::fs::write(dir.path().join("tasks/bare.toml"), card).unwrap();
    fails(&["--registry", text(dir.path()), "--tasks", "bare"])
        .fails_with(&["`bare` names no data", "--data"]);
    fails(&["--tasks", "scenes-vqa", "--data", "tiny:test", "--preset", "lavvis"])
        .fails_with(&["no preset `lavvis`"]);
}

#[test]
fn presets_and_published_scores_are_the_cards() {
    let dir = folder();
    std::fs::create_dir_all(dir.path().join("tasks")).unwrap();
    let card = "kind = \"vqa\"\nversion = 1\n[config]\ndata = \"tiny\"\nsplit = \"val\"\nlimit = 4\n[decoding]\nbeams = 2\n\
        [presets.others]\nprompt = \"{}!\"\ndecoding = { max_new_tokens = 2 }\n\
        [[published]]\nmodel = \"hub-opt\"\nscore = \"overall\"\nvalue = 1e9\ntolerance = 0.5\nsource = \"a table\"\n\
        [[published]]\nmodel = \"hub-opt\"\npreset = \"others\"\nscore = \"overall\"\nvalue = \
            0.0\ntolerance = 100.0\nsource = \"b\"\n";
    std::fs::write(dir.path().join("tasks/own.toml"), card).unwrap();
    let hub = fixture("hub-opt");
    let call = |more: &[&str]| {
        toolkit(
            &[
                &[
                    "--registry",
                    text(dir.path()),
                    "eval",
                    &hub,
                    "--tasks",
                    "own",
                    "--out",
                    text(dir.path()),
                ],
                more,
            ]
            .concat(),
        )
    };
    let own = call(&["--json"]).json()[0]["result"].clone();
    assert_eq!((&own["data"], &own["samples"]), (&"tiny:val".into(), &4.into()));
    assert_eq!(
        (own["published"].as_array().unwrap().len(), &own["published"][0]["holds"]),
        (1, &false.into())
    );
    assert!(call(&[]).ok().stdout.contains("OUTSIDE"));
    let others = call(&["--json", "--preset", "others"]).json()[0]["result"].clone();
    assert_eq!(others["published"][0]["holds"], true);
    let samples = std::fs::read_to_string(dir.path().join("own/samples.jsonl")).unwrap();
    let first: Value = serde_json::from_str(samples.lines().next().unwrap()).unwrap();
    assert_eq!(first["prompt"], format!("{}!", first["question"].as_str().unwrap()));
    // With another prompt it is another task.
    let changed = call(&["--json", "--preset", "others", "--prompt", "{}?!"]).json();
    assert_eq!(changed[0]["result"]["published"].as_array().unwrap().len(), 0);
    let samples = std::fs::read_to_string(dir.path().join("own/samples.jsonl")).unwrap();
    assert!(samples.lines().next().unwrap().contains("?!\""), "{samples}");
}

#[test]
fn an_evaluation_goes_on_where_it_was_killed() {
    let (run, dir) = (finished().0, folder());
    let call = |out: &Path| {
        let mut call = command();
        let tasks = [
            "--tasks",
            "scenes-vqa,scenes-caption",
            "--batch",
            "2",
            "--limit",
            "60",
            "--data",
            "scenes:test",
        ];
        call.arg("eval").arg(run).args(tasks).arg("--out").arg(out);
        call
    };
    let (whole, killed) = (dir.path().join("whole"), dir.path().join("killed"));
    called(&mut call(&whole)).ok();
    let (mut kills, mut at) = (0, 150);
    while kills < 12 {
        let mut child = call(&killed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(at));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        (kills, at) = (kills + 1, at + 150);
    }
    assert!(kills > 0, "it was killed at least once");
    called(&mut call(&killed)).ok();
    let read = |path: &Path| std::fs::read(path).unwrap();
    let scores = |dir: &Path, task: &str| {
        let mut all: Value =
            serde_json::from_slice(&read(&dir.join(task).join("scores.json"))).unwrap();
        all["result"]["seconds"].take();
        all
    };
    for task in ["scenes-vqa", "scenes-caption"] {
        let samples = Path::new(task).join("samples.jsonl");
        assert_eq!(read(&whole.join(&samples)), read(&killed.join(&samples)), "{task}");
        assert_eq!(scores(&whole, task), scores(&killed, task));
    }
    assert_eq!(files(&whole), files(&killed), "nothing else is left");

    // Done is done, unless its samples were changed.
    let again = called(&mut call(&whole)).ok();
    assert_eq!(again.stderr.matches(": is done").count(), 2, "{}", again.stderr);
    // One digit of a score is a change, too.
    let file = whole.join("scenes-caption/scores.json");
    let mut scored: Value = serde_json::from_slice(&read(&file)).unwrap();
    let before = scored["result"]["scores"]["cider"].as_f64().unwrap();
    scored["result"]["scores"]["cider"] = (before + 0.1).into();
    std::fs::write(&file, scored.to_string()).unwrap();
    let again = called(&mut call(&whole)).ok();
    assert_eq!(again.stderr.matches(": is done").count(), 1, "{}", again.stderr);
    assert_eq!(scores(&whole, "scenes-caption"), scores(&killed, "scenes-caption"));
    std::fs::write(whole.join("scenes-vqa/samples.jsonl"), "{}\n").unwrap();
    let again = called(&mut call(&whole)).ok();
    assert_eq!(again.stderr.matches(": is done").count(), 1, "{}", again.stderr);
    assert_eq!(
        read(&whole.join("scenes-vqa/samples.jsonl")),
        read(&killed.join("scenes-vqa/samples.jsonl"))
    );
}
