//! Reading characters: classes, runs, and runs that are remembered.

use crate::ptb::chars::{Class, class};
use std::cell::Cell;

pub(crate) fn is_letter(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { class(c) == Class::Letter }
}

pub(crate) fn is_alnum(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric()
    } else {
        matches!(class(c), Class::Letter | Class::Digit)
    }
}

/// Returns `true` for characters that start plain words. Marks and modifiers do, though not in
/// hyphenated things.
pub(crate) fn is_word_start(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphabetic()
    } else {
        matches!(class(c), Class::Letter | Class::Mark)
    }
}

pub(crate) fn is_word(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric()
    } else {
        !matches!(class(c), Class::Sign | Class::Unknown)
    }
}

pub(crate) fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’')
}

/// Counts the characters from `from` on that satisfy `wanted`.
pub(crate) fn run(text: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
    text.iter().skip(from).take_while(|&&c| wanted(c)).count()
}

pub(crate) fn holds(text: &[char], at: usize, wanted: impl Fn(char) -> bool) -> bool {
    text.get(at).is_some_and(|&c| wanted(c))
}

/// Runs that a rule may go through again and again without matching them, of one text.
///
/// Without it a caption of a million characters and no blank takes hours.
#[derive(Default)]
pub(crate) struct Seen {
    /// Letters, digits, stops and commas: what may come before a hyphen.
    pub numbers: LastRun,
    /// Characters that may come before the `@` of an address.
    pub names: LastRun,
    /// Characters that the name of a file may begin with.
    pub stems: LastRun,
    /// Characters that the name of a host may begin with.
    pub hosts: LastRun,
    /// Characters that may be inside of `<! >`.
    pub comments: LastRun,
}

/// The last run of characters of one kind: how many characters of the text are left at its start
/// and at its end.
#[derive(Default)]
pub(crate) struct LastRun(Cell<Option<(usize, usize)>>);

impl LastRun {
    /// [`run`], which is looked up within the last one. `text` goes to the end of the whole text,
    /// and `wanted` is always the same.
    pub(crate) fn run(&self, text: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
        let left = text.len().saturating_sub(from);
        if let Some((start, end)) = self.0.get()
            && (end..=start).contains(&left)
        {
            return left - end;
        }
        let length = run(text, from, wanted);
        self.0.set(Some((left, left - length)));
        length
    }
}

/// Case-insensitive; a curly apostrophe counts as a straight one.
pub(crate) fn starts_with(text: &[char], prefix: &str) -> bool {
    let same =
        |(p, &c): (char, &char)| p == if is_apostrophe(c) { '\'' } else { c.to_ascii_lowercase() };
    prefix.chars().count() <= text.len() && prefix.chars().zip(text).all(same)
}
