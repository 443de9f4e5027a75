//! Model, optimiser and step count of a training, and their checkpoints.

use super::{FitConfig, StepLoss};
use crate::TrainError;
use crate::checkpoint::{Checkpoint, load_strict};
use crate::fit::step_log::StepLog;
use crate::log::MetricLine;
use crate::optim::AdamW;
use burn::module::Module;
use std::path::Path;
use std::time::{Duration, Instant};
use toolkit_system::problem::Problem;

/// Training state that a checkpoint saves.
pub(super) struct State<'a, M> {
    pub(super) model: M,
    /// Steps done.
    pub(super) step: u64,
    optim: AdamW,
    config: &'a FitConfig,
    dir: &'a Path,
    /// Step of the last checkpoint; 0 if there is none.
    saved_step: u64,
    saved_at: Instant,
    /// Time that the last checkpoint took to write.
    writing: Option<Duration>,
}

impl<'a, M: Module> State<'a, M> {
    /// Starts from `model`, or from the last checkpoint in `dir`. Returns that checkpoint, too.
    ///
    /// # Errors
    /// If the checkpoint is damaged or of another model.
    pub(super) fn open(
        config: &'a FitConfig,
        mut model: M,
        dir: &'a Path,
    ) -> Result<(Self, Option<Checkpoint>), TrainError> {
        std::fs::create_dir_all(dir).map_err(|e| Problem::io("make", dir, e))?;
        let mut optim = AdamW::new(config.optim.clone(), &model);
        let mut step = 0;
        let saved = Checkpoint::load(dir)?;
        match &saved {
            // After the last step nothing needs the optimiser, whose file may be damaged or gone.
            Some(saved) if saved.step >= config.steps => {
                model = load_strict(model, saved.weights(dir)?, &dir.join(&saved.model))?;
                step = saved.step;
            }
            Some(saved) => (model, step) = saved.restore(model, &mut optim, dir)?,
            None => {}
        }
        let saved_at = Instant::now();
        let (saved_step, writing) = (step, None);
        Ok((Self { model, step, optim, config, dir, saved_step, saved_at, writing }, saved))
    }

    /// Updates the model with a step's gradients; returns the step's line of the log.
    ///
    /// # Errors
    /// If the gradient is not finite.
    pub(super) fn update(mut self, found: StepLoss) -> Result<(Self, MetricLine), TrainError> {
        let (step, samples) = (self.step, found.samples);
        let rate = self.config.schedule.rate(step, self.config.steps);
        let (model, norm) = self.optim.step(self.model, found.grads, rate);
        if !norm.is_finite() {
            let what = format!("gradient norm = {norm}");
            return Err(TrainError::NonFinite { what, step, samples });
        }
        let metrics = found.metrics.into_iter().collect();
        let line = MetricLine { step, rate, grad_norm: f64::from(norm), metrics };
        Ok((Self { model, step: step + 1, ..self }, line))
    }

    /// Saves a checkpoint if the interval of [`super::Saves`] has passed since the last one. The
    /// last step is left to [`State::save_at_end`].
    pub(super) fn save_if_due(&mut self, log: &mut StepLog) -> Result<(), TrainError> {
        let due = self.saved_at.elapsed() >= self.config.saves.interval(self.writing);
        if due && self.step < self.config.steps {
            self.save(log)?;
        }
        Ok(())
    }

    /// Saves the last checkpoint, unless no step was taken since the one before.
    pub(super) fn save_at_end(&mut self, log: &mut StepLog) -> Result<(), TrainError> {
        if self.saved_step < self.step { self.save(log) } else { Ok(()) }
    }

    fn save(&mut self, log: &mut StepLog) -> Result<(), TrainError> {
        let began = Instant::now();
        let (at, keep) = ((self.step, log.mark()?), self.config.saves.keep);
        Checkpoint::save(self.dir, &self.model, &self.optim, at, keep)?;
        (self.saved_step, self.saved_at) = (self.step, Instant::now());
        self.writing = Some(began.elapsed());
        Ok(())
    }
}
