//! Locks across processes: one writer for each download.

use crate::paths::percent;
use crate::problem::io;
use crate::{Step, StepProgress};
use std::fs::{File, TryLockError};
use std::path::Path;
use toolkit_system::problem::Problem;

/// A lock, released when dropped or when the process dies. Lock files stay: removing one would let
/// two processes have locks of the same name.
pub struct Lock(#[expect(dead_code, reason = "held, not read")] File);

/// Takes the lock `key` of the store at `root`, after waiting for any other owner.
///
/// # Errors
///
/// If the lock file cannot be written.
pub fn lock(root: &Path, key: &str, progress: &dyn StepProgress) -> Result<Lock, Problem> {
    let folder = root.join("locks");
    std::fs::create_dir_all(&folder).map_err(io("create", &folder))?;
    let path = folder.join(format!("{}.lock", percent(key, "@+")));
    let file = File::options().create(true).append(true).open(&path).map_err(io("write", &path))?;
    match file.try_lock() {
        Ok(()) => return Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(io("lock", &path)(error)),
    }
    let _step = Step::new(progress, &format!("wait for another process that fetches {key}"), None);
    file.lock().map_err(io("lock", &path))?;
    Ok(Lock(file))
}
