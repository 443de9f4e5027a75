//! Digests of files: SHA-256, and the SHA-1 that git names files by.

use crate::error::one_line;
use crate::progress::{Progress, Step};
use crate::{FetchError, paths};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What the bytes must be; 64 hex digits each, `None` when nobody knows.
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

/// Files from this size on show their hashing as a step of its own (about a tenth of a second).
const SHOWN: u64 = 100_000_000;

/// SHA-256 of a file in lower-case hex.
pub(crate) fn sha256_of(path: &Path, progress: &dyn Progress) -> Result<String, FetchError> {
    let mut file = File::open(path).map_err(FetchError::io("read", path))?;
    let size = file.metadata().map_err(FetchError::io("read", path))?.len();
    let step = (size >= SHOWN).then(|| {
        let name = path.file_name().unwrap_or_default().display();
        Step::new(progress, &format!("check {name}"), Some(size))
    });
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 18]);
    loop {
        let read = file.read(&mut buffer).map_err(FetchError::io("read", path))?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
        if let Some(step) = &step {
            step.advance(read as u64);
        }
    }
}

/// SHA-256 of a few bytes in lower-case hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Says whether an etag can be git's name of a file.
pub(crate) fn is_git_name(etag: &str) -> bool {
    paths::is_commit(etag)
}

/// Compares a small file with git's name of it and gives its sha256.
///
/// Some mirrors say the plain sha1 of the bytes instead; that will do too.
pub(crate) fn git_checked_sha256(
    name: &str,
    file: &Path,
    expected: &str,
    hint: &str,
) -> Result<String, FetchError> {
    let data = File::open(file).map_err(FetchError::io("read", file))?;
    let size = data.metadata().map_err(FetchError::io("read", file))?.len();
    let (mut git, mut plain, mut sha256) = (Sha1::new(), Sha1::new(), Sha256::new());
    git.update(format!("blob {size}\0"));
    let (mut data, mut buffer) = (data, vec![0; 1 << 18]);
    loop {
        let read = data.read(&mut buffer).map_err(FetchError::io("read", file))?;
        if read == 0 {
            break;
        }
        git.update(&buffer[..read]);
        plain.update(&buffer[..read]);
        sha256.update(&buffer[..read]);
    }
    let git = hex(&git.finalize());
    if git == expected || hex(&plain.finalize()) == expected {
        return Ok(hex(&sha256.finalize()));
    }
    Err(FetchError::Digest {
        what: format!("git sha1 of {name}"),
        expected: expected.to_owned(),
        got: git,
        file: file.to_owned(),
        hint: hint.to_owned(),
    })
}

/// Compares two digests; `hint` says what happened to the file.
pub(crate) fn compare(
    what: &str,
    expected: &str,
    got: &str,
    file: &Path,
    hint: &str,
) -> Result<(), FetchError> {
    if expected.eq_ignore_ascii_case(got) {
        return Ok(());
    }
    let hint = if paths::is_sha256(&expected.to_ascii_lowercase()) {
        hint
    } else {
        "a sha256 has 64 hex digits"
    };
    Err(FetchError::Digest {
        what: format!("sha256 of {what}"),
        expected: one_line(expected),
        got: got.to_owned(),
        file: file.to_owned(),
        hint: hint.to_owned(),
    })
}
