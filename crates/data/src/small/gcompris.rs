//! GCompris: photographs in Qt resource files, some with a title and a sentence, the others with a
//! telling file name.

use super::NAME;
use super::kinds::in_folder;
use super::normal::words_of_name;
use super::pair::Pair;
use super::picture::Picture;
use super::qml::{boards, first_sentence};
use super::rcc::{self, Entry, entries, unpack};
use super::walk::{below, has_ending, stem, without_ending};
use crate::DataError;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Folder of everything in the resource files.
const ROOT: &str = "gcompris/src/activities/";

/// Activities with photographs of things. Left out are `explore_world_music`, whose titles are
/// countries, and `lang`, whose drawings are those of pySioGame again.
const ACTIVITIES: [&str; 5] = [
    "categorization",
    "erase",
    "explore_farm_animals",
    "explore_monuments",
    "explore_world_animals",
];

/// Folders of pictures with letters and digits only.
const LEFT_OUT: [&str; 2] =
    ["categorization/resource/images/alphabets/", "categorization/resource/images/numbers/"];

/// Kinds by folder; folders of `others`, `renewable` and `erase` name no one kind.
const KINDS: &[(&str, &str, Option<&str>)] = &[
    ("categorization/resource/images/fishes", "animal", Some("fish")),
    ("categorization/resource/images/monuments", "monument", None),
    ("categorization/resource/images/tools", "tool", None),
    ("explore_farm_animals/resource/animals", "animal", None),
    ("explore_monuments/resource", "monument", None),
    ("explore_world_animals/resource/animals", "animal", None),
];

/// Reads a folder of `gcompris-qt-data`.
pub(crate) fn read(root: &Path) -> Result<Vec<Pair>, DataError> {
    let dir = below(root, &["usr/share/gcompris-qt/rcc"])?;
    let mut pairs = Vec::new();
    for activity in ACTIVITIES {
        let path = dir.join(format!("{activity}.rcc"));
        let bytes = std::fs::read(&path)
            .map_err(|source| DataError::Read { path: path.clone(), source })?;
        let fail = |what: String| rcc::error(&path, &what);
        let entries = entries(&bytes).map_err(fail)?;
        let captions_by_path = board_captions(&bytes, &entries).map_err(fail)?;
        let file: Arc<Path> = path.as_path().into();
        for entry in entries {
            let Some(name) = entry.path.strip_prefix(ROOT).map(str::to_owned) else { continue };
            let shows =
                has_ending(&name, &["webp", "png", "jpg", "jpeg"]) && name.contains("/resource/");
            if !shows || LEFT_OUT.iter().any(|folder| name.starts_with(folder)) {
                continue;
            }
            let (kind, finer) = in_folder(KINDS, &name);
            let captions = captions_by_path
                .get(&entry.path)
                .cloned()
                .unwrap_or_else(|| vec![words_of_name(stem(&name))]);
            let id = format!("gcompris/{}", without_ending(&name).replace("/resource/", "/"));
            let picture = Picture::Packed { file: file.clone(), entry };
            if let Some(pair) = Pair::plain(id, &captions[0], picture) {
                pairs.push(Pair { captions, kind, finer, ..pair });
            }
        }
    }
    if pairs.is_empty() {
        return Err(DataError::package(
            NAME,
            format!("no picture in the resource files of {}", dir.display()),
        ));
    }
    Ok(pairs)
}

/// Reads title and sentence of pictures from the boards of an activity, by path.
fn board_captions(
    bytes: &[u8],
    entries: &[Entry],
) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut captions_by_path = BTreeMap::new();
    for entry in
        entries.iter().filter(|e| e.path.contains("/resource/board/") && e.path.ends_with(".qml"))
    {
        let text = unpack(&bytes[entry.at..entry.at + entry.len], entry.packed)
            .map_err(|what| format!("'{}': {what}", entry.path))?;
        for board in boards(&String::from_utf8_lossy(&text)) {
            let mut captions = vec![board.title.trim().to_owned()];
            captions
                .extend(Some(first_sentence(&board.text)).filter(|sentence| !sentence.is_empty()));
            captions_by_path.entry(board.image).or_insert(captions);
        }
    }
    Ok(captions_by_path)
}
