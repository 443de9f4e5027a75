//! The files of cached features: rows in half precision, with a SHA-256 for each block of rows.
//!
//! `KEY.f16` holds the rows. `KEY.json` is its [`Header`], which names the hash of every block and holds one of itself.
//! While rows are computed they go to `KEY.f16.part`, and the hashes of each group of rows go to `KEY.sums.part` as a line.
//! A kill leaves both, and [`Part::open`] goes on after the last group that is whole.

use crate::TrainError;
use crate::checkpoint::write_atomic;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use toolkit_registry::sha256_hex;

/// Rows that are computed and written together.
pub(crate) const GROUP: usize = 32;

/// Bytes of a block, unless a single row is larger. Small, so that the first read of a row reads little else.
const BLOCK: usize = 1 << 20;

/// Version of the files. Rows of version 1 had no hashes.
const FORMAT: u32 = 2;

/// A SHA-256.
pub(crate) type Sum = [u8; 32];

/// The SHA-256 of `bytes`.
pub(crate) fn sum(bytes: &[u8]) -> Sum {
    Sha256::digest(bytes).into()
}

/// The contents of a cache, as far as they are known before it is computed.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layout {
    format: u32,
    key: String,
    /// Number of images.
    pub rows: usize,
    /// Tokens of an image.
    pub tokens: usize,
    /// Values of a token.
    pub width: usize,
}

impl Layout {
    /// A layout of this version.
    ///
    /// # Errors
    /// If the rows have more bytes than can be counted.
    pub fn new(key: &str, [rows, tokens, width]: [usize; 3]) -> Result<Self, TrainError> {
        let bytes = tokens.checked_mul(width).and_then(|values| values.checked_mul(2)?.checked_mul(rows));
        match bytes {
            Some(_) => Ok(Self { format: FORMAT, key: key.to_owned(), rows, tokens, width }),
            None => Err(TrainError::Other(format!(
                "features of {rows} images, {tokens} x {width} each, are more bytes than can be counted; hint: use a smaller encoder"
            ))),
        }
    }

    /// Values of a row.
    pub fn values(&self) -> usize {
        self.tokens * self.width
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.values() * 2
    }

    /// Bytes of all rows.
    pub fn bytes(&self) -> u64 {
        (self.row_bytes() * self.rows) as u64
    }

    /// Rows of a block: a power of two that divides a group.
    pub fn block_rows(&self) -> usize {
        let fit = (BLOCK / self.row_bytes().max(1)).clamp(1, GROUP);
        1 << fit.ilog2()
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.rows.div_ceil(self.block_rows())
    }

    /// Rows `from..to` of a block.
    pub fn rows_of(&self, block: usize) -> (usize, usize) {
        let from = block * self.block_rows();
        (from, (from + self.block_rows()).min(self.rows))
    }

    /// Hashes of the blocks of `bytes`, which begin at a block.
    fn sums(&self, bytes: &[u8]) -> Vec<Sum> {
        bytes.chunks((self.block_rows() * self.row_bytes()).max(1)).map(sum).collect()
    }
}

/// `KEY.json`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    /// The rows.
    pub layout: Layout,
    /// Images that could not be read; their rows are zero.
    pub unreadable: Vec<usize>,
    /// Hashes of the blocks, in hexadecimal.
    sums: Vec<String>,
    /// Hash of this header with nothing here.
    sha256: String,
}

/// The header that was found for a layout.
pub(crate) enum Found {
    /// It is whole and of this layout.
    Whole(Header),
    /// There is none.
    None,
    /// It cannot be used, and why.
    Unusable(String),
}

impl Header {
    fn new(layout: Layout, unreadable: Vec<usize>, sums: &[Sum]) -> Result<Self, TrainError> {
        let mut header =
            Self { layout, unreadable, sums: sums.iter().map(|sum| hex(sum)).collect(), sha256: String::new() };
        header.sha256 = sha256_hex(&header.json()?);
        Ok(header)
    }

    fn json(&self) -> Result<Vec<u8>, TrainError> {
        serde_json::to_vec(self).map_err(|e| TrainError::Other(e.to_string()))
    }

