//! A JSON file as a stream of values that are separated without being parsed: brackets and quotes
//! are enough for that.
//!
//! So one value with NaN or half a character in it does not stop the walk, and a file of gigabytes
//! is never in memory.

use super::text::open_text;
use crate::DataError;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Bytes read at once. The first line of a file is looked for in as many.
const BLOCK: usize = 1 << 20;

/// Reasons why no further value can be found.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The file ends inside a value or a list.
    Eof,
    /// Brackets, commas or tokens are wrong.
    Syntax(String),
    /// The file could not be read.
    Io(std::io::Error),
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl Broken {
    /// Creates an error of syntax.
    pub fn syntax(what: impl Into<String>) -> Self {
        Self::Syntax(what.into())
    }
}

/// The state of a search for the end of one value.
#[derive(Default)]
pub(crate) struct Scan {
    /// Closing brackets that are still to come.
    open: Vec<u8>,
    in_text: bool,
    escaped: bool,
    in_token: bool,
    /// The value has ended.
    pub done: bool,
}

impl Scan {
    /// Starts a search inside a list.
    pub fn inside_list() -> Self {
        Self { open: vec![b']'], ..Self::default() }
    }

    /// Returns how many of `bytes` belong to the value.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let mut at = 0;
        while at < bytes.len() {
            if self.escaped {
                self.escaped = false;
                at += 1;
            } else if self.in_text {
                let Some(next) = bytes[at..].iter().position(|&b| b == b'"' || b == b'\\') else {
                    return Ok(bytes.len());
                };
                at += next + 1;
                self.escaped = bytes[at - 1] == b'\\';
                self.in_text = self.escaped;
                if !self.in_text && self.open.is_empty() {
                    self.done = true;
                    return Ok(at);
                }
            } else if self.in_token && !is_token(bytes[at]) {
                self.done = true;
                return Ok(at);
            } else {
                self.step(bytes[at])?;
                at += 1;
                if self.done {
                    return Ok(at);
                }
            }
        }
        Ok(at)
    }

    /// Takes a byte outside of texts.
    fn step(&mut self, byte: u8) -> Result<(), Broken> {
        match byte {
            _ if self.in_token => {}
            b'"' => self.in_text = true,
            b'{' => self.open.push(b'}'),
            b'[' => self.open.push(b']'),
            b'}' | b']' => {
                if self.open.pop() != Some(byte) {
                    return Err(Broken::syntax(format!("`{}` closes nothing", char::from(byte))));
                }
                self.done = self.open.is_empty();
            }
            _ if !self.open.is_empty() => {}
            _ if is_token(byte) => self.in_token = true,
            _ => return Err(Broken::syntax("expected value")),
        }
        Ok(())
    }

    /// Returns `true` if the end of the file may be the end of the value.
    fn may_end(&self) -> bool {
        self.in_token
    }
}

/// Bytes of numbers and of `true`, `null`, `NaN`, `-Infinity`.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// A file, the line that is read now, and one value after the other.
pub(crate) struct JsonStream<R> {
    reader: R,
    /// From 1.
    pub line: usize,
}

impl JsonStream<BufReader<File>> {
    /// Opens a file behind its byte-order mark.
    ///
    /// # Errors
    /// If it cannot be read or is UTF-16.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let reader = open_text(path, BLOCK)?;
        Ok(Self { reader, line: 1 })
    }
}

impl<R: BufRead> JsonStream<R> {
    /// Returns the bytes that are buffered, some of the rest of the file.
    pub fn ahead(&mut self) -> Result<&[u8], Broken> {
        Ok(self.reader.fill_buf()?)
    }

    fn consume(&mut self, bytes: usize) {
        self.reader.consume(bytes);
    }

    /// Returns the next byte that is no white space. It is not consumed.
    pub fn peek(&mut self) -> Result<Option<u8>, Broken> {
        loop {
            let ahead = self.reader.fill_buf()?;
            if ahead.is_empty() {
                return Ok(None);
            }
            let space = ahead.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(ahead.len());
            let lines = count_lines(&ahead[..space]);
            let found = ahead.get(space).copied();
            self.consume(space);
            self.line += lines;
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Consumes one byte after [`JsonStream::peek`].
    pub fn take(&mut self) {
        self.consume(1);
    }

    /// Returns the next byte like [`JsonStream::peek`], where the file may not end.
    pub fn need(&mut self) -> Result<u8, Broken> {
        self.peek()?.ok_or(Broken::Eof)
    }

    /// Consumes `byte` after white space.
    pub fn expect(&mut self, byte: u8) -> Result<(), Broken> {
        if self.need()? != byte {
            return Err(Broken::syntax(format!("expected `{}`", char::from(byte))));
        }
        self.take();
        Ok(())
    }

    /// Puts the next value behind `into`.
    pub fn value(&mut self, into: &mut Vec<u8>) -> Result<(), Broken> {
        self.need()?;
        self.rest(&mut Scan::default(), Some(into))
    }

    /// Passes over the next value.
    pub fn skip(&mut self) -> Result<(), Broken> {
        self.need()?;
        self.rest(&mut Scan::default(), None)
    }

    /// Reads up to the end of the value that `scan` is in.
    pub fn rest(&mut self, scan: &mut Scan, mut into: Option<&mut Vec<u8>>) -> Result<(), Broken> {
        while !scan.done {
            let ahead = self.reader.fill_buf()?;
            if ahead.is_empty() {
                return if scan.may_end() { Ok(()) } else { Err(Broken::Eof) };
            }
            let used = scan.feed(ahead)?;
            if let Some(into) = into.as_deref_mut() {
                into.extend_from_slice(&ahead[..used]);
            }
            let lines = count_lines(&ahead[..used]);
            self.consume(used);
            self.line += lines;
        }
        Ok(())
    }

    /// Puts the next line into `into`, without its end. Says if there is one; [`JsonStream::line`] is
    /// then the line after it.
    pub fn next_line(&mut self, into: &mut Vec<u8>) -> Result<bool, Broken> {
        into.clear();
        let read = self.reader.read_until(b'\n', into)?;
        if into.last() == Some(&b'\n') {
            into.pop();
        }
        self.line += 1;
        Ok(read > 0)
    }
}

fn count_lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&b| b == b'\n').count()
}
