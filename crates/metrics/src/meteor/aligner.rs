//! The beam search for the best set of matches: each word in one match at most, most words covered
//! (matches that are not exact count half, rounded down for each match), then fewest chunks, then
//! shortest distance.
//!
//! Scores of long captions with repeated words depend on what the beam drops and on ties, so that
//! this keeps the jar's order of partial alignments and its habits: the distance of a match that is
//! being added goes to the alignment it is added to, and so to those made from it afterwards, not
//! to the new one.

use super::bits::Bits;
use super::matcher::{Match, Matches};

const BEAM: usize = 40;

/// More candidates than these are sorted out at once: of a frequent word in a long text there are a
/// great many.
const MANY: usize = 100 * BEAM;

/// An alignment of the words of the reference before `next`, but for the words of the hypothesis
/// that it uses.
///
/// Words of the reference from `next` on are free, unless a certain match has them: matches are
/// added from left to right.
#[derive(Clone, Copy)]
struct State {
    /// The last match that the search chose, as a position in the trail; those that were certain
    /// are not in it.
    chosen: Option<u32>,
    covered: i32,
    chunks: i32,
    distance: i32,
    next: usize,
    /// The word of the hypothesis behind the last match, if the reference's previous word is in
    /// one.
    last_end: Option<usize>,
}

/// A state, and the words of the hypothesis in its matches.
struct Partial<B> {
    state: State,
    used: B,
}

/// Possible successor of a partial alignment: with another match, or by going on.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    state: State,
    parent: usize,
    found: Option<&'a Match>,
}

/// A chosen match, and the one chosen before it.
struct Step {
    found: Match,
    before: Option<u32>,
}

/// The best matches, by first word in the reference.
pub fn align(matches: &Matches) -> Vec<Option<Match>> {
    if matches.hypothesis_coverage.len() <= 128 {
        search::<u128>(matches)
    } else {
        search::<Vec<u64>>(matches)
    }
}

/// Half of every match that is not exact, rounded down.
fn weight(found: &Match) -> i32 {
    let weigh = |words: usize| (if found.module == 0 { words } else { words / 2 }) as i32;
    weigh(found.length) + weigh(found.hypothesis_length)
}

fn distance(found: &Match) -> i32 {
    found.start.abs_diff(found.hypothesis_start) as i32
}

/// The words of the hypothesis in a match.
fn covered(found: &Match) -> std::ops::Range<usize> {
    found.hypothesis_start..found.hypothesis_start + found.hypothesis_length
}

impl State {
    const START: Self =
        Self { chosen: None, covered: 0, chunks: 0, distance: 0, next: 0, last_end: None };

    fn step(&mut self, found: &Match) {
        self.covered += weight(found);
        if self.last_end.is_some_and(|end| end != found.hypothesis_start) {
            self.chunks += 1;
        }
        self.next = found.start + found.length;
        self.last_end = Some(found.hypothesis_start + found.hypothesis_length);
    }

    /// Sums of distances run over as the jar's integers do.
    fn add_distance(&mut self, found: &Match) {
        self.distance = self.distance.wrapping_add(distance(found));
    }

    fn end_chunk(&mut self) {
        self.chunks += i32::from(self.last_end.take().is_some());
    }

    /// Best first.
    fn key(&self) -> (i32, i32, i32) {
        (-self.covered, self.chunks, self.distance)
    }
}

/// The best of them in order; the sort is stable, as the jar's.
fn keep_best(grown: &mut Vec<Candidate<'_>>) {
    grown.sort_by_key(|candidate| candidate.state.key());
    grown.truncate(BEAM);
}

/// Matches that are certain: the only one of their first word, all of whose words are in no other
/// match.
fn certain(matches: &Matches) -> Vec<Option<Match>> {
    let alone = |found: &Match| {
        matches.reference_coverage[found.start..found.start + found.length]
            .iter()
            .all(|&count| count == 1)
            && matches.hypothesis_coverage[covered(found)].iter().all(|&count| count == 1)
    };
    let one =
        |found: &Vec<Match>| if let [only] = found[..] { Some(only).filter(alone) } else { None };
    matches.at.iter().map(one).collect()
}

