//! A sample: the neighbouring members of one key, by the rule of webdataset.

use super::faults::Faults;
use super::found::{Found, Sample};
use super::place::Place;
use super::texts::{TextKind, TextRule, Texts};
use crate::lists::fault::Fault;
use crate::{is_picture, unread_picture};
use std::path::Path;
use toolkit_system::files::FileError;
use toolkit_system::problem::Problem;

/// Most bytes of a text.
const TEXT: u64 = 1 << 20;

/// Splits a name at the first dot of its last part: the key, and the ending with its dot. Tells of
/// names that have no key.
pub(super) fn split<'n>(name: &'n [u8], faults: &mut Faults) -> Option<(&'n str, &'n str)> {
    let Ok(name) = std::str::from_utf8(name) else {
        let shown = String::from_utf8_lossy(name);
        let hint = "give it a name in UTF-8";
        faults.add(Fault::UnreadFile, &shown, "its name is not UTF-8: it is passed over", hint);
        return None;
    };
    let name = name.strip_prefix("./").unwrap_or(name);
    let start = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[start..].find('.') {
        Some(dot) if dot > 0 => Some(name.split_at(start + dot)),
        Some(_) => {
            faults.pass("hidden files");
            None
        }
        None => {
            faults.pass("no ending");
            None
        }
    }
}

/// The use of a member.
pub(super) enum Use {
    /// The picture.
    Picture,
    /// A text.
    Text(TextKind),
    /// None: it is passed over.
    None,
}

/// Members of one key so far.
pub(super) struct Group {
    /// The key.
    pub key: String,
    picture: Option<(Place, String)>,
    /// Texts that were read, and the kind that gave the captions.
    texts: Option<(TextKind, Texts)>,
    seen: Vec<TextKind>,
}

impl Group {
    /// Begins with a key.
    pub fn new(key: &str) -> Self {
        Self { key: key.to_owned(), picture: None, texts: None, seen: vec![] }
    }

    /// Decides what a member of an ending and length is for. Tells of one that is passed over.
    pub fn wants(&mut self, ending: &str, length: u64, faults: &mut Faults) -> Use {
        let name = format!("{}{ending}", self.key);
        let ending = ending[1..].to_ascii_lowercase();
        let mut fault = |fault, what: &str, hint| {
            faults.add(fault, &name, what, hint);
            Use::None
        };
        let own_key = "give every sample a key of its own";
        // `a.seg.png` is no picture of `a`: its ending is not that of a picture.
        if !ending.contains('.') && is_picture(Path::new(&name)) {
            return match &self.picture {
                Some(_) => fault(Fault::Duplicate, "a second picture is passed over", own_key),
                None if u32::try_from(length).is_err() => {
                    let what = format!("a picture of {length} bytes is passed over");
                    fault(Fault::UnreadableImage, &what, "write it again")
                }
                None => Use::Picture,
            };
        }
        let Some(kind) = TextKind::of(&ending) else {
            match unread_picture(Path::new(&name)).filter(|_| !ending.contains('.')) {
                Some(format) => {
                    let what = format!("{format} is not read");
                    return fault(Fault::UnreadFormat, &what, "save the picture as PNG or JPEG");
                }
                None => faults.pass(&format!(".{ending}")),
            }
            return Use::None;
        };
        if self.seen.contains(&kind) {
            return fault(Fault::Duplicate, "a second such text is passed over", own_key);
        }
        self.seen.push(kind);
        if length > TEXT {
            let what = format!("a text of {length} bytes is passed over");
            return fault(Fault::BadRow, &what, "write the captions only");
        }
        Use::Text(kind)
    }

    /// Takes the picture, by its ending as it is written.
    pub fn picture(&mut self, place: Place, ending: &str) {
        self.picture = Some((place, ending.to_owned()));
    }

    /// Takes a text.
    pub fn text(&mut self, kind: TextKind, bytes: &[u8], rule: &TextRule, faults: &mut Faults) {
        match kind.read(bytes, rule) {
            Ok(texts) => self.keep(kind, texts),
            Err(what) => {
                let name = format!("{}.{}", self.key, kind.ending());
                let what = Problem::new(what).what;
                faults.add(Fault::BadRow, &name, what, "write the captions as UTF-8 or JSON");
            }
        }
    }

    /// Keeps captions of the kind that is read first, if it has any.
    fn keep(&mut self, kind: TextKind, texts: Texts) {
        let Some((known, kept)) = &mut self.texts else {
            self.texts = Some((kind, texts));
            return;
        };
        if !texts.captions.is_empty() && (kept.captions.is_empty() || kind < *known) {
            (*known, kept.captions) = (kind, texts.captions);
        }
        kept.own = kept.own.take().or(texts.own);
    }

    /// Tells the sample.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn tell(self, found: &mut Found<'_, '_>) -> Result<(), FileError> {
        let texts = self.texts.map(|(_, texts)| texts).unwrap_or_default();
        if let Some((place, ending)) = self.picture {
            return found.sample(Sample { key: self.key, ending, place, texts });
        }
        if let Some(kind) = self.seen.first() {
            let name = format!("{}.{}", self.key, kind.ending());
            let hint = "put the members of a sample one after the other, as `tar --sort=name` does";
            found.faults.add(Fault::Orphan, &name, "a text without a picture", hint);
        }
        Ok(())
    }
}
