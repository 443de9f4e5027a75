//! Observers of a training.

use super::timing::TimingLine;
use crate::TrainError;
use crate::log::MetricLine;
use std::collections::VecDeque;
use toolkit_system::progress::Progress;

/// The lines of a step in both logs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepLines {
    /// Computed values: the line of `metrics.jsonl`.
    pub metrics: MetricLine,
    /// Measured speed: the line of `timing.jsonl`.
    pub timing: TimingLine,
}

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

    /// Follows a step. `done` counts it, `lines` are its lines in the logs.
    ///
    /// # Errors
    /// An error ends the training, which can be resumed.
    fn after_step(&mut self, done: u64, lines: &StepLines, model: &M) -> Result<(), TrainError>;

    /// Ends after the last step, whose checkpoint is saved.
    fn finish(&mut self) {}
}

impl<M, F: FnMut(u64, &M) -> Result<(), TrainError>> Observer<M> for F {
    fn start(&mut self, done: u64, _: u64, model: &M) -> Result<(), TrainError> {
        self(done, model)
    }

    fn after_step(&mut self, done: u64, _: &StepLines, model: &M) -> Result<(), TrainError> {
        self(done, model)
    }
}

/// Steps whose speed [`ProgressBar`] shows.
const SHOWN_STEPS: usize = 20;

/// Observer that shows the steps done, the loss, images a second, the share of waiting, memory.
pub struct ProgressBar<'a> {
    progress: &'a dyn Progress,
    /// The last steps.
    timings: VecDeque<TimingLine>,
}

impl<'a> ProgressBar<'a> {
    /// Creates the bar on a receiver of progress.
    #[must_use]
    pub fn new(progress: &'a dyn Progress) -> Self {
        Self { progress, timings: VecDeque::new() }
    }

    /// Writes the speed of the last steps: `312 images/s, 4 % waiting, 1.2 GB`.
    fn speed(&self) -> String {
        let sum = |of: fn(&TimingLine) -> f64| self.timings.iter().map(of).sum::<f64>();
        let seconds = sum(|line| line.seconds).max(1e-9);
        let images = sum(|line| line.images_per_second.unwrap_or(0.0) * line.seconds);
        let mut parts = Vec::new();
        if images > 0.0 {
            parts.push(format!("{:.0} images/s", images / seconds));
        }
        parts.push(format!("{:.0} % waiting", 100.0 * sum(|line| line.waited) / seconds));
        let last = self.timings.back();
        let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
        parts.extend(last.and_then(|line| line.memory).map(gigabytes));
        let device = last.and_then(|line| line.device_memory);
        parts.extend(device.map(|bytes| format!("{} on the device", gigabytes(bytes))));
        parts.join(", ")
    }
}

impl<M> Observer<M> for ProgressBar<'_> {
    fn start(&mut self, done: u64, total: u64, _: &M) -> Result<(), TrainError> {
        self.progress.start(done, total);
        Ok(())
    }

    fn after_step(&mut self, _: u64, lines: &StepLines, _: &M) -> Result<(), TrainError> {
        if self.timings.len() == SHOWN_STEPS {
            self.timings.pop_front();
        }
        self.timings.push_back(lines.timing.clone());
        if let Some(loss) = lines.metrics.metrics.get("loss") {
            self.progress.message(&format!("loss {loss:.3}, {}", self.speed()));
        }
        self.progress.advance(1);
        Ok(())
    }

    fn finish(&mut self) {
        self.progress.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use toolkit_system::progress::Silent;

    #[test]
    fn the_bar_shows_the_speed_of_the_last_steps() {
        let mut bar = ProgressBar::new(&Silent);
        for step in 0..100 {
            // The first steps are slow.
            let timing = TimingLine {
                step,
                seconds: if step < 80 { 9.0 } else { 0.5 },
                waited: 0.1,
                images_per_second: Some(64.0),
                memory: Some(1_234_000_000),
                ..TimingLine::default()
            };
            let lines = StepLines { timing, ..StepLines::default() };
            let followed = Observer::<()>::after_step(&mut bar, step + 1, &lines, &());
            assert!(followed.is_ok());
        }
        assert_eq!(bar.speed(), "64 images/s, 20 % waiting, 1.2 GB");
    }
}
