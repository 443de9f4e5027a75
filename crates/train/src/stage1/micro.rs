//! One micro-batch, forward and backward: each pass is propagated back as soon as all that is known
//! about it.
//!
//! The order is that of memory. Contrast reads the query pass and the text pass; captioning reads
//! the query pass's cache; then the query pass itself goes back and is let go, before matching,
//! which is the largest, begins. What it and matching say about the keys and values of the images
//! goes through their projections last.

use super::cut::{Cut, Leaf, add_up};
use super::pieces::{Sum, by_length};
use super::step::{Batch, Tally, scalar};
use super::{Stage1, captioning, hard_negatives, itc_loss, matching};
use crate::TrainError;
use burn::tensor::Tensor;
use toolkit_core::{AnyBridge, ImagePass, Pair, Stream, params, similarity};

/// Similarities are never divided by less (BLIP-1's bound; LAVIS's BLIP-2 has none).
const SMALLEST_TEMPERATURE: f64 = 1e-3;

/// Embeddings of the whole batch from a pass without a tape, `[n, queries, e]` and `[n, e]` for
/// each micro-batch.
pub(super) type Embedded = Vec<(Tensor<3>, Tensor<2>)>;

/// What the micro-batches of a step read and add to.
pub(super) struct Shared<'a> {
    pub(super) model: &'a AnyBridge,
    pub(super) step: u64,
    pub(super) batch: &'a Batch,
    /// Empty if there is one micro-batch only.
    pub(super) all: Embedded,
    /// The image of each text and the text of each image that do not belong together, once they are
    /// drawn.
    pub(super) negatives: Option<(Vec<usize>, Vec<usize>)>,
    pub(super) grads: Sum,
    pub(super) tally: Tally,
}

impl Stage1 {
    /// Micro-batch `m`, the rows `own` of the batch with these features.
    pub(super) fn micro(
        &self,
        shared: &mut Shared<'_>,
        m: usize,
        own: &[usize],
        features: Tensor<3>,
    ) -> Result<(), TrainError> {
        let (model, weights) = (shared.model, self.weights);
        let before = shared.grads.module(model);
        let mut images = Cut::new(self.tower(&before)?.keys_values(features));
        if weights.itc != 0.0 || weights.itg != 0.0 {
            let whole = shared.grads.module(model);
            let ImagePass { queries, cache, .. } =
                self.tower(&whole)?.query_pass(images.pairs(&mut shared.grads));
            let mut cache = Cut::new(cache);
            let mut contrast = None;
            if weights.itc != 0.0 {
                let mut image = Leaf::new(self.tower(&whole)?.image_embeds(queries));
                self.contrast(shared, m, own, &mut image)?;
                contrast = image.rest();
            }
            if weights.itg != 0.0 {
                self.caption_pieces(shared, own, &mut cache)?;
            }
            if let Some(loss) = add_up([contrast, cache.rest()]) {
                images.backward(&loss, model, &mut shared.grads);
            }
        }
        if weights.itm != 0.0 {
            self.match_pieces(shared, own, &mut images)?;
        }
        if let Some(loss) = images.rest() {
            shared.grads.backward(&loss, model);
        }
        Ok(())
    }

    /// Contrast of these images' embeddings with all texts and of these texts with all images.
    fn contrast(
        &self,
        shared: &mut Shared<'_>,
        m: usize,
        own: &[usize],
        image: &mut Leaf<3>,
    ) -> Result<(), TrainError> {
        let (model, batch) = (shared.model, shared.batch);
        let same_content = |a: usize, b: usize| batch.same_content(&self.depicts, a, b);
        let before = shared.grads.module(model);
        let text = self.text(own.iter().map(|&i| batch.captions[i].clone()), &self.device);
        let mut text = Leaf::new(self.tower(&before)?.text_embeds(text.ids, text.mask));
        let whole = shared.grads.module(model);
        let temperature = self.tower(&whole)?.temperature();
        // The temperature is shared, so only the first micro-batch may count it.
        let temperature = if m == 0 { temperature } else { temperature.detach() };
        let (own_image, own_text) = (image.value(&mut shared.grads), text.value(&mut shared.grads));
        let sim = similarities(&shared.all, m, &own_image, &own_text, temperature);
        if shared.negatives.is_none() {
            let (host, n) = (params::floats(sim.clone().inner()), batch.len());
            let beaten = |i: usize| {
                (0..n).all(|j| i == j || same_content(i, j) || host[i * n + j] < host[i * n + i])
            };
            shared.tally.itc_hits = (0..n).filter(|&i| beaten(i)).count();
            shared.negatives = Some(self.negatives(shared.step, batch, &host));
        }
        let loss = itc_loss(sim, self.smoothing, same_content);
        if m == 0 {
            shared.tally.sums[0] = scalar(&loss);
        }
        let mut gradients = shared.grads.backward(&(loss * self.weights.itc), model);
        image.collect(&mut gradients);
        text.collect(&mut gradients);
        if let Some(loss) = text.rest() {
            shared.grads.backward(&loss, model);
        }
        Ok(())
    }

    fn negatives(
        &self,
        step: u64,
        batch: &Batch,
        similarities: &[f32],
    ) -> (Vec<usize>, Vec<usize>) {
        let mut draw = Stream::new(self.seed, "stage1/negatives", step);
        hard_negatives(
            similarities,
            batch.len(),
            |a, b| batch.same_content(&self.depicts, a, b),
            &mut draw,
        )
    }

