//! Pictures that were left out, by name: a file beside the shards that a kill does not lose.

use crate::LabError;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use toolkit_system::files::write_bytes;
use toolkit_system::input;
use toolkit_system::problem::Problem;

/// File with a line for each of them.
const FILE: &str = "damaged.jsonl";

/// Most names in an error.
const NAMED: usize = 3;

/// A row of the data that is in no shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamagedPicture {
    /// Row of the data.
    pub row: usize,
    /// Id of the item.
    pub id: String,
    /// Reason.
    pub reason: String,
}

/// All pictures that were left out so far.
pub(super) struct Damaged {
    path: PathBuf,
    pictures: Vec<DamagedPicture>,
    most: usize,
}

impl Damaged {
    /// Opens the file beside the shards. What it says of rows from `first` on, which are worked on
    /// again, is forgotten. At most a `share` of `rows` may be damaged.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub(super) fn open(
        folder: &Path,
        first: usize,
        share: f64,
        rows: usize,
    ) -> Result<Self, LabError> {
        let path = folder.join(FILE);
        let text = match input::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|error| LabError::io(&path, &error))?,
        };
        let mut pictures = Vec::new();
        for line in text.lines() {
            let picture: DamagedPicture = serde_json::from_str(line).map_err(|error| {
                let hint = "remove the folder and type the command again";
                LabError::from(Problem::new(error).at(path.display()).hint(hint))
            })?;
            pictures.push(picture);
        }
        pictures.retain(|picture| picture.row < first);
        Ok(Self { path, pictures, most: (share * rows as f64) as usize })
    }

    /// Notes further rows.
    ///
    /// # Errors
    /// If there are too many by now, with the names of some, or the file cannot be written.
    pub(super) fn extend(&mut self, more: Vec<DamagedPicture>) -> Result<(), LabError> {
        if more.is_empty() {
            return Ok(());
        }
        self.pictures.extend(more);
        let lines: Vec<String> =
            self.pictures.iter().filter_map(|one| serde_json::to_string(one).ok()).collect();
        let text = lines.join("\n") + "\n";
        write_bytes(&self.path, text.as_bytes()).map_err(Problem::from)?;
        if self.pictures.len() <= self.most {
            return Ok(());
        }
        let names: Vec<&str> =
            self.pictures.iter().take(NAMED).map(|one| one.id.as_str()).collect();
        let what = format!(
            "{} pictures are damaged, more than the {} allowed, such as {}",
            self.pictures.len(),
            self.most,
            names.join(", ")
        );
        let hint = "`toolkit data check` says why; `--max-damaged` allows more";
        Err(Problem::new(what).at(self.path.display()).hint(hint).into())
    }

    /// Returns all of them, in order.
    pub(super) fn into_pictures(self) -> Vec<DamagedPicture> {
        self.pictures
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    fn picture(row: usize) -> DamagedPicture {
        DamagedPicture { row, id: format!("{row}.jpg"), reason: "cut off".to_owned() }
    }

    #[test]
    fn rows_of_a_shard_in_work_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let open = |first| Damaged::open(dir.path(), first, 0.5, 10).unwrap();
        let mut damaged = open(0);
        damaged.extend(vec![picture(1), picture(3)]).unwrap();
        damaged.extend(vec![picture(6)]).unwrap();
        assert_eq!(open(4).into_pictures(), [picture(1), picture(3)]);
        assert_eq!(open(7).into_pictures().len(), 3);
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        let error = Damaged::open(dir.path(), 0, 0.5, 10).err().unwrap().to_string();
        assert!(error.contains(FILE) && error.contains("hint: "), "{error}");
    }

    #[test]
    fn too_many_end_the_run_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let mut damaged = Damaged::open(dir.path(), 0, 0.01, 200).unwrap();
        damaged.extend(vec![picture(1), picture(3)]).unwrap();
        let error = damaged.extend(vec![picture(7)]).unwrap_err().to_string();
        assert!(error.starts_with("3 pictures are damaged, more than the 2 allowed"), "{error}");
        assert!(error.contains("1.jpg, 3.jpg, 7.jpg"), "{error}");
    }
}
