//! The same numbers however a run was interrupted, and however many jobs ran at a time.

use super::support::{TINY, called, experiment, files, finished, folder, run_command};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Everything that a run computed, by file: logs, curves, scores, samples, hashes of the final
/// weights.
fn computed(run: &Path) -> BTreeMap<PathBuf, String> {
    let kept = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let within = path.components().count() > 1 && !path.starts_with("features");
        within
            && !["timing.jsonl", "timing-alerts.jsonl", "seconds.json"].contains(&name.as_str())
            && !name.ends_with(".safetensors")
    };
    let mut all: BTreeMap<PathBuf, String> = files(run)
        .into_iter()
        .filter(kept)
        .map(|path| (path.clone(), std::fs::read_to_string(run.join(path)).unwrap()))
        .collect();
    // The lists have the hashes of measured times too.
    for (_, list) in all.iter_mut().filter(|(path, _)| path.ends_with("done.json")) {
        let mut done: Value = serde_json::from_str(list).unwrap();
        let files = done["files"].as_object_mut().unwrap();
        files.retain(|name, _| {
            !["timing.jsonl", "timing-alerts.jsonl", "seconds.json"]
                .iter()
                .any(|end| name.ends_with(end))
        });
        *list = done.to_string();
    }
    let mut results: Value =
        serde_json::from_slice(&std::fs::read(run.join("results.json")).unwrap()).unwrap();
    forget(&mut results);
    all.insert("results.json".into(), results.to_string());
    all
}

/// Removes what is measured or says how the program was called.
fn forget(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| {
                !["seconds", "cost", "command", "created", "git"].contains(&key.as_str())
            });
            map.values_mut().for_each(forget);
        }
        Value::Array(list) => {
            // Somebody may have committed between two kills.
            list.retain(|value| {
                !value.as_str().is_some_and(|note| note.starts_with("Several builds worked on"))
            });
            list.iter_mut().for_each(forget);
        }
        _ => {}
    }
}

#[track_caller]
fn assert_same(a: &Path, b: &Path) {
    let (a, b) = (computed(a), computed(b));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for name in ["metrics.jsonl", "scores.json", "samples.jsonl", "latest.json", "done.json"] {
        assert!(a.keys().any(|path| path.ends_with(name)), "no {name}");
    }
    for (path, text) in &a {
        assert!(b[path] == *text, "{} differs", path.display());
    }
}

#[test]
fn killed_three_times_and_resumed_it_computes_the_same() {
    let (whole, seconds) = finished();
    let dir = folder();
    let (file, out) = (experiment(dir.path(), TINY), dir.path().join("out"));
    let mut midway = 0;
    for round in 0..3 {
        // Any moment will do, and another one each time the test runs.
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
        let moment =
            Duration::from_secs_f64(seconds * (0.1 + 0.5 * f64::from(nanos % 1_000_000) / 1e6));
        // A checkpoint after every step, so that a kill falls within a stage, which then goes on
        // from there.
        let every_step = ["--jobs", "2", "--set", "compute.save_seconds=0"];
        let mut child = run_command(&file, &out, &every_step)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(moment);
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "it was over before it was killed");
        midway += begun(&out);
        eprintln!(
            "round {round}: killed after {moment:?}, {} files",
            if out.exists() { files(&out).len() } else { 0 }
        );
    }
    assert!(midway > 0, "no kill fell within a stage");
    called(&mut run_command(&file, &out, &["--jobs", "2"])).ok();
    assert_same(whole, &out);
}

#[test]
fn kills_while_features_are_computed_make_progress() {
    let dir = folder();
    // More pictures, so that the encoder has something to do.
    let many = TINY.replace("tiny:train", "scenes:train");
    let (file, out) = (experiment(dir.path(), &many), dir.path().join("out"));
    let rows = || {
        let parts = files(&out).into_iter().filter(|path| path.to_str().unwrap().contains(".f16"));
        parts.map(|path| std::fs::metadata(out.join(path)).unwrap().len()).sum::<u64>()
    };
    let mut held = 0;
    let mut grown = 0;
    for kill in 1..=12 {
        let mut command = run_command(&file, &out, &["--jobs", "1"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(300 * kill));
        child.kill().unwrap();
        child.wait().unwrap();
        let now = if out.exists() { rows() } else { 0 };
        assert!(now >= held, "kill {kill} lost {} bytes", held - now);
        grown += usize::from(now > held);
        held = now;
    }
    assert!(grown >= 2, "{held} bytes after 12 kills");
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_says_how_to_go_on() {
    let dir = folder();
    let (file, out) = (experiment(dir.path(), TINY), dir.path().join("out"));
    let run = run_command(&file, &out, &["--jobs", "1"]);
    // Tests that run in the background ignore the signal, and so would what they start.
    let mut command = std::process::Command::new("env");
    command.arg("--default-signal=INT").arg(run.get_program()).args(run.get_args());
    command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(run.get_current_dir().unwrap()).stdin(Stdio::null());
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while !out.join("manifest.json").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let sent = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    let said = child.wait_with_output().unwrap();
    let lines = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(130), "{lines}");
    assert!(lines.lines().last().unwrap().contains("the same command goes on"), "{lines}");
    called(&mut run_command(&file, &out, &["--jobs", "2"])).ok();
    assert_same(finished().0, &out);
}

/// Counts the stages that have a checkpoint which is not their last.
fn begun(run: &Path) -> usize {
    let manifests = files(run).into_iter().filter(|path| path.ends_with("latest.json"));
    let step = |path: PathBuf| {
        let manifest: Value =
            serde_json::from_slice(&std::fs::read(run.join(path)).unwrap()).unwrap();
        manifest["step"].as_u64().unwrap()
    };
    manifests.map(step).filter(|&step| (1..60).contains(&step)).count()
}

#[test]
fn one_job_at_a_time_computes_the_same_as_two() {
    let (two, _) = finished();
    let dir = folder();
    let out = dir.path().join("out");
    let first =
        called(&mut run_command(&experiment(dir.path(), TINY), &out, &["--jobs", "1"])).ok();
    assert_same(two, &out);
    // Everything is there: the same call only prints again.
    let again =
        called(&mut run_command(&experiment(dir.path(), TINY), &out, &["--jobs", "1"])).ok();
    assert_eq!(first.stdout, again.stdout);
}
