//! Log-probabilities of given answers behind a picture and a prompt (LAVIS `rank_answers` and
//! `predict_class`).
//!
//! A candidate scores the summed log-probability of its tokens and of the end of text behind them,
//! by which LAVIS ranks. The mean over the tokens does not favour short candidates.

use super::beam::log_sum_exp;
use super::{Decoding, Generator, nothing_to_start_from, plain_device};
use crate::VlmError;
use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use toolkit_core::{Cache, EncoderOutput, LanguageKind, Side, noise, params};
use toolkit_system::problem::Problem;

/// Most rows of logits that are computed at once.
const LOGIT_ROWS: usize = 512;

/// The score of one candidate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Summed log-probability of its tokens and the end.
    pub log_prob: f64,
    /// The same by the number of tokens, the end counted.
    pub mean_log_prob: f64,
    /// Number of tokens, the end counted.
    pub tokens: usize,
}

/// A sample whose prompt has been read, for candidates to continue.
struct Read {
    mask: Tensor<2>,
    memory: Option<EncoderOutput>,
    cache: Cache,
    /// Logits behind the prompt of a decoder-only model, for the first token of every candidate.
    first: Option<Vec<f32>>,
}

impl Generator<'_> {
    /// Scores `candidates[i]` behind the i-th row of the soft `prefix [batch, queries, width]` and
    /// the i-th prompt.
    ///
    /// Prompts are token ids, special ones included; candidates have none. Each prompt is read
    /// once. Candidates of one length are scored together, so that no padding is read and a score
    /// does not depend on the others.
    ///
    /// # Errors
    /// If there are not as many lists as prompts, a candidate is empty, a sample does not fit the
    /// model's positions, an id has no row, there is nothing to start from, or logits are not
    /// numbers.
    pub fn choices(
        &self,
        prefix: Option<Tensor<3>>,
        prompts: &[Vec<u32>],
        candidates: &[Vec<Vec<u32>>],
    ) -> Result<Vec<Vec<Choice>>, VlmError> {
        self.check_prefix(prefix.as_ref(), prompts.len())?;
        if candidates.len() != prompts.len() {
            let what = format!(
                "there are {} lists of candidates for {} prompts",
                candidates.len(),
                prompts.len()
            );
            return Err(Problem::new(what)
                .at("choices")
                .hint("give one list for each prompt")
                .into());
        }
        self.check_ids(prompts)?;
        candidates.iter().try_for_each(|list| self.check_ids(list))?;
        let one = |(at, (prompt, list)): (usize, (&Vec<u32>, &Vec<Vec<u32>>))| {
            let prefix = prefix.as_ref().map(|prefix| prefix.clone().narrow(0, at, 1));
            noise::off(|| self.choose(prefix, prompt, list))
        };
        prompts.iter().zip(candidates).enumerate().map(one).collect()
    }

    fn choose(
        &self,
        prefix: Option<Tensor<3>>,
        prompt: &[u32],
        candidates: &[Vec<u32>],
    ) -> Result<Vec<Choice>, VlmError> {
        if candidates.iter().any(Vec::is_empty) {
            return Err(Problem::new("a candidate is empty")
                .at("choices")
                .hint("give each candidate a text")
                .into());
        }
        let Some(longest) = candidates.iter().map(Vec::len).max() else { return Ok(Vec::new()) };
        let read = self.read(prefix, prompt, longest)?;
        let mut choices = vec![None; candidates.len()];
        let mut lengths: Vec<usize> = candidates.iter().map(Vec::len).collect();
        lengths.sort_unstable();
        lengths.dedup();
        for length in lengths {
            let group: Vec<usize> =
                (0..candidates.len()).filter(|&i| candidates[i].len() == length).collect();
            for group in group.chunks((LOGIT_ROWS / (length + 1)).max(1)) {
                let texts: Vec<&[u32]> = group.iter().map(|&i| &candidates[i][..]).collect();
                for (&at, choice) in group.iter().zip(self.score(&read, &texts)?) {
                    choices[at] = Some(choice);
                }
            }
        }
        Ok(choices.into_iter().flatten().collect())
    }

    /// Reads prefix and prompt.
    fn read(
        &self,
        prefix: Option<Tensor<3>>,
        prompt: &[u32],
        longest: usize,
    ) -> Result<Read, VlmError> {
        if prefix.is_none() && prompt.is_empty() {
            return Err(nothing_to_start_from("no prefix, no prompt", "choices"));
        }
        let device = prefix.as_ref().map_or_else(|| plain_device(self.language), Tensor::device);
        let queries = prefix.as_ref().map_or(0, |prefix| prefix.dims()[1]);
        let length = queries + prompt.len();
        let prompts = [prompt.to_vec()];
        match self.shape.kind {
            LanguageKind::DecoderOnly => {
                self.budgets(std::iter::once(length + longest), &Decoding::default())?;
                let (embeds, mask) = self.prefixed(prefix, &prompts, Side::Left, &device);
                let mut cache = Cache::default();
                let hidden =
                    self.language.decode_last(embeds, mask.clone(), None, Some(&mut cache), 1);
                let first = Some(params::floats(self.language.logits(hidden)));
                Ok(Read { mask, memory: None, cache, first })
            }
            LanguageKind::EncoderDecoder => {
                self.budgets([length, longest + 1].into_iter(), &Decoding::default())?;
                let (embeds, mask) = self.prefixed(prefix, &prompts, Side::Right, &device);
                let memory = Some(self.language.encode(embeds, mask.clone()));
                Ok(Read { mask, memory, cache: Cache::default(), first: None })
            }
        }
    }

    /// Scores texts of one length.
    fn score(&self, read: &Read, texts: &[&[u32]]) -> Result<Vec<Choice>, VlmError> {
        let (rows, device) = (vec![0; texts.len()], read.mask.device());
        let started: Vec<Vec<u32>> = match read.memory {
            Some(_) => texts
                .iter()
                .map(|text| [&[self.special_tokens.decoder_start], *text].concat())
                .collect(),
            None => texts.iter().map(|text| text.to_vec()).collect(),
        };
        let shape = [texts.len(), started[0].len()];
        let ids: Vec<i32> = started.iter().flatten().map(|&id| id as i32).collect();
        let embeds =
            self.language.embed(Tensor::<2, Int>::from_data(TensorData::new(ids, shape), &device));
        let new = Tensor::ones(shape, &device);
        let hidden = match &read.memory {
            Some(memory) => self.language.decode(embeds, new, Some(&memory.select(&rows)), None),
            None => {
                let mask = Tensor::cat(vec![read.mask.clone().repeat_dim(0, texts.len()), new], 1);
                self.language.decode(embeds, mask, None, Some(&mut read.cache.select(&rows)))
            }
        };
        let logits = self.language.logits(hidden);
        let vocab = logits.dims()[2];
        let logits = params::floats(logits);
        let end = self.special_tokens.eos.first();
        let score = |(text, own): (&&[u32], &[f32])| {
            let own = read
                .first
                .iter()
                .flat_map(|row| row.chunks_exact(vocab))
                .chain(own.chunks_exact(vocab));
            let mut sum = 0.0;
            for (token, row) in text.iter().chain([&end]).zip(own) {
                sum += f64::from(row[*token as usize]) - log_sum_exp(row)?;
            }
            let tokens = text.len() + 1;
            Ok(Choice { log_prob: sum, mean_log_prob: sum / tokens as f64, tokens })
        };
        texts.iter().zip(logits.chunks_exact(shape[1] * vocab)).map(score).collect()
    }
}
