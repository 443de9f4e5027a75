//! Why two runs differ: what they were made of, where their losses part, which samples came out
//! otherwise.

use crate::files::read_json;
use crate::run::damage::Damage;
use crate::run::folder::RunFolder;
use crate::run::manifest::Manifest;
use crate::{LabError, run::sealed};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use toolkit_system::problem::Problem;
use toolkit_train::checkpoint::Checkpoint;

/// One thing that is not the same in both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Where: a key of the manifest or the experiment, or a score.
    pub at: String,
    /// In the first run; nothing if it is not there.
    pub a: Value,
    /// In the second.
    pub b: Value,
}

/// Where two logs of the same stage part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parting {
    /// The stage: `stage 1`, or the cell.
    pub stage: String,
    /// The first step whose numbers differ; `None` if all shared steps are the same.
    pub step: Option<u64>,
    /// What differs there most, and by how much relative to the first run.
    pub most: Option<(String, f64)>,
    /// Steps that both have.
    pub shared: usize,
    /// Steps that only one has.
    pub alone: usize,
    /// SHA-256 of the trained weights of both, if they differ; nothing where there are none.
    pub weights: Option<[Option<String>; 2]>,
}

/// Samples of a cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Samples {
    /// `CELL/FILE`.
    pub file: String,
    /// Samples of both with the same id.
    pub shared: usize,
    /// Of these, with another text written.
    pub texts: usize,
    /// Of these, with another score.
    pub scores: usize,
    /// In one of them only.
    pub alone: usize,
}

/// All that differs between two runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunDiff {
    /// What could be the reason: versions, machine, device, cards, weights, data.
    pub made_of: Vec<Difference>,
    /// What could be the reason: values of the experiment.
    pub experiment: Vec<Difference>,
    /// Logs of training, stage by stage.
    pub training: Vec<Parting>,
    /// Final scores, cell by cell, as `CELL score`.
    pub scores: Vec<Difference>,
    /// Samples, file by file.
    pub samples: Vec<Samples>,
    /// Cells, by axes and seed, that only one of them has.
    pub alone: Vec<String>,
    /// Files of either that are not what the run wrote.
    pub damaged: Vec<Damage>,
    /// Such files that no result depends on: times, and what only training that is over would read.
    pub needless: Vec<Damage>,
    /// Runs without a list of their files, by versions that wrote none: there damage cannot be
    /// told.
    pub unlisted: Vec<PathBuf>,
}

impl RunDiff {
    /// Says whether both computed the same: every step, logged number, weight, score and text, and
    /// no cell is missing.
    #[must_use]
    pub fn same_results(&self) -> bool {
        self.alone.is_empty()
            && self.damaged.is_empty()
            && self.scores.is_empty()
            && self.training.iter().all(Parting::same)
            && self.samples.iter().all(|s| s.texts + s.scores + s.alone == 0)
    }
}

impl Parting {
    /// Says whether both went the same way to the same weights.
    #[must_use]
    pub fn same(&self) -> bool {
        self.step.is_none() && self.alone == 0 && self.weights.is_none()
    }
}

