//! Endless passes over rows of one kind.

use super::Visit;
use super::windows::{BLOCK, Windows};
use toolkit_core::Stream;

/// Endless passes over `0..samples`, each shuffled anew: as a whole, or in windows.
#[derive(Clone, Debug)]
pub(super) struct Passes {
    seed: u64,
    label: String,
    samples: usize,
    /// Blocks of a window where rows are shuffled in windows.
    width: Option<usize>,
    /// The pass in use, and its windows.
    pass: Option<(u64, Windows)>,
    /// Pass and window in use, and the order of its rows.
    shuffled: Option<((u64, usize), Vec<usize>)>,
}

impl Passes {
    /// Creates passes that are permutations of all rows.
    ///
    /// # Panics
    /// If there are no samples.
    pub fn new(seed: u64, label: &str, samples: usize) -> Self {
        assert!(samples > 0, "an order needs samples");
        let label = label.to_owned();
        Self { seed, label, samples, width: None, pass: None, shuffled: None }
    }

    /// Shuffles in windows of about `samples` rows.
    pub fn in_windows(self, samples: usize) -> Self {
        let width = samples.div_ceil(BLOCK).max(1);
        Self { width: Some(width), pass: None, shuffled: None, ..self }
    }

    /// Returns `true` if rows are shuffled in windows.
    pub fn has_windows(&self) -> bool {
        self.width.is_some()
    }

    /// Returns the row at a position of the endless sequence.
    pub fn at(&mut self, position: u64) -> Visit {
        let samples = self.samples as u64;
        let (pass, within) = (position / samples, (position % samples) as usize);
        let (window, within) = match self.width.filter(|width| width * BLOCK < self.samples) {
            Some(width) => self.windows(pass, width).locate(within),
            None => (0, within),
        };
        let row = self.rows(pass, window)[within];
        Visit { row, pass }
    }

    /// Returns the windows of a pass.
    fn windows(&mut self, pass: u64, width: usize) -> &Windows {
        let (seed, samples, label) = (self.seed, self.samples, &self.label);
        let current = self.pass.take().filter(|(of, _)| *of == pass);
        let new = || {
            let draw = Stream::new(seed, &format!("{label}/blocks"), pass);
            (pass, Windows::new(draw, samples, width))
        };
        &self.pass.insert(current.unwrap_or_else(new)).1
    }

    /// Returns the rows of a window, or of the pass if it is one window.
    fn rows(&mut self, pass: u64, window: usize) -> &[usize] {
        let current = self.shuffled.take().filter(|(of, _)| *of == (pass, window));
        let rows = current.map(|(_, rows)| rows).unwrap_or_else(|| match &self.pass {
            Some((_, windows)) => {
                let label = format!("{}/window/{pass}", self.label);
                windows.rows(window, Stream::new(self.seed, &label, window as u64))
            }
            None => Stream::new(self.seed, &self.label, pass).permutation(self.samples),
        });
        &self.shuffled.insert(((pass, window), rows)).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn windows_that_hold_all_rows_are_a_permutation() {
        let (mut whole, mut large) =
            (Passes::new(5, "order", 700), Passes::new(5, "order", 700).in_windows(513));
        assert!((0..2100).all(|at| whole.at(at) == large.at(at)));
        let mut small = Passes::new(5, "order", 700).in_windows(512);
        assert!((0..700).any(|at| whole.at(at) != small.at(at)));
    }

    #[test]
    fn each_pass_has_every_row_once_in_another_order() {
        let mut passes = Passes::new(2, "order", 1000).in_windows(256);
        let visits: Vec<Visit> = (0..3000).map(|at| passes.at(at)).collect();
        let mut counts: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for visit in &visits {
            counts.entry(visit.row).or_default().push(visit.pass);
        }
        assert!(counts.len() == 1000 && counts.values().all(|of| *of == [0, 1, 2]));
        assert!((0..1000).filter(|&at| visits[at].row == visits[at + 1000].row).count() < 50);
        // Any position alone, in any order.
        for at in [2999, 0, 1500, 255, 256, 999, 1000] {
            assert_eq!(passes.at(at), visits[at as usize]);
            let mut alone = Passes::new(2, "order", 1000).in_windows(256);
            assert_eq!(alone.at(at), visits[at as usize]);
        }
    }
}
