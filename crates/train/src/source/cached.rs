//! The source of features that were computed before the training.

use super::{Sample, Source, Texts};
use crate::TrainError;
use crate::features::Features;
use crate::order::Order;
use burn::tensor::{Device, Tensor};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Cached features, and texts in the order of a training.
pub struct Cached {
    features: Arc<Features>,
    texts: Texts,
    order: Mutex<Order>,
    /// Step that was prepared, with its samples: texts are encoded once for each step.
    prepared: Mutex<Option<(u64, Vec<Sample>)>>,
}

impl Cached {
    /// Joins the features of all rows with their texts.
    pub fn new(features: Arc<Features>, texts: Texts, order: Order) -> Self {
        Self { features, texts, order: Mutex::new(order), prepared: Mutex::default() }
    }

    fn rows(&self, step: u64) -> Vec<usize> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner).batch(step)
    }

    fn prepared(&self) -> MutexGuard<'_, Option<(u64, Vec<Sample>)>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rows_at(&self, step: u64, places: &[usize]) -> Vec<usize> {
        let rows = self.rows(step);
        places.iter().map(|&place| rows[place]).collect()
    }
}

impl Source for Cached {
    fn len(&self) -> usize {
        self.features.rows()
    }

    fn text(&self, row: usize) -> Result<Sample, TrainError> {
        (self.texts)(row)
    }

    fn samples(&self, step: u64) -> Result<Vec<Sample>, TrainError> {
        match self.prepared().take_if(|(of, _)| *of == step) {
            Some((_, samples)) => Ok(samples),
            None => self.rows(step).into_iter().map(|row| (self.texts)(row)).collect(),
        }
    }

    fn features(
        &self,
        step: u64,
        places: &[usize],
        device: &Device,
    ) -> Result<Tensor<3>, TrainError> {
        self.features.batch(&self.rows_at(step, places), device)
    }

    fn read_ahead(&self, step: u64, places: &[usize]) {
        self.features.read_ahead(self.rows_at(step, places));
    }

    fn prepare(&self, step: u64, first: &dyn Fn(Vec<Sample>) -> Vec<usize>) {
        // An error of the next step's samples is reported in that step.
        if let Ok(samples) = self.samples(step) {
            self.read_ahead(step, &first(samples.clone()));
            *self.prepared() = Some((step, samples));
        }
    }

    fn waited(&self) -> Duration {
        self.features.waited()
    }
}