/// Compares two run folders.
///
/// # Errors
/// If one is no run, is not finished, or a file of it is damaged.
pub fn diff(a: &Path, b: &Path) -> Result<RunDiff, LabError> {
    let mut found = RunDiff::default();
    let runs = if a == b { vec![a] } else { vec![a, b] };
    for run in runs {
        let (needless, damaged): (Vec<_>, Vec<_>) =
            sealed::damage(run)?.into_iter().partition(Damage::is_needless);
        found.needless.extend(needless);
        found.damaged.extend(damaged);
        if !sealed::is_sealed(run) {
            found.unlisted.push(run.to_owned());
        }
    }

    // 1. What they are made of.
    let manifests = [Manifest::load(a)?, Manifest::load(b)?];
    found.made_of = differences(&facts(&manifests[0])?, &facts(&manifests[1])?);

    // 2. What was asked for.
    let specs = [spec(a)?, spec(b)?];
    found.experiment = differences(&flat(&specs[0]), &flat(&specs[1]));
    found.experiment.retain(|d| {
        !["name", "question", "compute.jobs", "compute.save_seconds"].contains(&d.at.as_str())
    });

    // 3. Cells that go together: the same values of the axes, the same seed.
    let (cells_a, cells_b) = (cells(a)?, cells(b)?);
    for name in cells_a.keys().chain(cells_b.keys()).collect::<BTreeSet<_>>() {
        let (Some(cell_a), Some(cell_b)) = (cells_a.get(name), cells_b.get(name)) else {
            found.alone.push(name.clone());
            continue;
        };
        let dir_a = RunFolder::new(a).cell(&cell_a.0);
        let dir_b = RunFolder::new(b).cell(&cell_b.0);
        let stage1 = |manifest: &Manifest, run: &Path, cell: &str| -> Option<PathBuf> {
            Some(RunFolder::new(run).stage1(manifest.stage1.get(cell)?))
        };
        if let (Some(own), Some(other)) =
            (stage1(&manifests[0], a, &cell_a.0), stage1(&manifests[1], b, &cell_b.0))
        {
            found.training.push(parting(&format!("stage 1 of {name}"), &own, &other)?);
        }
        let stage2 = |dir: &Path| dir.join("stage2");
        found.training.push(parting(
            &format!("stage 2 of {name}"),
            &stage2(&dir_a),
            &stage2(&dir_b),
        )?);
        let scores = differences(&flat(&cell_a.1), &flat(&cell_b.1));
        found.scores.extend(
            scores.into_iter().map(|d| Difference { at: format!("{name}: {}", d.at), ..d }),
        );
        for file in sample_files(&dir_a).union(&sample_files(&dir_b)) {
            found.samples.push(samples(
                &format!("{name}: {file}"),
                &dir_a.join(file),
                &dir_b.join(file),
            )?);
        }
    }
    Ok(found)
}

/// Keys of a manifest that say how a run was called, not what it is made of.
const CALL: [&str; 4] = ["command", "cells", "stage1", "builds"];

/// Keys of a manifest that a repetition must have in common.
const INPUTS: [&str; 6] = ["cards", "weights", "data", "tasks", "seeds", "device"];

/// Returns what a run is made of, by dotted key. Keys that are empty, or that an older version did
/// not write, are left out.
fn facts(manifest: &Manifest) -> Result<BTreeMap<String, Value>, LabError> {
    let mut all = serde_json::to_value(manifest).map_err(Problem::defect)?;
    if let Some(map) = all.as_object_mut() {
        map.retain(|key, value| !CALL.contains(&key.as_str()) && !is_empty(value));
    }
    Ok(flat(&all))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Returns the differences between the inputs of a run and those of a plan that has not been
/// carried out. Inputs that an older version did not write down are passed over.
///
/// # Errors
/// None of a manifest that was read or made here.
pub fn made_of(run: &Manifest, planned: &Manifest) -> Result<Vec<Difference>, LabError> {
    let (run, planned) = (facts(run)?, facts(planned)?);
    let table = |key: &str| key.split('.').next().unwrap_or_default().to_owned();
    let written: BTreeSet<String> = run.keys().map(|key| table(key)).collect();
    let inputs = |all: BTreeMap<String, Value>| -> BTreeMap<String, Value> {
        let is_input = |key: &str| {
            let table = table(key);
            INPUTS.contains(&table.as_str()) && written.contains(&table)
        };
        all.into_iter().filter(|(key, _)| is_input(key)).collect()
    };
    Ok(differences(&inputs(run), &inputs(planned)))
}

fn spec(run: &Path) -> Result<Value, LabError> {
    let path = run.join("spec.toml");
    let text = held(&path)?;
    let table: toml::Table = toml::from_str(&text).map_err(|e| {
        LabError::new(
            format!("{}: {}", path.display(), e.message()),
            "the file was edited: run the experiment again",
        )
    })?;
    serde_json::to_value(table).map_err(|e| LabError::new(e.to_string(), "this is a defect"))
}

/// Reads a file that every finished run has.
fn held(path: &Path) -> Result<String, LabError> {
    toolkit_system::input::read_to_string(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => LabError::new(
            format!("{}: it is gone", path.display()),
            "the `toolkit run` command that made this run makes it again, or says what to remove \
            first",
        ),
        _ => LabError::io(path, &e),
    })
}

