//! A training step of stage 1: the losses of a batch, their gradients, the line of the log.

use super::{Batch, Found, Stage1, losses, low_memory, tower};
use crate::TrainError;
use crate::fit::{Objective, StepLoss};
use crate::losses::scalar;
use burn::optim::GradientsParams;
use std::time::Duration;
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
        self.read_ahead(step + 1);
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
        metrics.push(("temperature".to_owned(), scalar(&tower(model)?.temperature())));
        let waited = Duration::ZERO;
        Ok(StepLoss { grads, metrics, samples: batch.samples, images, tokens, waited })
    }
}
