//! Drawings of pySioGame (art4apps): `art4apps/<kind>/<word>.jpg`.

use super::NAME;
use super::kinds::in_folder;
use super::normal::words_of_name;
use super::pair::Pair;
use super::picture::Picture;
use super::walk::{below, files, stem, without_ending};
use crate::DataError;
use crate::scenes::article;
use std::path::Path;

/// Kinds by folder. What is in `actions` and `sport` is a verb as often as a thing.
const KINDS: &[(&str, &str, Option<&str>)] = &[
    ("actions", "action", None),
    ("animals", "animal", None),
    ("body", "body part", None),
    ("clothes_n_accessories", "clothing", None),
    ("construction", "building", None),
    ("food", "food", None),
    ("fruit_n_veg", "food", None),
    ("jobs", "job", None),
    ("nature", "landscape", None),
    ("people", "person", None),
    ("sport", "sport", None),
    ("transport", "vehicle", None),
];

/// Words of the package that take no "a".
const MASS: &str = "bacon ballet beef bread broccoli celery cheese chocolate coffee corn feet flour fudge garlic gum \
    hair ham ice ice_cream jam jelly jewellery juice land lava lemonade lettuce magic meat milk rice smoke soup spaghetti \
    spice spinach sugar tea teeth yoghurt asparagus";

/// Reads a folder of `pysiogame`. The file name is the word; the caption puts it into "a drawing
/// of", but verbs stay as they are.
pub(crate) fn read(root: &Path) -> Result<Vec<Pair>, DataError> {
    let dir = below(root, &["usr/share/games/pysiogame/res/images/art4apps"])?;
    let mut pairs = Vec::new();
    for name in files(&dir, &["jpg", "png"])? {
        let word = words_of_name(stem(&name));
        let id = format!("pysiogame/{}", without_ending(&name));
        let Some(pair) = Pair::plain(id, &word, Picture::File(dir.join(&name))) else { continue };
        let (kind, finer) = in_folder(KINDS, &name);
        let captions = vec![caption(kind, stem(&name), &word)];
        pairs.push(Pair { captions, kind, finer, ..pair });
    }
    if pairs.is_empty() {
        return Err(DataError::package(NAME, format!("no drawing in {}", dir.display())));
    }
    Ok(pairs)
}

fn caption(kind: Option<&str>, stem: &str, word: &str) -> String {
    if matches!(kind, Some("action" | "sport")) {
        return word.to_owned();
    }
    let plural = word.ends_with('s') && !["ss", "us", "os"].iter().any(|end| word.ends_with(end));
    if plural || MASS.split_whitespace().any(|mass| mass == stem) {
        return format!("a drawing of {word}");
    }
    format!("a drawing of {} {word}", article(word))
}

#[cfg(test)]
mod tests {
    use super::caption;

    #[test]
    fn words_are_framed() {
        for (kind, stem, expected) in [
            ("animal", "ant", "a drawing of an ant"),
            ("animal", "rhinoceros", "a drawing of a rhinoceros"),
            ("clothing", "dress", "a drawing of a dress"),
            ("clothing", "gloves", "a drawing of gloves"),
            ("food", "ice_cream", "a drawing of ice cream"),
            ("action", "write", "write"),
        ] {
            assert_eq!(caption(Some(kind), stem, &stem.replace('_', " ")), expected);
        }
    }
}