    /// Looks for the header of `layout`.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn find(path: &Path, layout: &Layout) -> Result<Found, TrainError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Found::None),
            Err(e) => return Err(TrainError::io(path, &e)),
        };
        let Ok(mut header) = serde_json::from_slice::<Self>(&bytes) else {
            let old = serde_json::from_slice::<serde_json::Value>(&bytes).is_ok_and(|json| json["layout"].is_null());
            let why = if old { "its header is of another version" } else { "its header is damaged" };
            return Ok(Found::Unusable(why.to_owned()));
        };
        let said = std::mem::take(&mut header.sha256);
        if sha256_hex(&header.json()?) != said {
            return Ok(Found::Unusable("its header is damaged".to_owned()));
        }
        header.sha256 = said;
        if header.layout != *layout || header.sums.len() != layout.blocks() {
            return Ok(Found::Unusable("its header is of other features".to_owned()));
        }
        Ok(Found::Whole(header))
    }

    /// The hashes of the blocks.
    pub fn sums(&self) -> Vec<Sum> {
        self.sums.iter().map(|text| parse(text).unwrap_or_default()).collect()
    }
}

fn hex(sum: &Sum) -> String {
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse(text: &str) -> Option<Sum> {
    let mut sum = Sum::default();
    for (at, byte) in sum.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    (text.len() == 64).then_some(sum)
}

/// Names of the files of a cache.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// The rows.
    pub data: PathBuf,
    /// The header.
    pub header: PathBuf,
    part: PathBuf,
    sums: PathBuf,
}

impl Paths {
    /// Those of the cache `key` in `dir`.
    pub fn new(dir: &Path, key: &str) -> Self {
        let path = |end: &str| dir.join(format!("{key}.{end}"));
        Self { data: path("f16"), header: path("json"), part: path("f16.part"), sums: path("sums.part") }
    }

