//! Texts drawn token by token, on the host: temperature, top-k and nucleus sampling.

use super::beam::{Next, log_sum_exp};
use super::{Decoding, Generated};
use crate::VlmError;
use toolkit_core::{Ends, Stream};

/// A text that is being written.
struct Draw {
    sentence: usize,
    ids: Vec<u32>,
    log_prob: f64,
    stream: Stream,
}

/// The draws of a batch of sentences: `answers` for each, independent of one another and of the
/// batch.
pub(crate) struct Sampler {
    decoding: Decoding,
    eos: Ends,
    budgets: Vec<usize>,
    prompts: Vec<Vec<u32>>,
    running: Vec<Draw>,
    finished: Vec<Vec<Generated>>,
    begun: bool,
}

impl Sampler {
    /// Creates the draws. Each sentence has a seed of its own, or that of `decoding` if `seeds` has
    /// none.
    pub(crate) fn new(
        decoding: Decoding,
        eos: Ends,
        budgets: &[usize],
        prompts: Vec<Vec<u32>>,
        seeds: &[u64],
    ) -> Self {
        let draw = |sentence: usize| {
            let seed = seeds.get(sentence).copied().unwrap_or(decoding.seed);
            (0..decoding.answers).map(move |answer| {
                let stream = Stream::new(seed, "generate/sample", answer as u64);
                Draw { sentence, ids: Vec::new(), log_prob: 0.0, stream }
            })
        };
        let running = (0..budgets.len()).flat_map(draw).collect();
        let finished = vec![Vec::new(); budgets.len()];
        Self { decoding, eos, budgets: budgets.to_vec(), prompts, running, finished, begun: false }
    }

    /// Draws the next tokens, with the rows of `Search::advance`: at first one for each sentence,
    /// then those of the last answer.
    pub(crate) fn advance(&mut self, logits: &[f32], vocab: usize) -> Result<Vec<Next>, VlmError> {
        let mut next = Vec::new();
        let mut running = Vec::new();
        for (at, mut draw) in std::mem::take(&mut self.running).into_iter().enumerate() {
            let parent = if self.begun { at } else { draw.sentence };
            let row = &logits[parent * vocab..(parent + 1) * vocab];
            let prompt = &self.prompts[draw.sentence];
            let (token, log_prob) = self.decoding.draw(row, prompt, &mut draw, self.eos)?;
            draw.log_prob += log_prob;
            let length = draw.ids.len() + 1;
            let end = Some(token).filter(|token| self.eos.contains(*token));
            if end.is_none() {
                draw.ids.push(token);
            }
            if end.is_some() || length >= self.budgets[draw.sentence] {
                let score = self.decoding.score(draw.log_prob, length) as f32;
                self.finished[draw.sentence].push(Generated { ids: draw.ids, score, end });
            } else {
                next.push(Next { parent, token, sentence: draw.sentence });
                running.push(draw);
            }
        }
        (self.running, self.begun) = (running, true);
        Ok(next)
    }

    /// Returns the texts of each sentence, the most probable first.
    pub(crate) fn finish(mut self) -> Vec<Vec<Generated>> {
        self.finished
            .iter_mut()
            .for_each(|texts| texts.sort_by(|a, b| b.score.total_cmp(&a.score)));
        self.finished
    }
}

impl Decoding {
    /// Draws a token. Returns it with its log-probability under the distribution it is drawn from.
    /// The order is transformers': repetition penalty, no end before `min_new_tokens`, temperature,
    /// top-k, top-p.
    fn draw(
        &self,
        row: &[f32],
        prompt: &[u32],
        draw: &mut Draw,
        eos: Ends,
    ) -> Result<(u32, f64), VlmError> {
        log_sum_exp(row)?;
        let mut row = row.to_vec();
        if self.repetition_penalty != 1.0 {
            self.penalise(&mut row, prompt.iter().chain(&draw.ids).copied());
        }
        if draw.ids.len() < self.min_new_tokens {
            eos.ids().iter().for_each(|&end| row[end as usize] = f32::NEG_INFINITY);
        }
        row.iter_mut().for_each(|logit| *logit = (f64::from(*logit) / self.temperature) as f32);
        let mut order: Vec<u32> = (0..row.len() as u32).collect();
        order.sort_by(|&a, &b| row[b as usize].total_cmp(&row[a as usize]));
        if self.top_k > 0 {
            order.truncate(self.top_k);
        }
        let total = |order: &[u32]| {
            let kept: Vec<f32> = order.iter().map(|&token| row[token as usize]).collect();
            log_sum_exp(&kept)
        };
        let all = total(&order)?;
        let mut reached = 0.0;
        let nucleus = order.iter().position(|&token| {
            reached += libm::exp(f64::from(row[token as usize]) - all);
            reached >= self.top_p
        });
        if let Some(last) = nucleus.filter(|_| self.top_p < 1.0) {
            order.truncate(last + 1);
        }
        let all = total(&order)?;
        let log_prob = |token: u32| f64::from(row[token as usize]) - all;
        let weights: Vec<f32> =
            order.iter().map(|&token| libm::exp(log_prob(token)) as f32).collect();
        let token = order[draw.stream.weighted(&weights)];
        Ok((token, log_prob(token)))
    }
}
