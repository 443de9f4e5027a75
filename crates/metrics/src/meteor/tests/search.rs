//! The search against one that keeps whole copies of everything, as the jar does.

use super::super::aligner::align;
use super::super::matcher::{Match, Matches};
use proptest::prelude::*;

const BEAM: usize = 40;

#[derive(Clone)]
struct Whole {
    result: Vec<Option<Match>>,
    covered: i32,
    chunks: i32,
    distance: i32,
    next: usize,
    last_end: Option<usize>,
    hypothesis: Vec<bool>,
    reference: Vec<bool>,
}

impl Whole {
    fn put(&mut self, found: &Match) {
        self.reference[found.start..found.start + found.length].fill(true);
        self.hypothesis[found.hypothesis_start..found.hypothesis_start + found.hypothesis_length]
            .fill(true);
    }

    fn overlaps(&self, found: &Match) -> bool {
        self.reference[found.start..found.start + found.length].contains(&true)
            || self.hypothesis
                [found.hypothesis_start..found.hypothesis_start + found.hypothesis_length]
                .contains(&true)
    }

    fn step(&mut self, found: &Match) {
        let half = |words: usize| (if found.module == 0 { words } else { words / 2 }) as i32;
        self.covered += half(found.length) + half(found.hypothesis_length);
        self.chunks += i32::from(self.last_end.is_some_and(|end| end != found.hypothesis_start));
        self.next = found.start + found.length;
        self.last_end = Some(found.hypothesis_start + found.hypothesis_length);
    }

    fn end_chunk(&mut self) {
        self.chunks += i32::from(self.last_end.take().is_some());
    }
}

fn sort(all: &mut [Whole]) {
    all.sort_by_key(|one| (-one.covered, one.chunks, one.distance));
}

fn distance(found: &Match) -> i32 {
    found.start.abs_diff(found.hypothesis_start) as i32
}

fn first(matches: &Matches) -> Whole {
    let (hypothesis, reference) =
        (matches.hypothesis_coverage.len(), matches.reference_coverage.len());
    let mut first = Whole {
        result: vec![None; reference],
        covered: 0,
        chunks: 0,
        distance: 0,
        next: 0,
        last_end: None,
        hypothesis: vec![false; hypothesis],
        reference: vec![false; reference],
    };
    for found in matches.at.iter().filter(|found| found.len() == 1).flatten() {
        let once = |coverage: &[u32], start: usize, length: usize| {
            coverage[start..start + length] == vec![1; length]
        };
        if once(&matches.reference_coverage, found.start, found.length)
            && once(&matches.hypothesis_coverage, found.hypothesis_start, found.hypothesis_length)
        {
            first.put(found);
            first.result[found.start] = Some(*found);
        }
    }
    first
}

fn plain(matches: &Matches) -> Vec<Option<Match>> {
    let first = first(matches);
    let certain = first.result.clone();
    let mut all = vec![first];
    for at in 0..matches.at.len() {
        sort(&mut all);
        let best = all[0].clone();
        let mut grown = Vec::new();
        for mut one in all.into_iter().take(BEAM) {
            if one.reference[at] {
                if at < one.next {
                    grown.push(one);
                } else if let Some(found) = certain[one.next] {
                    one.step(&found);
                    one.distance += distance(&found);
                    grown.push(one);
                }
                continue;
            }
            for found in matches.at[at].iter() {
                if !one.overlaps(found) {
                    let mut longer = one.clone();
                    longer.put(found);
                    longer.step(found);
                    longer.result[found.start] = Some(*found);
                    one.distance += distance(found);
                    grown.push(longer);
                }
            }
            one.end_chunk();
            one.next += 1;
            grown.push(one);
        }
        all = if grown.is_empty() { vec![best] } else { grown };
    }
    sort(&mut all);
    all.truncate(BEAM);
    all.iter_mut().for_each(Whole::end_chunk);
    sort(&mut all);
    all.swap_remove(0).result
}

/// Words of both sides that are the same, and some longer matches.
fn matches(
    hypothesis: &[u8],
    reference: &[u8],
    longer: &[(usize, usize, usize, usize)],
) -> Matches {
    let mut matches = Matches::none(hypothesis.len(), reference.len());
    for (start, r) in reference.iter().enumerate() {
        for (hypothesis_start, _) in hypothesis.iter().enumerate().filter(|(_, h)| *h == r) {
            matches.add(Match {
                module: 0,
                start,
                length: 1,
                hypothesis_start,
                hypothesis_length: 1,
            });
        }
    }
    for &(start, length, hypothesis_start, hypothesis_length) in longer {
        if start + length <= reference.len()
            && hypothesis_start + hypothesis_length <= hypothesis.len()
        {
            matches.add(Match { module: 3, start, length, hypothesis_start, hypothesis_length });
        }
    }
    matches
}

fn same(matches: &Matches) -> Result<(), TestCaseError> {
    let shown = |result: Vec<Option<Match>>| -> Vec<String> {
        result.into_iter().map(|found| format!("{found:?}")).collect()
    };
    prop_assert_eq!(shown(align(matches)), shown(plain(matches)));
    Ok(())
}

proptest! {
    #[test]
    fn short_texts_with_phrases(
        hypothesis in prop::collection::vec(0_u8..6, 0..14),
        reference in prop::collection::vec(0_u8..8, 0..14),
        longer in prop::collection::vec((0_usize..12, 1_usize..4, 0_usize..12, 1_usize..4), 0..8),
    ) {
        same(&matches(&hypothesis, &reference, &longer))?;
    }

    #[test]
    fn long_texts_that_repeat_their_words(
        hypothesis in prop::collection::vec(0_u8..9, 100..200),
        reference in prop::collection::vec(0_u8..12, 10..60),
        longer in prop::collection::vec((0_usize..50, 1_usize..4, 0_usize..150, 1_usize..4), 0..30),
    ) {
        same(&matches(&hypothesis, &reference, &longer))?;
    }
}

/// Where one word of a long text is the other's only one, candidates are sorted out before all are
/// made.
#[test]
fn more_candidates_than_are_kept_at_once() {
    let matches = matches(&[1; 900], &[1; 12], &[(2, 2, 5, 3), (6, 1, 7, 2)]);
    same(&matches).expect("the same");
}
