//! Bytes of a file, mapped or in memory.

use crate::error::FormatError;
use memmap2::Mmap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file's bytes and its name. Clones share the bytes.
#[derive(Clone)]
pub(crate) struct FileBytes {
    pub(crate) path: PathBuf,
    bytes: Arc<Bytes>,
}

enum Bytes {
    InMemory(Vec<u8>),
    Mapped(Mmap),
}

impl FileBytes {
    pub(crate) fn in_memory(path: PathBuf, bytes: Vec<u8>) -> Self {
        Self { path, bytes: Arc::new(Bytes::InMemory(bytes)) }
    }

    /// Maps a file into memory.
    #[expect(unsafe_code, reason = "memory-mapping a file has no safe form")]
    pub(crate) fn map(path: &Path) -> Result<Self, FormatError> {
        let unreadable = |error| FormatError::unreadable(path, &error);
        let file = toolkit_system::input::open(path).map_err(unreadable)?;
        let meta = file.metadata().map_err(unreadable)?;
        // An empty file cannot be mapped.
        if meta.len() == 0 {
            return Ok(Self::in_memory(path.to_owned(), Vec::new()));
        }
        // SAFETY: the map is private and read only. If another process cuts the file short, a read
        // past the new end ends this process (SIGBUS); if it rewrites it, numbers come out wrong.
        // No check here could stop either, and all bytes are decoded to numbers, of which any value
        // is valid. `Tensors::open` says so.
        let map = unsafe { Mmap::map(&file) }.map_err(unreadable)?;
        Ok(Self { path: path.to_owned(), bytes: Arc::new(Bytes::Mapped(map)) })
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match &*self.bytes {
            Bytes::InMemory(bytes) => bytes,
            Bytes::Mapped(map) => map,
        }
    }
}
