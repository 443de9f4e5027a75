//! A micro-batch, forward and backward.
//!
//! The order is that of memory. Contrast reads the query pass and the text pass; captioning reads
//! the query pass's cache; then the query pass is propagated back and freed before matching, the
//! largest pass, begins. The gradients of both with respect to the images' keys and values go
//! through the projections last.

use super::boundary::{GraphBoundary, LayerBoundaries, add_up};
use super::pieces::by_length;
use super::{Embeddings, LowMemoryStep};
use crate::TrainError;
use crate::losses::scalar;
use crate::stage1::{itc, itg, itm, tower};
use burn::tensor::Tensor;
use toolkit_core::{ImagePass, params};

impl LowMemoryStep<'_> {
    /// Computes micro-batch `m`: the rows `own` of the batch, with these features.
    pub(super) fn micro_batch(
        &mut self,
        m: usize,
        own: &[usize],
        features: Tensor<3>,
    ) -> Result<(), TrainError> {
        let projections = self.gradients.module(self.model);
        let mut images = LayerBoundaries::new(tower(&projections)?.keys_values(features));
        if self.weights.itc != 0.0 || self.weights.itg != 0.0 {
            let model = self.gradients.module(self.model);
            let ImagePass { queries, cache, .. } =
                tower(&model)?.query_pass(images.leaves(&mut self.gradients));
            let cache = LayerBoundaries::new(cache);
            let mut contrast = None;
            if self.weights.itc != 0.0 {
                let image = GraphBoundary::new(tower(&model)?.image_embeds(queries));
                self.contrast(m, own, &image)?;
                contrast = image.continuation();
            }
            if self.weights.itg != 0.0 {
                self.caption(own, &cache)?;
            }
            if let Some(loss) = add_up([contrast, cache.continuation()]) {
                self.gradients.backward(&loss);
            }
        }
        if self.weights.itm != 0.0 {
            self.match_pairs(own, &mut images)?;
        }
        if let Some(loss) = images.continuation() {
            self.gradients.backward(&loss);
        }
        Ok(())
    }

    /// Contrasts the images of `own` with all texts, and their texts with all images.
    fn contrast(
        &mut self,
        m: usize,
        own: &[usize],
        image: &GraphBoundary<3>,
    ) -> Result<(), TrainError> {
        let (stage1, batch) = (self.stage1, self.batch);
        let same_content = |a: usize, b: usize| batch.same_content(a, b);
        let text_pass = self.gradients.module(self.model);
        let text = batch.text(own, stage1.settings, &stage1.device);
        let text = GraphBoundary::new(tower(&text_pass)?.text_embeds(text.ids, text.mask));
        let model = self.gradients.module(self.model);
        let temperature = tower(&model)?.temperature();
        // The temperature is shared, so only the first micro-batch may count it.
        let temperature = if m == 0 { temperature } else { temperature.detach() };
        let leaves = (image.leaf(&mut self.gradients), text.leaf(&mut self.gradients));
        let embeds = whole(&self.embeddings, m, &leaves, temperature);
        let logits = embeds.logits();
        if self.negatives.is_none() {
            let host = params::floats(logits.clone().inner());
            self.stats.itc_hits = itc::hits(&host, batch.size(), same_content);
            self.negatives = Some(itm::negatives(batch, Some(&host)));
        }
        let loss = embeds.loss(logits, stage1.settings, same_content);
        if m == 0 {
            self.stats.itc = scalar(&loss);
        }
        self.gradients.backward(&(loss * self.weights.itc));
        if let Some(loss) = text.continuation() {
            self.gradients.backward(&loss);
        }
        Ok(())
    }

    /// Captions the images of `own`, piece by piece.
    fn caption(&mut self, own: &[usize], cache: &LayerBoundaries) -> Result<(), TrainError> {
        let (stage1, batch) = (self.stage1, self.batch);
        let lengths: Vec<usize> = own.iter().map(|&row| batch.captions[row].len()).collect();
        for piece in by_length(&lengths, 0) {
            // Captions are in order of their lengths already, so a piece is a run of rows.
            let (first, count) = (piece[0], piece.len());
            let text = batch.text(&own[first..first + count], stage1.settings, &stage1.device);
            let mut rows = cache.leaves(&mut self.gradients);
            for (k, v) in &mut rows {
                (*k, *v) = (k.clone().narrow(0, first, count), v.clone().narrow(0, first, count));
            }
            let model = self.gradients.module(self.model);
            let (dec, smoothing) = (stage1.settings.special_tokens.dec, stage1.settings.smoothing);
            let sum = itg::loss_sum(tower(&model)?, &rows, text.ids, text.mask, dec, smoothing);
            let loss = sum / batch.scored_tokens() as f64;
            self.stats.itg += scalar(&loss);
            self.gradients.backward(&(loss * self.weights.itg));
        }
        Ok(())
    }
}

/// Returns the embeddings of the whole batch. The rows of micro-batch `m` are in the graph, the others
/// are constants: the sum of the micro-batches' gradients is then the gradient of the whole.
fn whole(
    embeddings: &Embeddings,
    m: usize,
    (image, text): &(Tensor<3>, Tensor<2>),
    temperature: Tensor<1>,
) -> itc::Embeds {
    // Of a single micro-batch nothing was embedded before.
    let (mut images, mut texts) = (vec![image.clone()], vec![text.clone()]);
    if !embeddings.is_empty() {
        images = embeddings.iter().map(|(image, _)| Tensor::from_inner(image.clone())).collect();
        texts = embeddings.iter().map(|(_, text)| Tensor::from_inner(text.clone())).collect();
        images[m] = image.clone();
        texts[m] = text.clone();
    }
    itc::Embeds { images: Tensor::cat(images, 0), texts: Tensor::cat(texts, 0), temperature }
}
