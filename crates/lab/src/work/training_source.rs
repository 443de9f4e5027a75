//! The source of a stage's training samples: cached features or live pictures.

use crate::LabError;
use crate::experiment::spec::{MaxDamaged, Spec};
use crate::plan::model_plan::ModelPlan;
use crate::plan::splits::Splits;
use crate::plan::training_features::TrainingFeatures;
use crate::work::context::RunContext;
use crate::work::feature_store::SplitFeatures;
use std::path::PathBuf;
use toolkit_data::Augment;
use toolkit_system::problem::Problem;
use toolkit_train::order::Order;
use toolkit_train::source::{Cached, Live, LiveConfig, Source, Texts};

/// Inputs of the source of one stage of one cell.
pub(crate) struct TrainingSource<'a> {
    /// The run.
    pub context: &'a RunContext<'a>,
    /// Settings of the cell.
    pub spec: &'a Spec,
    /// Model.
    pub model_plan: &'a ModelPlan,
    /// Data, without unreadable pictures where features are cached.
    pub splits: &'a Splits,
    /// Cached features.
    pub features: &'a SplitFeatures,
    /// Seed.
    pub seed: u64,
}

/// A stage, as far as its data go.
pub(crate) struct StageInputs<'a> {
    /// Name of the random order of its samples.
    pub order: &'static str,
    /// Images of a step.
    pub batch: usize,
    /// Random changes of the pictures.
    pub augment: &'a Augment,
    /// Token ids of the captions.
    pub texts: Texts,
    /// Folder of the training.
    pub dir: PathBuf,
}

impl TrainingSource<'_> {
    /// Opens the source of a stage.
    ///
    /// # Errors
    /// If the encoder's weights are missing, or the training split was not cached.
    pub fn open(&self, stage: StageInputs<'_>) -> Result<Box<dyn Source>, LabError> {
        let train = &self.splits.train;
        let mut order = Order::of(self.seed, stage.order, &**train, stage.batch);
        if let Some(samples) = self.spec.data.shuffle {
            order = order.shuffling(samples);
        }
        match TrainingFeatures::of(self.spec, stage.augment, self.model_plan, self.splits)? {
            TrainingFeatures::Cached => {
                let features = self.features.train.clone();
                let missing = || Problem::defect("the training features were not computed");
                Ok(Box::new(Cached::new(features.ok_or_else(missing)?, stage.texts, order)))
            }
            TrainingFeatures::Live => Ok(Box::new(Live::new(LiveConfig {
                dataset: train.clone(),
                texts: stage.texts,
                encoder: self.model_plan.encoder(self.context.registry, &self.context.device)?,
                preprocess: self.model_plan.preprocess,
                augment: stage.augment.clone(),
                order,
                seed: self.seed,
                threads: self.spec.compute.loaders,
                max_damaged: MaxDamaged::share(self.spec.data.max_damaged, train.len()),
                dir: stage.dir,
                device: self.context.device.clone(),
            })?)),
        }
    }
}
