//! The files of cached features, while they are computed and when they are whole.
//!
//! `KEY.f16` holds the rows, `KEY.json` its [`Header`].
//! While rows are computed they go to `KEY.f16.part`, and the hashes of each group of rows go to
//! `KEY.sums.part` as a line. A kill leaves both, and [`Part::open`] goes on after the last group
//! that is whole.

use crate::TrainError;
use crate::feature_header::{GROUP, Header, Layout, Sum, hex, parse};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use toolkit_system::digest::sha256_hex;
use toolkit_system::files::{FileError, write_bytes};
use toolkit_system::problem::Problem;

/// Names of the files of a cache.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// The rows.
    pub data: PathBuf,
    /// The header.
    pub header: PathBuf,
    part: PathBuf,
    sums: PathBuf,
}

impl Paths {
    /// Those of the cache `key` in `dir`.
    pub fn new(dir: &Path, key: &str) -> Self {
        let path = |end: &str| dir.join(format!("{key}.{end}"));
        Self {
            data: path("f16"),
            header: path("json"),
            part: path("f16.part"),
            sums: path("sums.part"),
        }
    }

    /// Removes a part that is not to be gone on with. What cannot be removed is cut when it is
    /// opened.
    pub fn forget_part(&self) {
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
    /// Goes on with what an earlier call left, or begins.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn open(paths: Paths, layout: Layout) -> Result<Self, TrainError> {
        let open = |path: &Path| {
            let options =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
            options.map_err(|e| Problem::io("open", path, e))
        };
        // A kill between naming the rows and writing their header.
        if paths.sums.exists() && !paths.part.exists() && paths.data.exists() {
            std::fs::rename(&paths.data, &paths.part)
                .map_err(|e| Problem::io("rename", &paths.data, e))?;
        }
        let (data, lines) = (open(&paths.part)?, open(&paths.sums)?);
        let mut part =
            Self { paths, layout, data, lines, rows: 0, unreadable: Vec::new(), sums: Vec::new() };
        let kept = part.whole_groups()?;
        let cut = |file: &mut File, length: u64| {
            file.set_len(length).and_then(|()| file.seek(SeekFrom::End(0)))
        };
        let bytes = (part.rows * part.layout.row_bytes()) as u64;
        cut(&mut part.data, bytes).map_err(|e| FileError::new(&part.paths.part, e))?;
        cut(&mut part.lines, kept).map_err(|e| FileError::new(&part.paths.sums, e))?;
        if kept == 0 {
            let layout = serde_json::to_string(&part.layout).map_err(Problem::defect)?;
            part.say(&layout)?;
        }
        Ok(part)
    }

    /// Reads how far an earlier call came. Returns the bytes of the lines that count.
    fn whole_groups(&mut self) -> Result<u64, TrainError> {
        let mut text = Vec::new();
        self.lines.read_to_end(&mut text).map_err(|e| Problem::io("read", &self.paths.sums, e))?;
        let text = String::from_utf8_lossy(&text);
        let mut lines =
            text.split_inclusive('\n').map_while(|line| Some((line.len() as u64, said(line)?)));
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
        // The last group is what a kill can have torn. Every block is compared again when it is
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

    fn is_whole(&mut self, at: usize, group: &Group) -> Result<bool, TrainError> {
        let rows = self.layout.rows.saturating_sub(at * GROUP).min(GROUP);
        let mut bytes = vec![0; rows * self.layout.row_bytes()];
        let begin = SeekFrom::Start((at * GROUP * self.layout.row_bytes()) as u64);
        match self.data.seek(begin).and_then(|_| self.data.read_exact(&mut bytes)) {
            Ok(()) => {
                Ok(self.layout.sums(&bytes).iter().map(hex).collect::<Vec<_>>() == group.sums)
            }
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(e) => Err(Problem::io("read", &self.paths.part, e).into()),
        }
    }

    /// Rows that are there.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Images so far that could not be read.
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
        let group = Group { unreadable: unreadable.to_vec(), sums: sums.iter().map(hex).collect() };
        let json = serde_json::to_string(&group).map_err(Problem::defect)?;
        self.say(&json)?;
        self.rows += bytes.len() / self.layout.row_bytes().max(1);
        self.sums.extend(sums);
        self.unreadable.extend(unreadable);
        Ok(())
    }

    fn say(&mut self, json: &str) -> Result<(), TrainError> {
        let line = format!("{} {json}\n", check(json));
        self.lines.write_all(line.as_bytes()).map_err(|e| FileError::new(&self.paths.sums, e))?;
        Ok(())
    }

    /// Gives the rows their name, and then the header its own.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn finish(self) -> Result<Header, TrainError> {
        let fail = |e: std::io::Error| FileError::new(&self.paths.data, e);
        self.data.sync_all().map_err(fail)?;
        std::fs::rename(&self.paths.part, &self.paths.data).map_err(fail)?;
        let header = Header::new(self.layout, self.unreadable, &self.sums)?;
        write_bytes(&self.paths.header, &header.json()?)?;
        // It says nothing that the header does not.
        let _ = std::fs::remove_file(&self.paths.sums);
        Ok(header)
    }
}

/// The start of a line's hash, so that a damaged line is no line.
fn check(json: &str) -> String {
    sha256_hex(json.as_bytes())[..16].to_owned()
}

/// The content of a line that is whole.
fn said(line: &str) -> Option<&str> {
    let (start, json) = line.strip_suffix('\n')?.split_once(' ')?;
    (check(json) == start).then_some(json)
}
