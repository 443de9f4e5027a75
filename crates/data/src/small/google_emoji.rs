//! Google's emoji pictures (`emoji-datasource-google`, 64 pixels) with the English labels of
//! `emojibase-data`.

use super::NAME;
use super::pair::Pair;
use super::picture::Picture;
use super::walk::{below, files, stem};
use crate::DataError;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;

/// Groups of emojibase that are left out: hair and skin, symbols, flags. Regional letters have
/// none.
const LEFT_OUT: [u32; 3] = [2, 8, 9];

/// An emoji as emojibase lists it; skin tones are in a list below it, which is not read.
#[derive(Deserialize)]
struct Emoji {
    label: String,
    hexcode: String,
    group: Option<u32>,
}

/// Removes the mark for "as a picture", which one package writes and the other does not.
fn bare(code: &str) -> String {
    code.to_ascii_lowercase().replace("-fe0f", "")
}

/// Reads the folders of both packages: all emojis but flags, symbols and skin tones.
pub(crate) fn read(pictures: &Path, labels: &Path) -> Result<Vec<Pair>, DataError> {
    let dir = below(pictures, &["img/google/64", "package/img/google/64"])?;
    let path = below(labels, &["en", "package/en"])?.join("data.json");
    let text =
        std::fs::read(&path).map_err(|source| DataError::Read { path: path.clone(), source })?;
    let emojis: Vec<Emoji> = serde_json::from_slice(&text).map_err(|error| {
        DataError::package(
            NAME,
            format!("{} is not the list of emojis expected: {error}", path.display()),
        )
    })?;
    let mut by_code = HashMap::new();
    for name in files(&dir, &["png"])? {
        by_code.entry(bare(stem(&name))).or_insert(name);
    }
    let mut pairs = Vec::new();
    for emoji in emojis {
        if emoji.group.is_none_or(|group| LEFT_OUT.contains(&group)) {
            continue;
        }
        let code = bare(&emoji.hexcode);
        // Each picture once: then ids are unique, even if the list repeats some.
        let Some(name) = by_code.remove(&code) else { continue };
        let picture = Picture::File(dir.join(name));
        pairs.extend(Pair::plain(format!("google_emoji/{code}"), &emoji.label, picture));
    }
    if pairs.is_empty() {
        return Err(DataError::package(NAME, format!("no labelled emoji in {}", dir.display())));
    }
    Ok(pairs)
}
