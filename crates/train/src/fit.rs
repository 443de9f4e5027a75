//! The one training loop, for every stage.
//!
//! A step is a pure function of the model, the optimiser's state and the step number, so a run that
//! was killed and resumed from its last checkpoint ends as the uninterrupted run does, bit for bit.
//! `metrics.jsonl` holds what was computed and is the same in both; `timing.jsonl` holds what was
//! measured and is not.

use crate::TrainError;
use crate::checkpoint::{self, Checkpoint, load_strict};
use crate::log::Log;
use crate::optim::{AdamW, OptimConfig};
use crate::schedule::Schedule;
use burn::module::Module;
use burn::optim::GradientsParams;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::{Duration, Instant};
use toolkit_core::{Stream, noise};
use toolkit_system::progress::Progress;

/// How long and with what a module is trained.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct FitConfig {
    /// Optimiser steps.
    pub steps: u64,
    /// Learning rate by step.
    pub schedule: Schedule,
    /// Optimiser.
    pub optim: OptimConfig,
    /// Names every draw of the run.
    pub seed: u64,
    /// Seconds between checkpoints. Does not change the result.
    #[serde(skip, default = "save_seconds")]
    pub save_seconds: u64,
}

fn save_seconds() -> u64 {
    20
}

/// What one step found.
pub struct StepLoss {
    /// Gradients of the whole batch.
    pub grads: GradientsParams,
    /// Named values for the log: `loss` first, then its parts, accuracies and trivial baselines.
    pub metrics: Vec<(String, f64)>,
    /// Which samples the step was made of, for error messages.
    pub samples: Vec<usize>,
}

/// What is minimised.
pub trait Objective<M: Module> {
    /// Loss and gradients of step `step`. Called inside a dropout scope of that step.
    ///
    /// # Errors
    /// If data cannot be read.
    fn step(&mut self, model: &M, step: u64) -> Result<StepLoss, TrainError>;
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct MetricLine {
    /// Step, from 0.
    pub step: u64,
    /// Learning rate.
    pub rate: f64,
    /// Global norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Loss, parts, accuracies, baselines.
    #[serde(flatten)]
    pub metrics: BTreeMap<String, f64>,
}

/// Drops lines of `path` that a run resumed at `step` will write again.
fn keep_lines_before(path: &Path, step: u64) -> Result<(), TrainError> {
    let Ok(file) = toolkit_system::input::open(path) else { return Ok(()) };
    let mut kept = String::new();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|e| TrainError::io(path, &e))?;
        // A torn last line does not parse and is dropped.
        let Ok(value) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
        if value["step"].as_u64().is_some_and(|s| s < step) {
            kept.push_str(&line);
            kept.push('\n');
        }
    }
    checkpoint::write_atomic(path, kept.as_bytes())
}

fn append(path: &Path) -> Result<File, TrainError> {
    OpenOptions::new().create(true).append(true).open(path).map_err(|e| TrainError::io(path, &e))
}

/// Trains `model` on an autodiff device in folder `dir`, from its last checkpoint if there is one.
/// `at_step` is called with the model before step 0, after every step and with the number of steps
/// done, also when resuming: it decides itself whether there is something to evaluate, and must
/// skip what it has already written.
///
/// # Errors
/// A non-finite loss or gradient (naming step and samples), unreadable data, a full disk, a foreign
/// checkpoint, a log that lacks steps of the checkpoint.
pub fn fit<M: Module, O: Objective<M>>(
    config: &FitConfig,
    mut model: M,
    objective: &mut O,
    dir: &Path,
    progress: &dyn Progress,
    at_step: &mut dyn FnMut(u64, &M) -> Result<(), TrainError>,
) -> Result<M, TrainError> {
    std::fs::create_dir_all(dir).map_err(|e| TrainError::io(dir, &e))?;
    let mut optim = AdamW::new(config.optim.clone(), &model);
    let mut first = 0;
    let saved = Checkpoint::load(dir)?;
    match &saved {
        // After the last step nothing needs the optimiser, whose file may be damaged or gone.
        Some(saved) if saved.step >= config.steps => {
            (model, first) =
                (load_strict(model, saved.weights(dir)?, &dir.join(&saved.model))?, saved.step);
        }
        Some(saved) => (model, first) = saved.restore(model, &mut optim, dir)?,
        None => {}
    }
    let timing = dir.join("timing.jsonl");
    let mut log = Log::resume(&dir.join("metrics.jsonl"), saved.as_ref())?;
    if let Some(saved) = &saved {
        saved.remove_others(dir);
    }
    keep_lines_before(&timing, first)?;
    let mut timing_file = append(&timing)?;
    progress.start(first, config.steps);
    let mut saved_at = Instant::now();
    at_step(first, &model)?;
    for step in first..config.steps {
        let began = Instant::now();
        let stream = Stream::new(config.seed, "dropout", step);
        let loss = noise::scope(stream, || objective.step(&model, step))?;
        let rate = config.schedule.rate(step, config.steps);
        if let Some((name, value)) = loss.metrics.iter().find(|(_, v)| !v.is_finite()) {
            return Err(TrainError::NonFinite {
                what: format!("{name} = {value}"),
                step,
                samples: loss.samples,
            });
        }
        let (next, norm) = optim.step(model, loss.grads, rate);
        model = next;
        if !norm.is_finite() {
            return Err(TrainError::NonFinite {
                what: format!("gradient norm = {norm}"),
                step,
                samples: loss.samples,
            });
        }
        let line = MetricLine {
            step,
            rate,
            grad_norm: f64::from(norm),
            metrics: loss.metrics.into_iter().collect(),
        };
        log.push(&line)?;
        let seconds = began.elapsed().as_secs_f64();
        writeln!(timing_file, "{{\"step\":{step},\"seconds\":{seconds:.4}}}")
            .map_err(|e| TrainError::io(&timing, &e))?;
        if let Some(loss) = line.metrics.get("loss") {
            progress.message(&format!("loss {loss:.3}"));
        }
        progress.advance(1);
        if saved_at.elapsed() >= Duration::from_secs(config.save_seconds) && step + 1 < config.steps
        {
            Checkpoint::save(dir, &model, &optim, step + 1, log.mark()?)?;
            saved_at = Instant::now();
        }
        at_step(step + 1, &model)?;
    }
    if first < config.steps {
        Checkpoint::save(dir, &model, &optim, config.steps, log.mark()?)?;
    }
    progress.finish();
    Ok(model)
}
