//! Models that a run trained, used by themselves.

use super::support::{
    TINY, called, copy_of_finished, experiment, finished, folder, picture, run_command, toolkit,
};
use std::path::Path;

#[test]
fn captions_answers_and_ranks() {
    let run = finished().0.to_str().unwrap();
    let dir = folder();
    let (a, b) = (dir.path().join("a.png"), dir.path().join("b.png"));
    picture(&a);
    picture(&b);
    let (a, b) = (a.to_str().unwrap(), b.to_str().unwrap());

    let captions =
        toolkit(&["caption", run, a, b, "--json", "--max-new-tokens", "4", "--beams", "2"])
            .json_lines();
    let captions = captions.as_array().unwrap();
    assert_eq!(captions.len(), 2);
    assert_eq!(captions[0]["text"], captions[1]["text"], "the same picture in the same batch");
    assert!(captions[0]["ids"].as_array().unwrap().len() <= 4 && captions[0]["score"].is_number());
    let said = toolkit(&["caption", run, a]).ok();
    assert!(
        said.stderr.starts_with("cell on-seed1-"),
        "the first cell with stage 1: {}",
        said.stderr
    );

    let cell = captions[0]["of"].as_str().unwrap();
    let answer =
        toolkit(&["vqa", run, "--cell", cell, a, "--question", "what colour is it?", "--json"])
            .json();
    assert_eq!(answer["prompt"], "question: what colour is it? answer:");
    toolkit(&["vqa", run, "--cell", "on-seed9", a, "--question", "?"]).fails_with(&["on-seed9"]);
    toolkit(&["caption", "--quiet", run, a, "--beams", "0"]).fails_with(&["`beams` = 0"]);
    for value in ["-1", "-1e-3", "-inf", "1e-40"] {
        toolkit(&["caption", "--quiet", run, a, "--temperature", value])
            .fails_with(&["`temperature` = ", "0.0001"]);
    }

    let folder = dir.path().to_str().unwrap();
    let ranks = toolkit(&[
        "retrieve",
        run,
        "--images",
        folder,
        "--text",
        "a cat",
        "--text",
        "a red apple",
        "--json",
    ])
    .json();
    assert_eq!(ranks.as_array().unwrap().len(), 2);
    let best = &ranks[1]["ranks"][0];
    assert!(best["itc"].as_f64().unwrap().abs() <= 1.001 && best["itm"].is_number());
    let other = ranks[1]["ranks"][1]["itc"].as_f64().unwrap();
    assert!((best["itc"].as_f64().unwrap() - other).abs() < 1e-4, "the same picture");
    assert!(toolkit(&["retrieve", run, a, "--text", "a cat"]).ok().stdout.contains("itm"));
}

#[test]
fn checkpoints_that_were_kept_open_by_name() {
    let dir = folder();
    let (file, out) = (experiment(dir.path(), TINY), dir.path().join("out"));
    let sets = ["compute.best=vqa", "compute.keep=2", "compute.save_seconds=0"];
    let mut run = run_command(&file, &out, &["--quiet"]);
    for set in sets {
        run.args(["--set", set]);
    }
    called(&mut run).ok();
    let read = |path: &Path| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    let mut cells = 0;
    for cell in std::fs::read_dir(out.join("cells")).unwrap() {
        let (cell, id) = (cell.as_ref().unwrap().path(), cell.as_ref().unwrap().file_name());
        let scores = Path::new("cells").join(&id).join("scores.json");
        assert_eq!(read(&out.join(&scores)), read(&finished().0.join(&scores)), "as without them");
        // The first point with the best score.
        let mut points: Vec<_> =
            std::fs::read_dir(cell.join("eval")).unwrap().map(|e| e.unwrap().path()).collect();
        points.sort();
        let score = |path: &Path| read(path)["vqa.overall"].as_f64().unwrap();
        let top = points.iter().map(|point| score(point)).fold(f64::MIN, f64::max);
        let first = points.iter().find(|point| score(point) == top).unwrap();
        let best = read(&cell.join("stage2/best.json"));
        let step = best["step"].as_u64().unwrap();
        assert!(first.ends_with(format!("step-{step:06}.json")), "{first:?} {best}");
        assert_eq!(best["value"].as_f64(), Some(top));
        cells += 1;
    }
    assert!(cells > 1);
    let picture_file = dir.path().join("a.png");
    picture(&picture_file);
    let (run, picture_file) = (out.to_str().unwrap(), picture_file.to_str().unwrap());
    let caption = |checkpoint: &str| {
        toolkit(&["caption", "--quiet", run, picture_file, "--json", "--checkpoint", checkpoint])
    };
    caption("best").json_lines();
    caption("latest").json_lines();
    caption("999999").fails_with(&["there is no checkpoint `999999`", "compute.keep"]);
    caption("last").fails_with(&["--checkpoint"]);
    let none = finished().0.to_str().unwrap();
    toolkit(&["caption", "--quiet", none, picture_file, "--checkpoint", "best"])
        .fails_with(&["there is no checkpoint `best`", "compute.best"]);
    let wrong = ["--quiet", "--set", "compute.best=vqa.none"];
    called(&mut run_command(&file, &dir.path().join("wrong"), &wrong))
        .fails_with(&["`compute.best` = \"vqa.none\"", "vqa.overall"]);
}

