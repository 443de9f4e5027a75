//! One step: which images and captions, the three losses, their gradients.

use super::micro::{Embedded, Shared};
use super::pieces::Sum;
use super::{ITM_TRIVIAL, Stage1};
use crate::TrainError;
use crate::fit::{Objective, StepLoss};
use crate::text::draw_caption;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use toolkit_core::{AnyBridge, Side, Stream, TextBatch, TextTower, noise, pad};

/// The samples of a step, shortest caption first.
pub(super) struct Batch {
    pub(super) samples: Vec<usize>,
    pub(super) captions: Vec<Vec<u32>>,
}

/// What a step finds besides gradients.
#[derive(Default)]
pub(super) struct Tally {
    /// ITC, ITM, ITG.
    pub(super) sums: [f64; 3],
    pub(super) itc_hits: usize,
    pub(super) right: usize,
    pub(super) right_negatives: usize,
}

pub(super) fn scalar(tensor: &Tensor<1>) -> f64 {
    f64::from(tensor.clone().into_scalar::<f32>())
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    /// Rows of a batch that show the same or say the same are no negatives of each other.
    pub(super) fn same_content(&self, depicts: &[usize], a: usize, b: usize) -> bool {
        depicts[self.samples[a]] == depicts[self.samples[b]] || self.captions[a] == self.captions[b]
    }

    /// Tokens that captioning is scored on.
    pub(super) fn scored(&self) -> usize {
        self.captions.iter().map(|caption| caption.len() - 1).sum()
    }
}

impl Stage1 {
    pub(super) fn tower<'a>(&self, bridge: &'a AnyBridge) -> Result<&'a dyn TextTower, TrainError> {
        let hint = "hint: use a `qformer` bridge or set `stage1.enabled = false`";
        bridge.text_tower().ok_or_else(|| {
            TrainError::Other(format!(
                "this bridge has no text tower, so it has no stage 1; {hint}"
            ))
        })
    }

    fn batch(&mut self, step: u64) -> Result<Batch, TrainError> {
        let samples = self.order.batch(step);
        let mut choice = Stream::new(self.seed, "stage1/caption", step);
        let draw = |i: usize| Ok((i, draw_caption(&self.captions, i, &mut choice)?.to_vec()));
        let mut drawn = samples
            .into_iter()
            .map(draw)
            .collect::<Result<Vec<(usize, Vec<u32>)>, TrainError>>()?;
        drawn.sort_by_key(|(_, caption)| caption.len());
        let (samples, captions) = drawn.into_iter().unzip();
        Ok(Batch { samples, captions })
    }

    pub(super) fn text(
        &self,
        captions: impl Iterator<Item = Vec<u32>>,
        device: &Device,
    ) -> TextBatch {
        pad(&captions.collect::<Vec<_>>(), self.special_tokens.pad, Side::Right, device)
    }

    fn stream(&self, step: u64, micro: usize) -> Stream {
        Stream::new(self.seed, "stage1/dropout", step * 1024 + micro as u64)
    }

    /// Embeddings of all micro-batches, without a tape, so that each can be contrasted with the
    /// whole.
    fn embed(
        &self,
        model: &AnyBridge,
        step: u64,
        batch: &Batch,
        micros: &[&[usize]],
    ) -> Result<Embedded, TrainError> {
        let (plain, device) = (model.valid(), self.device.clone().without_autodiff());
        let tower = self.tower(&plain)?;
        let mut all = Embedded::new();
        for (m, micro) in micros.iter().enumerate() {
            let samples: Vec<usize> = micro.iter().map(|&i| batch.samples[i]).collect();
            let features = self.features.batch(&samples, &device)?;
            let embed = || {
                let image = tower.image_embeds(tower.image_pass(features).queries);
                let text = self.text(micro.iter().map(|&i| batch.captions[i].clone()), &device);
                (image, tower.text_embeds(text.ids, text.mask))
            };
            all.push(noise::off(|| noise::scope(self.stream(step, m), embed)));
        }
        Ok(all)
    }
}

impl Objective<AnyBridge> for Stage1 {
    fn step(&mut self, model: &AnyBridge, step: u64) -> Result<StepLoss, TrainError> {
        // 1. Samples, their captions, and micro-batches of them.
        let batch = self.batch(step)?;
        let n = batch.len();
        let rows: Vec<usize> = (0..n).collect();
        let micros: Vec<&[usize]> = rows.chunks(n.div_ceil(self.accumulate.max(1))).collect();
        let samples =
            |micro: &[usize]| -> Vec<usize> { micro.iter().map(|&i| batch.samples[i]).collect() };

        // 2. What each of several micro-batches is contrasted with.
        let all = match micros.len() > 1 && self.weights.itc != 0.0 {
            true => self.embed(model, step, &batch, &micros)?,
            false => Embedded::new(),
        };

        // 3. Each micro-batch forward and backward.
        let (grads, tally) = (Sum::default(), Tally::default());
        let mut shared = Shared { model, step, batch: &batch, all, negatives: None, grads, tally };
        for (m, micro) in micros.iter().enumerate() {
            let features = self.features.batch(&samples(micro), &self.device)?;
            if let Some(next) = micros.get(m + 1) {
                self.features.read_ahead(samples(next));
            }
            let stream = self.stream(step, m);
            let run = || self.micro(&mut shared, m, micro, features);
            if micros.len() == 1 { run()? } else { noise::off(|| noise::scope(stream, run))? }
        }

        // 4. What the log says.
        let metrics = self.metrics(&shared.tally, n, scalar(&self.tower(model)?.temperature()));
        let first = micros.first().map_or(0, |micro| micro.len());
        let grads = shared.grads.done(model);
        // What is wrong with the next step's samples is said when it is their turn.
        if let Ok(next) = self.batch(step + 1) {
            self.features.read_ahead(next.samples[..first].to_vec());
        }
        Ok(StepLoss { grads, metrics, samples: batch.samples })
    }
}

impl Stage1 {
    fn metrics(&self, tally: &Tally, n: usize, temperature: f64) -> Vec<(String, f64)> {
        let (w, sums) = (self.weights, tally.sums);
        let mut metrics =
            vec![("loss".to_owned(), sums[0] * w.itc + sums[1] * w.itm + sums[2] * w.itg)];
        let mut log = |name: &str, value: f64| metrics.push((name.to_owned(), value));
        if w.itc != 0.0 {
            log("loss_itc", sums[0]);
            log("trivial_itc", (n as f64).ln());
            log("accuracy_itc", tally.itc_hits as f64 / n as f64);
        }
        if w.itm != 0.0 {
            log("loss_itm", sums[1]);
            log("trivial_itm", ITM_TRIVIAL);
            log("accuracy_itm", tally.right as f64 / (3 * n) as f64);
            log("accuracy_itm_hard_negatives", tally.right_negatives as f64 / (2 * n) as f64);
        }
        if w.itg != 0.0 {
            log("loss_itg", sums[2]);
            log("trivial_itg", self.unigram);
        }
        log("temperature", temperature);
        metrics
    }
}
