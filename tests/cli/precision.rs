//! Frozen models in bf16.

use super::support::{TINY, called, experiment, files, folder, run_command};
use std::path::Path;

/// Losses of a training by step, from all its logs of one name.
fn losses(run: &Path, key: &str) -> Vec<f64> {
    let logs = files(run).into_iter().filter(|path| path.ends_with("metrics.jsonl"));
    let mut found = Vec::new();
    for log in logs {
        for line in std::fs::read_to_string(run.join(log)).unwrap().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let metrics = line.get("metrics").unwrap_or(&line);
            found.extend(metrics.get(key).and_then(serde_json::Value::as_f64));
        }
    }
    found
}

/// The same steps, near those of f32 and not equal to them; another name, as results differ.
#[test]
fn frozen_models_in_bf16_train_near_those_in_f32() {
    let dir = folder();
    let file = experiment(dir.path(), TINY);
    let [wide, half] = ["f32", "bf16"].map(|frozen| {
        let out = dir.path().join(frozen);
        let set = format!("compute.frozen={frozen}");
        called(&mut run_command(&file, &out, &["--set", &set])).ok();
        let cells: Vec<_> = std::fs::read_dir(out.join("cells"))
            .unwrap()
            .map(|cell| cell.unwrap().file_name().into_string().unwrap())
            .collect();
        (losses(&out, "loss"), cells)
    });
    assert_eq!(wide.0.len(), half.0.len());
    assert!(!wide.0.is_empty() && wide.0 != half.0);
    // The first step differs by rounding alone; in later ones weights have moved apart, too.
    let near = |half: f64, wide: f64, by: f64| {
        assert!((half - wide).abs() < by * wide.abs(), "{half} for {wide}");
    };
    near(half.0[0], wide.0[0], 2e-3);
    near(half.0.iter().sum(), wide.0.iter().sum(), 2e-2);
    assert!(half.1.iter().all(|cell| !wide.1.contains(cell)));
}
