//! Pictures compared with texts by the bridge's text side.

use crate::{Vlm, VlmError};
use burn::tensor::Tensor;
use image::RgbImage;
use toolkit_core::{Pair, Side, TextBatch, TextTower, noise, pad, params, similarity};

/// Texts that the text side has read.
#[derive(Clone, Debug)]
pub struct TextEmbeddings {
    /// Token ids of each text, special ones included.
    pub ids: Vec<Vec<u32>>,
    /// Padded ids and their mask.
    batch: TextBatch,
    /// Texts in the space that images and texts share, of length 1: `[texts, e]`.
    pub embeds: Tensor<2>,
}

/// Scores of one picture with each text.
#[derive(Clone, Debug)]
pub struct MatchScores {
    /// Image-text contrast: cosine of the text with the most similar query.
    pub itc: Vec<f32>,
    /// Image-text matching: logits of "no match" and "match".
    pub itm: Vec<[f32; 2]>,
}

impl MatchScores {
    /// Returns the probability that a text matches.
    #[must_use]
    pub fn probability(&self, text: usize) -> f32 {
        let [no, yes] = self.itm[text];
        1.0 / (1.0 + libm::expf(no - yes))
    }
}

impl Vlm {
    /// Reads texts with the bridge's text side, each cut to `most` tokens and to its positions.
    ///
    /// # Errors
    /// If the model has no text side or no tokenizer, or a text cannot be encoded.
    pub fn embed_texts(
        &self,
        texts: &[String],
        most: Option<usize>,
    ) -> Result<TextEmbeddings, VlmError> {
        let (tower, tokenizer) = (self.text_tower()?, self.tokenizer()?);
        let positions = self.bridge.shape.text.as_ref().map_or(usize::MAX, |text| text.positions);
        let most = most.unwrap_or(usize::MAX).min(positions);
        let ids = texts
            .iter()
            .map(|text| tokenizer.sentence(text, most))
            .collect::<Result<Vec<Vec<u32>>, _>>()?;
        let padding = tokenizer.tokenizer.pad.unwrap_or(self.stage1.pad);
        let batch = pad(&ids, padding, Side::Right, &self.device());
        let embeds = noise::off(|| tower.text_embeds(batch.ids.clone(), batch.mask.clone()));
        Ok(TextEmbeddings { ids, batch, embeds })
    }

    /// Scores each picture with each text: contrast and matching (BLIP-2, section 3.1).
    ///
    /// # Errors
    /// If the model has no encoder or no text side.
    pub fn matching(
        &self,
        pictures: &[RgbImage],
        texts: &TextEmbeddings,
    ) -> Result<Vec<MatchScores>, VlmError> {
        let tower = self.text_tower()?;
        let features = self.encode(pictures)?;
        let one = |at: usize| match_scores(tower, features.clone().narrow(0, at, 1), texts);
        Ok(noise::off(|| (0..pictures.len()).map(one).collect()))
    }

    /// Scores each picture with texts of its own, each cut to `most` tokens.
    ///
    /// # Errors
    /// If the model has no encoder, no text side or no tokenizer, or a text cannot be encoded.
    pub fn matching_own(
        &self,
        pictures: &[RgbImage],
        texts: &[Vec<String>],
        most: Option<usize>,
    ) -> Result<Vec<MatchScores>, VlmError> {
        let (tower, features) = (self.text_tower()?, self.encode(pictures)?);
        let one = |(at, own): (usize, &Vec<String>)| {
            let texts = self.embed_texts(own, most)?;
            Ok(noise::off(|| match_scores(tower, features.clone().narrow(0, at, 1), &texts)))
        };
        texts.iter().take(pictures.len()).enumerate().map(one).collect()
    }
}

/// Scores one picture, of features `[1, tokens, width]`, with each text.
fn match_scores(tower: &dyn TextTower, features: Tensor<3>, texts: &TextEmbeddings) -> MatchScores {
    let pairs: Vec<Pair> = (0..texts.ids.len()).map(|text| Pair { text, image: 0 }).collect();
    let pass = tower.image_pass(features);
    let similar = similarity(tower.image_embeds(pass.queries), texts.embeds.clone());
    let (ids, mask) = (texts.batch.ids.clone(), texts.batch.mask.clone());
    let logits = params::floats(tower.match_logits(&pass.cross, &pairs, ids, mask));
    MatchScores {
        itc: params::floats(similar),
        itm: logits.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect(),
    }
}
