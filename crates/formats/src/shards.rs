//! Weights split over several files, with an index from tensor to file.

use crate::bytes::FileBytes;
use crate::directory::Directory;
use crate::error::{FormatError, one_line};
use crate::opened::Opened;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toolkit_system::encoding::{Encoding, UTF16, encoding};

/// `*.index.json` of Hugging Face's libraries.
#[derive(serde::Deserialize)]
struct Index {
    /// File name by tensor name.
    weight_map: BTreeMap<String, String>,
}

/// Opens the files that the index at `path` names.
///
/// Every tensor must be in the shard the index says. Tensors of a shard that the index leaves out
/// are left out.
pub(crate) fn open(path: &Path) -> Result<Opened, FormatError> {
    let index = read_index(path)?;
    let mut shards = Shards { index: path, numbers: BTreeMap::new(), opened: Vec::new() };
    let mut directory: Option<Directory> = None;
    for (name, file) in &index.weight_map {
        let number = shards.number(name, file)?;
        let shard = &mut shards.opened[number].directory;
        let directory = directory.get_or_insert_with(|| Directory::new(shard.format));
        if !move_tensor(name, shard, directory, number) {
            let what = format!("is not in its shard `{}`", one_line(file));
            let hint = "index and shards are of different downloads";
            return Err(FormatError::tensor(path, name, what, hint));
        }
    }
    let mut directory = directory
        .ok_or_else(|| FormatError::file(path, "the index names no tensors", "get it again"))?;
    for shard in &mut shards.opened {
        directory.metadata.append(&mut shard.directory.metadata);
    }
    let files = shards.opened.into_iter().flat_map(|shard| shard.files).collect();
    Ok(Opened { path: path.to_owned(), files, directory, gguf: None })
}

fn read_index(path: &Path) -> Result<Index, FormatError> {
    let file = FileBytes::map(path)?;
    let json = match encoding(file.as_slice()) {
        Encoding::Utf8 { mark } => &file.as_slice()[mark..],
        Encoding::Utf16 => return Err(FormatError::file(path, UTF16.0, UTF16.1)),
    };
    serde_json::from_slice(json).map_err(|error| {
        let what = format!("bad index of shards: {}", one_line(&error.to_string()));
        let hint = "it must be JSON with `weight_map`: tensor name to file name";
        FormatError::file(path, what, hint)
    })
}

/// The shards of an index, each opened once.
struct Shards<'i> {
    index: &'i Path,
    /// Indices into `opened` by file name.
    numbers: BTreeMap<&'i str, usize>,
    opened: Vec<Opened>,
}

impl<'i> Shards<'i> {
    /// Returns the number of the shard called `file`, which the index names for `tensor`, and opens
    /// it if it is not yet.
    fn number(&mut self, tensor: &str, file: &'i str) -> Result<usize, FormatError> {
        if let Some(&number) = self.numbers.get(file) {
            return Ok(number);
        }
        let path = shard_path(self.index, file).ok_or_else(|| {
            let what =
                format!("is said to be in `{}`, outside the folder of the index", one_line(file));
            let hint = "do not trust this file; get the weights again";
            FormatError::tensor(self.index, tensor, what, hint)
        })?;
        self.opened.push(Opened::parse(FileBytes::map(&path)?)?);
        let number = self.opened.len() - 1;
        self.numbers.insert(file, number);
        Ok(number)
    }
}

/// Moves a tensor to the common directory; `false` if the shard, file number `file`, has none of
/// that name.
fn move_tensor(name: &str, shard: &mut Directory, all: &mut Directory, file: usize) -> bool {
    if let Some(mut tensor) = shard.tensors.remove(name) {
        tensor.file = file;
        all.tensors.insert(name.to_owned(), tensor);
    } else if let Some(why) = shard.skipped.remove(name) {
        all.skipped.insert(name.to_owned(), why);
    } else {
        return false;
    }
    true
}

/// Returns the path of the file called `name` in the folder of `index`, or below; `None` if the
/// name leads elsewhere.
///
/// The rule is that of every system, so that an index is good everywhere or nowhere.
fn shard_path(index: &Path, name: &str) -> Option<PathBuf> {
    let plain = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let odd = name.contains(['\\', ':', '\0']);
    (plain && !odd).then(|| index.with_file_name(name))
}
