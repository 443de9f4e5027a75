//! Git's names of files: the SHA-1 of a header and the bytes.

use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use toolkit_store::paths;
use toolkit_store::problem::{io, wrong_digest};
use toolkit_system::digest::hex;
use toolkit_system::problem::Problem;

/// Returns `true` if an etag can be git's name of a file.
pub(crate) fn is_git_name(etag: &str) -> bool {
    paths::is_commit(etag)
}

/// Compares a small file with git's name of it and returns its sha256.
///
/// Some mirrors state the plain sha1 of the bytes instead, which is accepted too.
pub(crate) fn git_checked_sha256(
    name: &str,
    file: &Path,
    expected: &str,
    hint: &str,
) -> Result<String, Problem> {
    let data = File::open(file).map_err(io("read", file))?;
    let size = data.metadata().map_err(io("read", file))?.len();
    let (mut git, mut plain, mut sha256) = (Sha1::new(), Sha1::new(), Sha256::new());
    git.update(format!("blob {size}\0"));
    let (mut data, mut buffer) = (data, vec![0; 1 << 18]);
    loop {
        let read = data.read(&mut buffer).map_err(io("read", file))?;
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
    Err(wrong_digest(&format!("git sha1 of {name}"), expected, &git, file, hint))
}
