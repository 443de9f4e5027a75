//! One step of stage 1: the losses of a batch, their gradients, the line of the log.

use super::{Batch, LossValue, Stage1Settings, WeightedLoss, itc, itm, low_memory};
use crate::TrainError;
use crate::features::Features;
use crate::fit::{Objective, StepLoss};
use crate::order::Order;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use std::sync::Arc;
use toolkit_core::{AnyBridge, ImagePass, TextBatch, TextTower, params};
use toolkit_system::problem::Problem;

/// Computes the losses of one batch: BLIP-2, section 3.1.
///
/// `features` are `[batch, tokens, vision width]` of the frozen image encoder. `low_memory`
/// computes the same gradients piece by piece; a test compares the two.
pub fn losses(
    tower: &dyn TextTower,
    features: Tensor<3>,
    batch: &Batch,
    losses: &[WeightedLoss],
    settings: Stage1Settings,
) -> Vec<LossValue> {
    let device = features.device();
    // The learned queries read the image features by cross-attention. All losses share this pass:
    // `queries` are contrasted, `cross` is matched, `cache` is captioned.
    let images = tower.image_pass(features);
    // The captions, `[CLS]` to `[SEP]`.
    let rows: Vec<usize> = (0..batch.size()).collect();
    let text = batch.text(&rows, settings, &device);
    // The similarity of each image with each text, in the space of ITC.
    let trained = losses.iter().any(|one| one.loss.trains_similarity());
    let similarity = trained.then(|| similarity(tower, &images, &text));
    // Another image for each text and another text for each image, those that ITC confuses most.
    let host = similarity.clone().map(|similarity| params::floats(similarity.inner()));
    let negatives = itm::negatives(batch, host.as_deref());
    // ITC contrasts similarities, ITM classifies pairs and negatives, ITG writes the captions.
    let pass = Stage1Pass { tower, images, text, similarity, negatives, batch, settings };
    losses.iter().map(|one| one.loss.compute(&pass)).collect()
}

/// Passes over one batch that its losses share.
pub struct Stage1Pass<'a> {
    /// The text side of the bridge.
    pub tower: &'a dyn TextTower,
    /// The query pass.
    pub images: ImagePass,
    /// The captions.
    pub text: TextBatch,
    /// Hard negatives of ITM.
    pub negatives: itm::Negatives,
    /// Images and captions, and which of them have the same content.
    pub batch: &'a Batch,
    /// Special ids and label smoothing.
    pub settings: Stage1Settings,
    similarity: Option<Tensor<2>>,
}

impl Stage1Pass<'_> {
    /// Returns the similarity of each image with each text over the temperature, `[n, n]`.
    #[must_use]
    pub fn similarity(&self) -> Tensor<2> {
        let compute = || similarity(self.tower, &self.images, &self.text);
        self.similarity.clone().unwrap_or_else(compute)
    }
}

fn similarity(tower: &dyn TextTower, images: &ImagePass, text: &TextBatch) -> Tensor<2> {
    let texts = tower.text_embeds(text.ids.clone(), text.mask.clone());
    itc::logits(tower.image_embeds(images.queries.clone()), texts, tower.temperature())
}

/// The objective of stage 1.
pub struct Stage1 {
    /// Cached features of the training split.
    pub features: Arc<Features>,
    /// Token ids of each image's captions, `[CLS]` to `[SEP]`.
    pub captions: Arc<Vec<Vec<Vec<u32>>>>,
    /// Number of what each image depicts: images with the same number are positives of each other
    /// (LAVIS: equal `image_id`).
    pub depicts: Arc<Vec<usize>>,
    /// Order of the images.
    pub order: Order,
    /// Losses and their weights.
    pub losses: Vec<WeightedLoss>,
    /// Settings of the losses.
    pub settings: Stage1Settings,
    /// Micro-batches of a step. The result equals that of one batch, contrast included.
    pub accumulate: usize,
    /// Names the draws.
    pub seed: u64,
    /// Autodiff device.
    pub device: Device,
}

/// Losses of a step for the log, in the order of [`Stage1::losses`], and gradients of their sum.
pub(super) type Found = (Vec<(f64, Vec<super::Accuracy>)>, GradientsParams);

