//! Files and folders that appear whole or not at all.
//!
//! Everything is written beside its place under a hidden name, `.NAME.PID-RANDOM.tmp`, and renamed.
//! A kill leaves at most such a temporary; the next writer of the same name sweeps it. A temporary
//! is locked as long as its writer lives, so work in progress is never swept, on
//! any process or machine.

use crate::problem::Problem;
use std::ffi::OsString;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::Builder;

/// Error of the file system about a path.
#[derive(Debug)]
pub struct FileError {
    /// The path that was asked for, not the temporary one.
    pub path: PathBuf,
    /// The reason.
    pub error: io::Error,
}

impl FileError {
    /// An error about `path`.
    #[must_use]
    pub fn new(path: &Path, error: io::Error) -> Self {
        Self { path: path.to_owned(), error }
    }

    /// The error as it reads where the folder `from` becomes `to`.
    #[must_use]
    pub fn moved(self, from: &Path, to: &Path) -> Self {
        match self.path.strip_prefix(from) {
            Ok(rest) => Self { path: to.join(rest), error: self.error },
            Err(_) => self,
        }
    }

    /// Returns the error as what, place and hint.
    fn problem(&self) -> Problem {
        Problem::new(format_args!("cannot write: {}", self.error))
            .at(self.path.display())
            .hint(self.hint())
    }

    /// Returns a way out.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self.error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                "make room: there is too little free space, or a limit on the size of files"
            }
            ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => {
                "give a name that is not there yet"
            }
            _ => "check the path and its permissions",
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem().fmt(f)
    }
}

impl From<FileError> for Problem {
    fn from(error: FileError) -> Self {
        error.problem()
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Writes `path` by `write`, which gets the open temporary. The file is on disk before it gets its
/// name.
///
/// ```
/// use std::io::Write;
/// use toolkit_system::files::{FileError, write_atomic};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("scores.json");
/// write_atomic(&path, |file| {
///     file.write_all(b"{}").map_err(|error| FileError::new(&path, error))
/// })?;
/// // A failed write leaves the old file as it was.
/// let failed: Result<(), FileError> = write_atomic(&path, |file| {
///     let _ = file.write_all(b"half of");
///     Err(FileError::new(&path, std::io::Error::other("no more")))
/// });
/// assert!(failed.is_err());
/// assert_eq!(std::fs::read_to_string(&path)?, "{}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of `write`, and [`FileError`] for the rest; the file that was there before is then still
/// there.
pub fn write_atomic<T, E: From<FileError>>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, E>,
) -> Result<T, E> {
    let io = |error: io::Error| E::from(FileError::new(path, error));
    // Renaming over `/dev/null` would take it from everybody.
    if std::fs::metadata(path).is_ok_and(|data| !data.is_file()) {
        return Err(io(io::Error::new(
            ErrorKind::InvalidInput,
            "this is no file, and would be replaced by one",
        )));
    }
    let (file, name) = new_file(path).map_err(io)?.into_parts();
    let mut file = BufWriter::with_capacity(1 << 16, file);
    let done = match write(&mut file) {
        Ok(done) => done,
        Err(error) => {
            // What is still buffered would be written on drop, to a file that is about to be
            // removed.
            drop(file.into_parts());
            return Err(error);
        }
    };
    let file = file.into_inner().map_err(|error| io(error.into_error()))?;
    file.sync_all().map_err(io)?;
    name.persist(path).map_err(|error| io(error.error))?;
    sync_folder(folder_of(path));
    Ok(done)
}

/// Writes `bytes` to `path`.
///
/// # Errors
/// The same as those of [`write_atomic`].
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_atomic(path, |file| file.write_all(bytes).map_err(|error| FileError::new(path, error)))
}

/// Makes the folder `path` by `write`, which gets the temporary folder. Sweeps what a kill left of
/// earlier attempts.
///
/// # Errors
/// Those of `write`, and [`FileError`] for the rest. A folder that is there must be empty, and not
/// the current one.
pub fn write_folder<T, E: From<FileError>>(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    let io = |error: io::Error| E::from(FileError::new(path, error));
    let place = free_place(path).map_err(io)?;
    let parent = folder_of(&place);
    std::fs::create_dir_all(parent).map_err(|error| E::from(FileError::new(parent, error)))?;
    sweep_beside(&place);
    let (folder, lock) = new_folder(&place).map_err(io)?;
    let done = write(folder.path())?;
    sync_below(folder.path()).map_err(io)?;
    if place.is_dir() {
        // It is empty; not every system renames over an empty folder.
        std::fs::remove_dir(&place).map_err(io)?;
    }
    std::fs::rename(folder.path(), &place).map_err(io)?;
    // It has another name now, so there is nothing to remove under the old one.
    let _ = folder.keep();
    drop(lock);
    sync_folder(parent);
    Ok(done)
}

