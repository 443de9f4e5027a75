//! The jobs that cells share: features of the frozen encoder and stage 1.

use crate::parts::{Resolved, Splits};
use crate::spec::Spec;
use crate::{LabError, Reporter, evaluate};
use burn::module::Module;
use burn::tensor::Device;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toolkit_core::AnyBridge;
use toolkit_data::Dataset;
use toolkit_registry::Registry;
use toolkit_train::checkpoint::{Checkpoint, load_strict, write_atomic};
use toolkit_train::features::{Features, cache_key};
use toolkit_train::fit::{FitConfig, fit};
use toolkit_train::order::Order;
use toolkit_train::stage1::{Stage1, unigram_loss};

/// Where an experiment's files are, and who is told what goes on.
pub struct Workshop<'a> {
    /// Families and cards.
    pub registry: &'a Registry,
    /// The run folder.
    pub out: &'a Path,
    /// A device without autodiff.
    pub device: Device,
    /// Progress.
    pub reporter: &'a dyn Reporter,
}

/// Features of all data.
#[derive(Clone)]
pub struct SplitFeatures {
    /// Pre-training.
    pub train: Arc<Features>,
    /// Curves.
    pub val: Arc<Features>,
    /// Tables.
    pub test: Arc<Features>,
    /// Further tasks.
    pub also: Vec<Arc<Features>>,
}

impl Workshop<'_> {
    /// Folder of cached features.
    #[must_use]
    pub fn features_dir(&self) -> PathBuf {
        self.out.join("features")
    }

    /// Folder of one stage-1 run.
    #[must_use]
    pub fn stage1_dir(&self, key: &str) -> PathBuf {
        self.out.join("stage1").join(key)
    }

    fn features_of(&self, resolved: &Resolved, dataset: &dyn Dataset) -> Result<Arc<Features>, LabError> {
        let key = cache_key(&resolved.vision_key(), &resolved.preprocess, dataset);
        let encoder = || {
            resolved.encoder(self.registry, &self.device).map_err(|e| toolkit_train::TrainError::Other(e.to_string()))
        };
        let task = self.reporter.task(&format!("features {}", dataset.name()));
        let features = Features::open(
            &self.features_dir(),
            &key,
            &encoder,
            &resolved.vision.1,
            &resolved.preprocess,
            dataset,
            &self.device,
            &*task,
        )?;
        Ok(Arc::new(features))
    }

    /// Opens the features of all splits, computing what is not there yet.
    ///
    /// # Errors
    /// Unreadable images, missing weights, a full disk.
    pub fn features(&self, resolved: &Resolved, splits: &Splits) -> Result<SplitFeatures, LabError> {
        Ok(SplitFeatures {
            train: self.features_of(resolved, &*splits.train)?,
            val: self.features_of(resolved, &*splits.val)?,
            test: self.features_of(resolved, &*splits.test)?,
            also: splits.also.iter().map(|data| self.features_of(resolved, &**data)).collect::<Result<_, _>>()?,
        })
    }

    /// Trains stage 1 unless it is done, and scores its retrieval. Returns nothing: cells load it by its key.
    ///
    /// # Errors
    /// Whatever training or evaluation says.
    pub fn stage1(
        &self,
        spec: &Spec,
        resolved: &Resolved,
        splits: &Splits,
        seed: u64,
        key: &str,
    ) -> Result<(), LabError> {
        let dir = self.stage1_dir(key);
        let scores_path = dir.join("scores.json");
        if scores_path.exists() {
            return Ok(());
        }
        let device = self.device.clone().autodiff();
        let features = self.features(resolved, splits)?;
        let (tokenizer, marks) = resolved.text_marks()?;
        let (positions, vocab) = resolved.bridge.1.text.as_ref().map_or((MAX_CAPTION, 1), |t| (t.positions, t.vocab));
        let captions = stage1_captions(&*splits.train, &|text| tokenizer.encode(text), marks.cls, marks.sep, positions);
        let bridge = resolved.bridge_at_start(self.registry, spec.model.init, seed, &device)?;
        let s = &spec.stage1;
        let mut objective = Stage1 {
            features: features.train.clone(),
            unigram: unigram_loss(&captions, vocab, s.smoothing),
            captions: Arc::new(captions),
            shows: Arc::new(same_pictures(&*splits.train)),
            order: Order::new(seed, "stage1/order", splits.train.len(), s.batch),
            marks,
            weights: s.losses,
            smoothing: s.smoothing,
            accumulate: s.accumulate,
            seed,
            device: device.clone(),
        };
        let save_seconds = spec.compute.save_seconds;
        let config =
            FitConfig { steps: s.steps, schedule: s.schedule.clone(), optim: s.optim.clone(), seed, save_seconds };
        let task = self.reporter.task(&format!("stage 1 seed {seed}"));
        let bridge = fit(&config, bridge, &mut objective, &dir, &*task, &mut |_, _| Ok(()))?;
        let plain = bridge.valid();
        let scores = evaluate::retrieval(self, spec, resolved, splits, &features.test, &plain)?;
        let json = serde_json::to_vec_pretty(&scores).map_err(|e| LabError::new(e.to_string(), "this is a defect"))?;
        write_atomic(&scores_path, &json)?;
        Ok(())
    }

    /// The bridge that stage 1 with this key left.
    ///
    /// # Errors
    /// If its checkpoint is missing or of another model.
    pub fn stage1_bridge(
        &self,
        resolved: &Resolved,
        spec: &Spec,
        seed: u64,
        key: &str,
        device: &Device,
    ) -> Result<AnyBridge, LabError> {
        let dir = self.stage1_dir(key);
        let saved = Checkpoint::load(&dir)?.ok_or_else(|| {
            LabError::new(format!("{}: no checkpoint", dir.display()), "remove the folder and run again")
        })?;
        let bridge = resolved.bridge_at_start(self.registry, spec.model.init, seed, device)?;
        Ok(load_strict(bridge, saved.weights(&dir)?, &dir)?)
    }

    /// The scores of a stage-1 run, by name.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn stage1_scores(&self, key: &str) -> Result<BTreeMap<String, f64>, LabError> {
        read_json(&self.stage1_dir(key).join("scores.json"))
    }
}

/// For each item the first that shows the same.
#[must_use]
pub fn same_pictures(dataset: &dyn Dataset) -> Vec<usize> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    (0..dataset.len()).map(|i| *first.entry(&dataset.item(i).shows).or_insert(i)).collect()
}

/// Token ids of each image's captions with `[CLS]` and `[SEP]`, at most `positions` long (the end is cut, `[SEP]` kept).
pub fn stage1_captions(
    dataset: &dyn Dataset,
    encode: &dyn Fn(&str) -> Vec<u32>,
    cls: u32,
    sep: u32,
    positions: usize,
) -> Vec<Vec<Vec<u32>>> {
    let one = |text: &String| {
        let mut ids = vec![cls];
        ids.extend(encode(text));
        ids.truncate(positions.min(MAX_CAPTION).saturating_sub(1));
        ids.push(sep);
        ids
    };
    (0..dataset.len()).map(|i| dataset.item(i).captions.iter().map(one).collect()).collect()
}

/// Longest caption in tokens, special ones included (LAVIS: `max_txt_len` 32).
pub const MAX_CAPTION: usize = 32;

/// Reads a JSON file of the run.
///
/// # Errors
/// If it is missing or damaged.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, LabError> {
    let bytes = std::fs::read(path).map_err(|e| LabError::io(path, &e))?;
    serde_json::from_slice(&bytes)
        .map_err(|e| LabError::new(format!("{}: {e}", path.display()), "remove it and run again"))
}
