//! Qt resource files (`.rcc`): one tree of names with the bytes of files, as `rcc --binary` writes
//! them.
//!
//! All numbers are big-endian. The header is `qres`, the version and where tree, data and names
//! start. A node of the tree has 14 bytes (22 from version 2 on, with a time): offset of its name,
//! flags, then for a folder the number and first index of its children, for a file its locale and
//! the offset of its data. Names are a 16-bit length, a hash and UTF-16; data are a 32-bit length
//! and bytes, which zlib may have packed behind four bytes of their true length.
//!
//! Files are not trusted: every offset is checked, each node is visited once, and what comes out is
//! bounded.

use crate::DataError;
use std::path::Path;

/// A file of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Path with `/`.
    pub path: String,
    /// Offset of its bytes in the resource file.
    pub at: usize,
    pub len: usize,
    /// `true` if zlib has packed them.
    pub packed: bool,
}

/// Creates the error of a resource file that is damaged or of a kind that is not read.
pub(crate) fn error(path: &Path, what: &str) -> DataError {
    let what = format!("cannot read the Qt resource file {}: {what}", path.display());
    DataError::new(what, "run `toolkit data fetch small` to get the package again")
}

const ZLIB: u16 = 1;
const FOLDER: u16 = 2;
const ZSTD: u16 = 4;
const MOST_NODES: usize = 50_000;
const LONGEST_PATH: usize = 1_024;
/// No file of more bytes is unpacked.
const LARGEST: usize = 64 << 20;

fn part(bytes: &[u8], at: usize, len: usize) -> Result<&[u8], String> {
    let end = at.checked_add(len).filter(|&end| end <= bytes.len());
    end.map(|end| &bytes[at..end]).ok_or_else(|| format!("it ends before byte {at} + {len}"))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, String> {
    part(bytes, at, 2).map(|b| u16::from_be_bytes([b[0], b[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<usize, String> {
    part(bytes, at, 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize)
}

struct Layout {
    tree: usize,
    data: usize,
    names: usize,
    node: usize,
}

impl Layout {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        if !bytes.starts_with(b"qres") {
            return Err("it does not start with 'qres'".to_owned());
        }
        let node = match u32_at(bytes, 4)? {
            1 => 14,
            2 | 3 => 22,
            other => return Err(format!("its version is {other}; 1 to 3 are read")),
        };
        Ok(Self {
            tree: u32_at(bytes, 8)?,
            data: u32_at(bytes, 12)?,
            names: u32_at(bytes, 16)?,
            node,
        })
    }

    /// Returns the offset of a node. Numbers are from files and 32 bits long: nothing here
    /// overflows 64.
    fn node(&self, index: usize) -> usize {
        self.tree.saturating_add(index.saturating_mul(self.node))
    }

    fn name(&self, bytes: &[u8], node: usize) -> Result<String, String> {
        let at = self.names.saturating_add(u32_at(bytes, node)?);
        let letters = usize::from(u16_at(bytes, at)?);
        if letters > LONGEST_PATH {
            return Err(format!("the name at byte {at} has {letters} letters"));
        }
        let units = part(bytes, at.saturating_add(6), letters * 2)?;
        let units: Vec<u16> =
            units.chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect();
        String::from_utf16(&units).map_err(|_| format!("the name at byte {at} is not UTF-16"))
    }
}

/// Lists all files of a resource file, sorted by path. The error is the fault of the file.
pub(crate) fn entries(bytes: &[u8]) -> Result<Vec<Entry>, String> {
    let layout = Layout::read(bytes)?;
    let fit = bytes.len().saturating_sub(layout.tree) / layout.node;
    let mut visited = vec![false; fit.min(MOST_NODES)];
    let (mut open, mut found) = (vec![(0, String::new())], Vec::new());
    while let Some((index, path)) = open.pop() {
        match visited.get_mut(index) {
            None => return Err(format!("node {index} is outside the tree")),
            Some(true) => return Err(format!("node {index} is in two folders")),
            Some(seen) => *seen = true,
        }
        let node = layout.node(index);
        let flags = u16_at(bytes, node + 4)?;
        if flags & FOLDER == 0 {
            if flags & ZSTD != 0 {
                return Err(format!("'{path}' is packed with zstd; only zlib is read"));
            }
            let at = layout.data.saturating_add(u32_at(bytes, node + 10)?);
            let len = u32_at(bytes, at)?;
            part(bytes, at + 4, len)?;
            found.push(Entry { path, at: at + 4, len, packed: flags & ZLIB != 0 });
            continue;
        }
        let (count, first) = (u32_at(bytes, node + 6)?, u32_at(bytes, node + 10)?);
        if count > visited.len() {
            return Err(format!(
                "node {index} has {count} children, the tree {} nodes",
                visited.len()
            ));
        }
        for child in first..first.saturating_add(count) {
            let name = layout.name(bytes, layout.node(child))?;
            let path = if path.is_empty() { name } else { format!("{path}/{name}") };
            if path.len() > LONGEST_PATH {
                return Err(format!("a path of {} bytes", path.len()));
            }
            // A folder may claim children again and again before any is visited.
            if open.len() >= visited.len() {
                return Err("its folders hold more nodes than there are".to_owned());
            }
            open.push((child, path));
        }
    }
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Returns the bytes of a file as they were before packing.
pub(crate) fn unpack(bytes: &[u8], packed: bool) -> Result<Vec<u8>, String> {
    if !packed {
        return Ok(bytes.to_vec());
    }
    let len = u32_at(bytes, 0)?;
    if len > LARGEST {
        return Err(format!("it says {len} bytes are packed in it; at most {LARGEST} are read"));
    }
    let out = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&bytes[4..], len)
        .map_err(|error| format!("zlib: {:?}", error.status))?;
    if out.len() == len {
        Ok(out)
    } else {
        Err(format!("it unpacks to {} bytes, not {len}", out.len()))
    }
}
