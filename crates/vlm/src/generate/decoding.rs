//! Settings of a search for text.

use serde::{Deserialize, Serialize};
use std::fmt::Display;
use toolkit_system::problem::Problem;

/// Settings of a search; `[decoding]` of a task card. The names are those of transformers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decoding {
    /// Hypotheses kept at each step; 1 is greedy search.
    pub beams: usize,
    /// Most tokens written, the end included. Prefix and prompt do not count (BLIP-2 specification,
    /// section 1.9).
    pub max_new_tokens: usize,
    /// Fewest tokens written, the end not counted.
    pub min_new_tokens: usize,
    /// A hypothesis scores its summed log-probability divided by `length ^ length_penalty`, the end
    /// counted: 1 is the mean, 0 the sum, and below 0 short texts are favoured (BLIP-2 answers
    /// questions with -1).
    pub length_penalty: f64,
    /// Rule by which beam search ends.
    pub early_stopping: EarlyStopping,
    /// Above 1, tokens that are there already, those of the prompt included, become less probable.
    /// Positive scores are divided by it, negative ones multiplied (Keskar et al., 2019,
    /// arXiv:1909.05858). Beam search applies it to log-probabilities, greedy search and sampling
    /// to logits, as transformers does.
    pub repetition_penalty: f64,
    /// Draw tokens in place of searching for the most probable text.
    pub sample: bool,
    /// Sampling: logits are divided by it.
    pub temperature: f64,
    /// Sampling: only the most probable tokens that together reach this probability (nucleus
    /// sampling, Holtzman et al., 2020); 1 is all of them.
    pub top_p: f64,
    /// Sampling: only that many of the most probable tokens; 0 is all. The default of transformers
    /// is 50.
    pub top_k: usize,
    /// Number of texts for each sample: the best ones of beam search, or as many draws.
    pub answers: usize,
    /// Sampling: seed of the draws. Every sample of a batch sees the same ones, so a batch equals
    /// single runs.
    pub seed: u64,
}

/// Rule by which beam search ends; the value of transformers' `early_stopping` is in brackets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EarlyStopping {
    /// When nothing that still runs can score more than what is finished (`"never"`). Exact.
    #[default]
    Never,
    /// When the best running hypothesis, at its present length, scores no more than the worst
    /// finished one (`False`, the default there). Above a length penalty of 0 this may end too
    /// early; released checkpoints are quoted with it.
    Heuristic,
    /// Once there are as many finished hypotheses as beams (`True`).
    Always,
}

impl Default for Decoding {
    fn default() -> Self {
        Self {
            beams: 1,
            max_new_tokens: 10,
            min_new_tokens: 1,
            length_penalty: 0.0,
            early_stopping: EarlyStopping::Never,
            repetition_penalty: 1.0,
            sample: false,
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            answers: 1,
            seed: 0,
        }
    }
}

/// Most rows that one sample may become.
const MOST_ROWS: usize = 10_000;

/// Least divisor of logits; the greatest is its inverse. Beyond them 32-bit logits overflow.
const LEAST_DIVISOR: f64 = 1e-4;

/// Greatest exponent of a length: powers of 10,000 tokens stay within 64-bit floats.
const MOST_PENALTY: f64 = 50.0;

/// Returns the problem of a setting.
fn wrong(what: impl Display, hint: &str) -> Result<(), Problem> {
    Err(Problem::new(what).at("[decoding]").hint(hint))
}

impl Decoding {
    /// Checks that the settings make sense together.
    ///
    /// # Errors
    /// If one does not, by the name of its field.
    pub fn check(&self) -> Result<(), Problem> {
        self.check_counts()?;
        self.check_numbers()?;
        if self.sample && self.beams > 1 {
            return wrong(
                format_args!("`sample` with `beams` = {}", self.beams),
                "sample with one beam, or search with several",
            );
        }
        if self.answers == 0 || (!self.sample && self.answers > self.beams) {
            return wrong(
                format_args!("`answers` = {} with `beams` = {}", self.answers, self.beams),
                "a search finds as many texts as it has beams; sampling finds any number",
            );
        }
        Ok(())
    }

    /// Checks numbers of rows and tokens.
    fn check_counts(&self) -> Result<(), Problem> {
        if self.beams == 0 {
            return wrong("`beams` = 0", "1 is greedy search");
        }
        for (name, value) in [("beams", self.beams), ("answers", self.answers)] {
            if value > MOST_ROWS {
                return wrong(
                    format_args!("`{name}` = {value}"),
                    "at most 10000: each one is a row of the batch",
                );
            }
        }
        let (min, max) = (self.min_new_tokens, self.max_new_tokens);
        if max == 0 {
            return wrong("`max_new_tokens` = 0", "it must be at least 1");
        }
        if min > max {
            return wrong(
                format_args!("`min_new_tokens` = {min}, `max_new_tokens` = {max}"),
                "the first must not be larger",
            );
        }
        Ok(())
    }

    /// Checks that exponents, divisors and probabilities are within their limits.
    fn check_numbers(&self) -> Result<(), Problem> {
        let penalty = self.length_penalty;
        if !(-MOST_PENALTY..=MOST_PENALTY).contains(&penalty) {
            return wrong(
                format_args!(
                    "`length_penalty` = {penalty:?} is not from -{MOST_PENALTY} to {MOST_PENALTY}"
                ),
                "0 compares summed log-probabilities, 1 their mean",
            );
        }
        let most = 1.0 / LEAST_DIVISOR;
        for (name, value) in
            [("repetition_penalty", self.repetition_penalty), ("temperature", self.temperature)]
        {
            if !(LEAST_DIVISOR..=most).contains(&value) {
                return wrong(
                    format_args!("`{name}` = {value:?} is not from {LEAST_DIVISOR} to {most}"),
                    "1 changes nothing",
                );
            }
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return wrong(
                format_args!("`top_p` = {}", self.top_p),
                "it must be above 0 and at most 1, which is all tokens",
            );
        }
        Ok(())
    }

    /// Makes tokens that are in `seen` less probable, in a row of logits or log-probabilities.
    pub(crate) fn penalise(&self, row: &mut [f32], seen: impl Iterator<Item = u32>) {
        let seen: std::collections::BTreeSet<u32> = seen.collect();
        for token in seen {
            // Ids of a prompt may lie beyond the head, as placeholders of images do.
            if let Some(score) = row.get_mut(token as usize) {
                let penalty = self.repetition_penalty as f32;
                *score = if *score < 0.0 { *score * penalty } else { *score / penalty };
            }
        }
    }

    /// Returns the score of a hypothesis of `length` tokens, the end counted.
    pub(crate) fn score(&self, log_prob: f64, length: usize) -> f64 {
        log_prob / libm::pow(length as f64, self.length_penalty)
    }
}
