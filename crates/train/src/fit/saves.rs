//! Times at which checkpoints are saved, and those that are kept.

use std::time::Duration;

/// Seconds to the first checkpoint, and the least between two, where none are set.
const LEAST_SECONDS: u64 = 20;

/// Intervals between checkpoints, in times that the last one took to write: writing stays below 2 %
/// of the time.
const WRITING_TIMES: u32 = 50;

/// Saving of checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saves {
    /// Seconds between checkpoints. Without them the interval follows the time that the last
    /// checkpoint took to write, so that writing takes less than 2 % of the time.
    pub seconds: Option<u64>,
    /// Number of the last checkpoints that stay on the disk.
    pub keep: usize,
}

impl Default for Saves {
    fn default() -> Self {
        Self { seconds: None, keep: 1 }
    }
}

impl Saves {
    /// Creates the setting with this many seconds between checkpoints.
    #[must_use]
    pub fn every(seconds: u64) -> Self {
        Self { seconds: Some(seconds), ..Self::default() }
    }

    /// Returns the time from one checkpoint to the next; the last one took `writing` to write.
    #[must_use]
    pub fn interval(&self, writing: Option<Duration>) -> Duration {
        let least = Duration::from_secs(LEAST_SECONDS);
        match self.seconds {
            Some(seconds) => Duration::from_secs(seconds),
            None => writing.map_or(least, |took| least.max(took.saturating_mul(WRITING_TIMES))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_takes_less_than_a_fiftieth_of_the_time() {
        let seconds = |saves: Saves, took: f64| {
            saves.interval(Some(Duration::from_secs_f64(took))).as_secs_f64()
        };
        let scaled = Saves::default();
        assert_eq!(scaled.interval(None), Duration::from_secs(20));
        assert_eq!(seconds(scaled, 0.01), 20.0);
        assert_eq!(seconds(scaled, 3.0), 150.0);
        assert_eq!(seconds(Saves::every(5), 3.0), 5.0);
        assert_eq!(seconds(Saves::every(0), 3.0), 0.0);
    }
}
