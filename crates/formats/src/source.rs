//! The bytes of a file: mapped or held.

use crate::error::FormatError;
use memmap2::Mmap;
use std::path::{Path, PathBuf};

pub(crate) struct Source {
    pub(crate) path: PathBuf,
    bytes: Bytes,
}

enum Bytes {
    Held(Vec<u8>),
    Mapped(Mmap),
}

impl Source {
    pub(crate) fn held(path: PathBuf, bytes: Vec<u8>) -> Self {
        Self { path, bytes: Bytes::Held(bytes) }
    }

    #[expect(unsafe_code, reason = "memory-mapping a file has no safe form")]
    pub(crate) fn map(path: &Path) -> Result<Self, FormatError> {
        let read = |source| FormatError::Read { path: path.to_owned(), source };
        let file = toolkit_system::input::open(path).map_err(read)?;
        let meta = file.metadata().map_err(read)?;
        if meta.len() == 0 {
            return Ok(Self::held(path.to_owned(), Vec::new()));
        }
        // SAFETY: the map is private and read only. If another process cuts the file short, a read
        // past the new end ends this process (SIGBUS); if it rewrites it, numbers come out wrong.
        // No check here could stop either, and all bytes are decoded to numbers, of which any value
        // is valid. `Tensors::open` says so.
        let map = unsafe { Mmap::map(&file) }.map_err(read)?;
        Ok(Self { path: path.to_owned(), bytes: Bytes::Mapped(map) })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Held(bytes) => bytes,
            Bytes::Mapped(map) => map,
        }
    }
}
