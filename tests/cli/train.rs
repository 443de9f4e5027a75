//! `kind = "train"`: one stage or both, without evaluation or with a part of it.

use super::support::{called, experiment, files, folder, picture, run_command, text, toolkit};
use std::path::Path;

/// Stage 1 alone.
pub const STAGE1: &str = r#"name = "first"
kind = "train"

[model]
vision = "vit-nano"
bridge = "qformer-nano"

[data]
train = "tiny:train"

[stage1]
steps = 6
batch = 8
schedule = { peak = 1e-3 }
"#;

/// The table of stage 2, which follows [`STAGE1`].
pub const STAGE2: &str = r#"
[stage2]
steps = 6
batch = 8
schedule = { peak = 1e-3 }
"#;

/// Runs an experiment into `out`.
pub fn train(dir: &Path, out: &Path, experiment_text: &str, more: &[&str]) -> String {
    let file = experiment(dir, experiment_text);
    called(&mut run_command(&file, out, more)).ok().stdout
}

#[test]
fn stage_1_alone_is_a_model_that_compares() {
    let dir = folder();
    let out = dir.path().join("run");
    let evaluated = format!("{STAGE1}\n[eval]\nretrieve = \"scenes-retrieval\"\n");
    let evaluated = evaluated.replace("[data]\n", "[data]\ntest = \"tiny:test\"\n");
    train(dir.path(), &out, STAGE1, &[]);
    assert!(!out.join("controls").exists() && out.join("report.html").is_file());
    let scores = files(&out).into_iter().filter(|file| file.ends_with("scores.json"));
    assert_eq!(scores.count(), 2, "of stage 1 and of the cell that it is the whole of");

    let image = dir.path().join("a.png");
    picture(&image);
    let run = text(&out);
    let ranked = ["retrieve", run, text(&image), "--text", "a red circle", "--json"];
    assert!(toolkit(&ranked).json()[0]["ranks"][0]["itm"].is_number());
    let measured = ["eval", run, "--tasks", "scenes-retrieval", "--data", "tiny:test", "--json"];
    assert!(toolkit(&measured).json()[0].to_string().contains("r_mean"));
    toolkit(&["caption", "--quiet", run, text(&image)])
        .fails_last_with(&["only stage 1 was trained"]);
    toolkit(&["report", run]).ok();

    // The same again is the same, and one that is measured too trains the same weights.
    let again = dir.path().join("again");
    train(dir.path(), &again, STAGE1, &[]);
    assert!(toolkit(&["diff", run, text(&again)]).ok().stdout.contains("the same: 6 logged"));
    let measured = dir.path().join("measured");
    let table = train(dir.path(), &measured, &evaluated, &[]);
    assert!(table.contains("R@1") || table.contains("retrieval"), "{table}");
    let diff = toolkit(&["diff", run, text(&measured), "--json"]);
    let diff: serde_json::Value = serde_json::from_str(&diff.stdout).unwrap();
    let training = &diff["diff"]["training"][0];
    assert!(training["weights"].is_null() && training["step"].is_null(), "{training}");
}

#[test]
fn stage_2_is_measured_as_far_as_it_is_asked_for() {
    let dir = folder();
    let both = format!("{STAGE1}{STAGE2}").replace("[data]", "language = \"opt-nano\"\n\n[data]");
    let out = dir.path().join("both");
    train(dir.path(), &out, &both, &[]);
    let image = dir.path().join("a.png");
    picture(&image);
    let run = text(&out);
    for args in [
        &["caption", run, text(&image), "--beams", "1", "--max-new-tokens", "2"][..],
        &["vqa", run, text(&image), "--question", "what colour is it?", "--beams", "1"],
        &["retrieve", run, text(&image), "--text", "a cat"],
    ] {
        toolkit(args).ok();
    }
    let found = files(&out);
    assert!(!found.iter().any(|file| file.ends_with("samples.jsonl")), "{found:?}");

    // Captions alone: no questions, no curve, no control without pictures.
    let captioned = both.replace("[data]\n", "[data]\ntest = \"tiny:test\"\n")
        + "\n[eval]\ncaption = \"scenes-caption\"\ncaptions = 4\n";
    let second = dir.path().join("captioned");
    let table = train(dir.path(), &second, &captioned, &[]);
    assert!(table.contains("CIDEr"), "{table}");
    let found = files(&second);
    assert!(found.iter().any(|file| file.ends_with("captions.jsonl")), "{found:?}");
    assert!(!second.join("controls").exists());
    let repeated = toolkit(&["reproduce", text(&second)]).ok();
    assert!(repeated.stdout.contains("are the same"), "{}", repeated.stdout);
}
