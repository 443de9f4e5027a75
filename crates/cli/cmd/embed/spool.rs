//! Tensors on the disk that grow row by row, until they are one safetensors file.
//!
//! The header of a safetensors file says how long each tensor is, which is known at the end only. So rows go into one
//! file a tensor, in a hidden folder beside the result; a kill leaves that folder, and the same command goes on with it.

use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use toolkit_core::params::Values;
use toolkit_system::files::{FileError, write_atomic, write_bytes};

/// Longest time between two marks of how far it is: the most that a kill can cost.
const BETWEEN_MARKS: Duration = Duration::from_secs(2);

/// Progress of a spool.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
pub struct Mark {
    /// All that determines the rows: files with sizes and times, texts, options.
    pub key: serde_json::Value,
    /// Files that were worked on, read or left out.
    pub done: usize,
    /// Places of files that were left out.
    pub skipped: Vec<usize>,
    /// Shape of each tensor so far.
    pub shapes: BTreeMap<String, Vec<usize>>,
}

/// Tensors that are being made.
pub struct Spool {
    folder: PathBuf,
    files: BTreeMap<String, File>,
    marked: Instant,
    /// Progress so far.
    pub mark: Mark,
}

impl Spool {
    /// Opens the spool of `out`, or begins one where there is none of this `key`.
    ///
    /// # Errors
    /// If its folder cannot be made or read.
    pub fn open(out: &Path, key: serde_json::Value) -> anyhow::Result<Self> {
        let name = out
            .file_name()
            .ok_or_else(|| anyhow!("`--out` names no file; hint: give a name that ends with .safetensors"))?;
        let folder = out.with_file_name(format!(".{}.part", name.to_string_lossy()));
        let read = std::fs::read(folder.join(MARK)).ok().and_then(|bytes| serde_json::from_slice::<Mark>(&bytes).ok());
        let mut spool =
            Self { folder, files: BTreeMap::new(), marked: Instant::now(), mark: Mark { key, ..Mark::default() } };
        match read.filter(|mark| mark.key == spool.mark.key) {
            Some(mark) => {
                spool.mark = mark;
                if spool.cut().is_err() {
                    spool.begin()?;
                }
            }
            None => spool.begin()?,
        }
        Ok(spool)
    }

    /// Forgets all rows.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn begin(&mut self) -> anyhow::Result<()> {
        self.files.clear();
        self.mark = Mark { key: self.mark.key.take(), ..Mark::default() };
        let _ = std::fs::remove_dir_all(&self.folder);
        std::fs::create_dir_all(&self.folder).map_err(|error| FileError::new(&self.folder, error))?;
        Ok(())
    }

    /// Opens the files of a spool that was left and cuts off rows that came after its last mark.
    fn cut(&mut self) -> anyhow::Result<()> {
        for (name, shape) in &self.mark.shapes {
            let mut file = File::options().read(true).write(true).open(self.folder.join(name))?;
            let length = 4 * shape.iter().product::<usize>() as u64;
            anyhow::ensure!(file.metadata()?.len() >= length, "shorter than it was");
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            self.files.insert(name.clone(), file);
        }
        Ok(())
    }

    /// Reads the first values of a tensor, as many as `values` has.
    pub fn starts_with(&self, name: &str, values: &[f32]) -> bool {
        let mut bytes = vec![0; 4 * values.len()];
        let read = File::open(self.folder.join(name)).and_then(|mut file| file.read_exact(&mut bytes));
        read.is_ok() && bytes.chunks_exact(4).zip(values).all(|(stored, value)| stored == value.to_le_bytes())
    }

    /// Adds rows to a tensor.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn push(&mut self, name: &str, rows: &Values) -> anyhow::Result<()> {
        let path = self.folder.join(name);
        let fail = |error| FileError::new(&path, error);
        if !self.files.contains_key(name) {
            self.files.insert(name.to_owned(), File::create(&path).map_err(fail)?);
        }
        let bytes: Vec<u8> = rows.data.iter().flat_map(|value| value.to_le_bytes()).collect();
        if let Some(file) = self.files.get_mut(name) {
            file.write_all(&bytes).map_err(fail)?;
        }
        let shape = self.mark.shapes.entry(name.to_owned()).or_insert_with(|| {
            let mut none = rows.shape.clone();
            none.iter_mut().take(1).for_each(|count| *count = 0);
            none
        });
        if let (Some(all), Some(more)) = (shape.first_mut(), rows.shape.first()) {
            *all += more;
        }
        Ok(())
    }

    /// Notes that the first `done` files were worked on, of which `read` gave rows since the last call. The mark is
    /// written every few seconds.
    ///
    /// # Errors
    /// If the mark cannot be written.
    pub fn reached(&mut self, done: usize, read: &[usize]) -> anyhow::Result<()> {
        let left_out = (self.mark.done..done).filter(|at| !read.contains(at));
        self.mark.skipped.extend(left_out);
        self.mark.done = done;
        if self.marked.elapsed() < BETWEEN_MARKS {
            return Ok(());
        }
        for file in self.files.values() {
            file.sync_data().map_err(|error| FileError::new(&self.folder, error))?;
        }
        write_bytes(&self.folder.join(MARK), &serde_json::to_vec(&self.mark)?)?;
        self.marked = Instant::now();
        Ok(())
    }

    /// Makes one safetensors file of all tensors, with `metadata`, and removes the spool.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn finish(self, out: &Path, metadata: &BTreeMap<String, String>) -> anyhow::Result<()> {
        let header = header(&self.mark.shapes, metadata)?;
        write_atomic(out, |file| -> anyhow::Result<()> {
            let fail = |error| FileError::new(out, error);
            file.write_all(&header).map_err(fail)?;
            for name in self.mark.shapes.keys() {
                let mut tensor = File::open(self.folder.join(name)).map_err(fail)?;
                std::io::copy(&mut tensor, file).map_err(fail)?;
            }
            Ok(())
        })?;
        std::fs::remove_dir_all(&self.folder)
            .with_context(|| format!("cannot remove {}; hint: remove it by hand", self.folder.display()))
    }
}

