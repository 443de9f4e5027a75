//! The lock of a run folder.

use crate::LabError;
use std::path::Path;
use toolkit_system::problem::Problem;

/// Lock that keeps a second process out of a run folder. The system drops it with the process,
/// however that ends.
pub(crate) struct Lock(#[expect(dead_code, reason = "held for its lock")] std::fs::File);

impl Lock {
    /// Takes the lock of `dir`.
    ///
    /// # Errors
    /// If another process has it, or the file system refuses.
    pub(crate) fn take(dir: &Path) -> Result<Self, LabError> {
        let path = dir.join(".lock");
        let file = std::fs::File::create(&path).map_err(|e| LabError::io(&path, &e))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(std::fs::TryLockError::WouldBlock) => Err(Problem::new(format_args!(
                "{}: another process is working on this run",
                dir.display()
            ))
            .hint("wait for it, or choose another folder with `--out`")
            .into()),
            Err(std::fs::TryLockError::Error(e)) => Err(LabError::io(&path, &e)),
        }
    }
}
