//! The header of cached features: the shape of the rows, and a SHA-256 for each block of rows and
//! for the header itself.

use crate::TrainError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::ErrorKind;
use std::path::Path;
use toolkit_system::digest::{hex, sha256_hex};
use toolkit_system::problem::Problem;

/// Number of rows that are computed and written together.
pub(crate) const GROUP: usize = 32;

/// Bytes of a block, unless a single row is larger.
///
/// Blocks are small, because the first read of a row reads its whole block.
const BLOCK: usize = 1 << 20;

/// Version of the files. Rows of version 1 had no hashes.
const FORMAT: u32 = 2;

/// A SHA-256.
pub(crate) type Sum = [u8; 32];

/// Computes the SHA-256 of `bytes`.
pub(crate) fn sum(bytes: &[u8]) -> Sum {
    Sha256::digest(bytes).into()
}

/// The shape of a cache, which is known before its rows are computed.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layout {
    format: u32,
    key: String,
    /// Number of images.
    pub rows: usize,
    /// Number of tokens of an image.
    pub tokens: usize,
    /// Number of values of a token.
    pub width: usize,
}

impl Layout {
    /// Creates a layout of this version; `[rows, tokens, width]` is the shape of the rows.
    ///
    /// # Errors
    /// If the number of bytes overflows.
    pub fn new(key: &str, [rows, tokens, width]: [usize; 3]) -> Result<Self, TrainError> {
        let bytes =
            tokens.checked_mul(width).and_then(|values| values.checked_mul(2)?.checked_mul(rows));
        match bytes {
            Some(_) => Ok(Self { format: FORMAT, key: key.to_owned(), rows, tokens, width }),
            None => {
                let what = format!(
                    "features of {rows} images, {tokens} x {width} each, are more bytes than can \
                    be counted"
                );
                Err(Problem::new(what).hint("use a smaller encoder").into())
            }
        }
    }

    /// Returns the number of values of a row.
    pub fn values(&self) -> usize {
        self.tokens * self.width
    }

    /// Returns the bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.values() * 2
    }

    /// Returns the bytes of all rows.
    pub fn bytes(&self) -> u64 {
        (self.row_bytes() * self.rows) as u64
    }

    /// Returns the number of rows of a block: a power of two that divides a group.
    pub fn block_rows(&self) -> usize {
        let fit = (BLOCK / self.row_bytes().max(1)).clamp(1, GROUP);
        1 << fit.ilog2()
    }

    /// Returns the number of blocks.
    pub fn blocks(&self) -> usize {
        self.rows.div_ceil(self.block_rows())
    }

    /// Returns the rows of a block as `(from, to)`; `to` is not included.
    pub fn rows_of(&self, block: usize) -> (usize, usize) {
        let from = block * self.block_rows();
        (from, (from + self.block_rows()).min(self.rows))
    }

    /// Computes the hashes of the blocks of `bytes`, which begin with a block.
    pub fn sums(&self, bytes: &[u8]) -> Vec<Sum> {
        bytes.chunks((self.block_rows() * self.row_bytes()).max(1)).map(sum).collect()
    }
}

/// Content of `KEY.json`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    /// Shape of the rows.
    pub layout: Layout,
    /// Images that could not be read; their rows are zero.
    pub unreadable: Vec<usize>,
    /// Hashes of the blocks, in hexadecimal.
    sums: Vec<String>,
    /// Hash of this header, computed while this field is empty.
    sha256: String,
}

/// The result of a search for the header of a layout.
pub(crate) enum Found {
    /// A whole header of this layout.
    Whole(Header),
    /// No header.
    None,
    /// A header that cannot be used, and the reason.
    Unusable(String),
}

impl Header {
    /// Creates a header with its own hash.
    ///
    /// # Errors
    /// If the header cannot be written as JSON.
    pub fn new(layout: Layout, unreadable: Vec<usize>, sums: &[Sum]) -> Result<Self, TrainError> {
        let mut header = Self {
            layout,
            unreadable,
            sums: sums.iter().map(|sum| hex(sum)).collect(),
            sha256: String::new(),
        };
        header.sha256 = sha256_hex(&header.json()?);
        Ok(header)
    }

    /// Returns the content of the file.
    ///
    /// # Errors
    /// If the header cannot be written as JSON.
    pub fn json(&self) -> Result<Vec<u8>, TrainError> {
        Ok(serde_json::to_vec(self).map_err(Problem::defect)?)
    }

    /// Reads the header in `path` and compares it with `layout`.
    ///
    /// # Errors
    /// If the file exists and cannot be read.
    pub fn find(path: &Path, layout: &Layout) -> Result<Found, TrainError> {
        let bytes = match toolkit_system::input::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Found::None),
            Err(e) => return Err(Problem::io("read", path, e).into()),
        };
        let Ok(mut header) = serde_json::from_slice::<Self>(&bytes) else {
            let old = serde_json::from_slice::<serde_json::Value>(&bytes)
                .is_ok_and(|json| json["layout"].is_null());
            let why =
                if old { "its header is of another version" } else { "its header is damaged" };
            return Ok(Found::Unusable(why.to_owned()));
        };
        let sha256 = std::mem::take(&mut header.sha256);
        if sha256_hex(&header.json()?) != sha256 {
            return Ok(Found::Unusable("its header is damaged".to_owned()));
        }
        header.sha256 = sha256;
        if header.layout != *layout || header.sums.len() != layout.blocks() {
            return Ok(Found::Unusable("its header is of other features".to_owned()));
        }
        Ok(Found::Whole(header))
    }

    /// Returns the hashes of the blocks.
    pub fn sums(&self) -> Vec<Sum> {
        self.sums.iter().map(|text| parse(text).unwrap_or_default()).collect()
    }
}

/// Reads a hash in hexadecimal.
pub(crate) fn parse(text: &str) -> Option<Sum> {
    let mut sum = Sum::default();
    for (at, byte) in sum.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    (text.len() == 64).then_some(sum)
}
