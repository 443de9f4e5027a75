//! Live training from shards: the numbers of cached training, also after many kills.

use super::support::{TINY, called, command, experiment, files, finished, folder, run_command};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Packs the training split into shards of a few samples.
fn shards(dir: &Path) -> String {
    let out = dir.join("shards");
    called(command().args(["data", "pack", "tiny:train", "--shard-size", "9", "--out"]).arg(&out))
        .ok();
    format!("shards:{}/*.tar", out.display())
}

/// [`TINY`] with live pictures of shards.
fn live(data: &str) -> String {
    TINY.replace("train = \"tiny:train\"", &format!("train = \"{data}\"\nfeatures = \"live\""))
}

/// Logs of all trainings, without the names of folders, which depend on the data's name.
fn logs(run: &Path) -> BTreeMap<String, String> {
    let of = |path: &PathBuf| path.ends_with("metrics.jsonl");
    let name = |path: &Path| {
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        let own = if parts[0] == "cells" { &parts[1] } else { &parts[0] };
        own.split('-').next().unwrap_or_default().to_owned()
    };
    let read = |path: &PathBuf| std::fs::read_to_string(run.join(path)).unwrap();
    files(run).iter().filter(|path| of(path)).map(|path| (name(path), read(path))).collect()
}

#[test]
fn shards_train_live_to_the_numbers_of_cached_features() {
    let dir = folder();
    let file = experiment(dir.path(), &live(&shards(dir.path())));
    let out = dir.path().join("out");
    called(&mut run_command(&file, &out, &["--jobs", "2"])).ok();
    let (cached, live) = (logs(finished().0), logs(&out));
    assert_eq!(cached.len(), 3);
    assert!(live == cached);
    let features = files(&out).into_iter().filter(|path| path.to_string_lossy().contains(".f16"));
    assert_eq!(features.count(), 2, "of val and test alone");
}

/// With augmentation, so that every picture depends on its draws.
#[test]
fn killed_at_twenty_moments_it_ends_with_the_same_bits() {
    let dir = folder();
    let augmented = live(&shards(dir.path()))
        .replace("[stage1]\n", "[stage1]\naugment = \"blip_image_train\"\n")
        .replace("[stage2]\n", "[stage2]\naugment = \"blip2_image_train\"\n");
    let file = experiment(dir.path(), &augmented);
    let whole = dir.path().join("whole");
    called(&mut run_command(&file, &whole, &["--jobs", "2"])).ok();
    let out = dir.path().join("killed");
    let mut midway = 0;
    for kill in 0..20_u64 {
        let every_step = ["--jobs", "2", "--set", "compute.save_seconds=0"];
        let mut run = run_command(&file, &out, &every_step);
        let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut draw = toolkit::core::Stream::new(u64::from(std::process::id()), "kill", kill);
        std::thread::sleep(Duration::from_millis(500 + draw.below(1500) as u64));
        child.kill().unwrap();
        midway += usize::from(!child.wait().unwrap().success());
    }
    assert!(midway > 0, "no kill fell within the run");
    called(&mut run_command(&file, &out, &["--jobs", "2"])).ok();
    assert!(logs(&out) == logs(&whole));
    let scores = |run: &Path| {
        let of = |path: &&PathBuf| path.ends_with("scores.json");
        let read = |path: &PathBuf| std::fs::read(run.join(path)).unwrap();
        files(run).iter().filter(of).map(read).collect::<Vec<_>>()
    };
    assert!(scores(&out) == scores(&whole) && !scores(&out).is_empty());
}

#[test]
fn damaged_samples_are_named_and_limited() {
    let dir = folder();
    let data = shards(dir.path());
    // A picture's bytes in the third shard.
    let shard = dir.path().join("shards/00002.tar");
    let mut bytes = std::fs::read(&shard).unwrap();
    let png = bytes.windows(4).position(|window| window == b"\x89PNG").unwrap();
    bytes[png..png + 200].fill(0);
    std::fs::write(&shard, bytes).unwrap();
    let file = experiment(dir.path(), &live(&data));
    let out = dir.path().join("out");
    called(&mut run_command(&file, &out, &["--set", "data.max_damaged=0.001"])).fails_with(&[
        "could not be used",
        "00002.tar",
        "max_damaged",
    ]);
    called(&mut run_command(&file, &out, &[])).ok();
    let logs: Vec<PathBuf> =
        files(&out).into_iter().filter(|path| path.ends_with("data.jsonl")).collect();
    assert_eq!(logs.len(), 3);
    for log in logs {
        let text = std::fs::read_to_string(out.join(log)).unwrap();
        assert!(text.lines().count() > 2 && text.lines().all(|line| line.contains("00002.tar")));
    }
}

#[test]
fn augmented_pictures_are_not_cached() {
    let dir = folder();
    let cached = TINY
        .replace("[stage1]\n", "[stage1]\naugment = \"blip2_image_train\"\n")
        .replace("test = \"tiny:test\"", "test = \"tiny:test\"\nfeatures = \"cached\"");
    let file = experiment(dir.path(), &cached);
    called(&mut run_command(&file, &dir.path().join("out"), &[]))
        .fails_with(&["a stage augments its pictures", "live"]);
}
