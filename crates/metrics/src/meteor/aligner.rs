//! The beam search for the best set of matches: each word in one match at most, most words covered (matches that are
//! not exact count half, rounded down for each match), then fewest chunks, then shortest distance.
//!
//! Scores of long captions with repeated words depend on what the beam drops and on ties, so that this keeps the jar's
//! order of partial alignments and its habits: the distance of a match that is being added goes to the alignment it
//! is added to, and so to those made from it afterwards, not to the new one.

use super::bits::Bits;
use super::matcher::{Match, Matches};

const BEAM: usize = 40;

/// An alignment of the words of the reference before `next`.
#[derive(Clone)]
struct Partial<B> {
    /// The last match that the search chose, as a position in the trail; those that were certain are not in it.
    chosen: Option<u32>,
    covered: i32,
    chunks: i32,
    distance: i32,
    next: usize,
    /// The word of the hypothesis behind the last match, if the reference's previous word is in one.
    last_end: Option<usize>,
    hypothesis_used: B,
    reference_used: B,
}

/// A chosen match, and the one chosen before it.
struct Step {
    found: Match,
    before: Option<u32>,
}

/// The best matches, by first word in the reference.
pub fn align(matches: &Matches) -> Vec<Option<Match>> {
    let longest = matches.hypothesis_coverage.len().max(matches.reference_coverage.len());
    if longest <= 128 { search::<u128>(matches) } else { search::<Vec<bool>>(matches) }
}

/// Half of every match that is not exact, rounded down.
fn weight(found: &Match) -> i32 {
    let weigh = |words: usize| (if found.module == 0 { words } else { words / 2 }) as i32;
    weigh(found.length) + weigh(found.hypothesis_length)
}

fn distance(found: &Match) -> i32 {
    found.start.abs_diff(found.hypothesis_start) as i32
}

impl<B: Bits> Partial<B> {
    fn is_used(&self, found: &Match) -> bool {
        (found.start..found.start + found.length).any(|at| self.reference_used.has(at))
            || (found.hypothesis_start..found.hypothesis_start + found.hypothesis_length)
                .any(|at| self.hypothesis_used.has(at))
    }

    fn use_words(&mut self, found: &Match) {
        (found.start..found.start + found.length).for_each(|at| self.reference_used.put(at));
        (found.hypothesis_start..found.hypothesis_start + found.hypothesis_length)
            .for_each(|at| self.hypothesis_used.put(at));
    }

    fn step(&mut self, found: &Match) {
        self.covered += weight(found);
        if self.last_end.is_some_and(|end| end != found.hypothesis_start) {
            self.chunks += 1;
        }
        self.next = found.start + found.length;
        self.last_end = Some(found.hypothesis_start + found.hypothesis_length);
    }

    fn end_chunk(&mut self) {
        self.chunks += i32::from(self.last_end.take().is_some());
    }
}

/// Best first; the sort is stable, as the jar's.
fn sort<B>(partials: &mut [Partial<B>]) {
    partials.sort_by_key(|partial| (-partial.covered, partial.chunks, partial.distance));
}

/// Matches that are certain: the only one of their first word, all of whose words are in no other match.
fn certain(matches: &Matches) -> Vec<Option<Match>> {
    let alone = |found: &Match| {
        let hypothesis = found.hypothesis_start..found.hypothesis_start + found.hypothesis_length;
        matches.reference_coverage[found.start..found.start + found.length].iter().all(|&count| count == 1)
            && matches.hypothesis_coverage[hypothesis].iter().all(|&count| count == 1)
    };
    let one = |found: &Vec<Match>| if let [only] = found[..] { Some(only).filter(alone) } else { None };
    matches.at.iter().map(one).collect()
}

fn search<B: Bits>(matches: &Matches) -> Vec<Option<Match>> {
    let mut result = certain(matches);
    let mut start = Partial {
        chosen: None,
        covered: 0,
        chunks: 0,
        distance: 0,
        next: 0,
        last_end: None,
        hypothesis_used: B::empty(matches.hypothesis_coverage.len()),
        reference_used: B::empty(matches.reference_coverage.len()),
    };
    result.iter().flatten().for_each(|found| start.use_words(found));
    let mut trail: Vec<Step> = Vec::new();
    let mut partials = vec![start];
    for at in 0..matches.at.len() {
        sort(&mut partials);
        let mut first = Some(partials[0].clone());
        let mut grown = Vec::with_capacity(partials.len() + 8);
        for mut partial in partials.into_iter().take(BEAM) {
            if partial.reference_used.has(at) {
                if at < partial.next {
                    grown.push(partial);
                } else if let Some(found) = result[partial.next] {
                    partial.step(&found);
                    partial.distance += distance(&found);
                    grown.push(partial);
                }
                continue;
            }
            for found in &matches.at[at] {
                if partial.is_used(found) {
                    continue;
                }
                let mut longer = partial.clone();
                longer.use_words(found);
                longer.step(found);
                longer.chosen = Some(trail.len() as u32);
                trail.push(Step { found: *found, before: partial.chosen });
                partial.distance += distance(found);
                grown.push(longer);
            }
            partial.end_chunk();
            partial.next += 1;
            grown.push(partial);
        }
        // Should nothing go on, the jar keeps the best and skips a word.
        if grown.is_empty() {
            grown.extend(first.take());
        }
        partials = grown;
    }
    sort(&mut partials);
    partials.truncate(BEAM);
    partials.iter_mut().for_each(Partial::end_chunk);
    sort(&mut partials);
    let mut chosen = partials[0].chosen;
    while let Some(step) = chosen.map(|at| &trail[at as usize]) {
        result[step.found.start] = Some(step.found);
        chosen = step.before;
    }
    result
}