    /// Removes a part that is not to be gone on with. What cannot be removed is cut when it is opened.
    pub fn forget_part(&self) {
        for path in [&self.sums, &self.part] {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A line of `KEY.sums.part`.
#[derive(Deserialize, Serialize)]
struct Group {
    unreadable: Vec<usize>,
    sums: Vec<String>,
}

/// A cache that is being computed.
pub(crate) struct Part {
    paths: Paths,
    layout: Layout,
    data: File,
    lines: File,
    rows: usize,
    unreadable: Vec<usize>,
    sums: Vec<Sum>,
}

impl Part {
    /// Goes on with what an earlier call left, or begins.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn open(paths: Paths, layout: Layout) -> Result<Self, TrainError> {
        let open = |path: &Path| {
            let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
            options.map_err(|e| TrainError::io(path, &e))
        };
        // A kill between naming the rows and writing their header.
        if paths.sums.exists() && !paths.part.exists() && paths.data.exists() {
            std::fs::rename(&paths.data, &paths.part).map_err(|e| TrainError::io(&paths.data, &e))?;
        }
        let (data, lines) = (open(&paths.part)?, open(&paths.sums)?);
        let mut part = Self { paths, layout, data, lines, rows: 0, unreadable: Vec::new(), sums: Vec::new() };
        let kept = part.whole_groups()?;
        let fail = |path: &Path, e: std::io::Error| TrainError::io(path, &e);
        let cut = |file: &mut File, length: u64| file.set_len(length).and_then(|()| file.seek(SeekFrom::End(0)));
        let bytes = (part.rows * part.layout.row_bytes()) as u64;
        cut(&mut part.data, bytes).map_err(|e| fail(&part.paths.part, e))?;
        cut(&mut part.lines, kept).map_err(|e| fail(&part.paths.sums, e))?;
        if kept == 0 {
            let layout = serde_json::to_string(&part.layout).map_err(|e| TrainError::Other(e.to_string()))?;
            part.say(&layout)?;
        }
        Ok(part)
    }

    /// Reads how far an earlier call came. Returns the bytes of the lines that count.
    fn whole_groups(&mut self) -> Result<u64, TrainError> {
        let mut text = Vec::new();
        self.lines.read_to_end(&mut text).map_err(|e| TrainError::io(&self.paths.sums, &e))?;
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.split_inclusive('\n').map_while(|line| Some((line.len() as u64, said(line)?)));
        let same = |json: &str| serde_json::from_str::<Layout>(json).is_ok_and(|layout| layout == self.layout);
        let Some((first, _)) = lines.next().filter(|(_, json)| same(json)) else { return Ok(0) };
        let groups: Vec<(u64, Group)> =
            lines.map_while(|(length, json)| Some((length, serde_json::from_str(json).ok()?))).collect();
        let held = self.data.metadata().map_err(|e| TrainError::io(&self.paths.part, &e))?.len();
        let size = (GROUP * self.layout.row_bytes()) as u64;
        let mut count = groups.len().min(usize::try_from(held.div_ceil(size.max(1))).unwrap_or(usize::MAX));
        // The last group is what a kill can have torn. Every block is compared again when it is first read.
        while count > 0 && !self.is_whole(count - 1, &groups[count - 1].1)? {
            count -= 1;
        }
        for (_, group) in &groups[..count] {
            self.unreadable.extend(&group.unreadable);
            self.sums.extend(group.sums.iter().map(|text| parse(text).unwrap_or_default()));
        }
        self.rows = (count * GROUP).min(self.layout.rows);
        Ok(first + groups[..count].iter().map(|(length, _)| length).sum::<u64>())
    }

    fn is_whole(&mut self, at: usize, group: &Group) -> Result<bool, TrainError> {
        let rows = self.layout.rows.saturating_sub(at * GROUP).min(GROUP);
        let mut bytes = vec![0; rows * self.layout.row_bytes()];
        let begin = SeekFrom::Start((at * GROUP * self.layout.row_bytes()) as u64);
        match self.data.seek(begin).and_then(|_| self.data.read_exact(&mut bytes)) {
            Ok(()) => Ok(self.layout.sums(&bytes).iter().map(hex).collect::<Vec<_>>() == group.sums),
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(e) => Err(TrainError::io(&self.paths.part, &e)),
        }
    }

    /// Rows that are there.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Images so far that could not be read.
    pub fn unreadable(&self) -> &[usize] {
        &self.unreadable
    }

    /// Appends the next rows: a whole group, or the last rows.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn append(&mut self, bytes: &[u8], unreadable: &[usize]) -> Result<(), TrainError> {
        self.data.write_all(bytes).map_err(|e| TrainError::io(&self.paths.data, &e))?;
        let sums = self.layout.sums(bytes);
        let group = Group { unreadable: unreadable.to_vec(), sums: sums.iter().map(hex).collect() };
        let json = serde_json::to_string(&group).map_err(|e| TrainError::Other(e.to_string()))?;
        self.say(&json)?;
        self.rows += bytes.len() / self.layout.row_bytes().max(1);
        self.sums.extend(sums);
        self.unreadable.extend(unreadable);
        Ok(())
    }

    fn say(&mut self, json: &str) -> Result<(), TrainError> {
        let line = format!("{} {json}\n", check(json));
        self.lines.write_all(line.as_bytes()).map_err(|e| TrainError::io(&self.paths.sums, &e))
    }

    /// Gives the rows their name, and then the header its own.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn finish(self) -> Result<Header, TrainError> {
        let fail = |e: std::io::Error| TrainError::io(&self.paths.data, &e);
        self.data.sync_all().map_err(fail)?;
        std::fs::rename(&self.paths.part, &self.paths.data).map_err(fail)?;
        let header = Header::new(self.layout, self.unreadable, &self.sums)?;
        write_atomic(&self.paths.header, &header.json()?)?;
        // It says nothing that the header does not.
        let _ = std::fs::remove_file(&self.paths.sums);
        Ok(header)
    }
}

/// The start of a line's hash, so that a damaged line is no line.
fn check(json: &str) -> String {
    sha256_hex(json.as_bytes())[..16].to_owned()
}

/// The content of a line that is whole.
fn said(line: &str) -> Option<&str> {
    let (start, json) = line.strip_suffix('\n')?.split_once(' ')?;
    (check(json) == start).then_some(json)
}
