//! Features of the frozen encoder: computed once, shared by all jobs, computed again if damaged.

use crate::run::lock::Lock;
use crate::{LabError, Reporter};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use toolkit_system::problem::Problem;
use toolkit_system::progress::Progress;
use toolkit_train::features::{Features, Recipe};

/// Attempts at a job for each file of features, any of which may be damaged. A disk that damages
/// them again and again is not worked around.
const ATTEMPTS: usize = 3;

/// Features of one encoder and data set; empty until the first job opens them.
type Slot = Arc<Mutex<Option<Features>>>;

/// Features that the jobs of a run have opened.
pub struct FeatureStore {
    dir: PathBuf,
    /// By the key of encoder, preprocessing and data.
    opened: Mutex<HashMap<String, Slot>>,
    /// Number of times that damaged features were computed again.
    mended: AtomicUsize,
}

/// Features of all data of a cell.
#[derive(Clone)]
pub struct SplitFeatures {
    /// Features of the training split, unless every stage trains on live pictures.
    pub train: Option<Arc<Features>>,
    /// Features of the validation split, where there is one.
    pub val: Option<Arc<Features>>,
    /// Features of the test split, where there is one.
    pub test: Option<Arc<Features>>,
    /// Features of the data of further tasks, in their order.
    pub also: Vec<Arc<Features>>,
}

impl SplitFeatures {
    /// Returns the features of the test split.
    ///
    /// # Errors
    /// If the experiment names none: its file is checked before, so that nothing asks for them.
    pub fn tested(&self) -> Result<&Features, LabError> {
        let features = self.test.as_deref();
        features.ok_or_else(|| Problem::defect("there is no test split").into())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FeatureStore {
    /// Creates a store of the features in folder `dir`.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, opened: Mutex::default(), mended: AtomicUsize::new(0) }
    }

    /// Opens the features of `recipe`, computing them if they are not there or damaged.
    ///
    /// # Errors
    /// Unreadable images, missing weights, a full disk.
    pub fn open(
        &self,
        recipe: &Recipe<'_>,
        progress: &dyn Progress,
        reporter: &dyn Reporter,
    ) -> Result<Arc<Features>, LabError> {
        let note = |line: &str| reporter.note(line);
        // One job at a time opens or computes the same features.
        let slot = locked(&self.opened).entry(recipe.key.to_owned()).or_default().clone();
        let mut slot = locked(&slot);
        // And one process, because runs share the folder.
        let _lock = match *slot {
            Some(_) if !slot.as_ref().is_some_and(Features::is_damaged) => None,
            _ => Lock::wait(&self.dir, recipe.key, reporter)?,
        };
        // Features that cannot be mended leave the store, so that no job tries again and again.
        if let Some(damaged) = slot.take_if(|features| features.is_damaged()) {
            damaged.mend(recipe, progress, &note)?;
            self.mended.fetch_add(1, Ordering::Relaxed);
            *slot = Some(damaged);
        }
        if let Some(features) = slot.as_ref() {
            return Ok(Arc::new(features.another()));
        }
        let features = Features::open(&self.dir, recipe, progress, &note)?;
        Ok(Arc::new(slot.insert(features).another()))
    }

    /// Does a job, and does it again if it met features that turned out damaged. The job must
    /// resume itself; when it opens the features again, they are computed anew.
    ///
    /// # Errors
    /// Those of the job.
    pub fn retry_damaged<T>(
        &self,
        reporter: &dyn Reporter,
        job: impl Fn() -> Result<T, LabError>,
    ) -> Result<T, LabError> {
        let mut attempts = 1;
        loop {
            let mended = self.mended.load(Ordering::Relaxed);
            match job() {
                Err(error)
                    if attempts < self.most_attempts()
                        // Another job may have mended them already.
                        && (self.any_damaged() || self.mended.load(Ordering::Relaxed) > mended) =>
                {
                    reporter.note(&error.to_string());
                    attempts += 1;
                }
                done => return done,
            }
        }
    }

    fn most_attempts(&self) -> usize {
        ATTEMPTS * locked(&self.opened).len().max(1)
    }

    fn any_damaged(&self) -> bool {
        let slots: Vec<Slot> = locked(&self.opened).values().cloned().collect();
        slots.iter().any(|slot| locked(slot).as_ref().is_some_and(Features::is_damaged))
    }
}