/// Cells by axes and seed: folder and scores.
fn cells(run: &Path) -> Result<BTreeMap<String, (String, Value)>, LabError> {
    let path = run.join("results.json");
    if !path.exists() {
        return Err(LabError::new(
            format!("{}: no results yet", run.display()),
            "`toolkit run` it to its end",
        ));
    }
    let results: Value = read_json(&path)?;
    let cell = |cell: &Value| {
        let axes = cell["axes"].as_object().into_iter().flatten();
        let axes: Vec<String> =
            axes.map(|(key, value)| format!("{key} = {}", text(value))).collect();
        let name = [axes, vec![format!("seed {}", cell["seed"])]].concat().join(", ");
        (name, (text(&cell["id"]), cell["scores"].clone()))
    };
    Ok(results["cells"].as_array().into_iter().flatten().map(cell).collect())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Dotted keys of all that is no table.
fn flat(value: &Value) -> BTreeMap<String, Value> {
    fn walk(at: &str, value: &Value, all: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(map) => {
                for (key, inner) in map {
                    walk(
                        &if at.is_empty() { key.clone() } else { format!("{at}.{key}") },
                        inner,
                        all,
                    );
                }
            }
            other => {
                all.insert(at.to_owned(), other.clone());
            }
        }
    }
    let mut all = BTreeMap::new();
    walk("", value, &mut all);
    all
}

fn differences(a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>) -> Vec<Difference> {
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let of =
        |all: &BTreeMap<String, Value>, key: &String| all.get(key).cloned().unwrap_or(Value::Null);
    let all =
        keys.into_iter().map(|key| Difference { at: key.clone(), a: of(a, key), b: of(b, key) });
    all.filter(|d| d.a != d.b).collect()
}

/// Lines of a log by step.
fn log(path: &Path) -> Result<BTreeMap<u64, Value>, LabError> {
    let text = held(path)?;
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(lines.filter_map(|line| Some((line["step"].as_u64()?, line))).collect())
}

/// Compares two stages by their folders.
fn parting(stage: &str, a: &Path, b: &Path) -> Result<Parting, LabError> {
    let weights =
        |dir: &Path| Ok::<_, LabError>(Checkpoint::load(dir)?.map(|saved| saved.model_sha256));
    let weights = [weights(a)?, weights(b)?];
    let (a, b) = (log(&a.join("metrics.jsonl"))?, log(&b.join("metrics.jsonl"))?);
    let shared: Vec<(&u64, &Value, &Value)> =
        a.iter().filter_map(|(step, line)| Some((step, line, b.get(step)?))).collect();
    let apart = shared.iter().find(|(_, x, y)| x != y);
    let most = apart.and_then(|(_, x, y)| {
        let relative = |d: &Difference| {
            let (x, y) = (d.a.as_f64()?, d.b.as_f64()?);
            Some((d.at.clone(), (x - y).abs() / x.abs().max(f64::MIN_POSITIVE)))
        };
        differences(&flat(x), &flat(y))
            .iter()
            .filter_map(relative)
            .max_by(|l, r| l.1.total_cmp(&r.1))
    });
    Ok(Parting {
        stage: stage.to_owned(),
        step: apart.map(|(step, ..)| **step),
        most,
        shared: shared.len(),
        alone: a.len() + b.len() - 2 * shared.len(),
        weights: Some(weights).filter(|[own, other]| own != other),
    })
}

/// Files of samples in a cell.
fn sample_files(cell: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(cell).into_iter().flatten().flatten();
    entries
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".jsonl"))
        .collect()
}

fn samples(name: &str, a: &Path, b: &Path) -> Result<Samples, LabError> {
    let read = |path: &Path| -> Result<BTreeMap<String, Value>, LabError> {
        if !path.exists() {
            return Ok(BTreeMap::new());
        }
        let text =
            toolkit_system::input::read_to_string(path).map_err(|e| LabError::io(path, &e))?;
        let rows = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(rows.map(|row| (format!("{} {}", row["id"], row["question_id"]), row)).collect())
    };
    let (a, b) = (read(a)?, read(b)?);
    let shared: Vec<(&Value, &Value)> =
        a.iter().filter_map(|(id, row)| Some((row, b.get(id)?))).collect();
    let differ = |keys: &[&str]| {
        shared.iter().filter(|(x, y)| keys.iter().any(|key| x[*key] != y[*key])).count()
    };
    Ok(Samples {
        file: name.to_owned(),
        texts: differ(&["raw", "caption"]),
        scores: differ(&["score", "cider"]),
        alone: a.len() + b.len() - 2 * shared.len(),
        shared: shared.len(),
    })
}
