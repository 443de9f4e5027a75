//! Shards that are made in a test.

use std::path::{Path, PathBuf};
use tempfile::TempDir;
use toolkit_data::{DataError, Dataset, Opening, ShardOptions, Shards};

/// A folder of shards with a place for the index.
pub struct Place {
    pub dir: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn index(&self) -> PathBuf {
        self.path("cache")
    }

    /// Opens shards by patterns that start from the folder.
    pub fn open(&self, patterns: &str) -> Result<Shards, DataError> {
        let options = ShardOptions { root: self.dir.path().to_owned(), ..ShardOptions::default() };
        Shards::open("shards:t", &[patterns.to_owned()], &options, &Opening::new(self.index()))
    }

    /// Opens shards that cannot be, and returns the error.
    pub fn fails(&self, patterns: &str) -> String {
        match self.open(patterns) {
            Ok(data) => panic!("{} items", data.len()),
            Err(error) => error.to_string(),
        }
    }
}

/// Makes a picture of one colour as PNG.
pub fn png(shade: u8) -> Vec<u8> {
    let picture = image::RgbImage::from_pixel(2, 1, image::Rgb([shade, 0, 255]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Makes a tar file of members in GNU format, with long names where they are needed.
pub fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        add(&mut builder, name, bytes);
    }
    builder.into_inner().unwrap()
}

pub fn add(builder: &mut tar::Builder<Vec<u8>>, name: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    builder.append_data(&mut header, Path::new(name), bytes).unwrap();
}

/// Lists the faults of a data set: `bad-row 1: a.tar: 1.txt`.
pub fn faults(data: &Shards) -> Vec<String> {
    let line = |(fault, finding): (&toolkit_data::Fault, &toolkit_data::Finding)| {
        let places: Vec<&str> = finding.examples.iter().map(|one| one.place.as_str()).collect();
        format!("{} {}: {}", fault.name(), finding.count, places.join(", "))
    };
    data.left_out().iter().map(line).collect()
}

/// Lists ids and captions.
pub fn texts(data: &Shards) -> Vec<(String, Vec<String>)> {
    (0..data.len())
        .map(|at| data.item(at).into_owned())
        .map(|item| (item.id, item.captions))
        .collect()
}
