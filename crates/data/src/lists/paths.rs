//! Paths of pictures as lists write them, and the files they mean.

use std::path::{Path, PathBuf};
use unicode_normalization::UnicodeNormalization;

/// Extensions that are tried where a list has only the id of a picture.
const EXTENSIONS: [&str; 7] = ["jpg", "jpeg", "png", "webp", "JPG", "JPEG", "PNG"];

/// Returns the one way to write a path, so that it can be an identity: with `/`, without `.` and
/// doubled or final slashes. Nothing if it leaves its folder by `..`, is empty or has a character
/// that no path has.
pub(crate) fn plain(path: &str) -> Option<String> {
    if path.contains(['\0', '\n', '\r']) {
        return None;
    }
    let path = path.replace('\\', "/");
    let parts: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.is_empty() || parts.contains(&"..") || path.ends_with('/') {
        return None;
    }
    Some(format!("{}{}", if path.starts_with('/') { "/" } else { "" }, parts.join("/")))
}

/// Returns `true` if a path does not depend on a folder. `C:/a.jpg` does not, on any system.
pub(crate) fn is_absolute(path: &str) -> bool {
    matches!(path.as_bytes(), [b'/', ..] | [b'A'..=b'Z' | b'a'..=b'z', b':', b'/', ..])
}

/// Finds the file that a plain path means in a folder: as it is written, or else with its letters
/// composed or decomposed (macOS writes names apart), with `%20` decoded, with its extension in
/// other letters, or with the extension that it lacks.
pub(crate) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let there = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
    there(name).or_else(|| spellings(name).into_iter().find_map(|other| there(&other)))
}

fn spellings(name: &str) -> Vec<String> {
    let mut all = Vec::new();
    if !name.is_ascii() {
        all.push(name.nfc().collect());
        all.push(name.nfd().collect());
    }
    all.extend(percent_decoded(name));
    if let Some((stem, extension)) = name.rsplit_once('.') {
        all.push(format!("{stem}.{}", extension.to_ascii_lowercase()));
        all.push(format!("{stem}.{}", extension.to_ascii_uppercase()));
    }
    if !name.rsplit('/').next().is_some_and(|last| last.contains('.')) {
        all.extend(EXTENSIONS.iter().map(|extension| format!("{name}.{extension}")));
    }
    all.retain(|other| other != name && plain(other).as_ref() == Some(other));
    all
}

fn percent_decoded(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = match rest {
            [b'%', a, b, ..] => char::from(*a).to_digit(16).zip(char::from(*b).to_digit(16)),
            _ => None,
        };
        rest = match code {
            Some((high, low)) => {
                bytes.push((high * 16 + low) as u8);
                &rest[3..]
            }
            None => {
                bytes.push(*first);
                tail
            }
        };
    }
    String::from_utf8(bytes).ok().filter(|decoded| decoded != name)
}

/// Returns the name of the picture with an id, where the folders have one that is called so:
/// `7.jpg` or `000000000007.jpg`. `last` is the extension that was found before.
pub(crate) fn by_id(folders: &[PathBuf], id: &str, last: &mut &'static str) -> Option<String> {
    let mut extensions = EXTENSIONS;
    if let Some(at) = extensions.iter().position(|e| e == last) {
        extensions[..=at].rotate_right(1);
    }
    let padded = id.bytes().all(|b| b.is_ascii_digit()).then(|| format!("{id:0>12}"));
    for extension in extensions {
        for stem in [Some(id), padded.as_deref()].into_iter().flatten() {
            let name = plain(&format!("{stem}.{extension}"))?;
            if folders.iter().any(|folder| folder.join(&name).is_file()) {
                *last = extension;
                return Some(name);
            }
        }
    }
    None
}

/// Returns the folder that absolute paths share and that is not on this machine, where the rest of
/// the first path is a picture in one of `folders`. Cutting the same off every path cannot make two
/// of one.
pub(crate) fn moved<'a>(
    paths: impl Iterator<Item = &'a str> + Clone,
    folders: &[PathBuf],
) -> Option<String> {
    let mut absolute = paths.filter(|path| is_absolute(path));
    let first = absolute.next()?;
    let mut shared = first.rfind('/')? + 1;
    for path in absolute {
        let same = first.bytes().zip(path.bytes()).take_while(|(a, b)| a == b).count();
        shared = shared.min(first.as_bytes()[..same].iter().rposition(|&b| b == b'/')? + 1);
    }
    if Path::new(&first[..shared]).is_dir() {
        return None;
    }
    // From the longest on: the folders may hold the last folders of the old place.
    let ends =
        first[..shared].char_indices().rev().filter(|(_, c)| *c == '/').map(|(at, _)| at + 1);
    ends.into_iter()
        .find(|&end| folders.iter().any(|folder| find(folder, &first[end..]).is_some()))
        .map(|end| first[..end].to_owned())
}
