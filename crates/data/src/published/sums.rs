//! Digests of annotation files.

use crate::DataError;
use crate::dataset::hex;
use md5::Md5;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Returns the MD5 of a file, in hex. Only to compare with what publishers state; it proves nothing
/// about intent.
pub(super) fn md5(path: &Path) -> Result<String, DataError> {
    sum::<Md5>(path)
}

/// Returns the SHA-256 of a file, in hex.
pub(super) fn sha256(path: &Path) -> Result<String, DataError> {
    sum::<Sha256>(path)
}

fn sum<D: Digest>(path: &Path) -> Result<String, DataError> {
    let fail = |source| DataError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(fail)?;
    let (mut hash, mut block) = (D::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut block).map_err(fail)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(&block[..read]),
        }
    }
}
