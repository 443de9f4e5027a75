//! Parquet files: checked, and trained on live and from the cache.

use super::support::{called, experiment, fixture, folder, run_command, toolkit};
use super::train::STAGE1;

#[test]
fn parquet_files_are_checked_and_trained_on() {
    let name = format!("parquet:{}", fixture("parquet/struct-snappy.parquet"));
    let checked = toolkit(&["data", "check", &name]);
    let told = format!("{}{}", checked.stdout, checked.stderr);
    assert!(told.contains("row3") && told.contains("missing-image"), "{told}");

    let dir = folder();
    let file = STAGE1.replace("tiny:train", &name).replace("steps = 6", "steps = 3");
    let file = experiment(dir.path(), &file);
    let log = |features: &str| {
        let out = dir.path().join(features);
        let set = format!("data.features={features}");
        called(&mut run_command(&file, &out, &["--set", &set])).ok();
        let stage = std::fs::read_dir(out.join("stage1")).unwrap().next().unwrap().unwrap().path();
        std::fs::read_to_string(stage.join("metrics.jsonl")).unwrap()
    };
    let cached = log("cached");
    assert_eq!(cached.lines().count(), 3);
    assert_eq!(cached, log("live"));
}
