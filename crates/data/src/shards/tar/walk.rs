//! The members of a tar file, read front to back once: ustar, GNU's long names, and PAX paths and
//! sizes. The bytes are hashed as they pass.

use crate::shards::place::{Place, Sum};
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Error, ErrorKind, Read};
use tar::{EntryType, Header, PaxExtensions};

/// Bytes of a block.
const BLOCK: usize = 512;
/// Bytes that are read at once.
const BUFFER: usize = 1 << 20;
/// Most bytes of a name, or of a header with names.
const NAMES: u64 = 1 << 20;

/// First bytes of compressed files.
const COMPRESSED: [(&[u8], &str); 5] = [
    (b"\x1f\x8b", "compressed (gzip)"),
    (b"\x28\xb5\x2f\xfd", "compressed (zstd)"),
    (b"BZh", "compressed (bzip2)"),
    (b"\xfd7zXZ\0", "compressed (xz)"),
    (b"PK\x03\x04", "a zip file"),
];

/// The reason why there is no further member.
#[derive(Debug)]
pub(super) enum Stop {
    /// The mark of the end, and nothing behind it.
    End,
    /// Damage, in words.
    Damaged(String),
    /// A compressed file, in words.
    Compressed(&'static str),
    /// An error of the system.
    Io(Error),
}

/// A member.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Path, as bytes.
    pub name: Vec<u8>,
    /// `true` for a regular file: no folder, no link.
    pub is_file: bool,
    /// Place of the content.
    pub offset: u64,
    /// Bytes of the content.
    pub size: u64,
}

impl Member {
    /// Returns the place of the content.
    pub fn place(&self) -> Place {
        Place { offset: self.offset, length: u32::try_from(self.size).unwrap_or(u32::MAX) }
    }
}

/// A walk through a file.
pub(super) struct Walk<R> {
    reader: BufReader<R>,
    hash: Sha256,
    /// Bytes that were read.
    at: u64,
    /// Bytes of the member that were not read yet, and those that fill its last block.
    left: u64,
    padding: u64,
    /// Bytes that `read` was told of.
    told: u64,
}

impl<R: Read> Walk<R> {
    /// Begins at the front of a file.
    pub fn new(reader: R) -> Self {
        let reader = BufReader::with_capacity(BUFFER, reader);
        Self { reader, hash: Sha256::new(), at: 0, left: 0, padding: 0, told: 0 }
    }

    /// Moves to the next member. `read` is told of bytes that were read.
    ///
    /// # Errors
    /// Why there is none.
    pub fn next(&mut self, read: &mut dyn FnMut(u64)) -> Result<Member, Stop> {
        self.pass()?;
        let (mut long, mut pax) = (None, Pax::default());
        let member = loop {
            let header = self.header()?;
            let size = size(&header)?;
            match header.entry_type() {
                EntryType::GNULongName => {
                    let mut name = self.names(size)?;
                    name.truncate(name.iter().position(|&byte| byte == 0).unwrap_or(name.len()));
                    long = Some(name);
                }
                EntryType::XHeader => pax = Pax::read(&self.names(size)?),
                EntryType::GNULongLink | EntryType::XGlobalHeader => {
                    self.begin(size)?;
                    self.pass()?;
                }
                kind => {
                    let size = pax.size.unwrap_or(size);
                    self.begin(size)?;
                    let name =
                        pax.path.or(long).unwrap_or_else(|| header.path_bytes().into_owned());
                    let is_file = matches!(kind, EntryType::Regular | EntryType::Continuous)
                        && !name.ends_with(b"/");
                    break Member { name, is_file, offset: self.at, size };
                }
            }
        };
        read(self.at - self.told);
        self.told = self.at;
        Ok(member)
    }

    /// Reads the content of the member.
    ///
    /// # Errors
    /// If the file ends before.
    pub fn content(&mut self) -> Result<Vec<u8>, Stop> {
        let mut bytes = Vec::with_capacity(self.left.min(NAMES) as usize);
        self.take(self.left, &mut |part| bytes.extend_from_slice(part))?;
        self.pass()?;
        Ok(bytes)
    }

    /// Passes over what is left of the member.
    ///
    /// # Errors
    /// If the file ends before.
    pub fn pass(&mut self) -> Result<(), Stop> {
        self.take(self.left, &mut |_| ())?;
        self.left = 0;
        self.take(self.padding, &mut |_| ())?;
        self.padding = 0;
        Ok(())
    }

    /// Reads to the end of the file and returns the SHA-256 of all of it.
    pub fn finish(mut self, read: &mut dyn FnMut(u64)) -> std::io::Result<Sum> {
        read(self.at - self.told);
        loop {
            let part = self.reader.fill_buf()?;
            if part.is_empty() {
                return Ok(self.hash.finalize().into());
            }
            self.hash.update(part);
            let length = part.len();
            self.reader.consume(length);
            read(length as u64);
        }
    }

