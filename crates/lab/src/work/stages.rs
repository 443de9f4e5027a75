//! The jobs that cells share: features of the frozen encoder and stage 1.

use crate::experiment::spec::Spec;
use crate::files::{read_json, write_json_pretty};
use crate::plan::ids::note_texts;
use crate::plan::parts::{Resolved, Splits};
use crate::run::done::Done;
use crate::{LabError, Reporter, work::evaluate};
use burn::module::Module;
use burn::tensor::Device;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use toolkit_core::AnyBridge;
use toolkit_data::Dataset;
use toolkit_registry::Registry;
use toolkit_system::problem::Problem;
use toolkit_train::checkpoint::{Checkpoint, load_strict};
use toolkit_train::features::{Features, Recipe, cache_key};
use toolkit_train::fit::{FitConfig, fit};
use toolkit_train::order::Order;
use toolkit_train::stage1::{Stage1, unigram_loss};

/// Where an experiment's files are, and who is told what goes on.
pub struct RunContext<'a> {
    /// Families and cards.
    pub registry: &'a Registry,
    /// The run folder.
    pub out: &'a Path,
    /// A device without autodiff.
    pub device: Device,
    /// Progress.
    pub reporter: &'a dyn Reporter,
    /// Features that were opened, by their key. Jobs share what was checked of them.
    opened: Mutex<HashMap<String, Arc<Mutex<Option<Features>>>>>,
    /// Number of times that damaged features were computed again.
    mended: AtomicUsize,
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

impl<'a> RunContext<'a> {
    /// A workshop for the run folder `out`.
    #[must_use]
    pub fn new(
        registry: &'a Registry,
        out: &'a Path,
        device: Device,
        reporter: &'a dyn Reporter,
    ) -> Self {
        Self {
            registry,
            out,
            device,
            reporter,
            opened: Mutex::default(),
            mended: AtomicUsize::new(0),
        }
    }
}

/// Attempts at a job for each file of features, any of which may be damaged; a disk that damages
/// them again and again is not worked around.
const ATTEMPTS: usize = 3;

