//! The one training loop, for every stage.
//!
//! A step is a pure function of the model, the optimiser's state and the step number. So a run that
//! was killed and resumed from its last checkpoint ends as the uninterrupted run does, bit for bit.
//! `metrics.jsonl` holds computed values and is the same in both; `timing.jsonl` holds measured
//! times and is not.
//!
//! | Part of a step | File |
//! |---|---|
//! | loss and gradients | an [`Objective`], such as [`crate::stage1::Stage1`] |
//! | update of model and optimiser, checkpoints | `state.rs` |
//! | lines of the logs; speed and memory | `step_log.rs`, `timing.rs`, `peak.rs` |
//! | progress bar, points of a curve, a tracker, an alert | [`Observer`]s, `observer.rs` |

mod observer;
mod peak;
mod saves;
mod state;
mod step_log;
mod timing;

pub use crate::log::MetricLine;
pub use observer::{Observer, ProgressBar, StepLines};
pub use saves::Saves;
pub use timing::{StepFlops, TimingLine};

use crate::TrainError;
use crate::optim::OptimConfig;
use crate::schedule::Schedule;
use burn::module::Module;
use burn::optim::GradientsParams;
use serde::{Deserialize, Serialize};
use state::State;
use std::path::Path;
use std::time::{Duration, Instant};
use step_log::StepLog;
use timing::{Amounts, Meter};
use toolkit_core::{Stream, noise};

/// Length and settings of a training.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct FitConfig {
    /// Optimiser steps.
    pub steps: u64,
    /// Learning rate by step.
    pub schedule: Schedule,
    /// Optimiser.
    pub optim: OptimConfig,
    /// Seed of all random numbers of the run.
    pub seed: u64,
    /// Times at which checkpoints are saved, and those that are kept. Does not change the result.
    #[serde(skip)]
    pub saves: Saves,
    /// Operations of a step, for the log of times. Does not change the result.
    #[serde(skip)]
    pub flops: StepFlops,
}

/// Loss and gradients of one step.
pub struct StepLoss {
    /// Gradients of the whole batch.
    pub grads: GradientsParams,
    /// Named values for the log: `loss` first, then its parts, accuracies and trivial baselines.
    pub metrics: Vec<(String, f64)>,
    /// Samples of the step, for error messages.
    pub samples: Vec<usize>,
    /// Images of the step; 0 in a training on text alone.
    pub images: usize,
    /// Text tokens that the step trained on, padding left out.
    pub tokens: usize,
    /// Time in which the step waited for data and could not compute.
    pub waited: Duration,
}

impl StepLoss {
    /// Checks that all values are finite.
    ///
    /// # Errors
    /// At the first that is not, with the step's samples.
    fn check(&self, step: u64) -> Result<(), TrainError> {
        match self.metrics.iter().find(|(_, value)| !value.is_finite()) {
            None => Ok(()),
            Some((name, value)) => Err(TrainError::NonFinite {
                what: format!("{name} = {value}"),
                step,
                samples: self.samples.clone(),
            }),
        }
    }
}

/// Loss of a model that a training minimises.
pub trait Objective<M: Module> {
    /// Computes loss and gradients of step `step`. Called inside a dropout scope of that step.
    ///
    /// # Errors
    /// If data cannot be read.
    fn step(&mut self, model: &M, step: u64) -> Result<StepLoss, TrainError>;
}

/// Trains `model` on an autodiff device in folder `dir`, from its last checkpoint if there is one.
///
/// # Errors
/// A loss or gradient that is not finite (with step and samples), unreadable data, a full disk, a
/// checkpoint of another model, a log that lacks steps of the checkpoint, an observer's error.
pub fn fit<M: Module, O: Objective<M>>(
    config: &FitConfig,
    model: M,
    objective: &mut O,
    dir: &Path,
    observers: &mut [&mut dyn Observer<M>],
) -> Result<M, TrainError> {
    let (mut state, saved) = State::open(config, model, dir)?;
    let mut log = StepLog::open(dir, saved.as_ref(), config.saves.keep)?;
    let device = state.model.devices().into_iter().next().unwrap_or_default();
    let mut meter = Meter::new(config.flops, device);
    for observer in &mut *observers {
        observer.start(state.step, config.steps, &state.model)?;
    }
    while state.step < config.steps {
        let began = Instant::now();
        let dropout = Stream::new(config.seed, "dropout", state.step);
        let found = noise::scope(dropout, || objective.step(&state.model, state.step))?;
        found.check(state.step)?;
        let (step, amounts) = (state.step, Amounts::of(&found));
        let (next, metrics) = state.update(found)?;
        state = next;
        let took = began.elapsed();
        meter.refresh();
        let timing = meter.line(step, &amounts, took);
        let lines = StepLines { metrics, timing };
        log.write(&lines)?;
        state.save_if_due(&mut log)?;
        for observer in &mut *observers {
            observer.after_step(state.step, &lines, &state.model)?;
        }
    }
    state.save_at_end(&mut log)?;
    for observer in observers {
        observer.finish();
    }
    Ok(state.model)
}