#[test]
fn reports_are_made_again() {
    let run = copy_of_finished();
    let before = std::fs::read_to_string(run.path().join("report.html")).unwrap();
    std::fs::remove_file(run.path().join("report.html")).unwrap();
    let summary = toolkit(&["report", run.path().to_str().unwrap(), "--json"]).json();
    assert_eq!(summary["name"], "tiny");
    assert_eq!(std::fs::read_to_string(run.path().join("report.html")).unwrap(), before);
}

#[test]
fn what_pretrain_writes_is_a_registry_of_its_own() {
    let dir = folder();
    let part = |kind: &str, card: &str, more: &str| {
        format!(
            "[[part]]\nkind = \"{kind}\"\ncard = \"{card}\"\nsteps = 2\nbatch = 4\nschedule = {{ \
            peak = 1e-3 }}\n{more}"
        )
    };
    let text = [
        "name = \"parts\"\nkind = \"pretrain\"\nseed = 5\ndata = \"scenes\"\n".to_owned(),
        part("vision", "vit-nano", "targets = [\"group\"]\n"),
        part("language", "opt-nano", ""),
        part("bert", "qformer-nano", ""),
    ];
    let file = experiment(dir.path(), &text.concat());
    let out = dir.path().join("parts");
    called(&mut run_command(&file, &out, &["--quiet"])).ok();
    let cards = out.join("registry");
    let shown =
        toolkit(&["--registry", cards.to_str().unwrap(), "doctor", "--json", "--quiet"]).ok();
    assert!(shown.stdout.contains("opt-nano"));
    let file = experiment(dir.path(), &TINY.replace("[data]", "init = \"bert-copy\"\n\n[data]"));
    let run = dir.path().join("run");
    let cards = cards.to_str().unwrap();
    let (file, out) = (file.to_str().unwrap(), run.to_str().unwrap());
    toolkit(&["--registry", cards, "run", file, "--out", out, "--smoke", "--quiet"]).ok();
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(run.join("manifest.json")).unwrap()).unwrap();
    let builtin: serde_json::Value =
        serde_json::from_slice(&std::fs::read(finished().0.join("manifest.json")).unwrap())
            .unwrap();
    for name in ["vit-nano", "opt-nano"] {
        assert!(manifest["weights"][name].is_string());
        assert_ne!(
            manifest["weights"][name], builtin["weights"][name],
            "{name} is the one just made"
        );
    }
}

#[test]
fn attention_is_drawn() {
    let (run, dir) = (finished().0, folder());
    let (file, out) = (dir.path().join("a.png"), dir.path().join("attention.png"));
    picture(&file);
    let call = |more: &[&str]| {
        let base = [
            "attend",
            run.to_str().unwrap(),
            file.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ];
        toolkit(&[&base[..], more].concat())
    };
    let said = call(&["--json", "--size", "32"]).json();
    let weights = said["weights"].as_array().unwrap();
    assert_eq!((weights.len(), said["queries"].as_u64().unwrap()), (8, 8));
    for query in weights {
        let sum: f64 = query.as_array().unwrap().iter().map(|w| w.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    }
    // The picture, the mean and eight queries, in four columns of three rows with gaps of 4.
    assert_eq!(image::open(&out).unwrap().to_rgb8().dimensions(), (4 * 36 - 4, 3 * 36 - 4));
    let one = call(&["--json", "--layer", "0", "--head", "1"]).json();
    assert_ne!(one["weights"], said["weights"]);
    assert!(call(&[]).ok().stdout.contains("looks most at"));
    call(&["--layer", "9"]).fails_last_with(&["--layer 9"]);
    call(&["--head", "9"]).fails_last_with(&["--head 9"]);
}

#[test]
fn what_flipped_is_counted() {
    let run = finished().0;
    let results: serde_json::Value =
        serde_json::from_slice(&std::fs::read(run.join("results.json")).unwrap()).unwrap();
    let scores = |cell: &str| -> Vec<f64> {
        let of = results["cells"]
            .as_array()
            .unwrap()
            .iter()
            .find(|c| c["axes"]["stage1.enabled"] == cell)
            .unwrap();
        let file = run.join("cells").join(of["id"].as_str().unwrap()).join("samples.jsonl");
        let rows = std::fs::read_to_string(file).unwrap();
        let score = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["score"].as_f64().unwrap()
        };
        rows.lines().map(score).collect()
    };
    let (on, off) = (scores("on"), scores("off"));
    let count =
        |from: &[f64], to: &[f64]| from.iter().zip(to).filter(|(a, b)| *a - *b >= 0.5).count();
    let (gained, lost) = (count(&on, &off), count(&off, &on));
    let questions = results["flips"].as_array().unwrap().iter().find(|f| f["task"] == "questions");
    assert!(gained + lost == 0 || questions.is_some());
    if let Some(flips) = questions {
        assert_eq!(
            (flips["gained"].as_u64(), flips["lost"].as_u64()),
            (Some(gained as u64), Some(lost as u64))
        );
        for (side, first, second) in [("gains", 1.0, 0.0), ("losses", 0.0, 1.0)] {
            for sample in flips[side].as_array().unwrap() {
                let correct = [0, 1].map(|at| sample["outputs"][at]["correct"].as_f64().unwrap());
                assert_eq!(correct, [first, second]);
                assert!(!sample["png"].as_str().unwrap().is_empty());
            }
        }
        assert!(std::fs::read_to_string(run.join("report.html")).unwrap().contains("What flipped"));
    }
}
