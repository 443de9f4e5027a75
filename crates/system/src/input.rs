//! Files that other programs wrote: opened only if they are regular files.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Opens a regular file.
///
/// # Errors
/// If it is not there, or is a link to nothing, a folder, a pipe or a device. Opening a pipe waits
/// for its other end; a device never ends.
pub fn open(path: &Path) -> Result<File> {
    regular(path)?;
    File::open(path)
}

/// Tells if an optional file is there, to be opened. Only a name that the folder lacks is absent.
///
/// # Errors
/// The same as those of [`open`] if the name is there and is no file: it was meant to be read, so
/// it is never passed over.
pub fn is_there(path: &Path) -> Result<bool> {
    match std::fs::symlink_metadata(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(error),
        Ok(_) => regular(path).map(|()| true),
    }
}

/// Refuses what is no regular file, nor a link to one.
fn regular(path: &Path) -> Result<()> {
    let kind = match std::fs::metadata(path) {
        // Not "not found": callers take that for a file that was never there.
        Err(error)
            if error.kind() == ErrorKind::NotFound && std::fs::symlink_metadata(path).is_ok() =>
        {
            return Err(Error::new(ErrorKind::InvalidInput, "this is a link to nothing"));
        }
        found => found?.file_type(),
    };
    match () {
        () if kind.is_file() => Ok(()),
        () if kind.is_dir() => Err(ErrorKind::IsADirectory.into()),
        () => Err(Error::new(ErrorKind::InvalidInput, "this is a pipe or a device, not a file")),
    }
}

/// Reads a regular file.
///
/// # Errors
/// The same as those of [`open`], and those of reading.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes =
        Vec::with_capacity(file.metadata().map_or(0, |data| data.len() as usize).min(1 << 30));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a regular file of UTF-8 text.
///
/// ```
/// use toolkit_system::input::read_to_string;
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("captions.txt");
/// std::fs::write(&file, "a red bus")?;
/// assert_eq!(read_to_string(&file)?, "a red bus");
/// // Neither a folder nor a pipe is waited for.
/// assert!(read_to_string(folder.path()).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// The same as those of [`read`], and text that is not UTF-8.
pub fn read_to_string(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?)
        .map_err(|_| Error::new(ErrorKind::InvalidData, "the text is not UTF-8"))
}

/// Fills `buffer` with the bytes of a file from `offset` on, without moving its position: any
/// number of threads may read one file.
///
/// # Errors
/// Those of reading; [`ErrorKind::UnexpectedEof`] if the file ends before.
pub fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset);
    #[cfg(windows)]
    {
        let (mut buffer, mut offset) = (buffer, offset);
        while !buffer.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(file, buffer, offset) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    buffer = &mut buffer[read..];
                    offset += read as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
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
        if std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|done| done.success())
        {
            assert_eq!(open(&pipe).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn any_part_of_a_file_is_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "some text").unwrap();
        let file = open(&dir.path().join("a")).unwrap();
        let mut bytes = [0; 4];
        for (offset, expected) in [(5, b"text"), (0, b"some")] {
            read_exact_at(&file, &mut bytes, offset).unwrap();
            assert_eq!(&bytes, expected);
        }
        let beyond = read_exact_at(&file, &mut bytes, 6).unwrap_err();
        assert_eq!(beyond.kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn only_a_name_that_is_not_there_is_absent() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), "text").unwrap();
        assert!(is_there(&at("file")).unwrap());
        assert!(!is_there(&at("none")).unwrap() && !is_there(&at("file").join("below")).unwrap());
        assert_eq!(is_there(dir.path()).unwrap_err().kind(), ErrorKind::IsADirectory);
        if std::process::Command::new("mkfifo")
            .arg(at("pipe"))
            .status()
            .is_ok_and(|done| done.success())
        {
            assert!(is_there(&at("pipe")).unwrap_err().to_string().contains("a pipe or a device"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_what_it_leads_to() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), "text").unwrap();
        for (target, name) in [("file", "good"), ("lost", "dangling"), ("round", "round")] {
            std::os::unix::fs::symlink(at(target), at(name)).unwrap();
        }
        assert!(is_there(&at("good")).unwrap());
        for error in [is_there(&at("dangling")).unwrap_err(), open(&at("dangling")).unwrap_err()] {
            assert_eq!(
                (error.kind(), error.to_string()),
                (ErrorKind::InvalidInput, "this is a link to nothing".into())
            );
        }
        assert!(is_there(&at("round")).is_err());
    }
}
