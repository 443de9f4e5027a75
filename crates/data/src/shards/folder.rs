//! Folders of pictures as shards: the `files` layout of img2dataset, `00012/000120034.jpg` with
//! `.txt` and `.json` beside it.
//!
//! A folder is known again by its own time, which changes when a file comes or goes. A picture that
//! is edited in place is not noticed.

use super::container::{Container, OpenShard};
use super::found::Found;
use super::group::{self, Group, Use};
use super::place::{Place, Sum};
use super::texts::TextRule;
use crate::DataError;
use crate::lists::fault::Fault;
use sha2::{Digest, Sha256};
use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toolkit_system::input::read;

/// The kind of folders.
pub(super) struct FolderShards;

impl Container for FolderShards {
    fn scan(
        &self,
        path: &Path,
        rule: &TextRule,
        found: &mut Found<'_, '_>,
    ) -> std::result::Result<Sum, DataError> {
        let fail = |source| DataError::Read { path: path.to_owned(), source };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if entry.path().is_file() {
                names.push(entry.file_name());
            } else {
                found.faults.pass("links and folders");
            }
        }
        names.sort_unstable();
        let mut hash = Sha256::new();
        let mut group: Option<Group> = None;
        for name in names {
            let bytes = name.as_encoded_bytes();
            let Some((key, ending)) = group::split(bytes, &mut found.faults) else { continue };
            if group.as_ref().is_some_and(|group| group.key != key)
                && let Some(done) = group.take()
            {
                done.tell(found)?;
            }
            let group = group.get_or_insert_with(|| Group::new(key));
            let file = path.join(&name);
            let length = std::fs::metadata(&file).map_or(0, |data| data.len());
            let wanted = group.wants(ending, length, &mut found.faults);
            if matches!(wanted, Use::None) {
                continue;
            }
            let content = match read(&file) {
                Ok(content) => content,
                Err(error) => {
                    let name = name.to_string_lossy();
                    let hint = "check its permissions";
                    found.faults.add(Fault::DamagedFile, &name, error, hint);
                    continue;
                }
            };
            found.advance(content.len() as u64);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
            hash.update((content.len() as u64).to_le_bytes());
            hash.update(&content);
            match wanted {
                Use::Picture => group.picture(Place::default(), ending),
                Use::Text(kind) => group.text(kind, &content, rule, &mut found.faults),
                Use::None => {}
            }
        }
        if let Some(done) = group {
            done.tell(found)?;
        }
        Ok(hash.finalize().into())
    }

    fn open(&self, path: &Path, _: &TextRule) -> Result<Arc<dyn OpenShard>> {
        Ok(Arc::new(OpenFolder(path.to_owned())))
    }
}

/// A folder.
struct OpenFolder(PathBuf);

impl OpenShard for OpenFolder {
    fn picture(&self, _: Place, name: &str) -> Result<Vec<u8>> {
        read(&self.0.join(name))
    }
}