    /// Captioning, piece by piece.
    fn caption_pieces(
        &self,
        shared: &mut Shared<'_>,
        own: &[usize],
        cache: &mut Cut,
    ) -> Result<(), TrainError> {
        let batch = shared.batch;
        let lengths: Vec<usize> = own.iter().map(|&i| batch.captions[i].len()).collect();
        for piece in by_length(&lengths, 0) {
            // Captions are in order of their lengths already, so a piece is a run of rows.
            let (first, count) = (piece[0], piece.len());
            let text = own[first..first + count].iter().map(|&i| batch.captions[i].clone());
            let text = self.text(text, &self.device);
            let mut rows = cache.pairs(&mut shared.grads);
            for (k, v) in &mut rows {
                (*k, *v) = (k.clone().narrow(0, first, count), v.clone().narrow(0, first, count));
            }
            let whole = shared.grads.module(shared.model);
            let loss = captioning(
                self.tower(&whole)?,
                &rows,
                text.ids,
                text.mask,
                self.special_tokens.dec,
                self.smoothing,
            );
            let loss = loss / batch.scored() as f64;
            shared.tally.sums[2] += scalar(&loss);
            cache.backward(&(loss * self.weights.itg), shared.model, &mut shared.grads);
        }
        Ok(())
    }

    /// Matching of the own pairs and both negatives of each, piece by piece.
    fn match_pieces(
        &self,
        shared: &mut Shared<'_>,
        own: &[usize],
        images: &mut Cut,
    ) -> Result<(), TrainError> {
        let (model, batch) = (shared.model, shared.batch);
        // Embeddings that nothing trains find no hard negatives: all are equally likely.
        let none = || self.negatives(shared.step, batch, &vec![0.0; batch.len() * batch.len()]);
        let (image_of_text, text_of_image) = &*shared.negatives.get_or_insert_with(none);
        // (text, row of the keys and values, label).
        let mut triplets: Vec<(usize, usize, usize)> =
            own.iter().enumerate().map(|(row, &i)| (i, row, 1)).collect();
        let mut joined = None;
        if own.len() == batch.len() {
            triplets.extend(own.iter().map(|&i| (i, image_of_text[i], 0)));
        } else {
            // Negatives may lie in other micro-batches: their features come along.
            let negatives: Vec<usize> =
                own.iter().map(|&i| batch.samples[image_of_text[i]]).collect();
            let before = shared.grads.module(model);
            let features = self.features.batch(&negatives, &self.device)?;
            let more = self.tower(&before)?.keys_values(features);
            let both = |own: Tensor<4>, more: Tensor<4>| Tensor::cat(vec![own, more], 0);
            let pairs = images.pairs(&mut shared.grads).into_iter().zip(more);
            joined = Some(Cut::new(
                pairs
                    .map(|((k, v), (more_k, more_v))| (both(k, more_k), both(v, more_v)))
                    .collect(),
            ));
            triplets.extend(own.iter().enumerate().map(|(row, &i)| (i, own.len() + row, 0)));
        }
        triplets.extend(own.iter().enumerate().map(|(row, &i)| (text_of_image[i], row, 0)));
        // The pairs of a text stand together, most in one piece, where what they share is done
        // once.
        triplets.sort_by_key(|&(text, ..)| text);
        let lengths: Vec<usize> =
            triplets.iter().map(|&(text, ..)| batch.captions[text].len()).collect();
        let cut = joined.as_mut().unwrap_or(&mut *images);
        for piece in by_length(&lengths, self.tower(model)?.num_query_tokens()) {
            let cross = cut.pairs(&mut shared.grads);
            let (texts, pairs) =
                Pair::by_text(piece.iter().map(|&i| (triplets[i].0, triplets[i].1)));
            let labels: Vec<usize> = piece.iter().map(|&i| triplets[i].2).collect();
            let text =
                self.text(texts.into_iter().map(|text| batch.captions[text].clone()), &self.device);
            let whole = shared.grads.module(model);
            let (loss, right, right_negatives) =
                matching(self.tower(&whole)?, &cross, &pairs, text.ids, text.mask, &labels);
            let loss = loss / (3 * batch.len()) as f64;
            shared.tally.sums[1] += scalar(&loss);
            shared.tally.right += right;
            shared.tally.right_negatives += right_negatives;
            cut.backward(&(loss * self.weights.itm), model, &mut shared.grads);
        }
        if let Some(loss) = joined.and_then(Cut::rest) {
            images.backward(&loss, model, &mut shared.grads);
        }
        Ok(())
    }
}

/// Similarities of the whole batch, the rows of micro-batch `m` on the tape and the others
/// constants: the sum of the micro-batches' gradients is then the gradient of the whole.
fn similarities(
    all: &Embedded,
    m: usize,
    image: &Tensor<3>,
    text: &Tensor<2>,
    temperature: Tensor<1>,
) -> Tensor<2> {
    let micros = all.len().max(1);
    let images = (0..micros)
        .map(|o| if o == m { image.clone() } else { Tensor::<3>::from_inner(all[o].0.clone()) })
        .collect();
    let texts = (0..micros)
        .map(|o| if o == m { text.clone() } else { Tensor::<2>::from_inner(all[o].1.clone()) })
        .collect();
    // Steps are large at nano learning rates: a temperature at zero would end the run.
    let temperature = temperature.clamp_min(SMALLEST_TEMPERATURE);
    similarity(Tensor::cat(images, 0), Tensor::cat(texts, 0)) / temperature.unsqueeze()
}
