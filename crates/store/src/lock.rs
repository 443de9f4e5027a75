//! One writer per download, across processes.

use crate::paths::percent;
use crate::problem::io;
use crate::{Step, StepProgress};
use std::fs::{File, TryLockError};
use std::path::Path;
use toolkit_system::problem::Problem;

/// Held until dropped; the system lets go of it when a process dies. Lock files stay: removing one
/// would let two processes hold locks of the same name.
pub struct Lock(#[expect(dead_code, reason = "held, not read")] File);

/// Waits until nobody else holds the lock `key` of the store at `root`.
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
