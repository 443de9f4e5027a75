//! Matching of a micro-batch, piece by piece.

use super::LowMemoryStep;
use super::boundary::LayerBoundaries;
use super::pieces::by_length;
use crate::TrainError;
use crate::losses::scalar;
use crate::stage1::itm::{self, Negatives};
use crate::stage1::tower;
use burn::tensor::Tensor;
use toolkit_core::Pair;

/// A pair that is classified.
#[derive(Clone, Copy)]
struct Candidate {
    /// Row of the batch.
    text: usize,
    /// Row of the keys and values.
    image: usize,
    /// 1 for a match.
    label: usize,
}

impl LowMemoryStep<'_> {
    /// Classifies the pairs of `own` and both negatives of each.
    ///
    /// `images` are the keys and values of `own`.
    pub(super) fn match_pairs(
        &mut self,
        own: &[usize],
        images: &mut LayerBoundaries,
    ) -> Result<(), TrainError> {
        let batch = self.batch;
        let negatives = self.negatives.get_or_insert_with(|| itm::negatives(batch, None)).clone();
        if own.len() == batch.size() {
            return self.match_pieces(&candidates(own, &negatives, true), images);
        }
        // Negative images may be of other micro-batches: their features are read again.
        let places: Vec<usize> =
            own.iter().map(|&row| batch.places[negatives.image_of_text[row]]).collect();
        let projections = self.gradients.module(self.model);
        let features = self.stage1.source.features(batch.step, &places, &self.stage1.device)?;
        let more = tower(&projections)?.keys_values(features);
        let join = |own: Tensor<4>, more: Tensor<4>| Tensor::cat(vec![own, more], 0);
        let layers = images.leaves(&mut self.gradients).into_iter().zip(more);
        let joined = LayerBoundaries::new(
            layers.map(|(own, more)| (join(own.0, more.0), join(own.1, more.1))).collect(),
        );
        self.match_pieces(&candidates(own, &negatives, false), &joined)?;
        if let Some(loss) = joined.continuation() {
            self.gradients.backward(&loss);
        }
        Ok(())
    }

    fn match_pieces(
        &mut self,
        candidates: &[Candidate],
        images: &LayerBoundaries,
    ) -> Result<(), TrainError> {
        let (stage1, batch) = (self.stage1, self.batch);
        let lengths: Vec<usize> =
            candidates.iter().map(|pair| batch.captions[pair.text].len()).collect();
        for piece in by_length(&lengths, tower(self.model)?.num_query_tokens()) {
            let cross = images.leaves(&mut self.gradients);
            let piece: Vec<Candidate> = piece.iter().map(|&i| candidates[i]).collect();
            let (texts, pairs) = Pair::by_text(piece.iter().map(|pair| (pair.text, pair.image)));
            let labels: Vec<usize> = piece.iter().map(|pair| pair.label).collect();
            let text = batch.text(&texts, stage1.settings, &stage1.device);
            let model = self.gradients.module(self.model);
            let matched =
                itm::loss_sum(tower(&model)?, &cross, &pairs, text.ids, text.mask, &labels);
            let loss = matched.loss / (3 * batch.size()) as f64;
            self.stats.itm += scalar(&loss);
            self.stats.right += matched.right;
            self.stats.right_negatives += matched.right_negatives;
            self.gradients.backward(&(loss * self.weights.itm));
        }
        Ok(())
    }
}

/// Returns the pairs of `own` and both negatives of each, in the order of their texts.
///
/// With `whole` the keys and values are those of all rows. Otherwise they are those of `own`,
/// followed by those of the negative images.
fn candidates(own: &[usize], negatives: &Negatives, whole: bool) -> Vec<Candidate> {
    let rows = || own.iter().enumerate();
    let wrong_image = |(row, &text): (usize, &usize)| {
        let image = if whole { negatives.image_of_text[text] } else { own.len() + row };
        Candidate { text, image, label: 0 }
    };
    let wrong_text = |(row, &image): (usize, &usize)| Candidate {
        text: negatives.text_of_image[image],
        image: row,
        label: 0,
    };
    let mut all: Vec<Candidate> =
        rows().map(|(row, &text)| Candidate { text, image: row, label: 1 }).collect();
    all.extend(rows().map(wrong_image));
    all.extend(rows().map(wrong_text));
    // The pairs of a text stand together, most in one piece: their shared part is computed once.
    all.sort_by_key(|pair| pair.text);
    all
}
