//! Things that opening of a data set needs besides its name.

use std::fmt::{Debug, Formatter};
use std::path::PathBuf;
use std::sync::Arc;
use toolkit_system::progress::{Reporter, Silent};

/// A place for indexes and a receiver of progress, for data sets that are scanned when they are
/// opened the first time.
#[derive(Clone)]
pub struct Opening {
    /// Folder in which indexes are kept; it is made when there is one.
    pub indexes: PathBuf,
    /// Receiver of progress and notes.
    pub reporter: Arc<dyn Reporter + Send>,
}

impl Opening {
    /// Keeps indexes in a folder, and shows no progress.
    pub fn new(indexes: impl Into<PathBuf>) -> Self {
        Self { indexes: indexes.into(), reporter: Arc::new(Silent) }
    }
}

impl Debug for Opening {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opening").field("indexes", &self.indexes).finish_non_exhaustive()
    }
}
