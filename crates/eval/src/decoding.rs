//! How text is searched for.

use crate::EvalError;
use serde::{Deserialize, Serialize};

/// Settings of the search; `[decoding]` of a task card. The words are those of transformers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decoding {
    /// Hypotheses kept at each step; 1 is greedy search.
    pub beams: usize,
    /// Most tokens written, the end included. Prefix and prompt do not count (BLIP-2 specification, section 1.9).
    pub max_new_tokens: usize,
    /// Fewest tokens written, the end not counted.
    pub min_new_tokens: usize,
    /// A hypothesis scores its summed log-probability divided by `length ^ length_penalty`, the end counted: 1 is the
    /// mean, 0 the sum, and below 0 short texts are favoured (BLIP-2 answers questions with -1).
    pub length_penalty: f64,
}

impl Default for Decoding {
    fn default() -> Self {
        Self { beams: 1, max_new_tokens: 10, min_new_tokens: 1, length_penalty: 0.0 }
    }
}

impl Decoding {
    /// Whether the settings make sense together.
    ///
    /// # Errors
    /// Naming the first field that does not.
    pub fn check(&self) -> Result<(), EvalError> {
        let wrong = |what: String, hint: &str| Err(EvalError::new(what, "[decoding]", hint));
        if self.beams == 0 {
            return wrong("`beams` = 0".to_owned(), "1 is greedy search");
        }
        if self.max_new_tokens == 0 {
            return wrong("`max_new_tokens` = 0".to_owned(), "it must be at least 1");
        }
        if self.min_new_tokens > self.max_new_tokens {
            let what =
                format!("`min_new_tokens` = {}, `max_new_tokens` = {}", self.min_new_tokens, self.max_new_tokens);
            return wrong(what, "the first must not be larger");
        }
        if !self.length_penalty.is_finite() {
            return wrong(format!("`length_penalty` = {}", self.length_penalty), "0 compares summed log-probabilities");
        }
        Ok(())
    }

    /// The score of a hypothesis of `length` tokens, the end counted.
    pub(crate) fn score(&self, log_prob: f64, length: usize) -> f64 {
        log_prob / (length as f64).powf(self.length_penalty)
    }
}
