//! ROUGE-L (Lin 2004) as the COCO caption tools compute it.

use crate::captions::corpus::CaptionTokens;
use crate::captions::lcs::Common;
use crate::parallel::{Advance, with_scratch};

/// Weight of recall against precision, fixed by the official scorer.
const BETA: f64 = 1.2;

/// Most pairs of words of two texts that are compared: some seconds of work. Both would have
/// 370,000 words.
const MOST_PAIRS: u64 = 1 << 37;

/// ROUGE-L of each caption, in `[0, 1]`; the corpus score is their mean.
///
/// From the longest common subsequence with each reference; precision and recall are maximised over
/// the references independently (BLIP-2 specification, section 8.3). An empty hypothesis scores 0,
/// but 1 if a reference is empty too: to the official scorer both are one empty token. NaN for a
/// pair of texts of more than 2^37 pairs of words, which would take minutes.
///
/// # Panics
/// If `hypotheses` and `references` differ in length.
#[must_use]
pub fn rouge_l(hypotheses: &[Vec<String>], references: &[Vec<Vec<String>>]) -> Vec<f64> {
    CaptionTokens::of_tokens(hypotheses, references).rouge_l(&|_| {})
}

impl CaptionTokens {
    /// ROUGE-L of each caption; see [`rouge_l`]. Says how many more images are scored.
    #[must_use]
    pub fn rouge_l(&self, advance: Advance<'_>) -> Vec<f64> {
        let one = |common: &mut Common, image: usize| {
            score(self.hypotheses.get(image), self.references(image), common).unwrap_or(f64::NAN)
        };
        with_scratch(self.len(), one, advance)
    }
}

fn score<'a>(
    hypothesis: &[u32],
    references: impl Iterator<Item = &'a [u32]> + Clone,
    common: &mut Common,
) -> Option<f64> {
    if hypothesis.is_empty() && references.clone().any(<[u32]>::is_empty) {
        return Some(1.0);
    }
    let (mut precision, mut recall) = (0.0_f64, 0.0_f64);
    for reference in references {
        let common = common.length(hypothesis, reference, MOST_PAIRS)? as f64;
        // Lengths of 0 have nothing in common; 1 only keeps the quotient defined.
        precision = precision.max(common / hypothesis.len().max(1) as f64);
        recall = recall.max(common / reference.len().max(1) as f64);
    }
    if precision == 0.0 || recall == 0.0 {
        return Some(0.0);
    }
    let weight = BETA * BETA;
    Some((1.0 + weight) * precision * recall / (recall + weight * precision))
}
