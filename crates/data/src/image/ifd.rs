//! Directories of tags, as TIFF files and EXIF blocks have them.
//!
//! Damaged directories are common. They are read as Pillow reads them: up to the first entry that
//! is cut off; entries of unknown types and entries larger than the file are passed over.

use std::collections::BTreeMap;
use std::ops::Range;

/// The order of the bytes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Lowest byte first (`II`).
    Little,
    /// Highest byte first (`MM`).
    Big,
}

impl Order {
    /// Reads a whole number of up to eight bytes.
    pub fn unsigned(self, bytes: &[u8]) -> u64 {
        let shift = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        match self {
            Self::Little => bytes.iter().rev().fold(0, shift),
            Self::Big => bytes.iter().fold(0, shift),
        }
    }
}

/// The values of a tag.
struct Entry {
    kind: u16,
    data: Range<usize>,
}

/// The first directory of a TIFF file or an EXIF block.
pub(super) struct Ifd<'a> {
    bytes: &'a [u8],
    pub order: Order,
    entries: BTreeMap<u16, Entry>,
}

/// Returns the bytes of a value of a type, or none for an unknown type.
fn width(kind: u16) -> Option<usize> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 | 16 => Some(8),
        _ => None,
    }
}

impl<'a> Ifd<'a> {
    /// Reads the first directory, or none if these bytes are no TIFF.
    pub fn first(bytes: &'a [u8]) -> Option<Self> {
        let (order, big) = match bytes.get(..4)? {
            b"II\x2a\x00" | b"II\x00\x2a" => (Order::Little, false),
            b"MM\x00\x2a" | b"MM\x2a\x00" => (Order::Big, false),
            b"II\x2b\x00" => (Order::Little, true),
            b"MM\x00\x2b" => (Order::Big, true),
            _ => return None,
        };
        let offset = order.unsigned(bytes.get(if big { 8..16 } else { 4..8 })?);
        let mut ifd = Self { bytes, order, entries: BTreeMap::new() };
        // A directory that is cut off keeps the entries before the cut.
        let _ = ifd.fill(usize::try_from(offset).ok()?, big);
        Some(ifd)
    }

    /// Reads entries until they end or are cut off, which is `None`.
    fn fill(&mut self, start: usize, big: bool) -> Option<()> {
        let Self { bytes, order, .. } = *self;
        // The count, a tag with type and number of values, and the place for values or their
        // offset.
        let (head, step, room) = if big { (8, 20, 8) } else { (2, 12, 4) };
        let part = |at: usize, len: usize| bytes.get(at..at.checked_add(len)?);
        let count = order.unsigned(part(start, head)?);
        let mut total = 0usize;
        let mut at = start + head;
        for _ in 0..count {
            let entry = part(at, step)?;
            let (tag, kind) =
                (order.unsigned(&entry[..2]) as u16, order.unsigned(&entry[2..4]) as u16);
            let values = order.unsigned(&entry[4..4 + room]);
            let place = at + 4 + room;
            at += step;
            let Some(size) = width(kind).map(|width| (width as u64).saturating_mul(values)) else {
                continue;
            };
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            let data = if size <= room {
                place..place + size
            } else {
                total = total.saturating_add(size);
                if total > bytes.len() {
                    continue;
                }
                let from = usize::try_from(order.unsigned(part(place, room)?)).ok()?;
                part(from, size)?;
                from..from + size
            };
            if !data.is_empty() {
                self.entries.entry(tag).or_insert(Entry { kind, data });
            }
        }
        Some(())
    }

    fn entry(&self, tag: u16) -> Option<&Entry> {
        self.entries.get(&tag)
    }

    /// Tells if there is a tag, of any type.
    pub fn has(&self, tag: u16) -> bool {
        self.entry(tag).is_some()
    }

    /// Returns the bytes of a tag.
    pub fn bytes(&self, tag: u16) -> Option<&'a [u8]> {
        self.entry(tag).map(|entry| &self.bytes[entry.data.clone()])
    }

    /// Returns the values of a tag of whole numbers.
    pub fn unsigneds(&self, tag: u16) -> Option<Vec<u64>> {
        let entry = self.entry(tag).filter(|entry| matches!(entry.kind, 1 | 3 | 4 | 13 | 16))?;
        let values = self.bytes[entry.data.clone()].chunks_exact(width(entry.kind)?);
        Some(values.map(|value| self.order.unsigned(value)).collect())
    }

    /// Returns the first value of a tag of whole numbers.
    pub fn unsigned(&self, tag: u16) -> Option<u64> {
        let entry = self.entry(tag).filter(|entry| matches!(entry.kind, 1 | 3 | 4 | 13 | 16))?;
        Some(self.order.unsigned(self.bytes[entry.data.clone()].get(..width(entry.kind)?)?))
    }

    /// Returns the first value of a tag of numbers of any type, fractions and floats too; none of
    /// bytes and texts.
    pub fn number(&self, tag: u16) -> Option<f64> {
        let entry = self.entry(tag)?;
        let value = self.bytes[entry.data.clone()].get(..width(entry.kind)?)?;
        let bits = self.order.unsigned(value);
        let halves =
            || (self.order.unsigned(&value[..4]) as u32, self.order.unsigned(&value[4..]) as u32);
        Some(match entry.kind {
            3 | 4 | 13 | 16 => bits as f64,
            6 => f64::from(bits as u8 as i8),
            8 => f64::from(bits as u16 as i16),
            9 => f64::from(bits as u32 as i32),
            11 => f64::from(f32::from_bits(bits as u32)),
            12 => f64::from_bits(bits),
            5 => f64::from(halves().0) / f64::from(halves().1),
            10 => f64::from(halves().0 as i32) / f64::from(halves().1 as i32),
            _ => return None,
        })
    }
}
