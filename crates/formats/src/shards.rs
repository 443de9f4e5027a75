//! Weights cut into several files, with an index that says which tensor is in which.

use crate::entry::Parsed;
use crate::error::{FormatError, one_line};
use crate::open;
use crate::source::Source;
use crate::tensors::Tensors;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toolkit_system::encoding::{Encoding, UTF16, encoding};

#[derive(serde::Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Opens the files that `index` names. `path` is what the user named: the index or its folder.
///
/// Every tensor must be in the shard the index says; tensors of a shard that the index leaves out
/// are left out.
pub(crate) fn open(path: &Path, index: &Path) -> Result<Tensors, FormatError> {
    let source = Source::map(index)?;
    let json = match encoding(source.bytes()) {
        Encoding::Utf8 { mark } => &source.bytes()[mark..],
        Encoding::Utf16 => return Err(FormatError::file(index, UTF16.0, UTF16.1)),
    };
    let Index { weight_map } = serde_json::from_slice(json).map_err(|error| {
        let what = format!("bad index of shards: {}", one_line(&error.to_string()));
        FormatError::file(
            index,
            what,
            "it must be JSON with `weight_map`: tensor name to file name",
        )
    })?;
    let mut numbers = BTreeMap::<&str, usize>::new();
    let mut parts: Vec<(Source, Parsed)> = Vec::new();
    let mut all: Option<Parsed> = None;
    for (name, file) in &weight_map {
        let number = match numbers.get(file.as_str()) {
            Some(&number) => number,
            None => {
                let shard = beside(index, file).ok_or_else(|| {
                    let what = format!(
                        "is said to be in `{}`, outside the folder of the index",
                        one_line(file)
                    );
                    FormatError::tensor(
                        index,
                        name,
                        what,
                        "do not trust this file; get the weights again",
                    )
                })?;
                parts.push(open::parse(Source::map(&shard)?)?);
                numbers.insert(file, parts.len() - 1);
                parts.len() - 1
            }
        };
        let parsed = &mut parts[number].1;
        let all = all.get_or_insert_with(|| Parsed::new(parsed.format));
        if let Some(mut entry) = parsed.entries.remove(name) {
            entry.file = number;
            all.entries.insert(name.clone(), entry);
        } else if let Some(why) = parsed.skipped.remove(name) {
            all.skipped.insert(name.clone(), why);
        } else {
            let what = format!("is not in its shard `{}`", one_line(file));
            return Err(FormatError::tensor(
                index,
                name,
                what,
                "index and shards are of different downloads",
            ));
        }
    }
    let mut all =
        all.ok_or_else(|| FormatError::file(index, "the index names no tensors", "get it again"))?;
    for (_, parsed) in &mut parts {
        all.metadata.append(&mut parsed.metadata);
    }
    Ok(Tensors::new(path.to_owned(), parts.into_iter().map(|(source, _)| source).collect(), all))
}

/// The file called `name` in the folder of `index`, or below; `None` if the name leads elsewhere
/// (on any system, so that an index is good everywhere or nowhere).
fn beside(index: &Path, name: &str) -> Option<PathBuf> {
    let plain = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let odd = name.contains(['\\', ':', '\0']);
    (plain && !odd).then(|| index.with_file_name(name))
}
