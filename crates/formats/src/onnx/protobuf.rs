//! Wire format of protobuf, as far as ONNX needs it: the fields of a message in order.

use crate::error::ParseError;
use std::ops::Range;

/// A message by its place in the file. Iterating reads field number and value of each field.
#[derive(Clone)]
pub(super) struct Message<'a> {
    file: &'a [u8],
    at: usize,
    end: usize,
}

/// The value of a field.
pub(super) enum Value<'a> {
    /// A number of variable length.
    Varint(u64),
    /// 4 or 8 bytes.
    Fixed,
    /// A message, text, bytes or a packed list.
    Bytes(Message<'a>),
}

impl<'a> Message<'a> {
    pub(super) fn whole(file: &'a [u8]) -> Self {
        Self { file, at: 0, end: file.len() }
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        &self.file[self.at..self.end]
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.at..self.end
    }

    pub(super) fn text(&self) -> Result<&'a str, ParseError> {
        std::str::from_utf8(self.bytes())
            .map_err(|_| ParseError::damaged("bad ONNX: a text is not UTF-8", self.at))
    }

    /// Reads a varint; `None` at the end of the message, also in the middle of a number.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for (i, &byte) in self.bytes().iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f).wrapping_shl(7 * i as u32);
            if byte & 0x80 == 0 {
                self.at += i + 1;
                return Some(value);
            }
        }
        None
    }

    fn field(&mut self) -> Option<(u32, Value<'a>)> {
        let tag = u32::try_from(self.varint()?).ok()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.skip(8).map(|_| Value::Fixed)?,
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.skip(len)?)
            }
            5 => self.skip(4).map(|_| Value::Fixed)?,
            // Groups are not used any more.
            _ => return None,
        };
        Some((tag >> 3, value))
    }

    fn skip(&mut self, len: usize) -> Option<Message<'a>> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.end)?;
        let part = Message { file: self.file, at: self.at, end };
        self.at = end;
        Some(part)
    }
}

impl<'a> Iterator for Message<'a> {
    type Item = Result<(u32, Value<'a>), ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.end {
            return None;
        }
        let start = self.at;
        let field = self.field().ok_or_else(|| {
            ParseError::damaged("bad ONNX: a field that is cut off or unknown", start)
        });
        if field.is_err() {
            self.at = self.end;
        }
        Some(field)
    }
}
