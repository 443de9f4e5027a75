//! Locks of a run folder and of shared files.

use crate::{LabError, Reporter};
use std::fs::TryLockError;
use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
use std::path::Path;
use toolkit_system::problem::Problem;

/// Lock that keeps a second process out. The system drops it with the process,
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
            Err(TryLockError::WouldBlock) => Err(Problem::new(format_args!(
                "{}: another process is working on this run",
                dir.display()
            ))
            .hint("wait for it, or choose another folder with `--out`")
            .into()),
            Err(TryLockError::Error(e)) => Err(LabError::io(&path, &e)),
        }
    }

    /// Waits for the lock of the files called `name` in `dir`, which several runs use. A folder
    /// that cannot be written has none.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn wait(
        dir: &Path,
        name: &str,
        reporter: &dyn Reporter,
    ) -> Result<Option<Self>, LabError> {
        let path = dir.join(format!("{name}.lock"));
        std::fs::create_dir_all(dir).map_err(|e| LabError::io(dir, &e))?;
        let file = match std::fs::File::create(&path) {
            Ok(file) => file,
            Err(e) if matches!(e.kind(), PermissionDenied | ReadOnlyFilesystem) => {
                return Ok(None);
            }
            Err(e) => return Err(LabError::io(&path, &e)),
        };
        let locked = match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                reporter.note(&format!("waiting for another process with {}", path.display()));
                file.lock()
            }
            Err(TryLockError::Error(e)) => Err(e),
            Ok(()) => Ok(()),
        };
        locked.map_err(|e| LabError::io(&path, &e))?;
        Ok(Some(Self(file)))
    }
}
