//! Several sources with weights: each has an order of its own and a share of the positions.
//!
//! Sources take turns as in the election method of Webster. The `k`-th turn of a source of weight
//! `w` is due at `(k + 1/2) / w`, and the earliest turn comes first. So after any number of
//! positions each source had its share to within about one turn. A block of positions is then
//! shuffled, because a regular pattern could give one process of several a single source.

use super::Visit;
use super::passes::Passes;
use toolkit_core::Stream;
use toolkit_data::SourceRows;

/// Positions that are shuffled together.
const POSITIONS: u64 = 1024;

/// Endless passes over several sources.
#[derive(Clone, Debug)]
pub(super) struct Interleave {
    seed: u64,
    label: String,
    sources: Vec<Source>,
    /// Block of positions in use, and the turns in it.
    block: Option<(u64, Vec<Turn>)>,
}

#[derive(Clone, Debug)]
struct Source {
    /// First row.
    first: usize,
    weight: u64,
    passes: Passes,
}

/// Turn number `turn` of a source.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Turn {
    source: usize,
    turn: u64,
}

impl Interleave {
    /// Creates the order of sources that have weights; `None` if they have none.
    pub fn of(seed: u64, label: &str, sources: &[SourceRows]) -> Option<Self> {
        let weights: Vec<f64> = sources.iter().map(|one| one.weight).collect::<Option<_>>()?;
        let with_rows = |source: &SourceRows, weight: u64| {
            let label = format!("{label}/{}", source.name);
            let passes = Passes::new(seed, &label, source.rows.len());
            let passes =
                if source.is_sequential { passes.in_windows(super::SHUFFLE) } else { passes };
            Source { first: source.rows.start, weight, passes }
        };
        let sources: Vec<Source> = sources
            .iter()
            .zip(whole(&weights))
            .filter(|(source, weight)| !source.rows.is_empty() && *weight > 0)
            .map(|(source, weight)| with_rows(source, weight))
            .collect();
        let label = format!("{label}/sources");
        (!sources.is_empty()).then_some(Self { seed, label, sources, block: None })
    }

    /// Changes the passes of all sources.
    pub fn map(self, change: impl Fn(Passes) -> Passes) -> Self {
        let sources = self.sources.into_iter();
        let changed = sources.map(|one| Source { passes: change(one.passes), ..one });
        Self { sources: changed.collect(), ..self }
    }

    /// Returns the row at a position of the endless sequence.
    pub fn at(&mut self, position: u64) -> Visit {
        let block = position / POSITIONS;
        if self.block.as_ref().is_none_or(|(of, _)| *of != block) {
            self.block = Some((block, self.turns(block)));
        }
        let turns = self.block.as_ref().map_or(&[][..], |(_, turns)| turns);
        let Turn { source, turn } = turns[(position % POSITIONS) as usize];
        let source = &mut self.sources[source];
        let visit = source.passes.at(turn);
        Visit { row: source.first + visit.row, ..visit }
    }

    /// Returns the turns of a block of positions.
    fn turns(&self, block: u64) -> Vec<Turn> {
        let weights: Vec<u64> = self.sources.iter().map(|source| source.weight).collect();
        let before = shares(&weights, block * POSITIONS);
        let after = shares(&weights, (block + 1) * POSITIONS);
        let all = before.iter().zip(&after).enumerate();
        let mut order: Vec<usize> = all
            .flat_map(|(source, (before, after))| (*before..*after).map(move |_| source))
            .collect();
        Stream::new(self.seed, &self.label, block).shuffle(&mut order);
        let mut next = before;
        let mut take = |source: usize| {
            next[source] += 1;
            Turn { source, turn: next[source] - 1 }
        };
        order.into_iter().map(&mut take).collect()
    }
}

/// Returns weights as whole numbers: themselves if they are whole, or in units of a part in 2^40 of
/// the largest.
fn whole(weights: &[f64]) -> Vec<u64> {
    const LARGEST: f64 = (1_u64 << 40) as f64;
    let largest = weights.iter().copied().fold(0.0, f64::max);
    let are_whole = largest <= LARGEST && weights.iter().all(|weight| weight.fract() == 0.0);
    let unit = if are_whole { 1.0 } else { largest / LARGEST };
    weights
        .iter()
        .map(|&weight| if weight > 0.0 { (weight / unit).round().max(1.0) as u64 } else { 0 })
        .collect()
}

/// Returns the numbers of turns of each source among the first `positions`: the apportionment of
/// Webster, so that no number falls as `positions` rises.
fn shares(weights: &[u64], positions: u64) -> Vec<u64> {
    let total: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    let near = |&weight: &u64| {
        ((2 * u128::from(positions) * u128::from(weight) + total) / (2 * total)) as u64
    };
    // All turns that are due by `positions`: too many or too few by half the number of sources.
    let mut shares: Vec<u64> = weights.iter().map(near).collect();
    let mut sum: u64 = shares.iter().sum();
    // A turn at `(k + 1/2) / w` is before another if its cross product is smaller.
    let due = |turn: u64, other: usize| u128::from(2 * turn + 1) * u128::from(weights[other]);
    while sum < positions {
        let next = (0..weights.len()).reduce(|best, at| {
            if due(shares[at], best) < due(shares[best], at) { at } else { best }
        });
        let Some(next) = next else { break };
        shares[next] += 1;
        sum += 1;
    }
    while sum > positions {
        let given = (0..weights.len()).filter(|&at| shares[at] > 0).reduce(|worst, at| {
            let later = due(shares[at] - 1, worst) >= due(shares[worst] - 1, at);
            if later { at } else { worst }
        });
        let Some(last) = given else { break };
        shares[last] -= 1;
        sum -= 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shares_rise_add_up_and_keep_the_ratio(
            weights in proptest::collection::vec(1..2000_u64, 1..9),
            start in 0..1_u64 << 40,
        ) {
            let total: f64 = weights.iter().sum::<u64>() as f64;
            let bound = 0.5 + weights.len() as f64 / 2.0;
            let mut before = shares(&weights, start);
            for positions in start + 1..start + 60 {
                let now = shares(&weights, positions);
                prop_assert_eq!(now.iter().sum::<u64>(), positions);
                let rises = before.iter().zip(&now).map(|(b, n)| n.checked_sub(*b));
                let rises: Option<Vec<u64>> = rises.collect();
                prop_assert_eq!(rises.map(|all| all.iter().sum::<u64>()), Some(1));
                for (share, weight) in now.iter().zip(&weights) {
                    let exact = positions as f64 * (*weight as f64 / total);
                    prop_assert!((*share as f64 - exact).abs() <= bound);
                }
                before = now;
            }
        }
    }

    #[test]
    fn whole_rounds_of_the_weights_are_exact() {
        assert_eq!(shares(&[3, 1, 6], 10_000_000), [3_000_000, 1_000_000, 6_000_000]);
        assert_eq!(shares(&[115_000_000, 1], 115_000_001), [115_000_000, 1]);
        assert_eq!(shares(&[1, 1, 1], 1), [1, 0, 0]);
    }

    #[test]
    fn weights_become_whole_numbers() {
        assert_eq!(whole(&[2.0, 3.0]), [2, 3]);
        assert_eq!(whole(&[0.5, 0.25]), [1 << 40, 1 << 39]);
        assert_eq!(whole(&[1e-30, 1.0, 0.0]), [1, 1 << 40, 0]);
    }
}
