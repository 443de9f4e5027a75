//! Greedy and beam search on the host: logits in, the rows that continue and their tokens out.
//! There are no tensors here.
//!
//! The rules are those of transformers. The best `2 * beams` continuations of a sentence are
//! candidates (with n ends of text, `(1 + n) * beams`), best first. An end of text among the first
//! `beams` candidates becomes a finished hypothesis; the first `beams` others continue. The score
//! of a hypothesis is its summed log-probability divided by `length ^ length_penalty`, the end
//! counted. At the last step, running hypotheses compete as they are.
//!
//! [`EarlyStopping`] sets when a search ends. The default is exact: log-probabilities only fall, so
//! the best score that a running hypothesis can reach is its present sum at the most favourable
//! length left. Greedy search, `beams = 1`, ends at the first end of text.
//!
//! Ties go to the earlier hypothesis, then to the smaller token id, so that results do not depend
//! on the batch.

use super::{Decoding, EarlyStopping, Generated};
use crate::VlmError;
use rayon::prelude::*;
use std::borrow::Cow;
use std::cmp::Ordering;
use toolkit_core::Ends;
use toolkit_system::problem::Problem;

/// A hypothesis that continues: its row in the last batch, its next token, and its sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) parent: usize,
    pub(crate) token: u32,
    pub(crate) sentence: usize,
}

struct Hypothesis {
    ids: Vec<u32>,
    log_prob: f64,
}

#[derive(Clone, Copy)]
struct Candidate {
    log_prob: f64,
    beam: usize,
    token: u32,
}

struct Sentence {
    /// Most tokens, the end included.
    budget: usize,
    /// Token ids that the repetition penalty counts as written already.
    prompt: Vec<u32>,
    running: Vec<Hypothesis>,
    /// Best first.
    finished: Vec<Generated>,
}

/// The search of a batch of sentences.
pub(crate) struct Search {
    decoding: Decoding,
    eos: Ends,
    sentences: Vec<Sentence>,
}

impl Search {
    /// Starts with one empty hypothesis for each sentence. `budgets` are at least 1. The repetition
    /// penalty counts the ids of `prompts` as written already.
    pub(crate) fn new(
        decoding: Decoding,
        eos: Ends,
        budgets: &[usize],
        prompts: Vec<Vec<u32>>,
    ) -> Self {
        let start = |(&budget, prompt)| {
            let running = vec![Hypothesis { ids: Vec::new(), log_prob: 0.0 }];
            Sentence { budget, prompt, running, finished: Vec::new() }
        };
        Self { decoding, eos, sentences: budgets.iter().zip(prompts).map(start).collect() }
    }

    /// Reads the next-token logits `[rows, vocab]` of all running hypotheses and returns those that
    /// continue. Rows are in the order of the last answer; at first there is one for each sentence.
    /// None continues when the search is over.
    pub(crate) fn advance(&mut self, logits: &[f32], vocab: usize) -> Result<Vec<Next>, VlmError> {
        let (decoding, eos) = (self.decoding, self.eos);
        let mut first = 0;
        let mut running = Vec::new();
        for (at, sentence) in self.sentences.iter_mut().enumerate() {
            let rows = sentence.running.len();
            if rows > 0 {
                running.push((at, first, sentence));
            }
            first += rows;
        }
        let step = |(at, first, sentence): (usize, usize, &mut Sentence)| {
            let own = &logits[first * vocab..(first + sentence.running.len()) * vocab];
            let on = sentence.step(own, vocab, decoding, eos)?;
            Ok(on.into_iter().map(move |(beam, token)| Next {
                parent: first + beam,
                token,
                sentence: at,
            }))
        };
        // The first error of all is that of the first sentence.
        let next: Vec<Result<_, VlmError>> = running.into_par_iter().map(step).collect();
        Ok(next.into_iter().collect::<Result<Vec<_>, VlmError>>()?.into_iter().flatten().collect())
    }

    /// Returns the hypotheses of each sentence, best first, at most `beams`.
    pub(crate) fn finish(self) -> Vec<Vec<Generated>> {
        self.sentences.into_iter().map(|sentence| sentence.finished).collect()
    }
}

