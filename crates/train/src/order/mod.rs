//! Order of the samples: the batch of a step is a pure function of the seed and the step.
//!
//! | data | order |
//! |---|---|
//! | files of their own, or in memory | each pass is a permutation of all rows |
//! | large files that are best read block by block | `windows`: blocks are shuffled, then the rows of some blocks together |
//! | several sources with weights | `interleave`: each source has an order of its own and takes its share of the positions |
//!
//! Any step can be computed alone, in the time of a window. So a run that was killed continues with
//! the samples that it would have had, and nothing about the order is in a checkpoint.

mod interleave;
mod passes;
mod windows;

use interleave::Interleave;
use passes::Passes;
use toolkit_data::Dataset;

/// Samples that are shuffled together where a data set is read block by block, unless set.
pub const SHUFFLE: usize = 16_384;

/// A row of the data set at its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Index of the row.
    pub row: usize,
    /// Number of times that the row had its turn before. A draw for a visit, such as an
    /// augmentation, comes from (seed, row, pass).
    pub pass: u64,
}

/// Endless passes over the rows of a data set, each shuffled anew.
///
/// The last batch of a pass is completed from the next one. So every step has the same size, and
/// every row of a source is used equally often.
#[derive(Clone, Debug)]
pub struct Order {
    batch: usize,
    rows: Rows,
}

#[derive(Clone, Debug)]
enum Rows {
    One(Passes),
    Several(Interleave),
}

impl Order {
    /// Creates the order of batches of `batch` out of `samples`, each pass a permutation of all.
    /// `label` names its random numbers.
    ///
    /// # Panics
    /// If there are no samples.
    #[must_use]
    pub fn new(seed: u64, label: &str, samples: usize, batch: usize) -> Self {
        Self { batch, rows: Rows::One(Passes::new(seed, label, samples)) }
    }

    /// Creates the order of batches of `batch` out of a data set, as its files and its sources
    /// demand. A data set that fits in one window has the order of [`Order::new`].
    ///
    /// # Panics
    /// If the data set is empty.
    #[must_use]
    pub fn of(seed: u64, label: &str, dataset: &dyn Dataset, batch: usize) -> Self {
        let rows = match Interleave::of(seed, label, &dataset.sources()) {
            Some(several) => Rows::Several(several),
            None => {
                let mut all = Passes::new(seed, label, dataset.len());
                if dataset.is_sequential() {
                    all = all.in_windows(SHUFFLE);
                }
                Rows::One(all)
            }
        };
        Self { batch, rows }
    }

    /// Sets the number of samples that are shuffled together where the data set is read block by
    /// block. It is rounded up to whole blocks.
    #[must_use]
    pub fn shuffling(self, samples: usize) -> Self {
        let set = |passes: Passes| match passes.has_windows() {
            true => passes.in_windows(samples),
            false => passes,
        };
        let rows = match self.rows {
            Rows::One(all) => Rows::One(set(all)),
            Rows::Several(several) => Rows::Several(several.map(set)),
        };
        Self { rows, ..self }
    }

    /// Returns the rows of step `step`, with the number of times that each was used before.
    pub fn visits(&mut self, step: u64) -> Vec<Visit> {
        let batch = self.batch as u64;
        (step * batch..(step + 1) * batch)
            .map(|at| match &mut self.rows {
                Rows::One(all) => all.at(at),
                Rows::Several(several) => several.at(at),
            })
            .collect()
    }

    /// Returns the rows of step `step`.
    pub fn batch(&mut self, step: u64) -> Vec<usize> {
        self.visits(step).into_iter().map(|visit| visit.row).collect()
    }

    /// Returns the number of samples of a step.
    #[must_use]
    pub fn batch_size(&self) -> usize {
        self.batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_once_a_pass_and_resumable() {
        let mut order = Order::new(3, "test", 10, 4);
        let all: Vec<usize> = (0..5).flat_map(|s| order.batch(s)).collect();
        for pass in all.chunks(10) {
            let mut sorted = pass.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(all[..10], all[10..]);
        assert_eq!(Order::new(3, "test", 10, 4).batch(3), all[12..16]);
        let passes: Vec<u64> = order.visits(2).iter().map(|visit| visit.pass).collect();
        assert_eq!(passes, [0, 0, 1, 1]);
    }
}
