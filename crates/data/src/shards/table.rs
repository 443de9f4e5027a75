//! Tables of captions beside their pictures: TSV, CSV, JSON Lines and JSON.
//!
//! A row names the path of a picture, from the folder of the table or from a folder beside it. Rows
//! of one picture are put together. While a table is scanned its texts are in memory; afterwards
//! they are in the index. A picture that is edited in place is not noticed.

use super::container::{Container, OpenShard};
use super::found::{Found, Sample};
use super::place::{Place, Sum};
use super::texts::{TextRule, Texts};
use crate::DataError;
use crate::folder::list_rows::ListRows;
use crate::folder::lists::read_named;
use crate::folder::names_of::Names;
use crate::lists::fault::{Fault, FaultSink};
use crate::lists::paths::{find, plain};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toolkit_system::input;

/// Bytes that are hashed at once.
const BLOCK: usize = 1 << 20;

/// Folders beside a table in which pictures are looked for.
const MOST_FOLDERS: usize = 64;

/// Rows whose pictures are looked for when a table is scanned: none of them means that all paths
/// are wrong.
const TRIED: usize = 100;

/// The kind of tables.
pub(super) struct TableShards;

impl Container for TableShards {
    fn scan(
        &self,
        path: &Path,
        rule: &TextRule,
        found: &mut Found<'_, '_>,
    ) -> std::result::Result<Sum, DataError> {
        let fail = |source| DataError::Read { path: path.to_owned(), source };
        let sum = hash(path, found).map_err(fail)?;
        let folders = folders(path);
        let names = Names { picture: rule.image.as_deref(), caption: rule.field.as_deref() };
        match read_named(path, &folders, names, &mut Sink(found)) {
            Ok(rows) => tell(rows, &folders, found)?,
            Err(error @ DataError::Read { .. }) => return Err(error),
            Err(error) => add(found, Fault::DamagedFile, &error),
        }
        Ok(sum)
    }

    fn open(&self, path: &Path, _: &TextRule) -> Result<Arc<dyn OpenShard>> {
        Ok(Arc::new(OpenTable(folders(path))))
    }
}

/// Hashes a file, and tells of its bytes.
fn hash(path: &Path, found: &Found<'_, '_>) -> Result<Sum> {
    let (mut file, mut hash, mut block) = (input::open(path)?, Sha256::new(), vec![0; BLOCK]);
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&block[..read]);
        found.advance(read as u64);
    }
}

/// Lists the folder of a table and those beside it, sorted.
fn folders(path: &Path) -> Vec<PathBuf> {
    let own = path.parent().unwrap_or(Path::new("")).to_owned();
    let entries = std::fs::read_dir(&own).into_iter().flatten().flatten();
    let hidden = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
    };
    let below = entries.map(|entry| entry.path()).filter(|path| path.is_dir() && !hidden(path));
    let mut below: Vec<PathBuf> = below.collect();
    below.sort_unstable();
    below.truncate(MOST_FOLDERS);
    [vec![own], below].concat()
}

/// Finds the file of a picture.
fn picture(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    folders.iter().find_map(|folder| find(folder, name))
}

/// Tells the pictures of a table in the order of their first rows.
fn tell(
    rows: ListRows,
    folders: &[PathBuf],
    found: &mut Found<'_, '_>,
) -> std::result::Result<(), DataError> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for (line, entry) in rows.entries {
        let Some(name) = plain(&entry.picture) else {
            let what = format!("'{}' is no plain path", entry.picture);
            let hint = "it is left out: write it from the folder on, without `..`";
            found.faults.add(Fault::BadRow, &format!("line {line}"), what, hint);
            continue;
        };
        if !entry.questions.is_empty() {
            found.faults.pass("questions of rows");
        }
        let at = *places.entry(name.clone()).or_insert(all.len());
        if at == all.len() {
            all.push((name, vec![]));
        }
        let captions = entry.captions.into_iter().filter(|text| !text.trim().is_empty());
        all[at].1.extend(captions);
    }
    drop(places);
    let mut tried = all.iter().take(TRIED).map(|(name, _)| name);
    if let Some((first, _)) = all.first()
        && tried.all(|name| picture(folders, name).is_none())
    {
        let what = format!("none of its first pictures is there, such as {first}");
        let hint = "paths start from the folder of the table, or from a folder beside it";
        found.faults.add(Fault::MissingImage, "", what, hint);
        return Ok(());
    }
    for (key, captions) in all {
        let texts = Texts { captions, own: None };
        found.sample(Sample { key, ending: String::new(), place: Place::default(), texts })?;
    }
    Ok(())
}

/// A receiver of the faults of a list.
struct Sink<'a, 'b, 'c>(&'a mut Found<'b, 'c>);

impl FaultSink for Sink<'_, '_, '_> {
    fn report(
        &mut self,
        fault: Fault,
        error: &dyn Fn() -> DataError,
    ) -> std::result::Result<(), DataError> {
        add(self.0, fault, &error());
        Ok(())
    }
}

/// Counts an error. Its place is the shard, and a line of it.
fn add(found: &mut Found<'_, '_>, fault: Fault, error: &DataError) {
    let problem = error.problem();
    let line = problem.place.rsplit_once(':').map(|(_, line)| format!("line {line}"));
    found.faults.add(fault, &line.unwrap_or_default(), problem.what, &problem.hint);
}

/// Folders in which the pictures of a table are.
struct OpenTable(Vec<PathBuf>);

impl OpenShard for OpenTable {
    fn picture(&self, _: Place, name: &str) -> Result<Vec<u8>> {
        let missing = || Error::new(ErrorKind::NotFound, "there is no such picture");
        input::read(&picture(&self.0, name).ok_or_else(missing)?)
    }
}
