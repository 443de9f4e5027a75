//! Everything that the jobs of a run share.

use crate::experiment::spec::{MaxDamaged, Spec};
use crate::files::read_json;
use crate::plan::model_plan::ModelPlan;
use crate::plan::splits::Splits;
use crate::plan::training_features::TrainingFeatures;
use crate::run::folder::{INTERVALS_FILE, RunFolder, SCORES_FILE};
use crate::work::feature_store::{FeatureStore, SplitFeatures};
use crate::{LabError, Reporter};
use burn::tensor::Device;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use toolkit_data::Dataset;
use toolkit_metrics::Interval;
use toolkit_registry::Registry;
use toolkit_system::problem::Problem;
use toolkit_train::features::{Features, Recipe, cache_key};

/// Folder of cached features in the cache.
pub const FEATURES_FOLDER: &str = "features";

/// Registry, folder, device, features and reporter of a run.
pub struct RunContext<'a> {
    /// Families and cards.
    pub registry: &'a Registry,
    /// The run folder.
    pub folder: RunFolder,
    /// A device without autodiff.
    pub device: Device,
    /// Receiver of progress and notes.
    pub reporter: &'a dyn Reporter,
    features: FeatureStore,
}

impl<'a> RunContext<'a> {
    /// Creates the context of the run folder `out`. Features are kept in the folder `cache`, which
    /// runs share.
    #[must_use]
    pub fn new(
        registry: &'a Registry,
        out: &Path,
        device: Device,
        reporter: &'a dyn Reporter,
        cache: &Path,
    ) -> Self {
        let folder = RunFolder::new(out);
        let features = FeatureStore::new(cache.join(FEATURES_FOLDER));
        Self { registry, folder, device, reporter, features }
    }

    /// Opens the features of all splits, computing those that are not there yet. Those of the
    /// training split are left out if every stage of the cell trains on live pictures.
    ///
    /// # Errors
    /// Unreadable images, missing weights, a full disk.
    pub fn features(
        &self,
        spec: &Spec,
        model_plan: &ModelPlan,
        splits: &Splits,
    ) -> Result<SplitFeatures, LabError> {
        let of = |data: &Arc<dyn Dataset>| {
            let max_damaged = MaxDamaged::count(splits.max_damaged, data.len());
            self.features_of(model_plan, data, max_damaged)
        };
        let train = TrainingFeatures::any_cached(spec, model_plan, splits)?;
        Ok(SplitFeatures {
            train: train.then(|| of(&splits.train)).transpose()?,
            val: splits.val.as_ref().map(of).transpose()?,
            test: splits.test.as_ref().map(of).transpose()?,
            also: splits.also.iter().map(of).collect::<Result<_, _>>()?,
        })
    }

    fn features_of(
        &self,
        model_plan: &ModelPlan,
        dataset: &Arc<dyn Dataset>,
        max_damaged: usize,
    ) -> Result<Arc<Features>, LabError> {
        let key = cache_key(&model_plan.vision_key(), &model_plan.preprocess, &**dataset);
        let encoder = || {
            model_plan
                .encoder(self.registry, &self.device)
                .map_err(|error| Problem::new(error).into())
        };
        let recipe = Recipe {
            key: &key,
            encoder: &encoder,
            shape: &model_plan.vision.shape,
            preprocess: &model_plan.preprocess,
            dataset,
            device: &self.device,
            max_damaged,
        };
        let progress = self.reporter.task(&format!("features {}", dataset.name()));
        self.features.open(&recipe, &*progress, self.reporter)
    }

    /// Reads the scores of a stage-1 run by name.
    ///
    /// # Errors
    /// If the file is missing or damaged.
    pub fn stage1_scores(&self, key: &str) -> Result<BTreeMap<String, f64>, LabError> {
        read_json(&self.folder.stage1(key).join(SCORES_FILE))
    }

    /// Reads the 95 % bootstrap intervals of the scores of a stage-1 run by name.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn stage1_intervals(&self, key: &str) -> Result<BTreeMap<String, Interval>, LabError> {
        let path = self.folder.stage1(key).join(INTERVALS_FILE);
        // Runs of earlier versions have none.
        if path.is_file() { read_json(&path) } else { Ok(BTreeMap::new()) }
    }

    /// Does a job again if it met features that turned out damaged; see
    /// [`FeatureStore::retry_damaged`].
    ///
    /// # Errors
    /// Those of the job.
    pub fn retry_damaged<T>(&self, job: impl Fn() -> Result<T, LabError>) -> Result<T, LabError> {
        self.features.retry_damaged(self.reporter, job)
    }
}
