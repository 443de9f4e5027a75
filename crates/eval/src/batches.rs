//! Samples are evaluated in batches, and what was written for a batch can outlive the process.

use crate::EvalError;

/// A place for the texts of each batch, so that a kill costs one of them.
pub trait Keep {
    /// The texts of batch `at`, if an earlier call wrote them.
    fn held(&self, at: usize) -> Option<Vec<String>>;
    /// Keeps the texts of batch `at`.
    ///
    /// # Errors
    /// Errors of the file system.
    fn keep(&mut self, at: usize, texts: &[String]) -> Result<(), EvalError>;
}

/// The size of batches, and a place for what they bring.
pub struct Batches<'a> {
    size: usize,
    keep: Option<&'a mut dyn Keep>,
}

impl From<usize> for Batches<'_> {
    fn from(size: usize) -> Self {
        Self { size, keep: None }
    }
}

impl<'a> Batches<'a> {
    /// Batches of `size` whose texts go to `keep`. It must be of the same samples, model and size.
    #[must_use]
    pub fn kept(size: usize, keep: &'a mut dyn Keep) -> Self {
        Self { size, keep: Some(keep) }
    }

    /// Samples of a batch.
    pub(crate) fn size(&self) -> usize {
        self.size.max(1)
    }

    /// The texts of batch `at`, if they are there and as many as they must be.
    pub(crate) fn held(&self, at: usize, count: usize) -> Option<Vec<String>> {
        self.keep.as_ref()?.held(at).filter(|texts| texts.len() == count)
    }

    /// Keeps the texts of batch `at`.
    pub(crate) fn keep(&mut self, at: usize, texts: &[String]) -> Result<(), EvalError> {
        self.keep.as_mut().map_or(Ok(()), |keep| keep.keep(at, texts))
    }
}