/// The file of a spool that says how far it is.
const MARK: &str = "mark.json";

/// The length-prefixed JSON header of a safetensors file of 32-bit numbers, padded so that tensors are aligned.
fn header(shapes: &BTreeMap<String, Vec<usize>>, metadata: &BTreeMap<String, String>) -> anyhow::Result<Vec<u8>> {
    let mut entries = serde_json::Map::from_iter([("__metadata__".to_owned(), serde_json::to_value(metadata)?)]);
    let mut offset = 0;
    for (name, shape) in shapes {
        let end = offset + 4 * shape.iter().product::<usize>();
        entries
            .insert(name.clone(), serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [offset, end]}));
        offset = end;
    }
    let mut json = serde_json::to_vec(&entries)?;
    json.resize(json.len().next_multiple_of(8), b' ');
    Ok([(json.len() as u64).to_le_bytes().to_vec(), json].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize, first: f32) -> Values {
        Values { shape: vec![count, 2], data: (0..2 * count).map(|at| first + at as f32).collect() }
    }

    #[test]
    fn a_spool_that_was_left_goes_on_and_gives_the_same_file() {
        let dir = tempfile::tempdir().unwrap();
        let key = serde_json::json!(["a.png", "b.png"]);
        let metadata = BTreeMap::from([("model".to_owned(), "m".to_owned())]);
        let whole = |out: &Path, stop: bool| {
            let mut spool = Spool::open(out, key.clone()).unwrap();
            spool.push("a", &rows(3, 0.0)).unwrap();
            spool.marked = Instant::now() - 2 * BETWEEN_MARKS;
            spool.reached(3, &[0, 2]).unwrap();
            spool.push("a", &rows(1, 6.0)).unwrap();
            if stop {
                drop(spool);
                let mut again = Spool::open(out, key.clone()).unwrap();
                assert_eq!(
                    (again.mark.done, &again.mark.shapes["a"]),
                    (3, &vec![3, 2]),
                    "what came after the mark is cut"
                );
                assert_eq!(again.mark.skipped, [1]);
                assert!(again.starts_with("a", &[0.0, 1.0]) && !again.starts_with("a", &[0.0, 2.0]));
                again.push("a", &rows(1, 6.0)).unwrap();
                again.finish(out, &metadata).unwrap();
            } else {
                spool.finish(out, &metadata).unwrap();
            }
            std::fs::read(out).unwrap()
        };
        let (one, two) = (whole(&dir.path().join("one"), false), whole(&dir.path().join("two"), true));
        assert_eq!(one, two);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "no spool is left");
        let other = Spool::open(&dir.path().join("one"), serde_json::json!("other")).unwrap();
        assert_eq!(other.mark.done, 0);
    }
}
