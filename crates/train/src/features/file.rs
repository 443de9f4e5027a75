//! The files of cached features, while they are computed and when they are whole.
//!
//! `KEY.f16` contains the rows, `KEY.json` their [`Header`].
//!
//! While rows are computed they are appended to `KEY.f16.part`. The hashes of each group of rows
//! are a line of `KEY.sums.part`. After a kill [`Part::open`] continues after the last whole group.

use super::header::{GROUP, Header, Layout, Sum, parse};
use crate::TrainError;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use toolkit_system::digest::{hex, sha256_hex};
use toolkit_system::files::{FileError, write_bytes};
use toolkit_system::problem::Problem;

/// Names of the files of a cache.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// File of the rows.
    pub data: PathBuf,
    /// File of the header.
    pub header: PathBuf,
    part: PathBuf,
    sums: PathBuf,
}

impl Paths {
    /// Returns the names of the files of cache `key` in `dir`.
    pub fn new(dir: &Path, key: &str) -> Self {
        let path = |end: &str| dir.join(format!("{key}.{end}"));
        Self {
            data: path("f16"),
            header: path("json"),
            part: path("f16.part"),
            sums: path("sums.part"),
        }
    }

    /// Removes the files of an unfinished cache. A file that stays is truncated when it is opened.
    pub fn remove_part(&self) {
        for path in [&self.sums, &self.part] {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A line of `KEY.sums.part`.
#[derive(Deserialize, Serialize)]
struct Group {
    unreadable: Vec<usize>,
    sums: Vec<String>,
}

/// A cache that is being computed.
pub(crate) struct Part {
    paths: Paths,
    layout: Layout,
    data: File,
    lines: File,
    rows: usize,
    unreadable: Vec<usize>,
    sums: Vec<Sum>,
}

impl Part {
    /// Opens the unfinished cache that an earlier call left, or begins one.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn open(paths: Paths, layout: Layout) -> Result<Self, TrainError> {
        let open = |path: &Path| {
            let options =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
            options.map_err(|e| Problem::io("open", path, e))
        };
        // The process was killed after it had named the rows and before it wrote their header.
        if paths.sums.exists() && !paths.part.exists() && paths.data.exists() {
            std::fs::rename(&paths.data, &paths.part)
                .map_err(|e| Problem::io("rename", &paths.data, e))?;
        }
        let (data, lines) = (open(&paths.part)?, open(&paths.sums)?);
        let mut part =
            Self { paths, layout, data, lines, rows: 0, unreadable: Vec::new(), sums: Vec::new() };
        let valid = part.whole_groups()?;
        let truncate = |file: &mut File, length: u64| {
            file.set_len(length).and_then(|()| file.seek(SeekFrom::End(0)))
        };
        let bytes = (part.rows * part.layout.row_bytes()) as u64;
        truncate(&mut part.data, bytes).map_err(|e| FileError::new(&part.paths.part, e))?;
        truncate(&mut part.lines, valid).map_err(|e| FileError::new(&part.paths.sums, e))?;
        if valid == 0 {
            let layout = serde_json::to_string(&part.layout).map_err(Problem::defect)?;
            part.push_line(&layout)?;
        }
        Ok(part)
    }

    /// Reads the whole groups of an earlier call. Returns the length of their lines in bytes.
    fn whole_groups(&mut self) -> Result<u64, TrainError> {
        let mut text = Vec::new();
        self.lines.read_to_end(&mut text).map_err(|e| Problem::io("read", &self.paths.sums, e))?;
        let text = String::from_utf8_lossy(&text);
        let mut lines =
            text.split_inclusive('\n').map_while(|line| Some((line.len() as u64, checked(line)?)));
        let same = |json: &str| {
            serde_json::from_str::<Layout>(json).is_ok_and(|layout| layout == self.layout)
        };
        let Some((first, _)) = lines.next().filter(|(_, json)| same(json)) else { return Ok(0) };
        let groups: Vec<(u64, Group)> = lines
            .map_while(|(length, json)| Some((length, serde_json::from_str(json).ok()?)))
            .collect();
        let metadata = self.data.metadata();
        let length = metadata.map_err(|e| Problem::io("read", &self.paths.part, e))?.len();
        let size = (GROUP * self.layout.row_bytes()) as u64;
        let mut count =
            groups.len().min(usize::try_from(length.div_ceil(size.max(1))).unwrap_or(usize::MAX));
        // A kill can have cut off the last group only. Every block is checked again when it is
        // first read.
        while count > 0 && !self.is_whole(count - 1, &groups[count - 1].1)? {
            count -= 1;
        }
        for (_, group) in &groups[..count] {
            self.unreadable.extend(&group.unreadable);
            self.sums.extend(group.sums.iter().map(|text| parse(text).unwrap_or_default()));
        }
        self.rows = (count * GROUP).min(self.layout.rows);
        Ok(first + groups[..count].iter().map(|(length, _)| length).sum::<u64>())
    }

    /// Returns `true` if the rows of group `at` have the hashes of its line.
    fn is_whole(&mut self, at: usize, group: &Group) -> Result<bool, TrainError> {
        let rows = self.layout.rows.saturating_sub(at * GROUP).min(GROUP);
        let mut bytes = vec![0; rows * self.layout.row_bytes()];
        let begin = SeekFrom::Start((at * GROUP * self.layout.row_bytes()) as u64);
        match self.data.seek(begin).and_then(|_| self.data.read_exact(&mut bytes)) {
            Ok(()) => Ok(hexadecimal(&self.layout.sums(&bytes)) == group.sums),
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(e) => Err(Problem::io("read", &self.paths.part, e).into()),
        }
    }

    /// Returns the number of rows that are computed.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the images that could not be read so far.
    pub fn unreadable(&self) -> &[usize] {
        &self.unreadable
    }

    /// Appends the next rows: a whole group, or the last rows.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn append(&mut self, bytes: &[u8], unreadable: &[usize]) -> Result<(), TrainError> {
        self.data.write_all(bytes).map_err(|e| FileError::new(&self.paths.data, e))?;
        let sums = self.layout.sums(bytes);
        let group = Group { unreadable: unreadable.to_vec(), sums: hexadecimal(&sums) };
        let json = serde_json::to_string(&group).map_err(Problem::defect)?;
        self.push_line(&json)?;
        self.rows += bytes.len() / self.layout.row_bytes().max(1);
        self.sums.extend(sums);
        self.unreadable.extend(unreadable);
        Ok(())
    }

    /// Appends a line to `KEY.sums.part`, with its check.
    fn push_line(&mut self, json: &str) -> Result<(), TrainError> {
        let line = format!("{} {json}\n", check(json));
        self.lines.write_all(line.as_bytes()).map_err(|e| FileError::new(&self.paths.sums, e))?;
        Ok(())
    }

    /// Renames the file of rows into place, then writes the header.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn finish(self) -> Result<Header, TrainError> {
        let fail = |e: std::io::Error| FileError::new(&self.paths.data, e);
        self.data.sync_all().map_err(fail)?;
        std::fs::rename(&self.paths.part, &self.paths.data).map_err(fail)?;
        let header = Header::new(self.layout, self.unreadable, &self.sums)?;
        write_bytes(&self.paths.header, &header.json()?)?;
        // The header contains everything in it.
        let _ = std::fs::remove_file(&self.paths.sums);
        Ok(header)
    }
}

/// Returns the start of a line's hash, which stands before it in the file.
fn check(json: &str) -> String {
    sha256_hex(json.as_bytes())[..16].to_owned()
}

/// Returns the content of a line if its hash is right.
fn checked(line: &str) -> Option<&str> {
    let (start, json) = line.strip_suffix('\n')?.split_once(' ')?;
    (check(json) == start).then_some(json)
}

fn hexadecimal(sums: &[Sum]) -> Vec<String> {
    sums.iter().map(|sum| hex(sum)).collect()
}
