//! Files that `torch.save` wrote before PyTorch 1.6.
//!
//! They are pickles of a magic number, a version, the writing machine, the object and the keys of
//! its storages, then each storage: a count of 8 bytes and its numbers.

use super::machine;
use super::node::{FALSE, Node, Pickle};
use super::state;
use crate::directory::Directory;
use crate::dtype::Format;
use crate::error::{DAMAGED, ParseError, one_line};
use std::collections::HashMap;
use std::ops::Range;

/// Magic number 0x1950a86a20f9469cfc6c, little-endian, after the instruction for a number of 10
/// bytes.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// Returns `true` if `bytes` begin with a pickle of the magic number (in a frame, from protocol 4
/// on).
pub(crate) fn is_legacy(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x80)
        && [2, 11].iter().any(|&at| bytes.get(at..).is_some_and(|b| b.starts_with(MAGIC)))
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Directory, ParseError> {
    let mut at = 0;
    let mut next = || -> Result<Pickle, ParseError> {
        let (pickle, len) = machine::run(&bytes[at..]).map_err(|error| error.offset(at))?;
        at += len;
        Ok(pickle)
    };
    next()?;
    let version = next()?;
    if !matches!(version.node(version.root), Node::Int(1001)) {
        return Err(ParseError::new(
            "an unknown version of the legacy format",
            "load and save it with PyTorch",
        ));
    }
    let machine = next()?;
    if machine.get(machine.root, "little_endian") == Some(FALSE) {
        return Err(ParseError::new(
            "written on a big-endian machine",
            "load and save it with PyTorch on a usual one",
        ));
    }
    let object = next()?;
    let keys = next()?;
    let places = storages(bytes, at, &object, &keys)?;
    state::tensors(&object, Format::TorchLegacy, bytes.len(), |key| {
        let place = places.get(key).cloned();
        place.ok_or_else(|| {
            ParseError::new(format!("no storage `{}` in the file", one_line(key)), DAMAGED)
        })
    })
}

/// Finds the storages: byte ranges of the file by key, from byte `at` on.
fn storages<'p>(
    bytes: &[u8],
    mut at: usize,
    object: &Pickle<'p>,
    keys: &Pickle<'p>,
) -> Result<HashMap<&'p str, Range<usize>>, ParseError> {
    let sizes = number_sizes(object);
    let Node::List(list) = keys.node(keys.root) else {
        return Err(ParseError::damaged("the keys of the storages are no list", at));
    };
    let mut places = HashMap::new();
    for &key in list {
        let key = keys
            .text(key)
            .ok_or_else(|| ParseError::damaged("the key of a storage is no text", at))?;
        let size = *sizes.get(key).ok_or_else(|| {
            let what = "is part of no tensor, its length is unknown";
            ParseError::damaged(format!("storage `{}` {what}", one_line(key)), at)
        })?;
        let place = storage(bytes, at, size).ok_or_else(|| {
            ParseError::damaged(format!("storage `{}` is cut off", one_line(key)), at)
        })?;
        at = place.end;
        places.insert(key, place);
    }
    Ok(places)
}

/// Returns the bytes of a number in each storage of the object. The file only has counts of
/// numbers.
fn number_sizes<'p>(object: &Pickle<'p>) -> HashMap<&'p str, usize> {
    let mut sizes = HashMap::new();
    for node in &object.nodes {
        if let Node::Storage { dtype, key, .. } = node
            && let Some(key) = object.text(*key)
        {
            // PyTorch, too, goes by the type that a storage is first named with.
            sizes.entry(key).or_insert(dtype.size);
        }
    }
    sizes
}

/// Returns the bytes of the storage whose count is at byte `at`; `None` if the file ends before.
fn storage(bytes: &[u8], at: usize, size: usize) -> Option<Range<usize>> {
    let count = u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
    let len = usize::try_from(count).ok()?.checked_mul(size)?;
    let start = at + 8;
    let end = start.checked_add(len).filter(|end| *end <= bytes.len())?;
    Some(start..end)
}
