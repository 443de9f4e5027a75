//! Files that others wrote.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Opens a regular file.
///
/// # Errors
/// If it is not there, or is a folder, a pipe or a device. Opening a pipe waits for its other end; a device never ends.
pub fn open(path: &Path) -> Result<File> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "this is a pipe or a device, not a file"));
    }
    File::open(path)
}

/// Reads a regular file.
///
/// # Errors
/// As [`open`]; if it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes = Vec::with_capacity(file.metadata().map_or(0, |data| data.len() as usize).min(1 << 30));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a regular file of UTF-8 text.
///
/// # Errors
/// As [`read`]; if it is not UTF-8.
pub fn read_to_string(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).map_err(|_| Error::new(ErrorKind::InvalidData, "the text is not UTF-8"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_refused_before_it_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        std::fs::write(&file, "text").unwrap();
        assert_eq!(read_to_string(&file).unwrap(), "text");
        assert_eq!(read(dir.path()).unwrap_err().kind(), ErrorKind::IsADirectory);
        assert_eq!(read(&dir.path().join("b")).unwrap_err().kind(), ErrorKind::NotFound);
        if Path::new("/dev/zero").exists() {
            assert_eq!(read(Path::new("/dev/zero")).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        let pipe = dir.path().join("pipe");
        if std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|done| done.success()) {
            assert_eq!(open(&pipe).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
    }
}
