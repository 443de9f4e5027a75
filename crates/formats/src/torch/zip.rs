//! Directory of a zip archive, also beyond 4 GB (zip64). Only members without compression can be
//! mapped.

use crate::error::{ParseError, one_line};
use std::collections::BTreeMap;
use std::ops::Range;

/// Returns `true` if `bytes` begin like a zip archive.
pub(crate) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// The members of an archive by name.
pub(crate) struct Archive<'a> {
    bytes: &'a [u8],
    members: BTreeMap<&'a str, Member>,
}

struct Member {
    /// Byte of its own header.
    header: u64,
    len: u64,
    /// `true` if it is compressed or encrypted.
    packed: bool,
}

const END: &[u8] = b"PK\x05\x06";
const END_LEN: usize = 22;

impl<'a> Archive<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let (at, count, mut place) = directory(bytes)?;
        let mut members = BTreeMap::new();
        for _ in 0..count {
            // A claimed count ends here at the latest.
            let head = field(bytes, place, 46).filter(|head| head.starts_with(b"PK\x01\x02"));
            let Some(head) = head.filter(|_| place < at) else {
                return Err(ParseError::damaged("the zip directory is cut off", place));
            };
            let (name, extra, comment) = (int(head, 28, 2), int(head, 30, 2), int(head, 32, 2));
            let name_at = place + 46;
            let extra_at = name_at + name as usize;
            let cut_off = || ParseError::damaged("the zip directory is cut off", place);
            let name = field(bytes, name_at, name as usize).ok_or_else(cut_off)?;
            let extra_bytes = field(bytes, extra_at, extra as usize).ok_or_else(cut_off)?;
            let (packed_len, len, header) = wide(head, extra_bytes).ok_or_else(cut_off)?;
            let packed = int(head, 10, 2) != 0 || int(head, 8, 2) & 1 != 0 || packed_len != len;
            let name = std::str::from_utf8(name)
                .map_err(|_| ParseError::damaged("a member's name is not UTF-8", place))?;
            if members.insert(name, Member { header, len, packed }).is_some() {
                return Err(ParseError::damaged(
                    format!("two members are called `{}`", one_line(name)),
                    place,
                ));
            }
            place = extra_at + extra as usize + comment as usize;
        }
        Ok(Self { bytes, members })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.members.keys().copied()
    }

    /// Returns the bytes of a member; `None` if there is no such member.
    pub(crate) fn member(&self, name: &str) -> Option<Result<Range<usize>, ParseError>> {
        self.members.get(name).map(|member| self.place(name, member))
    }

    fn place(&self, name: &str, member: &Member) -> Result<Range<usize>, ParseError> {
        if member.packed {
            let what = format!("member `{}` is compressed or encrypted", one_line(name));
            return Err(ParseError::new(
                what,
                "torch.save stores members as they are; unpack and `zip -0` the archive",
            ));
        }
        let header = usize::try_from(member.header).unwrap_or(usize::MAX);
        let place = field(self.bytes, header, 30)
            .filter(|head| head.starts_with(b"PK\x03\x04"))
            .and_then(|head| {
                let start = header + 30 + int(head, 26, 2) as usize + int(head, 28, 2) as usize;
                let end = start.checked_add(usize::try_from(member.len).ok()?)?;
                (end <= self.bytes.len()).then_some(start..end)
            });
        place.ok_or_else(|| {
            ParseError::damaged(format!("member `{}` is outside the file", one_line(name)), header)
        })
    }
}

/// Finds the directory: the byte after its end, its count of members, its first byte.
fn directory(bytes: &[u8]) -> Result<(usize, u64, usize), ParseError> {
    let missing =
        || ParseError::damaged("a zip archive without a directory at its end", bytes.len());
    // The end record is last but for a comment of at most 65535 bytes.
    let first = bytes.len().saturating_sub(END_LEN + 0xffff);
    let last = bytes.len().checked_sub(END_LEN).ok_or_else(missing)?;
    let at = (first..=last)
        .rev()
        .find(|&at| {
            let end = &bytes[at..];
            end.starts_with(END) && int(end, 20, 2) as usize == end.len() - END_LEN
        })
        .ok_or_else(missing)?;
    let end = &bytes[at..];
    let (mut count, mut start) = (int(end, 10, 2), int(end, 16, 4));
    // zip64: a locator just before the end record names a larger record.
    if let Some(locator) =
        at.checked_sub(20).map(|at| &bytes[at..]).filter(|l| l.starts_with(b"PK\x06\x07"))
    {
        let record = usize::try_from(int(locator, 8, 8)).ok().and_then(|at| field(bytes, at, 56));
        let record = record.filter(|record| record.starts_with(b"PK\x06\x06"));
        let record =
            record.ok_or_else(|| ParseError::damaged("the zip64 directory is missing", at - 20))?;
        (count, start) = (int(record, 32, 8), int(record, 48, 8));
    }
    Ok((at, count, usize::try_from(start).map_err(|_| missing())?))
}

/// Returns packed length, length and byte of the header of a member.
///
/// Those that do not fit in 32 bits are in the zip64 field of `extra`, in the order length, packed
/// length, byte of the header.
fn wide(head: &[u8], mut extra: &[u8]) -> Option<(u64, u64, u64)> {
    let (mut packed, mut len, mut header) = (int(head, 20, 4), int(head, 24, 4), int(head, 42, 4));
    while packed == 0xffff_ffff || len == 0xffff_ffff || header == 0xffff_ffff {
        let (id, size) = (int(field(extra, 0, 4)?, 0, 2), int(extra, 2, 2) as usize);
        let mut body = field(extra, 4, size)?;
        extra = &extra[4 + size..];
        if id != 1 {
            continue;
        }
        for value in
            [&mut len, &mut packed, &mut header].into_iter().filter(|value| **value == 0xffff_ffff)
        {
            *value = int(field(body, 0, 8)?, 0, 8);
            body = &body[8..];
        }
        break;
    }
    Some((packed, len, header))
}

/// Returns `len` bytes from byte `at`; `None` if they are not there.
fn field(bytes: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(len)?)
}

/// Reads a little-endian number of `len` bytes, which the caller has checked to be there.
fn int(bytes: &[u8], at: usize, len: usize) -> u64 {
    bytes[at..at + len].iter().rev().fold(0, |value, &byte| (value << 8) | u64::from(byte))
}
