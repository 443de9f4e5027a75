//! Bad input: one clear error, exit code 2, and nothing half-written.

use super::support::{
    TINY, called, copy_of_finished, experiment, files, finished, folder, picture, run_command,
    toolkit,
};
use std::path::Path;
use std::process::Command;

/// Runs a spoilt [`TINY`] and checks that no run folder came of it.
#[track_caller]
fn spoilt(text: &str, more: &[&str], parts: &[&str]) {
    let dir = folder();
    let file = experiment(dir.path(), text);
    called(&mut run_command(&file, &dir.path().join("out"), more)).fails_with(parts);
    assert_eq!(files(dir.path()), ["tiny.toml"].map(String::from));
}

#[test]
fn a_wrong_experiment_file_is_pointed_into() {
    spoilt(
        &TINY.replace("[stage1]\nsteps = 60", "[stage1]\nstepz = 60"),
        &[],
        &["tiny.toml:16:1", "unknown key `stepz`", "did you mean `steps`?"],
    );
    spoilt(&TINY.replace("batch = 8", "batch = \"8\""), &[], &["tiny.toml:17:9", "stage1.batch"]);
    spoilt("name = \n", &[], &["tiny.toml:1:"]);
    spoilt(
        &TINY.replace("opt-nano", "opt-nanno"),
        &[],
        &["`opt-nanno`", "did you mean `opt-nano`?"],
    );
    spoilt(
        &TINY.replace("scenes-vqa", "scenes-vqq"),
        &[],
        &["`scenes-vqq`", "did you mean `scenes-vqa`?"],
    );
    spoilt(&TINY.replace("tiny:val", "tiny:valid"), &[], &["no split 'valid'"]);
    spoilt(
        TINY,
        &["--set", "stage1.stepz=3"],
        &["--set stage1.stepz=3", "unknown key `stepz`", "did you mean `steps`?"],
    );
    spoilt(TINY, &["--set", "steps"], &["--set steps", "has no `=`"]);
}

#[test]
fn a_missing_file_is_named() {
    toolkit(&["run", "no/such.toml"]).fails_with(&["no/such.toml"]);
    toolkit(&["report", "no-such-run"]).fails_with(&["no-such-run/results.json"]);
    toolkit(&["caption", "no-such-run", "a.png"]).fails_with(&["no-such-run"]);
    toolkit(&["list", "--registry", "no-such-folder"]).fails_with(&["no-such-folder"]);
}

#[test]
fn widths_that_do_not_fit_are_found_before_anything_runs() {
    let dir = folder();
    std::fs::create_dir(dir.path().join("bridge")).unwrap();
    let card = "family = \"qformer\"\n[config]\nhidden_size = 128\nnum_hidden_layers = \
        2\nnum_attention_heads = 4\nintermediate_size = 256\nencoder_hidden_size = 999\n";
    std::fs::write(dir.path().join("bridge/wide.toml"), card).unwrap();
    let wide = TINY.replace("qformer-nano", "wide");
    spoilt(
        &wide,
        &["--registry", dir.path().to_str().unwrap()],
        &["bridge/wide.toml:", "`encoder_hidden_size` = 999", "96 wide"],
    );
}

#[test]
fn a_device_that_is_not_there_is_refused() {
    spoilt(TINY, &["--device", "gpu"], &["--device gpu", "`flex`"]);
    if !cfg!(feature = "cuda") {
        spoilt(TINY, &["--device", "cuda"], &["--device cuda", "`flex`", "--features cuda"]);
    }
}

#[test]
fn a_corrupt_picture_is_named() {
    let dir = folder();
    picture(&dir.path().join("good.png"));
    let bad = dir.path().join("bad.png");
    let bytes = std::fs::read(dir.path().join("good.png")).unwrap();
    std::fs::write(&bad, &bytes[..bytes.len() / 2]).unwrap();
    toolkit(&["data", "check", &format!("folder:{}", dir.path().display()), "--quiet"])
        .fails_with(&["bad.png", "cannot decode"]);
    let run = finished().0.to_str().unwrap();
    toolkit(&["caption", "--quiet", run, bad.to_str().unwrap()])
        .fails_with(&["bad.png", "cannot decode"]);
    assert_eq!(files(dir.path()), ["bad.png", "good.png"].map(String::from));
}

#[test]
fn a_place_that_cannot_be_written_to_is_named() {
    let dir = folder();
    let file = experiment(dir.path(), TINY);
    let taken = dir.path().join("taken");
    std::fs::write(&taken, "mine").unwrap();
    called(&mut run_command(&file, &taken, &["--quiet"])).fails_with(&["taken"]);
    called(&mut run_command(&file, &taken.join("below"), &["--quiet"]))
        .fails_with(&["taken/below"]);
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "mine");
    toolkit(&["data", "preview", "tiny:val", "--out", "/dev/full"]).fails_with(&["/dev/full"]);
    let below = taken.join("sheet.png");
    toolkit(&["data", "preview", "tiny:val", "--out", below.to_str().unwrap()])
        .fails_with(&["/taken"]);
    assert_eq!(files(dir.path()), ["taken", "tiny.toml"].map(String::from));
}