/// Removes the temporaries of `path` that nobody is writing.
pub fn sweep_beside(path: &Path) {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
        return;
    };
    for entry in std::fs::read_dir(folder_of(path)).into_iter().flatten().flatten() {
        if is_temporary_of(&entry.file_name().to_string_lossy(), &name) {
            remove_if_left(&entry.path());
        }
    }
}

/// Removes all temporaries below `dir` that nobody is writing, at any depth. Links are not
/// followed.
pub fn sweep_temporaries(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if is_temporary(&entry.file_name().to_string_lossy()) {
            remove_if_left(&entry.path());
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sweep_temporaries(&entry.path());
        }
    }
}

/// Names that are given here, and those that `tempfile` gives by itself.
fn is_temporary(name: &str) -> bool {
    name.starts_with(".tmp") || (name.starts_with('.') && name.ends_with(".tmp"))
}

/// `.NAME.PID.tmp` or `.NAME.PID-RANDOM.tmp`. Strict, since others' files lie beside.
fn is_temporary_of(file: &str, name: &str) -> bool {
    let middle = file.strip_prefix('.').and_then(|rest| rest.strip_prefix(name));
    let Some(middle) = middle.and_then(|rest| rest.strip_prefix('.')?.strip_suffix(".tmp")) else {
        return false;
    };
    let (pid, random) = middle.split_once('-').unwrap_or((middle, ""));
    !pid.is_empty()
        && pid.bytes().all(|byte| byte.is_ascii_digit())
        && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Removes a temporary whose writer is gone. What cannot be removed is in nobody's way.
fn remove_if_left(path: &Path) {
    let Ok(kind) = std::fs::symlink_metadata(path).map(|data| data.file_type()) else { return };
    let opened = match () {
        () if kind.is_dir() => File::open(path),
        () if kind.is_file() => OpenOptions::new().read(true).write(true).open(path),
        // Nothing here makes a link, a pipe or a device.
        () => return,
    };
    // The lock is held until the file is gone: a writer that was about to take it then sees that.
    let Ok(file) = opened else { return };
    if file.try_lock().is_ok() {
        let _ =
            if kind.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    }
}

/// A locked temporary file beside `path`, with the permissions of any new file.
fn new_file(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let prefix = prefix(path)?;
    loop {
        let mut builder = Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.prefix(&prefix).suffix(".tmp").tempfile_in(folder_of(path))?;
        // Some file systems have no locks; then nothing of it is swept either.
        let _ = file.as_file().lock();
        // Between making and locking it somebody may have swept it.
        if file.path().exists() {
            return Ok(file);
        }
    }
}

/// A locked temporary folder beside `path`, with its lock.
fn new_folder(path: &Path) -> io::Result<(tempfile::TempDir, Option<File>)> {
    let prefix = prefix(path)?;
    loop {
        let mut builder = Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        let folder = builder.prefix(&prefix).suffix(".tmp").tempdir_in(folder_of(path))?;
        let lock = File::open(folder.path()).ok();
        if let Some(lock) = &lock {
            let _ = lock.lock();
        }
        if folder.path().exists() {
            return Ok((folder, lock));
        }
    }
}

fn prefix(path: &Path) -> io::Result<OsString> {
    let unnamed = || io::Error::new(ErrorKind::InvalidInput, "the path does not end with a name");
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().ok_or_else(unnamed)?);
    prefix.push(format!(".{}-", std::process::id()));
    Ok(prefix)
}

/// Finds where a folder can be made: a free name, or an empty folder.
fn free_place(path: &Path) -> io::Result<PathBuf> {
    if std::fs::symlink_metadata(path).is_err() {
        return Ok(path.to_owned());
    }
    let place = path.canonicalize()?;
    if !place.is_dir() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "there is a file already"));
    }
    if std::fs::read_dir(&place)?.next().is_some() {
        return Err(io::Error::new(
            ErrorKind::DirectoryNotEmpty,
            "there is a folder already, and it is not empty",
        ));
    }
    if std::env::current_dir().and_then(|dir| dir.canonicalize()).is_ok_and(|dir| dir == place) {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "this is the current folder"));
    }
    Ok(place)
}

/// The folder that `path` is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Brings a rename to the disk. It is done already, so that it cannot be brought there is no
/// failure.
fn sync_folder(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

fn sync_below(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => sync_below(&entry.path())?,
            kind if kind.is_file() => {
                OpenOptions::new().write(true).open(entry.path())?.sync_all()?
            }
            _ => {}
        }
    }
    sync_folder(folder);
    Ok(())
}
