//! Caption metrics: BLEU, ROUGE-L and CIDEr-D of one evaluation in one call.

pub(crate) mod bleu;
pub(crate) mod cider;
pub(crate) mod corpus;
pub(crate) mod lcs;
pub(crate) mod ngrams;
pub(crate) mod notes;
pub(crate) mod rouge;
pub(crate) mod vocabulary;

use crate::{CaptionTokens, mean};
use serde::{Deserialize, Serialize};

/// Scores of one set of captions: BLEU and ROUGE in `[0, 1]`, CIDEr in `[0, 10]`, as the official
/// tools print them.
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

/// Tokenises (see [`crate::tokenize_all`]) and scores one caption per image against its references,
/// in the order of images in which the official tool would write them to one file. `None` of no
/// images.
///
/// # Panics
/// If `hyps` and `refs` differ in length.
#[must_use]
pub fn caption_scores(hyps: &[String], refs: &[Vec<String>]) -> Option<CaptionScores> {
    let tokens = CaptionTokens::of(hyps, refs);
    let [bleu1, bleu2, bleu3, bleu4] = tokens.bleu(&|_| {}).corpus?;
    let per_image_cider = tokens.cider(&|_| {}).per_image;
    Some(CaptionScores {
        bleu1,
        bleu2,
        bleu3,
        bleu4,
        rouge_l: mean(&tokens.rouge_l(&|_| {}))?,
        cider: mean(&per_image_cider)?,
        per_image_cider,
    })
}
