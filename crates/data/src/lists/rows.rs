//! The rows of a JSON file, in the shapes that lists have: a list, a list inside an object, one object a line, an object of
//! rows by id. 700 MB of regions are never held as text or as a tree of values.

use super::keys::ROWS;
use super::row::Row;
use super::source::{Broken, Scan, Source};
use crate::DataError;
use std::fmt::{Display, Formatter};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Where in a file a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    /// The key of the list; empty if the file is one list.
    pub section: &'static str,
    /// From 1.
    pub row: usize,
    /// The line it begins in, from 1.
    pub line: usize,
}

impl Display for At {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "row {}", self.row)?;
        if !self.section.is_empty() {
            write!(f, " of \"{}\"", self.section)?;
        }
        // Most files are one line.
        if self.line > 1 { write!(f, " (line {})", self.line) } else { Ok(()) }
    }
}

/// Gets a row: its place, its key if it has one, and its bytes.
pub(crate) type Each<'a> = &'a mut dyn FnMut(At, &str, &[u8]) -> Result<(), DataError>;

/// The end of a walk before the end of the file.
enum Stop {
    Broken(Broken),
    Told(DataError),
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Walks a file that is a list of rows: `[..]`, `{"annotations": [..]}` or one object a line. `more` are further keys that
/// the list may have in an object.
///
/// # Errors
/// If the file cannot be read or stops being a list of rows, or the first that `each` gives.
pub(crate) fn list(path: &Path, more: &[&'static str], each: Each<'_>) -> Result<(), DataError> {
    walk(path, |walk| {
        let sections: Vec<&'static str> = ROWS.iter().chain(more).copied().collect();
        match walk.source.need()? {
            b'[' => walk.rows("", each),
            b'{' if walk.has_lines(path, &sections)? => walk.lines("", each),
            b'{' => walk.object(&sections, each),
            _ => Err(walk.not("a list of rows")?),
        }
    })
}

/// Walks the list `section` of a file that is an object; other keys are passed over. Says if the list is there. With `bare`
/// a file that is nothing but the list, or its rows line by line, is read as well.
///
/// # Errors
/// As [`list`].
pub(crate) fn section(path: &Path, section: &'static str, bare: bool, each: Each<'_>) -> Result<bool, DataError> {
    let mut found = false;
    walk(path, |walk| match walk.source.need()? {
        b'[' if bare => {
            found = true;
            walk.rows(section, each)
        }
        b'{' if bare && walk.has_lines(path, &[section])? => {
            found = true;
            walk.lines(section, each)
        }
        b'{' => walk.sections(section, &mut found, each),
        _ => Err(walk.not(&format!("an object with \"{section}\""))?),
    })?;
    Ok(found)
}

/// Walks a file that is an object of rows by id.
///
/// # Errors
/// As [`list`].
pub(crate) fn entries(path: &Path, each: Each<'_>) -> Result<(), DataError> {
    walk(path, |walk| match walk.source.need()? {
        b'{' => walk.entries(each),
        _ => Err(walk.not("an object of rows by id")?),
    })
}

fn walk(path: &Path, go: impl FnOnce(&mut Walk) -> Result<(), Stop>) -> Result<(), DataError> {
    let mut walk = Walk { source: Source::open(path)?, at: None };
    let ended = go(&mut walk).and_then(|()| match walk.source.peek()? {
        None => Ok(()),
        Some(_) => Err(Broken::syntax("trailing characters after the list").into()),
    });
    let broken = match ended {
        Ok(()) => return Ok(()),
        Err(Stop::Told(error)) => return Err(error),
        Err(Stop::Broken(broken)) => broken,
    };
    let (what, hint) = match broken {
        Broken::Io(source) => return Err(DataError::Read { path: path.to_owned(), source }),
        Broken::Eof => ("the file ends in the middle".to_owned(), "the file is cut off; get it again"),
        Broken::Syntax(what) => (what, "is it the file that the card's `format` is about? get it again if it is"),
    };
    let place = walk.at.map_or_else(String::new, |at| format!("{at}: "));
    let line = walk.source.line;
    let line = if line > 1 { format!(", at line {line}") } else { String::new() };
    Err(DataError::Annotation { path: path.to_owned(), what: format!("{place}{what}{line}"), hint: hint.to_owned() })
}

struct Walk {
    source: Source<BufReader<File>>,
    /// The row that is read now, so that an error can name it.
    at: Option<At>,
}

impl Walk {
    fn start(&mut self, section: &'static str, row: usize) -> At {
        let at = At { section, row, line: self.source.line };
        self.at = Some(at);
        at
    }

    fn tell(&mut self, at: At, key: &str, row: &[u8], each: Each<'_>) -> Result<(), Stop> {
        each(at, key, row.trim_ascii()).map_err(Stop::Told)?;
        self.at = None;
        Ok(())
    }

    /// The error of a file that is another value.
    fn not(&mut self, wanted: &str) -> Result<Stop, Broken> {
        self.source.need()?;
        let is = match self.source.ahead()? {
            [b'[', ..] => "a list",
            [b'{', ..] => "an object",
            [b'"', ..] => "a text",
            [b'<', ..] => "a web page or XML",
            [0x1f, 0x8b, ..] => "packed with gzip",
            [b'P', b'K', 3, 4, ..] => "a zip archive",
            ahead if ahead.starts_with(b"version https://git-lfs") => "a pointer of Git LFS, to be pulled",
            [b'0'..=b'9' | b'-', ..] => "a number",
            _ => "no JSON",
        };
        Ok(Broken::syntax(format!("invalid type: the file is {is}, not {wanted}")).into())
    }

    /// Whether the file has one object a line. Its first line, if not its name, tells: it is a whole object without a list of
    /// rows in it, and not the last line.
    fn has_lines(&mut self, path: &Path, sections: &[&'static str]) -> Result<bool, Broken> {
        let ahead = self.source.ahead()?;
        let Some(end) = ahead.iter().position(|&b| b == b'\n') else { return Ok(false) };
        let line = ahead[..end].trim_ascii();
        let named =
            path.extension().is_some_and(|e| e.eq_ignore_ascii_case("jsonl") || e.eq_ignore_ascii_case("ndjson"));
        Ok(match Row::parse(line) {
            // Printed over many lines, the first is a bracket.
            Err(_) => named && line.len() > 1,
            Ok(row) => !sections.iter().any(|key| matches!(row.first(&[*key]), Ok(Some((_, value))) if is_rows(value))),
        })
    }

    /// A list, from its bracket on.
    fn rows(&mut self, section: &'static str, each: Each<'_>) -> Result<(), Stop> {
        self.source.expect(b'[')?;
        self.rows_inside(section, each)
    }

    fn rows_inside(&mut self, section: &'static str, each: Each<'_>) -> Result<(), Stop> {
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

    /// Whether a comma follows, not the bracket `end`.
    fn goes_on(&mut self, end: u8) -> Result<bool, Broken> {
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

    /// One object a line. A broken line spoils only itself.
    fn lines(&mut self, section: &'static str, each: Each<'_>) -> Result<(), Stop> {
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

    /// The key of the next field of an object, up to its colon. None at the end.
    fn key(&mut self, first: bool, raw: &mut Vec<u8>) -> Result<Option<String>, Broken> {
        if first && self.source.need()? == b'}' {
            self.source.take();
            return Ok(None);
        }
        if self.source.need()? != b'"' {
            return Err(Broken::syntax("expected a key"));
        }
        raw.clear();
        self.source.value(raw)?;
        let key = super::row::text(raw).map_err(|error| Broken::syntax(format!("a key is no text: {error}")))?;
        let key = key.into_owned();
        self.source.expect(b':')?;
        Ok(Some(key))
    }

    fn sections(&mut self, section: &'static str, found: &mut bool, each: Each<'_>) -> Result<(), Stop> {
        self.source.expect(b'{')?;
        let (mut raw, mut first) = (Vec::new(), true);
        while let Some(key) = self.key(first, &mut raw)? {
            first = false;
            if key != section {
                self.source.skip()?;
            } else if std::mem::replace(found, true) {
                return Err(Broken::syntax(format!("\"{key}\" is there twice")).into());
            } else if self.source.need()? != b'[' {
                return Err(Broken::syntax(format!("invalid type: \"{key}\" is no list of rows")).into());
            } else {
                self.rows(section, &mut *each)?;
            }
            if !self.goes_on(b'}')? {
                break;
            }
        }
        Ok(())
    }

    fn entries(&mut self, each: Each<'_>) -> Result<(), Stop> {
        self.source.expect(b'{')?;
        let (mut raw, mut bytes) = (Vec::new(), Vec::new());
        for row in 1.. {
            self.source.need()?;
            let at = self.start("", row);
            let Some(key) = self.key(row == 1, &mut raw)? else { break };
            bytes.clear();
            self.source.value(&mut bytes)?;
            self.tell(at, &key, &bytes, &mut *each)?;
            if !self.goes_on(b'}')? {
                break;
            }
        }
        self.at = None;
        Ok(())
    }

    /// An object with a list of rows in it, or rows as objects one after the other.
    fn object(&mut self, sections: &[&'static str], each: Each<'_>) -> Result<(), Stop> {
        let mut row = 0;
        while self.source.peek()?.is_some() {
            row += 1;
            let at = self.start("", row);
            if let Some(bytes) = self.object_or_rows(sections, &mut *each)? {
                self.tell(at, "", &bytes, &mut *each)?;
            }
        }
        Ok(())
    }

    /// Tells the rows of an object's lists; gives the object itself if there is none.
    fn object_or_rows(&mut self, sections: &[&'static str], each: Each<'_>) -> Result<Option<Vec<u8>>, Stop> {
        self.source.expect(b'{')?;
        let (mut whole, mut raw, mut found): (_, _, Vec<&str>) = (vec![b'{'], Vec::new(), vec![]);
        while let Some(key) = self.key(whole.len() == 1, &mut raw)? {
            if whole.len() > 1 {
                whole.push(b',');
            }
            whole.extend_from_slice(&raw);
            whole.push(b':');
            let section = sections.iter().find(|section| **section == key).copied();
            match section {
                Some(section) if self.source.need()? == b'[' => {
                    self.source.take();
                    if matches!(self.source.need()?, b'{' | b']') {
                        if found.contains(&section) {
                            return Err(Broken::syntax(format!("\"{key}\" is there twice")).into());
                        }
                        found.push(section);
                        self.rows_inside(section, &mut *each)?;
                        whole.extend_from_slice(b"[]");
                    } else {
                        whole.push(b'[');
                        self.source.rest(&mut Scan::inside_list(), Some(&mut whole))?;
                    }
                }
                _ => self.source.value(&mut whole)?,
            }
            if !self.goes_on(b'}')? {
                break;
            }
        }
        whole.push(b'}');
        Ok(found.is_empty().then_some(whole))
    }
}

/// Whether a value is a list of objects.
fn is_rows(value: &[u8]) -> bool {
    value.strip_prefix(b"[").is_some_and(|inner| inner.trim_ascii_start().first() == Some(&b'{'))
}
