//! Tux Paint stamps: `stamps/**/name.png` with the caption in the first line of `name.txt`
//! (translations follow).

use super::NAME;
use super::kinds::in_folder;
use super::pair::Pair;
use super::picture::Picture;
use super::walk::{below, files, without_ending};
use crate::DataError;
use std::path::Path;

/// Kinds by folder; the longest that fits counts. Folders of no one kind (`seasonal`, `town`,
/// `space`) are left out.
const KINDS: &[(&str, &str, Option<&str>)] = &[
    ("animals", "animal", None),
    ("animals/birds", "animal", Some("bird")),
    ("animals/fish", "animal", Some("fish")),
    ("animals/insects", "animal", Some("insect")),
    ("animals/mammals", "animal", Some("mammal")),
    ("clothes", "clothing", None),
    ("food", "food", None),
    ("food/fruit", "food", Some("fruit")),
    ("food/vegetables", "food", Some("vegetable")),
    ("hobbies/music", "instrument", None),
    ("household/tools", "tool", None),
    ("military/vehicles", "vehicle", None),
    ("people", "person", None),
    ("people/toys", "toy", None),
    ("plants", "plant", None),
    ("plants/flowers", "plant", Some("flower")),
    ("plants/trees", "plant", Some("tree")),
    ("town/houses", "building", None),
    ("town/monuments", "monument", None),
    ("town/roadsigns", "sign", None),
    ("vehicles", "vehicle", None),
];

/// Reads a folder of `tuxpaint-stamps-default`. Letters, coins and the like (`symbols`) are left
/// out, and so are pictures without a text of their own, which are mirrored copies.
pub(crate) fn read(root: &Path) -> Result<Vec<Pair>, DataError> {
    let dir = below(root, &["usr/share/tuxpaint/stamps"])?;
    let mut pairs = Vec::new();
    for name in files(&dir, &["png"])? {
        if name.starts_with("symbols/") {
            continue;
        }
        let path = dir.join(&name);
        let text = path.with_extension("txt");
        if !text.is_file() {
            continue;
        }
        let text = std::fs::read(&text).map_err(|source| DataError::Read { path: text, source })?;
        let text = String::from_utf8_lossy(&text);
        let caption = text.trim_start_matches('\u{FEFF}').lines().next().unwrap_or_default();
        let id = format!("stamps/{}", without_ending(&name));
        if let Some(pair) = Pair::plain(id, caption, Picture::File(path)) {
            let (kind, finer) = in_folder(KINDS, &name);
            pairs.push(Pair { kind, finer, ..pair });
        }
    }
    if pairs.is_empty() {
        return Err(DataError::package(
            NAME,
            format!("no stamp with a caption in {}", dir.display()),
        ));
    }
    Ok(pairs)
}
