//! One writer per download, across processes.

use crate::FetchError;
use crate::paths::percent;
use crate::progress::{Progress, Step};
use std::fs::{File, TryLockError};
use std::path::Path;

/// Held until dropped; the system lets go of it when a process dies. Lock files stay: removing one
/// would let two processes hold locks of the same name.
pub(crate) struct Lock(#[expect(dead_code, reason = "held, not read")] File);

/// Waits until nobody else holds the lock `key` of the store at `root`.
pub(crate) fn lock(root: &Path, key: &str, progress: &dyn Progress) -> Result<Lock, FetchError> {
    let folder = root.join("locks");
    std::fs::create_dir_all(&folder).map_err(FetchError::io("create", &folder))?;
    let path = folder.join(format!("{}.lock", percent(key, "@+")));
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(FetchError::io("write", &path))?;
    match file.try_lock() {
        Ok(()) => return Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(FetchError::io("lock", &path)(error)),
    }
    let _step = Step::new(progress, &format!("wait for another process that fetches {key}"), None);
    file.lock().map_err(FetchError::io("lock", &path))?;
    Ok(Lock(file))
}
