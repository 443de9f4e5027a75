//! Unpacking of wheels, `.tgz` and the content of `.deb`: inside one folder, within the room that
//! is given.

use crate::FetchError;
use crate::limits::Room;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use tar::EntryType;
use toolkit_store::Step;

const HINT: &str = "the package is damaged or hostile; compare its sha256 with a published one";

/// Bytes between two entries of a tar: headers, long names and padding. tar keeps names in memory.
const BETWEEN_ENTRIES: u64 = 1 << 20;

/// Habits of those who make an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A single top folder, whose name is dropped. A link that leads out of it is an error.
    Node,
    /// Names are used as they are. Packages link to files of other packages; such links are left out.
    Debian,
}

/// Unpacks `archive`, a `.whl`, into the new folder `to`.
pub(crate) fn zip(
    archive: &Path,
    to: &Path,
    room: &mut Room,
    step: &Step<'_>,
) -> Result<(), FetchError> {
    let bad = |error: zip::result::ZipError| {
        FetchError::archive(archive, format!("bad zip: {error}"), HINT)
    };
    let file = File::open(archive).map_err(FetchError::io("read", archive))?;
    let mut zip = zip::ZipArchive::new(io::BufReader::new(file)).map_err(bad)?;
    // By the sizes that the archive states first, so that an honest giant is refused at once.
    let mut stated = 0u64;
    for index in 0..zip.len() {
        room.enter(archive)?;
        stated = stated.saturating_add(zip.by_index_raw(index).map_err(bad)?.size());
    }
    room.must_hold(archive, stated)?;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(bad)?;
        let name = entry.name().map_err(bad)?.into_owned();
        if name.contains('\\') || entry.is_symlink() {
            return Err(FetchError::archive(
                archive,
                format!("`{name}` is a link or no plain name"),
                HINT,
            ));
        }
        let Some(path) = inside(archive, Path::new(&name), false)? else { continue };
        let path = to.join(path);
        if entry.is_dir() {
            create_dir(&path)?;
        } else {
            let (size, packed) = (entry.size(), entry.compressed_size());
            // Not a byte more than it states, even if there is more.
            let written =
                write(archive, &mut (&mut entry).take(size.saturating_add(1)), &path, room)?;
            if written != size {
                let what = format!("`{name}` states {size} bytes and has others");
                return Err(FetchError::archive(archive, what, HINT));
            }
            step.advance(packed);
        }
    }
    Ok(())
}

/// Unpacks a gzipped tar of npm into the new folder `to`.
pub(crate) fn tgz(
    archive: &Path,
    to: &Path,
    room: &mut Room,
    step: &Step<'_>,
) -> Result<(), FetchError> {
    let file = File::open(archive).map_err(FetchError::io("read", archive))?;
    let plain = flate2::read::MultiGzDecoder::new(io::BufReader::new(Counted(file, step)));
    tar(archive, plain, to, room, Form::Node)
}

/// A reader that reports the bytes that it reads.
pub(crate) struct Counted<'a, R>(pub(crate) R, pub(crate) &'a Step<'a>);

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.advance(read as u64);
        Ok(read)
    }
}

/// A reader that reads at most `left` bytes, which is renewed on the way.
struct Bounded<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let left = self.left.get().checked_sub(read as u64);
        let too_long =
            || io::Error::other(format!("over {BETWEEN_ENTRIES} bytes that belong to no file"));
        self.left.set(left.ok_or_else(too_long)?);
        Ok(read)
    }
}

/// Unpacks a tar stream of `archive` into the new folder `to`. Links are made last, so that no file
/// is written through one.
pub(crate) fn tar(
    archive: &Path,
    stream: impl Read,
    to: &Path,
    room: &mut Room,
    form: Form,
) -> Result<(), FetchError> {
    let bad = |error: io::Error| FetchError::archive(archive, format!("bad tar: {error}"), HINT);
    let strip = form == Form::Node;
    let left = Rc::new(Cell::new(BETWEEN_ENTRIES));
    let mut links = Vec::new();
    let mut tar = tar::Archive::new(Bounded { inner: stream, left: left.clone() });
    for entry in tar.entries().map_err(bad)? {
        let mut entry = entry.map_err(bad)?;
        room.enter(archive)?;
        let kind = entry.header().entry_type();
        let name = entry.path().map_err(bad)?.into_owned();
        if let Some(path) = inside(archive, &name, strip)? {
            match kind {
                EntryType::Directory => create_dir(&to.join(path))?,
                EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                    room.must_hold(archive, entry.size())?;
                    // The room for files is what bounds this part of the stream.
                    left.set(u64::MAX);
                    write(archive, &mut entry, &to.join(path), room)?;
                }
                EntryType::Symlink | EntryType::Link => {
                    let target = entry.link_name().map_err(bad)?.unwrap_or_default().into_owned();
                    links.push((kind, path, target));
                }
                EntryType::XGlobalHeader => {}
                _ => {
                    let what = format!("`{}` is neither file, folder nor link", name.display());
                    return Err(FetchError::archive(archive, what, HINT));
                }
            }
        }
        left.set(BETWEEN_ENTRIES);
    }
    // Drain the padding: a program that writes the stream must not meet a closed pipe.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(bad)?;
    // Hard links are second names of files that are there; they come before symbolic links, so none
    // of those is followed.
    links.sort_by_key(|(kind, ..)| *kind == EntryType::Symlink);
    for (kind, path, target) in &links {
        let made = match kind {
            EntryType::Link => match inside(archive, target, strip)? {
                Some(target) => hard_link(archive, &to.join(target), &to.join(path), room)?,
                None => false,
            },
            _ => symlink(to, path, target)?,
        };
        if !made && form == Form::Node {
            let what =
                format!("the link `{}` leads to `{}`, outside", path.display(), target.display());
            return Err(FetchError::archive(archive, what, HINT));
        }
    }
    Ok(())
}

