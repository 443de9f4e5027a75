//! What `torch.save` wrote before PyTorch 1.6: pickles of a magic number, a version, the writing
//! machine, the object and the keys of its storages, then each storage: a count of 8 bytes and its
//! numbers.

use super::machine;
use super::node::{FALSE, Node, Pickle};
use super::state;
use crate::dtype::Format;
use crate::entry::Parsed;
use crate::error::{DAMAGED, Fault, one_line};
use std::collections::HashMap;
use std::ops::Range;

/// 0x1950a86a20f9469cfc6c, little-endian, after the instruction for a number of 10 bytes.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// Whether `bytes` begin with a pickle of the magic number (in a frame, from protocol 4 on).
pub(crate) fn is(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x80)
        && [2, 11].iter().any(|&at| bytes.get(at..).is_some_and(|b| b.starts_with(MAGIC)))
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, Fault> {
    let mut at = 0;
    let mut next = || -> Result<Pickle, Fault> {
        let (pickle, len) = machine::run(&bytes[at..]).map_err(|fault| fault.offset(at))?;
        at += len;
        Ok(pickle)
    };
    next()?;
    let version = next()?;
    if !matches!(version.node(version.root), Node::Int(1001)) {
        return Err(Fault::new(
            "an unknown version of the legacy format",
            "load and save it with PyTorch",
        ));
    }
    let machine = next()?;
    if machine.get(machine.root, "little_endian") == Some(FALSE) {
        return Err(Fault::new(
            "written on a big-endian machine",
            "load and save it with PyTorch on a usual one",
        ));
    }
    let object = next()?;
    let keys = next()?;
    let places = storages(bytes, at, &object, &keys)?;
    state::parsed(&object, Format::TorchLegacy, bytes.len(), |key| {
        let place = places.get(key).cloned();
        place.ok_or_else(|| {
            Fault::new(format!("no storage `{}` in the file", one_line(key)), DAMAGED)
        })
    })
}

/// Where the storages are. Their counts are of numbers, so the object must tell how long a number
/// is.
fn storages<'p>(
    bytes: &[u8],
    mut at: usize,
    object: &Pickle<'p>,
    keys: &Pickle<'p>,
) -> Result<HashMap<&'p str, Range<usize>>, Fault> {
    let mut sizes = HashMap::new();
    for node in &object.nodes {
        if let Node::Storage { kind, key, .. } = node
            && let Some(key) = object.text(*key)
        {
            // PyTorch, too, goes by the type that a storage is first named with.
            sizes.entry(key).or_insert(kind.size);
        }
    }
    let Node::List(list) = keys.node(keys.root) else {
        return Err(Fault::damaged("the keys of the storages are no list", at));
    };
    let mut places = HashMap::new();
    for &key in list {
        let key =
            keys.text(key).ok_or_else(|| Fault::damaged("the key of a storage is no text", at))?;
        let cut = || Fault::damaged(format!("storage `{}` is cut off", one_line(key)), at);
        let size = *sizes.get(key).ok_or_else(|| {
            Fault::damaged(
                format!("storage `{}` is part of no tensor, its length is unknown", one_line(key)),
                at,
            )
        })?;
        let count = bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .map(|count| u64::from_le_bytes(*count));
        let len = count
            .and_then(|count| usize::try_from(count).ok()?.checked_mul(size))
            .ok_or_else(cut)?;
        let start = at + 8;
        let end = start.checked_add(len).filter(|end| *end <= bytes.len()).ok_or_else(cut)?;
        places.insert(key, start..end);
        at = end;
    }
    Ok(places)
}
