//! Mixtures: trained on from the experiment file, and looked at by `data` and `inspect`.

use super::support::{called, command, experiment, folder, picture, run_command, text};
use super::train::STAGE1;
use std::path::Path;

/// A folder of `count` pictures with captions.
fn photos(dir: &Path, count: usize) -> String {
    let photos = dir.join("photos");
    std::fs::create_dir_all(&photos).unwrap();
    for at in 0..count {
        picture(&photos.join(format!("{at}.png")));
        std::fs::write(photos.join(format!("{at}.txt")), format!("a red thing {at}")).unwrap();
    }
    format!("folder:{}", photos.display())
}

#[test]
fn a_mixture_is_trained_on_by_its_ratios() {
    let dir = folder();
    let photos = photos(dir.path(), 3);
    let mixture = format!(
        "[[data.train.source]]\ndata = \"tiny:train\"\nratio = 3\n\
        [[data.train.source]]\ndata = {photos:?}\nratio = 1\nprompt = \"a photo of \"\n"
    );
    let file = STAGE1.replace("[data]\ntrain = \"tiny:train\"\n", &mixture);
    let file = experiment(dir.path(), &file.replace("steps = 6", "steps = 128"));
    let out = dir.path().join("run");
    called(&mut run_command(&file, &out, &[])).ok();
    let log = std::fs::read_dir(out.join("stage1")).unwrap().next().unwrap().unwrap().path();
    let log = std::fs::read_to_string(log.join("metrics.jsonl")).unwrap();
    let mut sums = [0.0; 2];
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        for (sum, name) in sums.iter_mut().zip(["samples_tiny:train", "samples_photos"]) {
            *sum += line.get(name).and_then(serde_json::Value::as_f64).unwrap_or(0.0);
        }
    }
    // 128 steps of 8 are one block of 1,024 positions, in which quotas are exact.
    assert_eq!(sums, [768.0, 256.0]);
}

#[test]
fn a_card_of_a_mixture_is_checked_and_inspected() {
    let dir = folder();
    let photos = photos(dir.path(), 2);
    let cards = dir.path().join("datasets");
    std::fs::create_dir_all(&cards).unwrap();
    let card = format!(
        "kind = \"mixture\"\nabout = \"both\"\n[config.splits.train]\nby = \"row\"\n\
        [[config.splits.train.source]]\ndata = \"tiny:val\"\nlimit = 5\n\
        [[config.splits.train.source]]\ndata = {photos:?}\n"
    );
    std::fs::write(cards.join("both.toml"), card).unwrap();
    let run = |args: &[&str]| called(command().arg("--registry").arg(dir.path()).args(args));
    let found = run(&["data", "check", "both:train", "--json"]).json();
    assert_eq!((&found[0]["items"], &found[0]["captions"]), (&7.into(), &22.into()));
    let found = run(&["inspect", "datasets/both", "--json"]).json();
    assert!(found.to_string().contains("tiny:val"), "{found}");
    let preview = dir.path().join("sheet.png");
    run(&["data", "preview", "both:train", "--out", text(&preview)]).ok();
    assert!(preview.is_file());
    let wrong = "kind = \"mixture\"\n[config.splits.train]\nsource = []\n";
    std::fs::write(cards.join("wrong.toml"), wrong).unwrap();
    run(&["data", "check", "wrong:train"]).fails_with(&["wrong:train", "has no source"]);
}
