//! A training step of stage 1: the losses of a batch, their gradients, the line of the log.

use super::{Batch, Found, Stage1, losses, low_memory, tower};
use crate::TrainError;
use crate::fit::{Objective, StepLoss};
use crate::losses::scalar;
use burn::optim::GradientsParams;
use toolkit_core::AnyBridge;
use toolkit_system::problem::Problem;

impl Objective<AnyBridge> for Stage1 {
    fn step(&mut self, model: &AnyBridge, step: u64) -> Result<StepLoss, TrainError> {
        let batch = self.batch(step)?;
        let found = match low_memory::Weights::of(&self.losses) {
            Some(weights) if low_memory::can_train(model) => {
                low_memory::step(self, weights, model, &batch)?
            }
            _ => self.one_graph(model, &batch)?,
        };
        self.prepare(step + 1);
        self.log(model, batch, found)
    }
}

impl Stage1 {
    /// Computes a step by the definition alone, in one graph.
    ///
    /// # Errors
    /// If `accumulate` is above 1, and the errors of [`Objective::step`].
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
        let features = self.source.features(batch.step, &batch.places, &self.device)?;
        let values = losses(tower(model)?, features, batch, &self.losses, self.settings);
        let weighted = self.losses.iter().zip(&values);
        let sum = weighted.map(|(one, value)| value.loss.clone() * one.weight);
        let sum = sum.reduce(|sum, loss| sum + loss);
        let grads = sum.map(|sum| GradientsParams::from_grads(sum.backward(), model));
        let values = values.into_iter().map(|value| (scalar(&value.loss), value.accuracies));
        Ok((values.collect(), grads.unwrap_or_default()))
    }

    fn batch(&self, step: u64) -> Result<Batch, TrainError> {
        Batch::draw(&self.source.samples(step)?, self.seed, step)
    }

    /// Prepares a later step while this one is still computed: its first micro-batch first.
    fn prepare(&self, step: u64) {
        self.source.prepare(step, &|samples| {
            // An error of the samples is reported in their step.
            let Ok(next) = Batch::draw(&samples, self.seed, step) else { return Vec::new() };
            next.places[..next.size().div_ceil(self.accumulate.max(1))].to_vec()
        });
    }

    /// Names the values of a step.
    fn log(
        &self,
        model: &AnyBridge,
        batch: Batch,
        (values, grads): Found,
    ) -> Result<StepLoss, TrainError> {
        let (images, tokens) = (batch.size(), batch.tokens());
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
        metrics.extend(batch.sources.iter().cloned());
        metrics.push(("temperature".to_owned(), scalar(&tower(model)?.temperature())));
        Ok(StepLoss {
            grads,
            metrics,
            samples: batch.samples,
            images,
            tokens,
            waited: self.source.waited(),
        })
    }
}
