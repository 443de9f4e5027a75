//! Digests of files: SHA-256, and the SHA-1 that git names files by.

use crate::problem::{bad_source, io, wrong_digest};
use crate::{Source, Step, StepProgress, paths};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use toolkit_system::digest::hex;
use toolkit_system::problem::{Problem, one_line};

/// Digests that a file must have, 64 hex digits each; `None` where none is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Digest {
    /// SHA-256 of the file that the source names. A folder has none, so it is an error with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// SHA-256 of the package archive (wheel, `.deb`, `.tgz`) that the file is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_sha256: Option<String>,
    /// Size in bytes of the unpacked package. It allows for more than an archive of its size
    /// usually holds, and for no more than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_bytes: Option<u64>,
}

impl Digest {
    /// Checks the form of the digests.
    ///
    /// # Errors
    /// If a SHA-256 has not 64 hexadecimal digits. The error names `source`.
    pub fn check_form(&self, source: &Source) -> Result<(), Problem> {
        for sha256 in [&self.sha256, &self.package_sha256].into_iter().flatten() {
            if !paths::is_sha256(&sha256.to_ascii_lowercase()) {
                let what = format!("`{sha256}` is no sha256");
                return Err(bad_source(&source.to_string(), &what, "it has 64 hex digits"));
            }
        }
        Ok(())
    }
}

/// Bytes from which hashing a file is a step of its own, about a tenth of a second.
const SHOWN: u64 = 100_000_000;

/// Computes the SHA-256 of a file, in lower-case hex.
///
/// # Errors
///
/// If the file cannot be read.
pub fn sha256_of(path: &Path, progress: &dyn StepProgress) -> Result<String, Problem> {
    let mut file = File::open(path).map_err(io("read", path))?;
    let size = file.metadata().map_err(io("read", path))?.len();
    let step = (size >= SHOWN).then(|| {
        let name = path.file_name().unwrap_or_default().display();
        Step::new(progress, &format!("check {name}"), Some(size))
    });
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 18]);
    loop {
        let read = file.read(&mut buffer).map_err(io("read", path))?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
        if let Some(step) = &step {
            step.advance(read as u64);
        }
    }
}

/// Compares two digests. `hint` tells the user what happened to the file.
///
/// # Errors
///
/// If they differ.
pub fn compare(
    what: &str,
    expected: &str,
    got: &str,
    file: &Path,
    hint: &str,
) -> Result<(), Problem> {
    if expected.eq_ignore_ascii_case(got) {
        return Ok(());
    }
    let hint = if paths::is_sha256(&expected.to_ascii_lowercase()) {
        hint
    } else {
        "a sha256 has 64 hex digits"
    };
    Err(wrong_digest(&format!("sha256 of {what}"), &one_line(expected), got, file, hint))
}