/// There is no small disk here to fill, but the system stops a process from writing large files in
/// the same way.
#[test]
fn a_disk_that_fills_up_leaves_no_half_file_and_the_run_goes_on_later() {
    // In blocks of 512 bytes: features of the training split do not fit; they fit, but a checkpoint
    // does not.
    for (blocks, place) in [(200, "features"), (2_000, "checkpoint")] {
        let dir = folder();
        let (file, out) = (experiment(dir.path(), TINY), dir.path().join("out"));
        let whole = run_command(&file, &out, &["--smoke", "--quiet"]);
        let mut limited = Command::new("sh");
        limited
            .args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""), "sh"])
            .arg(whole.get_program())
            .args(whole.get_args());
        limited.current_dir(whole.get_current_dir().unwrap()).env("TOOLKIT_CACHE", &out);
        called(&mut limited).fails_with(&["File too large", "free space"]);
        let weights =
            |path: &&std::path::PathBuf| path.extension().is_some_and(|e| e == "safetensors");
        let left = files(&out);
        assert!(
            !left.iter().any(|path| path.to_string_lossy().contains(".tmp")),
            "{place}: {left:?}"
        );
        assert_eq!(left.iter().filter(weights).count(), 0, "{place}: {left:?}");
        // What there is of the training split's features is gone on with.
        let ends =
            |end: &str| left.iter().filter(|path| path.to_string_lossy().ends_with(end)).count();
        assert_eq!(
            (ends(".f16") > 0, ends(".part") > 0),
            (place == "checkpoint", place == "features"),
            "{left:?}"
        );
        called(&mut run_command(&file, &out, &["--smoke", "--quiet"])).ok();
        assert!(out.join("results.json").exists());
    }
}

#[test]
fn a_checkpoint_of_another_model_is_refused() {
    let run = copy_of_finished();
    let photo = run.path().join("photo.png");
    picture(&photo);
    let cells = run.path().join("cells");
    for cell in std::fs::read_dir(&cells).unwrap().map(|entry| entry.unwrap().path()) {
        swap_shape(&cell.join("stage2"));
        for file in ["scores.json", "done.json"] {
            std::fs::remove_file(cell.join(file)).unwrap();
        }
    }
    let dir = run.path().to_str().unwrap();
    let wanted = ["stage2", "another model", "language_projection.bias"];
    toolkit(&["caption", "--quiet", dir, photo.to_str().unwrap()]).fails_with(&wanted);
    let file = experiment(run.path(), TINY);
    called(&mut run_command(&file, run.path(), &["--quiet", "--jobs", "1"])).fails_with(&wanted);
    // Bytes that are not those that were saved.
    let stage1 = run.path().join("stage1");
    let stage1 = std::fs::read_dir(&stage1).unwrap().next().unwrap().unwrap().path();
    let latest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(stage1.join("latest.json")).unwrap()).unwrap();
    std::fs::write(stage1.join(latest["model"].as_str().unwrap()), "not weights").unwrap();
    toolkit(&["retrieve", "--quiet", dir, "--text", "a cat", photo.to_str().unwrap()])
        .fails_with(&["stage1", "SHA-256"]);
}

/// Gives one tensor of a checkpoint another shape, hashes and all.
fn swap_shape(dir: &Path) {
    let path = dir.join("latest.json");
    let mut latest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let weights = dir.join(latest["model"].as_str().unwrap());
    let (mut tensors, metadata) =
        toolkit_models::weights::read_safetensors(&std::fs::read(&weights).unwrap()).unwrap();
    let bias = tensors.get_mut("language_projection.bias").unwrap();
    (bias.shape, bias.data) = (vec![7], vec![0.0; 7]);
    let sha256 = toolkit_models::weights::write_safetensors(
        &weights,
        &tensors,
        toolkit_models::weights::StoredDtype::F32,
        metadata,
    )
    .unwrap();
    latest["model_sha256"] = sha256.into();
    std::fs::write(path, latest.to_string()).unwrap();
}

#[test]
fn damaged_results_are_refused() {
    let run = copy_of_finished();
    std::fs::write(run.path().join("results.json"), "{\"name\": 3}").unwrap();
    let before = std::fs::read(run.path().join("report.html")).unwrap();
    toolkit(&["report", run.path().to_str().unwrap()]).fails_with(&["results.json", "SHA-256"]);
    // Without a list of the run's files.
    std::fs::remove_file(run.path().join("done.json")).unwrap();
    toolkit(&["report", run.path().to_str().unwrap()])
        .fails_with(&["results.json", "line 1 column"]);
    assert_eq!(std::fs::read(run.path().join("report.html")).unwrap(), before);
}