    fn begin(&mut self, size: u64) -> Result<(), Stop> {
        let padding = size.wrapping_neg() % BLOCK as u64;
        let end = self.at.checked_add(size).and_then(|end| end.checked_add(padding));
        if end.is_none() {
            return Err(Stop::Damaged(format!("a member has {size} bytes, which no file has")));
        }
        (self.left, self.padding) = (size, padding);
        Ok(())
    }

    /// Reads the content of a member that names another one.
    fn names(&mut self, size: u64) -> Result<Vec<u8>, Stop> {
        if size > NAMES {
            return Err(Stop::Damaged(format!("a name of {size} bytes")));
        }
        self.begin(size)?;
        self.content()
    }

    /// Reads a header.
    fn header(&mut self) -> Result<Header, Stop> {
        let start = self.at;
        let mut header = Header::new_old();
        let mut filled = 0;
        let block = header.as_mut_bytes();
        while filled < BLOCK {
            let part = self.reader.fill_buf().map_err(Stop::Io)?;
            if part.is_empty() {
                break;
            }
            let length = part.len().min(BLOCK - filled);
            block[filled..filled + length].copy_from_slice(&part[..length]);
            self.hash.update(&part[..length]);
            self.reader.consume(length);
            (filled, self.at) = (filled + length, self.at + length as u64);
        }
        if start == 0 {
            let known = COMPRESSED.iter().find(|(magic, _)| block[..filled].starts_with(magic));
            if let Some((_, how)) = known {
                return Err(Stop::Compressed(how));
            }
        }
        match filled {
            0 if start == 0 => Err(Stop::Damaged("it has no byte".to_owned())),
            0 => Err(Stop::Damaged(format!("it ends at byte {start} without the mark of the end"))),
            BLOCK if block.iter().all(|&byte| byte == 0) => Err(self.rest()),
            BLOCK if !is_header(&header) => {
                Err(Stop::Damaged(format!("no header at byte {start}: its sum is wrong")))
            }
            BLOCK => Ok(header),
            _ => Err(Stop::Damaged(format!("it is cut in a header, at byte {}", self.at))),
        }
    }

    /// Reads what follows the mark of the end, which should be zeros.
    fn rest(&mut self) -> Stop {
        let (start, mut other) = (self.at, false);
        let zeros = self.take(u64::MAX - start, &mut |part| {
            other |= part.iter().any(|&byte| byte != 0);
        });
        match zeros {
            Err(Stop::Io(error)) => Stop::Io(error),
            _ if other => Stop::Damaged(format!(
                "what follows the mark of the end at byte {start} is not read"
            )),
            _ => Stop::End,
        }
    }

    /// Reads so many bytes.
    fn take(&mut self, mut bytes: u64, each: &mut dyn FnMut(&[u8])) -> Result<(), Stop> {
        while bytes > 0 {
            let part = match self.reader.fill_buf() {
                Ok([]) => {
                    let what = format!("it is cut at byte {}, within a member", self.at);
                    return Err(Stop::Damaged(what));
                }
                Ok(part) => part,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Stop::Io(error)),
            };
            let length = usize::try_from(bytes).unwrap_or(usize::MAX).min(part.len());
            each(&part[..length]);
            self.hash.update(&part[..length]);
            self.reader.consume(length);
            (bytes, self.at) = (bytes - length as u64, self.at + length as u64);
            self.left = self.left.saturating_sub(length as u64);
        }
        Ok(())
    }
}

fn size(header: &Header) -> Result<u64, Stop> {
    header.entry_size().map_err(|_| Stop::Damaged("the size of a member is no number".to_owned()))
}

/// Compares the sum of a header. Its own field counts as blanks.
fn is_header(header: &Header) -> bool {
    let bytes = header.as_bytes();
    let others = bytes[..148].iter().chain(&bytes[156..]);
    let sum = others.map(|&byte| u32::from(byte)).sum::<u32>() + 8 * u32::from(b' ');
    header.cksum().is_ok_and(|stated| stated == sum)
}

/// The fields of a PAX header that are read.
#[derive(Default)]
struct Pax {
    path: Option<Vec<u8>>,
    size: Option<u64>,
}

impl Pax {
    fn read(bytes: &[u8]) -> Self {
        let mut pax = Self::default();
        for field in PaxExtensions::new(bytes).flatten() {
            match field.key_bytes() {
                b"path" => pax.path = Some(field.value_bytes().to_vec()),
                b"size" => pax.size = field.value().ok().and_then(|value| value.parse().ok()),
                _ => {}
            }
        }
        pax
    }
}
