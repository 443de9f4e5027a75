//! The steps of a walk over the rows of a JSON file: a list, lines, and what stands before and
//! between rows.

use super::at::{At, Each};
use super::json_stream::{Broken, JsonStream};
use super::row::Row;
use crate::DataError;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use toolkit_system::problem::Problem;

/// The end of a walk before the end of the file.
pub(super) enum Stop {
    Broken(Broken),
    Error(DataError),
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Opens a file and lets `go` read it to its end.
///
/// # Errors
/// If it cannot be read or is broken, with the place; the first error of the callback.
pub(super) fn walk(
    path: &Path,
    go: impl FnOnce(&mut Walk) -> Result<(), Stop>,
) -> Result<(), DataError> {
    let mut walk = Walk { source: JsonStream::open(path)?, at: None };
    let ended = go(&mut walk).and_then(|()| match walk.source.peek()? {
        None => Ok(()),
        Some(_) => Err(Broken::syntax("trailing characters after the list").into()),
    });
    let broken = match ended {
        Ok(()) => return Ok(()),
        Err(Stop::Error(error)) => return Err(error),
        Err(Stop::Broken(broken)) => broken,
    };
    let (what, hint) = match broken {
        Broken::Io(source) => return Err(DataError::Read { path: path.to_owned(), source }),
        Broken::Eof => {
            ("the file ends in the middle".to_owned(), "the file is cut off; get it again")
        }
        Broken::Syntax(what) => {
            (what, "is it the file that the card's `format` is about? get it again if it is")
        }
    };
    let place = walk.at.map_or_else(String::new, |at| format!("{at}: "));
    let line = walk.source.line;
    let line = if line > 1 { format!(", at line {line}") } else { String::new() };
    let problem = Problem::new(format_args!("{place}{what}{line}")).at(path.display()).hint(hint);
    Err(DataError::Malformed(problem))
}

/// A file of rows that is read row by row.
pub(super) struct Walk {
    pub source: JsonStream<BufReader<File>>,
    /// The row that is read now, so that an error can name it.
    pub at: Option<At>,
}

impl Walk {
    pub fn start(&mut self, section: &'static str, row: usize) -> At {
        let at = At { section, row, line: self.source.line };
        self.at = Some(at);
        at
    }

    pub fn tell(&mut self, at: At, key: &str, row: &[u8], each: Each<'_>) -> Result<(), Stop> {
        each(at, key, row.trim_ascii()).map_err(Stop::Error)?;
        self.at = None;
        Ok(())
    }

    /// Creates the error of a file that is another value.
    pub fn not(&mut self, wanted: &str) -> Result<Stop, Broken> {
        self.source.need()?;
        let is = match self.source.ahead()? {
            [b'[', ..] => "a list",
            [b'{', ..] => "an object",
            [b'"', ..] => "a text",
            [b'<', ..] => "a web page or XML",
            [0x1f, 0x8b, ..] => "packed with gzip",
            [b'P', b'K', 3, 4, ..] => "a zip archive",
            ahead if ahead.starts_with(b"version https://git-lfs") => {
                "a pointer of Git LFS, to be pulled"
            }
            [b'0'..=b'9' | b'-', ..] => "a number",
            _ => "no JSON",
        };
        Ok(Broken::syntax(format!("invalid type: the file is {is}, not {wanted}")).into())
    }

    /// Returns `true` if the file has one object a line. The first line, if not the name, tells: it
    /// is a whole object without a list of rows in it, and not the last line.
    pub fn has_lines(&mut self, path: &Path, sections: &[&'static str]) -> Result<bool, Broken> {
        let ahead = self.source.ahead()?;
        let Some(end) = ahead.iter().position(|&b| b == b'\n') else { return Ok(false) };
        let line = ahead[..end].trim_ascii();
        let named = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("jsonl") || e.eq_ignore_ascii_case("ndjson"));
        Ok(match Row::parse(line) {
            // Printed over many lines, the first is a bracket.
            Err(_) => named && line.len() > 1,
            Ok(row) => !sections
                .iter()
                .any(|key| matches!(row.first(&[*key]), Ok(Some((_, value))) if is_rows(value))),
        })
    }

    /// Walks a list, from its bracket on.
    pub fn rows(&mut self, section: &'static str, each: Each<'_>) -> Result<(), Stop> {
        self.source.expect(b'[')?;
        self.rows_inside(section, each)
    }

    pub fn rows_inside(&mut self, section: &'static str, each: Each<'_>) -> Result<(), Stop> {
        let mut bytes = Vec::new();
        for row in 1.. {
            let byte = self.source.need()?;
            let at = self.start(section, row);
            if byte == b']' && row == 1 {
                self.source.take();
                break;
            }
            bytes.clear();
            self.source.value(&mut bytes)?;
            self.tell(at, "", &bytes, &mut *each)?;
            if !self.goes_on(b']')? {
                break;
            }
        }
        self.at = None;
        Ok(())
    }

    /// Takes the next byte, and says whether it is a comma, not the bracket `end`.
    pub fn goes_on(&mut self, end: u8) -> Result<bool, Broken> {
        let byte = self.source.need()?;
        if byte != b',' && byte != end {
            return Err(Broken::syntax(format!("expected `,` or `{}`", char::from(end))));
        }
        self.source.take();
        if byte == b',' && self.source.need()? == end {
            return Err(Broken::syntax("trailing comma"));
        }
        Ok(byte == b',')
    }

    /// Walks one object a line. A broken line spoils only itself.
    pub fn lines(&mut self, section: &'static str, each: Each<'_>) -> Result<(), Stop> {
        let (mut bytes, mut row) = (Vec::new(), 0);
        loop {
            let line = self.source.line;
            if !self.source.next_line(&mut bytes)? {
                break;
            }
            if !bytes.trim_ascii().is_empty() {
                row += 1;
                self.tell(At { section, row, line }, "", &bytes, &mut *each)?;
            }
        }
        Ok(())
    }

    /// Reads the key of the next field of an object, up to its colon. None at the end.
    pub fn key(&mut self, first: bool, raw: &mut Vec<u8>) -> Result<Option<String>, Broken> {
        if first && self.source.need()? == b'}' {
            self.source.take();
            return Ok(None);
        }
        if self.source.need()? != b'"' {
            return Err(Broken::syntax("expected a key"));
        }
        raw.clear();
        self.source.value(raw)?;
        let key = super::row::text(raw)
            .map_err(|error| Broken::syntax(format!("a key is no text: {error}")))?;
        let key = key.into_owned();
        self.source.expect(b':')?;
        Ok(Some(key))
    }
}

/// Returns `true` if a value is a list of objects.
fn is_rows(value: &[u8]) -> bool {
    value.strip_prefix(b"[").is_some_and(|inner| inner.trim_ascii_start().first() == Some(&b'{'))
}
