//! All caption metrics of one evaluation in one call.

use crate::ngrams::{Corpus, check_paired};
use crate::{bleu, cider, mean, rouge_l, tokenize_all};
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

/// Tokenises (see [`tokenize_all`]) and scores one caption per image against its references, in the order of images in
/// which the official tool would write them to one file.
///
/// # Panics
/// If `hyps` and `refs` differ in length.
#[must_use]
pub fn caption_scores(hyps: &[String], refs: &[Vec<String>]) -> CaptionScores {
    check_paired(hyps.len(), refs.len());
    let hypotheses = tokenize_all(hyps);
    let flat: Vec<&str> = refs.iter().flatten().map(String::as_str).collect();
    let mut tokens = tokenize_all(&flat).into_iter();
    let references: Vec<Vec<Vec<String>>> =
        refs.iter().map(|image| tokens.by_ref().take(image.len()).collect()).collect();
    let corpus = Corpus::new(&hypotheses, &references);
    let [bleu1, bleu2, bleu3, bleu4] = bleu::of_corpus(&corpus).corpus;
    let per_image_cider = cider::of_corpus(&corpus);
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
