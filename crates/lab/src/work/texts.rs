//! The texts of an evaluation in progress, a line for each batch, so that a kill costs one batch.

use crate::LabError;
use crate::run::folder::PIECES;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use toolkit_eval::{EvalError, TextStore};
use toolkit_system::digest::sha256_hex;
use toolkit_system::files::FileError;

/// A file of texts, below the folder of a task.
pub struct Texts {
    path: PathBuf,
    file: File,
    stored: BTreeMap<usize, Vec<String>>,
}

impl Texts {
    /// Opens the texts of the task `name` in folder `dir`.
    ///
    /// Texts of data of another length, or in batches of another size, are dropped.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn open(dir: &Path, name: &str, samples: usize, batch: usize) -> Result<Self, LabError> {
        let folder = dir.join(PIECES);
        std::fs::create_dir_all(&folder).map_err(|e| LabError::io(&folder, &e))?;
        let path = folder.join(format!("{name}.texts"));
        let fail = |e: std::io::Error| LabError::io(&path, &e);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(fail)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(fail)?;
        let bytes = String::from_utf8_lossy(&bytes);
        let head = line(&format!("{samples} {batch}"));
        let (mut stored, mut end) = (BTreeMap::new(), 0);
        if bytes.starts_with(&head) {
            end = head.len();
            for one in bytes[end..].split_inclusive('\n') {
                let Some((at, texts)) =
                    content(one).and_then(|json| serde_json::from_str(json).ok())
                else {
                    break;
                };
                stored.insert(at, texts);
                end += one.len();
            }
        }
        let cut = file.set_len(end as u64).and_then(|()| file.seek(SeekFrom::Start(end as u64)));
        cut.and_then(|_| if end == 0 { file.write_all(head.as_bytes()) } else { Ok(()) })
            .map_err(fail)?;
        Ok(Self { path, file, stored })
    }
}

/// Removes what [`Texts`] kept in a folder, when the results that it was for are there.
///
/// # Errors
/// Errors of the file system.
pub fn remove(dir: &Path) -> Result<(), LabError> {
    let folder = dir.join(PIECES);
    match std::fs::remove_dir_all(&folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(LabError::io(&folder, &e)),
        _ => Ok(()),
    }
}

impl TextStore for Texts {
    fn get(&self, batch: usize) -> Option<Vec<String>> {
        self.stored.get(&batch).cloned()
    }

    fn put(&mut self, batch: usize, texts: &[String]) -> Result<(), EvalError> {
        let json = serde_json::json!([batch, texts]).to_string();
        let written = self.file.write_all(line(&json).as_bytes());
        Ok(written.map_err(|error| FileError::new(&self.path, error))?)
    }
}

/// A line with the start of its own hash, so that a torn or damaged one is none.
fn line(content: &str) -> String {
    format!("{} {content}\n", &sha256_hex(content.as_bytes())[..16])
}

fn content(one: &str) -> Option<&str> {
    let content = one.strip_suffix('\n')?.split_once(' ')?.1;
    (line(content) == one).then_some(content)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_whole_are_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let open = |samples| Texts::open(dir.path(), "vqa", samples, 2).unwrap();
        let texts = |at: usize| vec![format!("text {at}\n\u{1b}"), "\"".to_owned()];
        let mut first = open(6);
        for at in 0..3 {
            assert_eq!(first.get(at), None);
            first.put(at, &texts(at)).unwrap();
        }
        let path = dir.path().join("pieces/vqa.texts");
        let whole = std::fs::read(&path).unwrap();
        let ends: Vec<usize> = (0..whole.len()).filter(|&at| whole[at] == b'\n').collect();
        assert_eq!(ends.len(), 4);
        // Cut anywhere, or with a bit flipped anywhere, what is before it stays.
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            for bytes in [whole[..at].to_vec(), flipped] {
                std::fs::write(&path, bytes).unwrap();
                let mut again = open(6);
                let before = ends.iter().filter(|&&end| end < at).count();
                for batch in 0..3 {
                    assert_eq!(
                        again.get(batch),
                        (batch + 1 < before).then(|| texts(batch)),
                        "byte {at}, batch {batch}"
                    );
                }
                (before.saturating_sub(1)..3)
                    .for_each(|batch| again.put(batch, &texts(batch)).unwrap());
                assert!(std::fs::read(&path).unwrap() == whole, "byte {at}");
            }
        }
        // Another number of samples makes other batches.
        assert_eq!(open(7).get(0), None);
    }
}
