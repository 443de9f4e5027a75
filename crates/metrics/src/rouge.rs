//! ROUGE-L (Lin 2004) as the COCO caption tools compute it.

use crate::ngrams::check_paired;
use crate::parallel::collect;

/// Weight of recall against precision, fixed by the official scorer.
const BETA: f64 = 1.2;

/// ROUGE-L of each caption, in `[0, 1]`; the corpus score is their mean.
///
/// From the longest common subsequence with each reference; precision and recall are maximised over the references
/// independently (BLIP-2 specification, section 8.3). An empty hypothesis scores 0, but 1 if a reference is empty too: to
/// the official scorer both are one empty token.
///
/// # Panics
/// If `hypotheses` and `references` differ in length.
#[must_use]
pub fn rouge_l(hypotheses: &[Vec<String>], references: &[Vec<Vec<String>>]) -> Vec<f64> {
    check_paired(hypotheses.len(), references.len());
    collect(hypotheses.len(), |image| score(&hypotheses[image], &references[image]))
}

fn score(hypothesis: &[String], references: &[Vec<String>]) -> f64 {
    if hypothesis.is_empty() && references.iter().any(Vec::is_empty) {
        return 1.0;
    }
    let (mut precision, mut recall) = (0.0_f64, 0.0_f64);
    for reference in references {
        let common = longest_common_subsequence(hypothesis, reference) as f64;
        // Lengths of 0 have nothing in common; 1 only keeps the quotient defined.
        precision = precision.max(common / hypothesis.len().max(1) as f64);
        recall = recall.max(common / reference.len().max(1) as f64);
    }
    if precision == 0.0 || recall == 0.0 {
        return 0.0;
    }
    let weight = BETA * BETA;
    (1.0 + weight) * precision * recall / (recall + weight * precision)
}

/// Length of the longest common subsequence, with one row of the usual table.
fn longest_common_subsequence(a: &[String], b: &[String]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}
