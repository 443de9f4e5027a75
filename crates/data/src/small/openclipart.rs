//! Open Clip Art: `png/**/name.png` with its title in the metadata of `svg/**/name.svg`. Titles are
//! noisy (collections, a few in Italian), so this source is not used unless it is asked for.

use super::NAME;
use super::kinds::in_folder;
use super::normal::{normalise, words_of_name};
use super::pair::Pair;
use super::picture::{MOST_PIXELS, Picture};
use super::walk::{below, files, without_ending};
use crate::DataError;
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::Path;

/// Folders with pictures of things; the others have icons of programs, shapes, signs, maps and
/// patterns.
const FOLDERS: [&str; 13] = [
    "animals/",
    "buildings/",
    "containers/",
    "education/",
    "electronics/",
    "food/",
    "office/",
    "people/",
    "plants/",
    "recreation/",
    "science/",
    "tools/",
    "transportation/",
];

const KINDS: &[(&str, &str, Option<&str>)] = &[
    ("animals", "animal", None),
    ("buildings", "building", None),
    ("food", "food", None),
    ("people", "person", None),
    ("plants", "plant", None),
    ("tools", "tool", None),
    ("transportation", "vehicle", None),
];

/// A title that more pictures have is of a collection.
const MOST_OF_A_TITLE: usize = 3;

/// Returns the first title in the metadata of an SVG, in plain words.
fn title(svg: &str) -> Option<String> {
    let (_, rest) = svg.split_once("<dc:title")?;
    let (text, _) = rest.split_once('>')?.1.split_once('<')?;
    let mut text = text.to_owned();
    // Twice: some are escaped two times.
    for _ in 0..2 {
        for (escaped, plain) in
            [("&amp;", "&"), ("&#39;", "'"), ("&apos;", "'"), ("&quot;", "\""), ("&#34;", "\"")]
        {
            text = text.replace(escaped, plain);
        }
    }
    let text = words_of_name(text.trim());
    let telling = text.chars().filter(|c| c.is_alphabetic()).count() >= 3;
    (telling && !text.contains("clipart") && !text.contains("clip art")).then_some(text)
}

/// Reads the folders of `openclipart-png` and `openclipart-svg`: one picture for each title.
pub(crate) fn read(pictures: &Path, metadata: &Path) -> Result<Vec<Pair>, DataError> {
    let dir = below(pictures, &["usr/share/openclipart/png"])?;
    let twins = below(metadata, &["usr/share/openclipart/svg"])?;
    let names = files(&dir, &["png"])?;
    let shown =
        names.into_par_iter().filter(|name| FOLDERS.iter().any(|folder| name.starts_with(folder)));
    let titled: Vec<(String, String)> = shown
        .filter_map(|name| {
            let bytes = std::fs::read(twins.join(&name).with_extension("svg")).ok()?;
            let title = title(&String::from_utf8_lossy(&bytes))?;
            // Only the header is read. A few are print originals of gigabytes.
            let (width, height) = crate::image::measure(&dir.join(&name)).ok()?;
            (u64::from(width) * u64::from(height) <= MOST_PIXELS).then_some((name, title))
        })
        .collect();
    let mut uses: HashMap<String, usize> = HashMap::new();
    for (_, title) in &titled {
        *uses.entry(normalise(title)).or_default() += 1;
    }
    let mut pairs = Vec::new();
    for (name, title) in titled {
        // The first picture of a title takes it away.
        if uses.remove(&normalise(&title)).is_none_or(|count| count > MOST_OF_A_TITLE) {
            continue;
        }
        let id = format!("openclipart/{}", without_ending(&name));
        if let Some(pair) = Pair::plain(id, &title, Picture::File(dir.join(&name))) {
            let (kind, finer) = in_folder(KINDS, &name);
            pairs.push(Pair { kind, finer, ..pair });
        }
    }
    if pairs.is_empty() {
        return Err(DataError::package(NAME, format!("no titled picture in {}", dir.display())));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::title;

    #[test]
    fn titles_are_plain_words() {
        let of = |text: &str| {
            title(&format!("<x><cc:Work><dc:title>{text}</dc:title><dc:title>no</dc:title>"))
        };
        assert_eq!(of("grampa&amp;#39;n gramma").as_deref(), Some("grampa'n gramma"));
        assert_eq!(of(" fall_coloured_leaf_01").as_deref(), Some("fall coloured leaf"));
        assert_eq!(of("Clipart by Somebody - bee"), None);
        assert_eq!(of("x1"), None);
        assert_eq!(title("<svg/>"), None);
        assert_eq!(title("<dc:title"), None);
    }
}
