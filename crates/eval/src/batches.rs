//! Samples are evaluated in batches, whose texts can outlive the process.

use crate::EvalError;

/// A store for the texts of each batch, so that a kill costs one batch.
pub trait TextStore {
    /// Returns the texts of a batch, if an earlier call stored them.
    fn get(&self, batch: usize) -> Option<Vec<String>>;
    /// Stores the texts of a batch.
    ///
    /// # Errors
    /// Errors of the file system.
    fn put(&mut self, batch: usize, texts: &[String]) -> Result<(), EvalError>;
}

/// Size of batches, and a store for their texts.
pub struct Batches<'a> {
    size: usize,
    store: Option<&'a mut dyn TextStore>,
}

impl From<usize> for Batches<'_> {
    fn from(size: usize) -> Self {
        Self { size, store: None }
    }
}

impl<'a> Batches<'a> {
    /// Creates batches of `size` whose texts go to `store`.
    ///
    /// The store must be of the same samples, model and size.
    #[must_use]
    pub fn stored(size: usize, store: &'a mut dyn TextStore) -> Self {
        Self { size, store: Some(store) }
    }

    /// Returns the number of samples of a batch.
    pub(crate) fn size(&self) -> usize {
        self.size.max(1)
    }

    /// Returns the stored texts of a batch, if they are as many as they must be.
    pub(crate) fn get(&self, batch: usize, count: usize) -> Option<Vec<String>> {
        self.store.as_ref()?.get(batch).filter(|texts| texts.len() == count)
    }

    /// Stores the texts of a batch.
    pub(crate) fn put(&mut self, batch: usize, texts: &[String]) -> Result<(), EvalError> {
        self.store.as_mut().map_or(Ok(()), |store| store.put(batch, texts))
    }
}