impl Sentence {
    /// Takes one more token. Returns the beams that continue, as (beam before, token).
    fn step(
        &mut self,
        logits: &[f32],
        vocab: usize,
        d: Decoding,
        eos: Ends,
    ) -> Result<Vec<(usize, u32)>, VlmError> {
        let length = self.running[0].ids.len() + 1;
        let may_end = length > d.min_new_tokens;
        let candidates = self.candidates(logits, vocab, d, eos, may_end)?;
        let mut running = Vec::new();
        let mut chosen = Vec::new();
        for (rank, c) in candidates.iter().enumerate() {
            let before = &self.running[c.beam].ids;
            if eos.contains(c.token) {
                if rank < d.beams {
                    let score = d.score(c.log_prob, length) as f32;
                    self.finished.push(Generated {
                        ids: before.clone(),
                        score,
                        end: Some(c.token),
                    });
                }
            } else if running.len() < d.beams {
                let ids = before.iter().copied().chain([c.token]).collect();
                running.push(Hypothesis { ids, log_prob: c.log_prob });
                chosen.push((c.beam, c.token));
            }
        }
        self.running = running;
        self.keep_best(d.beams);
        if self.is_done(length, d) {
            self.running.clear();
        } else if length >= self.budget {
            for h in std::mem::take(&mut self.running) {
                let score = d.score(h.log_prob, length) as f32;
                self.finished.push(Generated { ids: h.ids, score, end: None });
            }
            self.keep_best(d.beams);
        }
        if self.running.is_empty() {
            chosen.clear();
        }
        Ok(chosen)
    }

    /// Drops all but the best finished hypotheses. The sort is stable, so equal scores stay in the
    /// order in which they were found.
    fn keep_best(&mut self, beams: usize) {
        self.finished.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.finished.truncate(beams);
    }

    /// Returns `true` if no running hypothesis can change the result. At the last step they are
    /// compared as they are.
    fn is_done(&self, length: usize, d: Decoding) -> bool {
        let best = self.running.iter().map(|h| h.log_prob).fold(f64::NEG_INFINITY, f64::max);
        let reach = match d.early_stopping {
            EarlyStopping::Heuristic => length,
            _ if d.length_penalty > 0.0 => self.budget,
            _ => length + 1,
        };
        match self.finished.last() {
            Some(_) if d.beams == 1 => true,
            Some(worst) if length < self.budget && self.finished.len() >= d.beams => {
                d.early_stopping == EarlyStopping::Always
                    || worst.score >= d.score(best, reach) as f32
            }
            _ => false,
        }
    }

    /// Returns a row, and a number that added to it gives log-probabilities. The repetition penalty
    /// falls on logits in greedy search and on log-probabilities in beam search.
    fn log_probs<'a>(
        &self,
        row: &'a [f32],
        own: &[u32],
        d: Decoding,
    ) -> Result<(f64, Cow<'a, [f32]>), VlmError> {
        let mut row = Cow::Borrowed(row);
        if d.repetition_penalty == 1.0 {
            return Ok((-log_sum_exp(&row)?, row));
        }
        if d.beams > 1 {
            let total = log_sum_exp(&row)? as f32;
            row.to_mut().iter_mut().for_each(|logit| *logit -= total);
        }
        d.penalise(row.to_mut(), self.prompt.iter().chain(own).copied());
        Ok((if d.beams > 1 { 0.0 } else { -log_sum_exp(&row)? }, row))
    }

    /// Returns the best continuations over all beams, best first: so many that `beams` of them do
    /// not end. No end is among them unless the text `may_end`.
    fn candidates(
        &self,
        logits: &[f32],
        vocab: usize,
        d: Decoding,
        eos: Ends,
        may_end: bool,
    ) -> Result<Vec<Candidate>, VlmError> {
        let count = (1 + eos.ids().len()) * d.beams;
        let mut best: Vec<Candidate> = Vec::with_capacity(count + 1);
        for (beam, (hypothesis, row)) in
            self.running.iter().zip(logits.chunks_exact(vocab)).enumerate()
        {
            let (base, row) = self.log_probs(row, &hypothesis.ids, d)?;
            let base = hypothesis.log_prob + base;
            for (token, &logit) in row.iter().enumerate() {
                let log_prob = base + f64::from(logit);
                let full = best.len() >= count;
                let enters = best.last().is_none_or(|last| !full || log_prob > last.log_prob);
                if !enters
                    || !may_end && eos.contains(token as u32)
                    || log_prob == f64::NEG_INFINITY
                {
                    continue;
                }
                let at =
                    best.partition_point(|c| c.log_prob.total_cmp(&log_prob) != Ordering::Less);
                best.insert(at, Candidate { log_prob, beam, token: token as u32 });
                best.truncate(count);
            }
        }
        if best.is_empty() {
            return Err(Problem::new("no token but the end has a probability")
                .at("generation")
                .hint("lower `min_new_tokens`")
                .into());
        }
        Ok(best)
    }
}

/// Returns `ln sum exp` of a row, summed in double precision.
pub(crate) fn log_sum_exp(row: &[f32]) -> Result<f64, VlmError> {
    let sum = toolkit_kernels::log_sum_exp(row);
    if sum.is_finite() {
        return Ok(sum);
    }
    Err(Problem::new("logits are not numbers")
        .at("generation")
        .hint("the weights hold NaN or overflow: look at the run's last losses, or use f32")
        .into())
}