impl Objective<AnyBridge> for Stage1 {
    fn step(&mut self, model: &AnyBridge, step: u64) -> Result<StepLoss, TrainError> {
        let batch = self.batch(step)?;
        let found = match low_memory::Weights::of(&self.losses) {
            Some(weights) if low_memory::can_train(model) => {
                low_memory::step(self, weights, model, &batch)?
            }
            _ => self.one_graph(model, &batch)?,
        };
        self.read_ahead(step + 1);
        self.log(model, batch, found)
    }
}

impl Stage1 {
    /// Computes a step by the definition alone, in one graph.
    ///
    /// # Errors
    /// As [`Objective::step`], and with micro-batches.
    pub fn step_in_one_graph(
        &mut self,
        model: &AnyBridge,
        step: u64,
    ) -> Result<StepLoss, TrainError> {
        let batch = self.batch(step)?;
        let found = self.one_graph(model, &batch)?;
        self.log(model, batch, found)
    }

    fn one_graph(&self, model: &AnyBridge, batch: &Batch) -> Result<Found, TrainError> {
        if self.accumulate > 1 {
            let what =
                format!("`stage1.accumulate` = {}: a step is one graph here", self.accumulate);
            let hint = "micro-batches need the CPU and no losses but itc, itm and itg: set \
                `stage1.accumulate = 1`, and a smaller `stage1.batch` if memory is short";
            return Err(Problem::new(what).hint(hint).into());
        }
        let features = self.features.batch(&batch.samples, &self.device)?;
        let values = losses(tower(model)?, features, batch, &self.losses, self.settings);
        let weighted = self.losses.iter().zip(&values);
        let sum = weighted.map(|(one, value)| value.loss.clone() * one.weight);
        let sum = sum.reduce(|sum, loss| sum + loss);
        let grads = sum.map(|sum| GradientsParams::from_grads(sum.backward(), model));
        let values = values.into_iter().map(|value| (scalar(&value.loss), value.accuracies));
        Ok((values.collect(), grads.unwrap_or_default()))
    }

    fn batch(&mut self, step: u64) -> Result<Batch, TrainError> {
        Batch::draw(self.order.batch(step), &self.captions, &self.depicts, self.seed, step)
    }

    /// Reads the features of a step's first micro-batch while this step is still computed.
    fn read_ahead(&mut self, step: u64) {
        // An error of the next step's samples is reported in that step.
        if let Ok(next) = self.batch(step) {
            let first = next.size().div_ceil(self.accumulate.max(1));
            self.features.read_ahead(next.samples[..first].to_vec());
        }
    }

    /// Names the values of a step.
    fn log(
        &self,
        model: &AnyBridge,
        batch: Batch,
        (values, grads): Found,
    ) -> Result<StepLoss, TrainError> {
        let weighted = self.losses.iter().zip(&values);
        let total = weighted.map(|(one, (value, _))| value * one.weight).sum();
        let mut metrics = vec![("loss".to_owned(), total)];
        for (one, (value, accuracies)) in self.losses.iter().zip(values) {
            metrics.push((format!("loss_{}", one.name), value));
            metrics.extend(one.trivial.map(|trivial| (format!("trivial_{}", one.name), trivial)));
            for accuracy in accuracies {
                let of = if accuracy.of.is_empty() { "" } else { "_" };
                let name = format!("accuracy_{}{of}{}", one.name, accuracy.of);
                metrics.push((name, accuracy.value));
            }
        }
        metrics.push(("temperature".to_owned(), scalar(&tower(model)?.temperature())));
        Ok(StepLoss { grads, metrics, samples: batch.samples })
    }
}

/// Returns the text side of a bridge.
///
/// # Errors
/// If it has none.
pub(super) fn tower(bridge: &AnyBridge) -> Result<&dyn TextTower, TrainError> {
    let none = || {
        Problem::new("this bridge has no text tower, so it has no stage 1")
            .hint("use a `qformer` bridge or set `stage1.enabled = false`")
            .into()
    };
    bridge.text_tower().ok_or_else(none)
}

pub(super) fn scalar(tensor: &Tensor<1>) -> f64 {
    f64::from(tensor.clone().into_scalar::<f32>())
}
