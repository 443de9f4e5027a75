//! Package managers that are shell scripts, and the archives they give.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tar::EntryType;
use toolkit_fetch::{FetchError, Fetcher};
use toolkit_store::{Digest, NoProgress, Store};

pub struct Setup {
    pub store: Fetcher,
    pub folder: tempfile::TempDir,
}

/// A store whose tools are those of `tool` only.
pub fn setup() -> Setup {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("bin")).unwrap();
    let store = Fetcher::new(Store::new(folder.path().join("the store")))
        .offline(false)
        .tools_path(folder.path().join("bin"));
    Setup { store, folder }
}

impl Setup {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program that logs its arguments and does `script`; `$LAST` is its last argument, `$DIR`
    /// the one before.
    pub fn tool(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        let log = self.path("log");
        let head = format!(
            "echo \"{name} $@\" >> '{}'; for LAST; do DIR=$PREVIOUS; PREVIOUS=$LAST; done",
            log.display()
        );
        let script = format!("#!/bin/sh\nDIR=; PREVIOUS=\n{head}\n{script}\n");
        // Written by another process: while this one has it open, a program that another test
        // starts inherits that for a moment, and a file that is open for writing cannot be run.
        let mut writer = Command::new("sh");
        writer.args(["-c", "cat > \"$0\" && chmod 755 \"$0\""]).arg(&path).stdin(Stdio::piped());
        let mut writer = writer.spawn().unwrap();
        writer.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(writer.wait().unwrap().success());
    }

    /// Returns what was run, a line each, with the temporary folder as `TMP` and without what is
    /// named for one run.
    pub fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("log")).unwrap_or_default();
        let temp = self.store.store().root().join("tmp").display().to_string();
        let word =
            |word: &str| match word.strip_prefix("TMP/").and_then(|rest| rest.rsplit_once('/')) {
                Some((package, _)) => format!("TMP/{package}"),
                None => word.to_owned(),
            };
        text.lines()
            .map(|line| {
                line.replace(&temp, "TMP").split(' ').map(word).collect::<Vec<_>>().join(" ")
            })
            .collect()
    }

    pub fn get(&self, source: &str) -> Result<PathBuf, FetchError> {
        self.store.get(&source.parse().unwrap(), &Digest::default(), &NoProgress)
    }

    pub fn error(&self, source: &str) -> String {
        let error = self.get(source).unwrap_err().to_string();
        assert!(error.contains("; hint: ") && !error.contains('\n'), "{error}");
        error
    }

    /// Nothing half done is left.
    pub fn assert_clean(&self) {
        let left = fs::read_dir(self.store.store().root().join("tmp"))
            .map_or(0, |entries| entries.count());
        assert_eq!(left, 0);
    }
}

pub fn wheel(path: &Path, files: &[(&str, &str)]) {
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for (name, text) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
}

/// An entry of a tar: a file with this text, or a link that leads there.
pub enum Entry<'a> {
    File(&'a str),
    Symlink(&'a str),
    Hardlink(&'a str),
    Folder,
    Device,
}

/// Names as they are given, which no decent tool would write.
pub fn tar(entries: &[(&str, Entry<'_>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, entry) in entries {
        let (kind, text, link) = match entry {
            Entry::File(text) => (EntryType::Regular, *text, ""),
            Entry::Symlink(to) => (EntryType::Symlink, "", *to),
            Entry::Hardlink(to) => (EntryType::Link, "", *to),
            Entry::Folder => (EntryType::Directory, "", ""),
            Entry::Device => (EntryType::Char, "", ""),
        };
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_size(text.len() as u64);
        header.set_cksum();
        tar.append(&header, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

pub fn tgz(path: &Path, entries: &[(&str, Entry<'_>)]) {
    let file = fs::File::create(path).unwrap();
    let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    gz.write_all(&tar(entries)).unwrap();
    gz.finish().unwrap();
}
