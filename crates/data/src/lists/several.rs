//! Texts of a row that stand under more than one key: put together if the keys mean the same, else
//! chosen by rule.

use super::keys::{ANSWER, MOST_COMMON, QUESTION};
use super::row::{Row, text_of};
use super::values::{CAPTIONS, Wording, texts};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};

/// Notes about texts that are not read, one line for each pair of keys.
pub(crate) type Notes = BTreeSet<String>;

/// Texts under one key of a row.
pub(crate) struct Under<'k> {
    pub key: &'k str,
    pub texts: Vec<String>,
    /// True if they are written as a list. A blank text of a list is one of several and stays;
    /// alone, it is none.
    pub is_list: bool,
}

impl<'k> Under<'k> {
    fn read(key: &'k str, value: &[u8], wording: &Wording) -> Result<Self, String> {
        Ok(Self { key, texts: texts(key, value, wording)?, is_list: value.first() == Some(&b'[') })
    }

    /// Creates the entry of a key whose value is no text.
    fn unread(key: &'k str) -> Self {
        Self { key, texts: vec![], is_list: false }
    }

    fn has_text(&self) -> bool {
        self.texts.iter().any(|text| !is_blank(text))
    }
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// Reads the captions of a row. `meanings` has the keys, those of one meaning together. None if
/// there is no such key.
///
/// # Errors
/// If a key is there twice, or a value of the first meaning that is there is no text.
pub(crate) fn captions(
    row: &Row<'_>,
    meanings: &[&[&'static str]],
    notes: &mut Notes,
) -> Result<Option<Vec<String>>, String> {
    let read = |key: &'static str, value: &[u8]| Under::read(key, value, &CAPTIONS);
    let found = gather(row, meanings, &read, notes)?;
    Ok(if found.is_empty() { None } else { Some(first_meaning(found, notes)) })
}

/// Reads the question of a row: the first that has a text, of the keys that a question has.
///
/// # Errors
/// If none is there, the first is no text, or a key is there twice.
pub(crate) fn question(row: &Row<'_>, notes: &mut Notes) -> Result<String, String> {
    let meanings: Vec<&[&'static str]> = QUESTION.chunks(1).collect();
    let read = |key: &'static str, value: &[u8]| {
        Ok(Under { key, texts: vec![text_of(key, value)?], is_list: false })
    };
    let found = gather(row, &meanings, &read, notes)?;
    first_meaning(found, notes).pop().ok_or_else(|| row.lacks(QUESTION[0]))
}

/// Reads the answers of a row: of several keys the one with the most, for ten people make ten. With
/// `single`, for formats of one answer, a key with one comes first. None if there is no such key.
///
/// # Errors
/// If a list is no list of answers, no key has an answer that can be read, or a key is there twice.
pub(crate) fn answers(
    row: &Row<'_>,
    wording: &Wording,
    single: bool,
    notes: &mut Notes,
) -> Result<Option<Vec<String>>, String> {
    let values = row.all(ANSWER)?;
    let mut found = Vec::new();
    let mut broken = None;
    for (key, value) in values {
        match Under::read(key, value, wording) {
            Ok(under) => found.push(under),
            Err(error) if value.first() == Some(&b'[') => return Err(error),
            Err(error) => broken = broken.or(Some(error)),
        }
    }
    match broken {
        Some(error) if !found.iter().any(Under::has_text) => Err(error),
        _ if found.is_empty() => Ok(None),
        _ => Ok(Some(most(found, single, notes))),
    }
}

/// Chooses the answers of one key, as [`answers`] says.
pub(crate) fn most(mut found: Vec<Under<'_>>, single: bool, notes: &mut Notes) -> Vec<String> {
    let rank = |at: &usize| {
        let under: &Under<'_> = &found[*at];
        let one = single && under.texts.len() == 1;
        (under.has_text(), one, under.texts.len(), under.is_list != single, Reverse(*at))
    };
    let Some(best) = (0..found.len()).max_by_key(rank) else { return vec![] };
    let best = found.remove(best);
    for other in &found {
        // It is one of the others by definition, perhaps in another spelling.
        if other.key != MOST_COMMON {
            note_lost(other, &best.texts, best.key, notes);
        }
    }
    best.texts
}

/// Reads one value of a row.
type Read<'r> = &'r dyn Fn(&'static str, &[u8]) -> Result<Under<'static>, String>;

/// Reads the values of a row, those of one meaning together. After the first meaning that is there,
/// a value that is no text only makes a note.
fn gather(
    row: &Row<'_>,
    meanings: &[&[&'static str]],
    read: Read<'_>,
    notes: &mut Notes,
) -> Result<Vec<Vec<Under<'static>>>, String> {
    let mut found: Vec<Vec<Under<'static>>> = Vec::new();
    for keys in meanings {
        let mut same = Vec::new();
        for (key, value) in row.all(keys)? {
            match read(key, value) {
                Ok(under) => same.push(under),
                Err(error) if found.is_empty() => return Err(error),
                Err(_) => {
                    notes.insert(format!("`{key}` is passed over: it is no text"));
                    same.push(Under::unread(key));
                }
            }
        }
        if !same.is_empty() {
            found.push(same);
        }
    }
    Ok(found)
}

/// Returns the texts of the first meaning that has one.
pub(crate) fn first_meaning(mut found: Vec<Vec<Under<'_>>>, notes: &mut Notes) -> Vec<String> {
    let has_text = |same: &Vec<Under<'_>>| same.iter().any(Under::has_text);
    let at = found.iter().position(has_text).unwrap_or(0);
    let blank = found[..at].first().and_then(|same| same.first()).map(|under| under.key);
    let others = found.split_off((at + 1).min(found.len()));
    let Some(chosen) = found.pop() else { return vec![] };
    let key = chosen.iter().find(|under| under.has_text()).map_or("", |under| under.key);
    if let Some(blank) = blank {
        notes.insert(format!("`{key}` is read where `{blank}` is empty"));
    }
    let texts = together(chosen);
    for other in others.iter().flatten() {
        note_lost(other, &texts, key, notes);
    }
    texts
}

/// Puts the texts of keys that mean the same together, each once. One key alone keeps all it has.
fn together(mut found: Vec<Under<'_>>) -> Vec<String> {
    if found.len() == 1 {
        return found.remove(0).texts;
    }
    // A blank text alone says something only where nothing else does.
    let counts =
        found.iter().any(|under| under.has_text() || under.is_list && !under.texts.is_empty());
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    for Under { texts, is_list, .. } in found {
        for text in texts {
            let keep = match is_blank(&text) {
                true => is_list || !counts && all.is_empty(),
                false => seen.insert(text.clone()),
            };
            if keep {
                all.push(text);
            }
        }
    }
    all
}

/// Notes that texts of a key are not among those that are read.
fn note_lost(other: &Under<'_>, read: &[String], key: &str, notes: &mut Notes) {
    let known: HashSet<&str> = read.iter().map(String::as_str).collect();
    if other.texts.iter().any(|text| !is_blank(text) && !known.contains(text.as_str())) {
        notes.insert(format!("`{}` is passed over where `{key}` has the text", other.key));
    }
}
