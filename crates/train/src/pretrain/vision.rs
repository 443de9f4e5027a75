//! Pre-training of vision encoders: classification of pictures of one thing.
//!
//! Features are averaged over the patches that the thing covers, and over the other patches. Linear
//! heads predict the thing's labels from the first average and the background from the second.
//!
//! A head on the average of all tokens learns colours only, and scenes of several things stay
//! unreadable (tried, see `docs/nano.md`).

use crate::TrainError;
use crate::fit::{Objective, StepLoss};
use crate::losses::{cross_entropy_rows, scalar};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use toolkit_core::{AnyVision, VisionShape, index};
use toolkit_data::{COLOURS, GROUPS, PictureLabels, Preprocess, World};
use toolkit_models::layers::Linear;
use toolkit_system::problem::Problem;

/// Label that a head predicts.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Name of the thing.
    Thing,
    /// Group of the thing (animal, food, ..).
    Group,
    /// Colour of the thing, if it has one.
    Colour,
    /// Colour of the background.
    Background,
}

impl Target {
    fn classes(self, world: &World) -> usize {
        match self {
            Self::Thing => world.things().len(),
            Self::Group => GROUPS.len(),
            Self::Colour | Self::Background => COLOURS.len(),
        }
    }
    fn label(self, labels: &PictureLabels) -> Option<usize> {
        match self {
            Self::Thing => Some(labels.thing),
            Self::Group => Some(labels.group),
            Self::Colour => labels.colour,
            Self::Background => Some(labels.background),
        }
    }
    fn name(self) -> &'static str {
        match self {
            Self::Thing => "thing",
            Self::Group => "group",
            Self::Colour => "colour",
            Self::Background => "background",
        }
    }
}

/// An encoder with a linear head for each target; the heads are dropped after pre-training.
#[derive(Module, Debug)]
pub struct Labeller {
    /// Encoder.
    pub encoder: AnyVision,
    heads: Vec<Linear>,
}

impl Labeller {
    /// Creates heads for `targets` on `encoder`.
    #[must_use]
    pub fn new(
        encoder: AnyVision,
        shape: &VisionShape,
        targets: &[Target],
        world: &World,
        device: &Device,
    ) -> Self {
        Self {
            encoder,
            heads: targets
                .iter()
                .map(|t| Linear::new(shape.width, t.classes(world), device))
                .collect(),
        }
    }
}

/// The objective of vision encoders.
pub struct LabelPictures {
    /// Source of the pictures.
    pub world: Arc<World>,
    /// Seed of the pictures.
    pub seed: u64,
    /// Number of pictures of a step.
    pub batch: usize,
    /// Labels that are predicted, in the order of the labeller's heads.
    pub targets: Vec<Target>,
    /// Preparation of pixels, as in the encoder's card.
    pub preprocess: Preprocess,
    /// Number of patches along one side.
    pub grid: usize,
    /// Autodiff device.
    pub device: Device,
}

