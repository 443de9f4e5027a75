//! All caption metrics of one evaluation in one call.

use crate::{bleu, cider, mean, rouge_l, tokenize};
use serde::{Deserialize, Serialize};

/// Scores of one set of captions: BLEU and ROUGE in `[0, 1]`, CIDEr in `[0, 10]`, as the official tools print them.
///
/// METEOR and SPICE are not among them: they need word lists and parsers outside this crate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaptionScores {
    /// Corpus BLEU-1.
    pub bleu1: f64,
    /// Corpus BLEU-2.
    pub bleu2: f64,
    /// Corpus BLEU-3.
    pub bleu3: f64,
    /// Corpus BLEU-4.
    pub bleu4: f64,
    /// Mean ROUGE-L.
    pub rouge_l: f64,
    /// Mean CIDEr-D.
    pub cider: f64,
    /// CIDEr-D of each image, in the order given; for bootstrap intervals and paired tests.
    pub per_image_cider: Vec<f64>,
}

/// Tokenises (see [`tokenize`]: label results "approx-PTB") and scores one caption per image against its references.
///
/// # Panics
/// If `hyps` and `refs` differ in length.
#[must_use]
pub fn caption_scores(hyps: &[String], refs: &[Vec<String>]) -> CaptionScores {
    let hypotheses: Vec<Vec<String>> = hyps.iter().map(|caption| tokenize(caption)).collect();
    let references: Vec<Vec<Vec<String>>> =
        refs.iter().map(|image| image.iter().map(|caption| tokenize(caption)).collect()).collect();
    let [bleu1, bleu2, bleu3, bleu4] = bleu(&hypotheses, &references).corpus;
    let per_image_cider = cider(&hypotheses, &references);
    CaptionScores {
        bleu1,
        bleu2,
        bleu3,
        bleu4,
        rouge_l: mean(&rouge_l(&hypotheses, &references)).unwrap_or(0.0),
        cider: mean(&per_image_cider).unwrap_or(0.0),
        per_image_cider,
    }
}
