//! Tensors and metadata that a parser found in one file.

use crate::dtype::Format;
use crate::error::{DAMAGED, ParseError, one_line};
use crate::stored::{StoredTensor, TensorError};
use std::collections::BTreeMap;

/// Most tensors of a file. Large models have some thousands, those of many experts tens of
/// thousands.
pub(crate) const MOST_TENSORS: usize = 100_000;

/// Creates the error of a file with more than [`MOST_TENSORS`].
pub(crate) fn too_many() -> ParseError {
    let what = format!("this file has more than {MOST_TENSORS} tensors, which no model has");
    ParseError::new(what, "get the file again, from those who made the model")
}

/// The tensors of a file, by name.
#[derive(Clone)]
pub(crate) struct Directory {
    pub(crate) format: Format,
    pub(crate) tensors: BTreeMap<String, StoredTensor>,
    /// Reasons by name, for tensors that are in the file but cannot be read.
    pub(crate) skipped: BTreeMap<String, String>,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Directory {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            tensors: BTreeMap::new(),
            skipped: BTreeMap::new(),
            metadata: BTreeMap::new(),
        }
    }

    /// Returns `true` if the file has a tensor of this name, also one that cannot be read.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name) || self.skipped.contains_key(name)
    }

    /// Adds a tensor, or the reason that it is not read.
    ///
    /// # Errors
    /// If the tensor is damaged or the name is taken.
    pub(crate) fn insert(
        &mut self,
        name: &str,
        tensor: Result<StoredTensor, TensorError>,
    ) -> Result<(), ParseError> {
        let is_taken = self.contains(name);
        match tensor {
            Ok(tensor) => drop(self.tensors.insert(name.to_owned(), tensor)),
            Err(TensorError::Unread(why)) => drop(self.skipped.insert(name.to_owned(), why)),
            Err(TensorError::Damaged(what)) => return Err(ParseError::tensor(name, what)),
            Err(TensorError::File(error)) => return Err(error),
        }
        if is_taken {
            let what = format!("two tensors are called `{}`", one_line(name));
            return Err(ParseError::new(what, DAMAGED));
        }
        Ok(())
    }

    /// Returns the directory with other names; `None` if two tensors would be called the same.
    pub(crate) fn renamed(&self, rename: impl Fn(&str) -> String) -> Option<Self> {
        let tensors: BTreeMap<_, _> =
            self.tensors.iter().map(|(name, tensor)| (rename(name), tensor.clone())).collect();
        let skipped: BTreeMap<_, _> =
            self.skipped.iter().map(|(name, why)| (rename(name), why.clone())).collect();
        if tensors.len() != self.tensors.len() || skipped.len() != self.skipped.len() {
            return None;
        }
        Some(Self { format: self.format, tensors, skipped, metadata: self.metadata.clone() })
    }
}
