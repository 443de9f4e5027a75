//! Bounds on what a download, and an archive that is unpacked, may bring.

use crate::FetchError;
use std::path::Path;

/// Hint of the errors of this module.
pub(crate) const HINT: &str = "if it is meant to be that large, set TOOLKIT_MAX_FETCH to what you \
    allow, as in TOOLKIT_MAX_FETCH=20G";

/// Bytes of a download whose size the server does not state.
const UNSIZED: u64 = 64_000_000;
/// Bytes of a packed package.
const PACKED: u64 = 8_000_000_000;
/// Bytes of an unpacked package.
const UNPACKED: u64 = 16_000_000_000;
/// Files, folders and links of a package.
const ENTRIES: u64 = 200_000;
/// Growth of an archive that is allowed above [`SMALL`] bytes. Text is packed to a tenth. Deflate
/// reaches a thousandth, with zeros only.
const RATIO: u64 = 100;
/// Bytes that any archive may become.
const SMALL: u64 = 64_000_000;

/// The bounds in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes that the user allows in place of the bounds above.
    pub(crate) allowed: Option<u64>,
}

impl Limits {
    /// Returns the most bytes of a download whose size the server does not state.
    pub(crate) fn unsized_download(self) -> u64 {
        self.allowed.unwrap_or(UNSIZED)
    }

    /// Returns the most bytes of a package as its manager downloads it.
    pub(crate) fn packed(self) -> u64 {
        self.allowed.unwrap_or(PACKED)
    }

    /// Returns the room for unpacking an archive of `packed` bytes. `stated` is the size in the
    /// card.
    pub(crate) fn room(self, packed: u64, stated: Option<u64>) -> Room {
        let by_ratio = packed.saturating_mul(RATIO).clamp(SMALL, UNPACKED);
        let bytes = stated.or(self.allowed).unwrap_or(by_ratio);
        Room { bytes, entries: ENTRIES, all: bytes }
    }
}

/// Room that is left for unpacking one archive.
#[derive(Debug)]
pub(crate) struct Room {
    bytes: u64,
    entries: u64,
    /// Bytes at the start, for messages.
    all: u64,
}

impl Room {
    /// Takes room for `bytes` that are about to be written.
    pub(crate) fn take(&mut self, archive: &Path, bytes: u64) -> Result<(), FetchError> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(|| self.full(archive))?;
        Ok(())
    }

    /// Takes room for one more file, folder or link.
    pub(crate) fn enter(&mut self, archive: &Path) -> Result<(), FetchError> {
        let left = self.entries.checked_sub(1);
        self.entries = left.ok_or_else(|| {
            let what = format!("it has more than {ENTRIES} files and folders");
            FetchError::archive(
                archive,
                what,
                "the package is hostile, or none to be fetched whole",
            )
        })?;
        Ok(())
    }

    /// Refuses an archive that states more than there is room for, before anything is written.
    pub(crate) fn must_hold(&self, archive: &Path, stated: u64) -> Result<(), FetchError> {
        if stated > self.bytes { Err(self.full(archive)) } else { Ok(()) }
    }

    fn full(&self, archive: &Path) -> FetchError {
        let packed = std::fs::metadata(archive).map_or(0, |data| data.len());
        let what = format!("{packed} bytes unpack to more than {} bytes", self.all);
        FetchError::archive(archive, what, HINT)
    }
}

#[cfg(test)]
#[path = "tests/limits.rs"]
mod tests;
