//! Observers of a training.

use crate::TrainError;
use crate::log::MetricLine;
use toolkit_system::progress::Progress;

/// Observer of a training: a progress bar, an evaluation on the way, a tracker of the log.
///
/// An observer never changes the model. A resumed run starts at its last checkpoint, so some steps
/// may be observed twice. An observer that writes must skip those that it has written.
///
/// A function of the steps done and the model is an observer too: it is called at the start and
/// after every step.
pub trait Observer<M> {
    /// Begins at `done` of `total` steps; a resumed run begins at its last checkpoint.
    ///
    /// # Errors
    /// An error ends the training.
    fn start(&mut self, done: u64, total: u64, model: &M) -> Result<(), TrainError>;

    /// Follows a step. `done` counts it, `line` is its log.
    ///
    /// # Errors
    /// An error ends the training, which can be resumed.
    fn after_step(&mut self, done: u64, line: &MetricLine, model: &M) -> Result<(), TrainError>;

    /// Ends after the last step, whose checkpoint is saved.
    fn finish(&mut self) {}
}

impl<M, F: FnMut(u64, &M) -> Result<(), TrainError>> Observer<M> for F {
    fn start(&mut self, done: u64, _: u64, model: &M) -> Result<(), TrainError> {
        self(done, model)
    }

    fn after_step(&mut self, done: u64, _: &MetricLine, model: &M) -> Result<(), TrainError> {
        self(done, model)
    }
}

/// Shows the steps done and the loss.
pub struct ProgressBar<'a>(pub &'a dyn Progress);

impl<M> Observer<M> for ProgressBar<'_> {
    fn start(&mut self, done: u64, total: u64, _: &M) -> Result<(), TrainError> {
        self.0.start(done, total);
        Ok(())
    }

    fn after_step(&mut self, _: u64, line: &MetricLine, _: &M) -> Result<(), TrainError> {
        if let Some(loss) = line.metrics.get("loss") {
            self.0.message(&format!("loss {loss:.3}"));
        }
        self.0.advance(1);
        Ok(())
    }

    fn finish(&mut self) {
        self.0.finish();
    }
}
