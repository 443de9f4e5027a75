//! The data of an experiment: training, validation and test splits, and data of further tasks.

use crate::LabError;
use crate::experiment::spec::{AlsoSpec, DataSpec, MaxDamaged};
use crate::plan::assumed;
use std::cell::RefCell;
use std::sync::Arc;
use toolkit_data::Dataset;
use toolkit_registry::{Instead, Registry};
use toolkit_system::problem::Problem;

/// Data of an experiment.
#[derive(Clone)]
pub struct Splits {
    /// Training split.
    pub train: Arc<dyn Dataset>,
    /// Validation split, for curves, where they are measured.
    pub val: Option<Arc<dyn Dataset>>,
    /// Test split, for tables, where something is measured on it.
    pub test: Option<Arc<dyn Dataset>>,
    /// Data of the further tasks, in their order.
    pub also: Vec<Arc<dyn Dataset>>,
    /// Pictures of each that may be unreadable.
    pub max_damaged: Option<MaxDamaged>,
}

impl Splits {
    /// Opens all data of an experiment.
    ///
    /// # Errors
    /// If data cannot be opened ([`Registry::open_data`]), or the training split has no captions.
    pub fn open(registry: &Registry, data: &DataSpec, also: &[AlsoSpec]) -> Result<Self, LabError> {
        Self::open_with(registry, data, also, &|_, error| Err(error))
    }

    /// Opens all data of an experiment. Data that are not on this machine are assumed, with a line in
    /// `notes`.
    ///
    /// # Errors
    /// If what is here cannot be read, or a card is wrong.
    pub fn open_or_assume(
        registry: &Registry,
        data: &DataSpec,
        also: &[AlsoSpec],
        notes: &mut Vec<String>,
    ) -> Result<Self, LabError> {
        let notes = RefCell::new(notes);
        Self::open_with(registry, data, also, &|name, error| {
            assumed::assume(registry, name, error, &mut notes.borrow_mut())
        })
    }

    /// Returns a line for each part of the data that was left out, or read in another way than it is
    /// written.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for data in self.all() {
            for line in data.notes().into_iter().map(|note| format!("`{}`: {note}", data.name())) {
                if !all.contains(&line) {
                    all.push(line);
                }
            }
        }
        all
    }

    /// Returns all data, those of further tasks last.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn Dataset>> {
        let main = [&self.train].into_iter().chain(&self.val).chain(&self.test);
        main.chain(&self.also)
    }

    /// Returns the test split.
    ///
    /// # Errors
    /// If the experiment names none: its file is checked before, so that nothing asks for it.
    pub fn tested(&self) -> Result<&Arc<dyn Dataset>, LabError> {
        self.test.as_ref().ok_or_else(|| Problem::defect("there is no test split").into())
    }

    fn open_with(
        registry: &Registry,
        data: &DataSpec,
        also: &[AlsoSpec],
        instead: Instead<'_>,
    ) -> Result<Self, LabError> {
        let open = |name: &str| registry.open_data_or(name, instead);
        let splits = Self {
            train: data.train.open(registry, instead)?,
            val: data.val.as_deref().map(open).transpose()?,
            test: data.test.as_deref().map(open).transpose()?,
            also: also.iter().map(|also| open(&also.data)).collect::<Result<_, _>>()?,
            max_damaged: data.max_damaged,
        };
        if splits.train.is_empty() {
            let what = format!("`{}` has no images", data.train);
            return Err(Problem::new(what).hint("training needs some").into());
        }
        // Shards have counted pairs without a text when their index was made.
        let known = if splits.train.is_sequential() { 0 } else { splits.train.len() };
        let bare = (0..known).find(|&i| splits.train.item(i).captions.is_empty());
        if let Some(i) = bare {
            let what = format!("`{}`: {} has no caption", data.train, splits.train.item(i).id);
            let hint = "training images need at least one caption each";
            return Err(Problem::new(what).hint(hint).into());
        }
        Ok(splits)
    }
}