impl LabelPictures {
    /// Draws pictures `first..first + count`, `[count, 3, size, size]`.
    ///
    /// Returns pooling weights `[count, 2, patches]` and labels too.
    fn pictures(
        &self,
        first: u64,
        count: usize,
        device: &Device,
    ) -> (Tensor<4>, Tensor<3>, Vec<PictureLabels>) {
        let side = self.preprocess.size as usize;
        let (mut pixels, mut weights, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..count as u64 {
            let (image, label) = self.world.picture(self.seed, first + i);
            let native = image.width() as f32;
            pixels.extend(self.preprocess.apply(&image));
            let inside = covered(&label, native, self.grid);
            for wanted in [1.0_f32, 0.0] {
                let row: Vec<f32> = inside.iter().map(|&x| f32::from(x == wanted)).collect();
                let total = row.iter().sum::<f32>().max(1.0);
                weights.extend(row.iter().map(|x| x / total));
            }
            labels.push(label);
        }
        let images = Tensor::from_data(TensorData::new(pixels, [count, 3, side, side]), device);
        let weights =
            Tensor::from_data(TensorData::new(weights, [count, 2, self.grid * self.grid]), device);
        (images, weights, labels)
    }

    /// Computes the logits `[batch, classes]` of each target.
    fn logits(&self, model: &Labeller, images: Tensor<4>, weights: Tensor<3>) -> Vec<Tensor<2>> {
        let features = model.encoder.encode(images);
        let [batch, tokens, width] = features.dims();
        let patches = self.grid * self.grid;
        let features = features.narrow(1, tokens - patches, patches);
        let pooled = toolkit_kernels::batched_product(weights, features);
        (self.targets.iter().zip(&model.heads))
            .map(|(target, head)| {
                let row = usize::from(*target == Target::Background);
                head.forward(pooled.clone().narrow(1, row, 1).reshape([batch, width]))
            })
            .collect()
    }

    /// Measures the accuracy of each target, for a model on a device without autodiff.
    ///
    /// The `count` pictures are none of the training's.
    #[must_use]
    pub fn accuracy(&self, model: &Labeller, count: usize) -> BTreeMap<String, f64> {
        let device = self.device.clone().without_autodiff();
        let mut hits: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        let first = 1 << 40;
        for start in (0..count).step_by(64) {
            let (images, weights, labels) =
                self.pictures(first + start as u64, 64.min(count - start), &device);
            for (target, logits) in self.targets.iter().zip(self.logits(model, images, weights)) {
                let best = logits
                    .argmax(1)
                    .into_data()
                    .convert::<i32>()
                    .try_into_vec::<i32>()
                    .unwrap_or_default();
                for (best, label) in best.iter().zip(&labels) {
                    if let Some(wanted) = target.label(label) {
                        let entry = hits.entry(target.name().to_owned()).or_default();
                        entry.0 += f64::from(*best as usize == wanted);
                        entry.1 += 1.0;
                    }
                }
            }
        }
        hits.into_iter().map(|(name, (hit, all))| (name, hit / all)).collect()
    }
}

/// Returns 1 for patches whose centre lies in the thing's box, and 0 for the others.
fn covered(label: &PictureLabels, native: f32, grid: usize) -> Vec<f32> {
    let (x, y, size) = label.place;
    let cell = native / grid as f32;
    let within = |at: usize, from: usize| {
        let centre = (at as f32 + 0.5) * cell;
        centre >= from as f32 && centre <= (from + size) as f32
    };
    (0..grid * grid).map(|i| f32::from(within(i % grid, x) && within(i / grid, y))).collect()
}

impl Objective<Labeller> for LabelPictures {
    fn step(&mut self, model: &Labeller, step: u64) -> Result<StepLoss, TrainError> {
        let first = step * self.batch as u64;
        let (images, weights, labels) = self.pictures(first, self.batch, &self.device);
        let mut metrics = vec![("loss".to_owned(), 0.0)];
        let mut total: Option<Tensor<1>> = None;
        for (target, logits) in self.targets.iter().zip(self.logits(model, images, weights)) {
            let known: Vec<usize> =
                (0..labels.len()).filter(|&i| target.label(&labels[i]).is_some()).collect();
            if known.is_empty() {
                continue;
            }
            let wanted: Vec<usize> = labels.iter().filter_map(|l| target.label(l)).collect();
            let logits = logits.select(0, index(&known, &self.device));
            let rows = cross_entropy_rows(logits, index(&wanted, &self.device), 0.0);
            let loss = toolkit_kernels::mean(rows);
            metrics.push((format!("loss_{}", target.name()), scalar(&loss)));
            total = Some(match total {
                Some(sum) => sum + loss,
                None => loss,
            });
        }
        let total = total
            .ok_or_else(|| Problem::new("no target to train on").hint("list some in `targets`"))?;
        metrics[0].1 = scalar(&total);
        let grads = GradientsParams::from_grads(total.backward(), model);
        let samples = (0..self.batch).map(|i| (first as usize) + i).collect();
        let (images, waited) = (self.batch, Duration::ZERO);
        Ok(StepLoss { grads, metrics, samples, images, tokens: 0, waited })
    }
}