/// The search, with what it needs at every word of the reference.
struct Search<'a, B> {
    matches: &'a Matches,
    /// Certain matches, and which words of the reference they have.
    certain: Vec<Option<Match>>,
    taken: Vec<bool>,
    /// Matches chosen in the partial alignments that were kept.
    trail: Vec<Step>,
    partials: Vec<Partial<B>>,
}

fn search<B: Bits>(matches: &Matches) -> Vec<Option<Match>> {
    let certain = certain(matches);
    let mut taken = vec![false; matches.reference_coverage.len()];
    let mut used = B::empty(matches.hypothesis_coverage.len());
    for found in certain.iter().flatten() {
        taken[found.start..found.start + found.length].fill(true);
        covered(found).for_each(|at| used.put(at));
    }
    let partials = vec![Partial { state: State::START, used }];
    let mut search = Search { matches, certain, taken, trail: Vec::new(), partials };
    let mut grown = Vec::new();
    for at in 0..matches.at.len() {
        search.grow(at, &mut grown);
        search.keep(&grown);
    }
    search.best()
}

impl<'a, B: Bits> Search<'a, B> {
    /// Fills `grown` with what the partial alignments, best first, become at word `at` of the
    /// reference. Only the best of them stay, in order.
    fn grow(&self, at: usize, grown: &mut Vec<Candidate<'a>>) {
        grown.clear();
        for (parent, Partial { state, used }) in self.partials.iter().enumerate() {
            let mut state = *state;
            if at < state.next {
                grown.push(Candidate { state, parent, found: None });
                continue;
            }
            if self.taken[at] {
                if let Some(found) = self.certain[state.next] {
                    state.step(&found);
                    state.add_distance(&found);
                    grown.push(Candidate { state, parent, found: None });
                }
                continue;
            }
            for found in &self.matches.at[at] {
                if self.taken[at..at + found.length].contains(&true)
                    || covered(found).any(|word| used.has(word))
                {
                    continue;
                }
                let mut longer = state;
                longer.step(found);
                state.add_distance(found);
                grown.push(Candidate { state: longer, parent, found: Some(found) });
                if grown.len() > MANY {
                    keep_best(grown);
                }
            }
            state.end_chunk();
            state.next += 1;
            grown.push(Candidate { state, parent, found: None });
        }
        // Should nothing go on, the jar keeps the best and skips a word.
        if grown.is_empty() {
            grown.extend(self.partials.first().map(|best| Candidate {
                state: best.state,
                parent: 0,
                found: None,
            }));
        }
        keep_best(grown);
    }

    /// Makes partial alignments of candidates. A set of words that no other candidate needs is
    /// moved, not copied.
    fn keep(&mut self, grown: &[Candidate<'a>]) {
        let mut needed = [0_usize; BEAM];
        grown.iter().for_each(|candidate| needed[candidate.parent] += 1);
        let mut kept = Vec::with_capacity(grown.len());
        for &Candidate { mut state, parent, found } in grown {
            needed[parent] -= 1;
            let parent_used = &mut self.partials[parent].used;
            let mut used = if needed[parent] == 0 {
                std::mem::replace(parent_used, B::empty(0))
            } else {
                parent_used.clone()
            };
            if let Some(found) = found {
                covered(found).for_each(|word| used.put(word));
                self.trail.push(Step { found: *found, before: state.chosen });
                state.chosen = Some(self.trail.len() as u32 - 1);
            }
            kept.push(Partial { state, used });
        }
        self.partials = kept;
    }

    /// The matches of the best alignment.
    fn best(self) -> Vec<Option<Match>> {
        let Self { certain: mut result, trail, partials, .. } = self;
        let mut states: Vec<State> = partials.into_iter().map(|partial| partial.state).collect();
        states.iter_mut().for_each(State::end_chunk);
        states.sort_by_key(State::key);
        let mut chosen = states.first().and_then(|best| best.chosen);
        while let Some(step) = chosen.map(|at| &trail[at as usize]) {
            result[step.found.start] = Some(step.found);
            chosen = step.before;
        }
        result
    }
}