/// Returns the path below the folder for a name in an archive; `None` for the folder itself.
fn inside(archive: &Path, name: &Path, strip: bool) -> Result<Option<PathBuf>, FetchError> {
    let mut path = PathBuf::new();
    let mut strip = strip;
    for component in name.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(_) if strip => strip = false,
            Component::Normal(part) => path.push(part),
            _ => {
                return Err(FetchError::archive(
                    archive,
                    format!("`{}` leads outside", name.display()),
                    HINT,
                ));
            }
        }
    }
    Ok(Some(path).filter(|path| !path.as_os_str().is_empty()))
}

fn create_dir(path: &Path) -> Result<(), FetchError> {
    std::fs::create_dir_all(path).map_err(FetchError::io("create", path))
}

/// Writes a file and returns its length. Modes are dropped: these files are data, none of them is
/// run.
fn write(
    archive: &Path,
    content: &mut impl Read,
    path: &Path,
    room: &mut Room,
) -> Result<u64, FetchError> {
    if let Some(parent) = path.parent() {
        create_dir(parent)?;
    }
    let mut file = File::create(path).map_err(FetchError::io("write", path))?;
    let (mut buffer, mut written) = (vec![0; 1 << 16], 0);
    loop {
        let read = content.read(&mut buffer).map_err(|error| {
            FetchError::archive(
                archive,
                format!("cannot unpack `{}`: {error}", path.display()),
                HINT,
            )
        })?;
        if read == 0 {
            return Ok(written);
        }
        room.take(archive, read as u64)?;
        io::Write::write_all(&mut file, &buffer[..read]).map_err(FetchError::io("write", path))?;
        written += read as u64;
    }
}

/// Copies the file that a hard link names. A thousand links to a file take a thousand times its
/// room.
fn hard_link(
    archive: &Path,
    target: &Path,
    path: &Path,
    room: &mut Room,
) -> Result<bool, FetchError> {
    let Some(data) = std::fs::symlink_metadata(target).ok().filter(std::fs::Metadata::is_file)
    else {
        return Ok(false);
    };
    room.take(archive, data.len())?;
    if let Some(parent) = path.parent() {
        create_dir(parent)?;
    }
    std::fs::copy(target, path).map_err(FetchError::io("write", path))?;
    Ok(true)
}

/// Makes the link if it leads to something inside `to`; returns `true` if it did.
fn symlink(to: &Path, path: &Path, target: &Path) -> Result<bool, FetchError> {
    let place = to.join(path);
    let parent = place.parent().unwrap_or(to).to_owned();
    create_dir(&parent)?;
    // The system resolves it, with all links on the way, so that no chain of them gets out. A link
    // to what is not there (or not there yet) is of no use either.
    let root = to.canonicalize().map_err(FetchError::io("read", to))?;
    let inside = |path: &Path| path.canonicalize().is_ok_and(|path| path.starts_with(&root));
    if target.is_absolute()
        || !inside(&parent)
        || !inside(&parent.join(target))
        || place.symlink_metadata().is_ok()
    {
        return Ok(false);
    }
    link_or_copy(target, &parent, &place)?;
    Ok(true)
}

#[cfg(unix)]
fn link_or_copy(target: &Path, _: &Path, place: &Path) -> Result<(), FetchError> {
    std::os::unix::fs::symlink(target, place).map_err(FetchError::io("write", place))
}

#[cfg(not(unix))]
fn link_or_copy(target: &Path, parent: &Path, place: &Path) -> Result<(), FetchError> {
    let target = parent.join(target);
    if target.is_file() {
        std::fs::copy(&target, place).map_err(FetchError::io("write", place))?;
    }
    Ok(())
}
