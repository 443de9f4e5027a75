//! Order of the samples: the batch of a step is a pure function of the seed and the step.

use toolkit_core::Stream;

/// Endless epochs over `samples`, each shuffled anew.
///
/// The last batch of an epoch is completed from the next one. So every step has the same size, and
/// every sample is used equally often.
#[derive(Clone, Debug)]
pub struct Order {
    seed: u64,
    label: String,
    samples: usize,
    batch: usize,
    /// The epoch in use, and its order.
    shuffled: Option<(u64, Vec<usize>)>,
}

impl Order {
    /// Creates the order of batches of `batch` out of `samples`. `label` names its random numbers.
    ///
    /// # Panics
    /// If there are no samples.
    #[must_use]
    pub fn new(seed: u64, label: &str, samples: usize, batch: usize) -> Self {
        assert!(samples > 0, "an order needs samples");
        Self { seed, label: label.to_owned(), samples, batch, shuffled: None }
    }

    /// Returns the samples of step `step`.
    pub fn batch(&mut self, step: u64) -> Vec<usize> {
        let start = step * self.batch as u64;
        (start..start + self.batch as u64).map(|at| self.at(at)).collect()
    }

    fn at(&mut self, position: u64) -> usize {
        let (epoch, within) =
            (position / self.samples as u64, (position % self.samples as u64) as usize);
        if self.shuffled.as_ref().is_none_or(|(of, _)| *of != epoch) {
            let order = Stream::new(self.seed, &self.label, epoch).permutation(self.samples);
            self.shuffled = Some((epoch, order));
        }
        self.shuffled.as_ref().map_or(0, |(_, order)| order[within])
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
    }
}