impl RunContext<'_> {
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

    /// Does a job that resumes itself, and again if it met features that turned out damaged: they
    /// are computed anew when it opens them.
    ///
    /// # Errors
    /// Those of the job.
    pub fn with_features<T>(&self, job: impl Fn() -> Result<T, LabError>) -> Result<T, LabError> {
        let mut attempts = 1;
        loop {
            let mended = self.mended.load(Ordering::Relaxed);
            match job() {
                // Another job may have been there first.
                Err(error)
                    if attempts < self.most_attempts()
                        && (self.any_damaged() || self.mended.load(Ordering::Relaxed) > mended) =>
                {
                    self.reporter.note(&error.to_string());
                    attempts += 1;
                }
                done => return done,
            }
        }
    }

    fn most_attempts(&self) -> usize {
        ATTEMPTS * self.opened.lock().unwrap_or_else(PoisonError::into_inner).len().max(1)
    }

    fn any_damaged(&self) -> bool {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let slots: Vec<_> = opened.values().cloned().collect();
        drop(opened);
        slots.iter().any(|slot| {
            let held = slot.lock().unwrap_or_else(PoisonError::into_inner);
            held.as_ref().is_some_and(Features::is_damaged)
        })
    }

    fn features_of(
        &self,
        resolved: &Resolved,
        dataset: &dyn Dataset,
        max_damaged: usize,
    ) -> Result<Arc<Features>, LabError> {
        let key = cache_key(&resolved.vision_key(), &resolved.preprocess, dataset);
        let encoder = || {
            resolved
                .encoder(self.registry, &self.device)
                .map_err(|e| toolkit_train::TrainError::Other(e.to_string()))
        };
        let task = self.reporter.task(&format!("features {}", dataset.name()));
        let recipe = Recipe {
            key: &key,
            encoder: &encoder,
            shape: &resolved.vision.1,
            preprocess: &resolved.preprocess,
            dataset,
            device: &self.device,
            max_damaged,
        };
        let note = |line: &str| self.reporter.note(line);
        // One job at a time opens or computes the same features.
        let slot = self
            .opened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key.clone())
            .or_default()
            .clone();
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that cannot be mended are given up, so that no job tries again and again.
        if let Some(held) = slot.take_if(|held| held.is_damaged()) {
            held.mend(&recipe, &*task, &note)?;
            self.mended.fetch_add(1, Ordering::Relaxed);
            *slot = Some(held);
        }
        if let Some(held) = slot.as_ref() {
            return Ok(Arc::new(held.another()));
        }
        let opened = Features::open(&self.features_dir(), &recipe, &*task, &note)?;
        Ok(Arc::new(slot.insert(opened).another()))
    }

    /// Opens the features of all splits, computing what is not there yet.
    ///
    /// # Errors
    /// Unreadable images, missing weights, a full disk.
    pub fn features(
        &self,
        resolved: &Resolved,
        splits: &Splits,
    ) -> Result<SplitFeatures, LabError> {
        let of = |data: &Arc<dyn Dataset>| self.features_of(resolved, &**data, splits.max_damaged);
        Ok(SplitFeatures {
            train: of(&splits.train)?,
            val: of(&splits.val)?,
            test: of(&splits.test)?,
            also: splits.also.iter().map(of).collect::<Result<_, _>>()?,
        })
    }

    /// Trains stage 1 unless it is done, and scores its retrieval. Returns nothing: cells load it
    /// by its key.
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
        let done = Done::settle(&dir, self.reporter)?;
        if done.whole {
            return Ok(());
        }
        let device = self.device.clone().autodiff();
        let features = self.features(resolved, splits)?;
        let splits = &splits.readable(&features)?;
        let (tokenizer, special_tokens) = resolved.text_special_tokens()?;
        let (positions, vocab) =
            resolved.bridge.1.text.as_ref().map_or((MAX_CAPTION, 1), |t| (t.positions, t.vocab));
        note_texts(self.reporter, &tokenizer, [&*splits.train, &*splits.test]);
        let captions = stage1_captions(
            &*splits.train,
            &|text| tokenizer.encode(text),
            special_tokens.cls,
            special_tokens.sep,
            positions,
        )?;
        let bridge = resolved.bridge_at_start(self.registry, spec.model.init, seed, &device)?;
        let s = &spec.stage1;
        let mut objective = Stage1 {
            features: features.train.clone(),
            unigram: unigram_loss(&captions, vocab, s.smoothing),
            captions: Arc::new(captions),
            depicts: Arc::new(same_pictures(&*splits.train)),
            order: Order::new(seed, "stage1/order", splits.train.len(), s.batch),
            special_tokens,
            weights: s.losses,
            smoothing: s.smoothing,
            accumulate: s.accumulate,
            seed,
            device: device.clone(),
        };
        let save_seconds = spec.compute.save_seconds;
        let config = FitConfig {
            steps: s.steps,
            schedule: s.schedule.clone(),
            optim: s.optim.clone(),
            seed,
            save_seconds,
        };
        let task = self.reporter.task(&format!("stage 1 seed {seed}"));
        let bridge = fit(&config, bridge, &mut objective, &dir, &*task, &mut |_, _| Ok(()))?;
        let plain = bridge.valid();
        let scores = evaluate::retrieval(self, spec, resolved, splits, &features.test, &plain)?;
        write_json_pretty(&dir.join("scores.json"), &scores)?;
        done.seal(&dir)
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
            LabError::new(
                format!("{}: no checkpoint", dir.display()),
                "remove the folder and run again",
            )
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
    (0..dataset.len()).map(|i| *first.entry(&dataset.item(i).depicts).or_insert(i)).collect()
}

/// Token ids of each image's captions with `[CLS]` and `[SEP]`, at most `positions` long (the end
/// is cut, `[SEP]` kept).
pub fn stage1_captions(
    dataset: &dyn Dataset,
    encode: &dyn Fn(&str) -> Result<Vec<u32>, Problem>,
    cls: u32,
    sep: u32,
    positions: usize,
) -> Result<Vec<Vec<Vec<u32>>>, Problem> {
    let one = |text: &String| {
        let mut ids = vec![cls];
        ids.extend(encode(text)?);
        ids.truncate(positions.min(MAX_CAPTION).saturating_sub(1));
        ids.push(sep);
        Ok(ids)
    };
    (0..dataset.len()).map(|i| dataset.item(i).captions.iter().map(one).collect()).collect()
}

/// Longest caption in tokens, special ones included (LAVIS: `max_txt_len` 32).
pub const MAX_CAPTION: usize = 32;
