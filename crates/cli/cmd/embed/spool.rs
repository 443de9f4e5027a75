//! Tensors on the disk that grow row by row, until they are one safetensors file.
//!
//! The header of a safetensors file has the length of each tensor, which is known at the end only.
//! So the rows of each tensor go to a file of their own, in a hidden folder next to the result. A
//! kill leaves that folder, and the same command resumes from it.

use anyhow::bail;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use toolkit_core::params::Values;
use toolkit_system::files::{FileError, sweep_beside, write_atomic, write_bytes};
use toolkit_system::input;
use toolkit_system::problem::Problem;

/// Longest time between two writings of the progress: the most that a kill can cost.
const BETWEEN_MARKS: Duration = Duration::from_millis(500);

/// Progress of a spool.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
pub struct Mark {
    /// Inputs that determine the rows: files with sizes and times, texts, options.
    pub key: serde_json::Value,
    /// Number of files so far, those that were left out included.
    pub done: usize,
    /// Places of files that were left out.
    pub skipped: Vec<usize>,
    /// Shape of each tensor so far.
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// SHA-256 of the rows of each tensor so far.
    pub hashes: BTreeMap<String, String>,
}

/// Tensors that are being written.
pub struct Spool {
    folder: PathBuf,
    files: BTreeMap<String, (File, Sha256)>,
    /// File that is locked as long as this process works here.
    lock: File,
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
        let name = out.file_name().ok_or_else(|| {
            Problem::new("`--out` names no file").hint("give a name that ends with .safetensors")
        })?;
        let folder = out.with_file_name(format!(".{}.part", name.to_string_lossy()));
        sweep_beside(out);
        std::fs::create_dir_all(&folder).map_err(|error| FileError::new(&folder, error))?;
        let lock =
            File::create(folder.join(LOCK)).map_err(|error| FileError::new(&folder, error))?;
        if lock.try_lock().is_err() {
            bail!(
                Problem::new("another `embed` is writing this file")
                    .at(out.display())
                    .hint("wait for it, or give another `--out`")
            );
        }
        let read = input::read(&folder.join(MARK))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Mark>(&bytes).ok());
        let mark = Mark { key, ..Mark::default() };
        let mut spool = Self { folder, files: BTreeMap::new(), lock, marked: Instant::now(), mark };
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
    /// If old files cannot be removed.
    pub fn begin(&mut self) -> anyhow::Result<()> {
        self.files.clear();
        self.mark = Mark { key: self.mark.key.take(), ..Mark::default() };
        let fail = |error| FileError::new(&self.folder, error);
        for entry in std::fs::read_dir(&self.folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if !path.ends_with(LOCK) {
                std::fs::remove_file(&path).map_err(fail)?;
            }
        }
        Ok(())
    }

    /// Opens the files of a spool that was left and cuts off rows that came after its last mark.
    fn cut(&mut self) -> anyhow::Result<()> {
        for (name, shape) in &self.mark.shapes {
            let mut file = File::options().read(true).write(true).open(self.folder.join(name))?;
            let length = 4 * shape.iter().product::<usize>() as u64;
            let mut hash = Sha256::new();
            let (mut left, mut buffer) = (length, vec![0; 1 << 18]);
            while left > 0 {
                let piece = &mut buffer[..left.min(1 << 18) as usize];
                file.read_exact(piece)?;
                hash.update(&*piece);
                left -= piece.len() as u64;
            }
            let same = self.mark.hashes.get(name).is_some_and(|written| *written == hex(&hash));
            anyhow::ensure!(same, "not as it was written");
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            self.files.insert(name.clone(), (file, hash));
        }
        Ok(())
    }

    /// Reads the first values of a tensor, as many as `values` has.
    pub fn starts_with(&self, name: &str, values: &[f32]) -> bool {
        let mut bytes = vec![0; 4 * values.len()];
        let read =
            File::open(self.folder.join(name)).and_then(|mut file| file.read_exact(&mut bytes));
        read.is_ok()
            && bytes
                .chunks_exact(4)
                .zip(values)
                .all(|(stored, value)| stored == value.to_le_bytes())
    }

    /// Adds rows to a tensor.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn push(&mut self, name: &str, rows: &Values) -> anyhow::Result<()> {
        let path = self.folder.join(name);
        let fail = |error| FileError::new(&path, error);
        if !self.files.contains_key(name) {
            self.files.insert(name.to_owned(), (File::create(&path).map_err(fail)?, Sha256::new()));
        }
        let bytes: Vec<u8> = rows.data.iter().flat_map(|value| value.to_le_bytes()).collect();
        if let Some((file, hash)) = self.files.get_mut(name) {
            file.write_all(&bytes).map_err(fail)?;
            hash.update(&bytes);
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

    /// Notes that the first `done` files were worked on, of which `read` gave rows since the last
    /// call. The mark is written every few seconds.
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
        for (name, (file, hash)) in &self.files {
            file.sync_data().map_err(|error| FileError::new(&self.folder, error))?;
            self.mark.hashes.insert(name.clone(), hex(hash));
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
        std::fs::remove_dir_all(&self.folder).map_err(|error| {
            Problem::new(format_args!("cannot remove the folder: {error}"))
                .at(self.folder.display())
                .hint("remove it by hand")
        })?;
        let _ = self.lock.unlock();
        Ok(())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // Without its progress file a spool is of no use to the next call.
        if !self.folder.join(MARK).exists() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn hex(hash: &Sha256) -> String {
    hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// File of a spool's progress.
const MARK: &str = "mark.json";

/// File of a spool that its writer locks.
const LOCK: &str = "lock";

/// Returns the length-prefixed JSON header of a safetensors file of 32-bit numbers, padded so that
/// tensors are aligned.
fn header(
    shapes: &BTreeMap<String, Vec<usize>>,
    metadata: &BTreeMap<String, String>,
) -> anyhow::Result<Vec<u8>> {
    let mut entries =
        serde_json::Map::from_iter([("__metadata__".to_owned(), serde_json::to_value(metadata)?)]);
    let mut offset = 0;
    for (name, shape) in shapes {
        let end = offset + 4 * shape.iter().product::<usize>();
        entries.insert(
            name.clone(),
            serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [offset, end]}),
        );
        offset = end;
    }
    let mut json = serde_json::to_vec(&entries)?;
    json.resize(json.len().next_multiple_of(8), b' ');
    Ok([(json.len() as u64).to_le_bytes().to_vec(), json].concat())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
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
                assert!(
                    again.starts_with("a", &[0.0, 1.0]) && !again.starts_with("a", &[0.0, 2.0])
                );
                again.push("a", &rows(1, 6.0)).unwrap();
                again.finish(out, &metadata).unwrap();
            } else {
                spool.finish(out, &metadata).unwrap();
            }
            std::fs::read(out).unwrap()
        };
        let (one, two) =
            (whole(&dir.path().join("one"), false), whole(&dir.path().join("two"), true));
        assert_eq!(one, two);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "no spool is left");
        let other = Spool::open(&dir.path().join("one"), serde_json::json!("other")).unwrap();
        assert_eq!(other.mark.done, 0);
        let second = Spool::open(&dir.path().join("one"), serde_json::json!("other"))
            .err()
            .unwrap()
            .to_string();
        assert!(second.contains("another `embed`"), "{second}");
        drop(other);
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            2,
            "a spool without a mark is gone"
        );
    }

    #[test]
    fn a_spool_with_a_flipped_bit_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (out, key) = (dir.path().join("a"), serde_json::json!("k"));
        let mut spool = Spool::open(&out, key.clone()).unwrap();
        spool.push("a", &rows(3, 0.0)).unwrap();
        spool.marked = Instant::now() - 2 * BETWEEN_MARKS;
        spool.reached(3, &[0, 1, 2]).unwrap();
        let file = spool.folder.join("a");
        drop(spool);
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[9] ^= 4;
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(Spool::open(&out, key).unwrap().mark.done, 0);
    }
}
