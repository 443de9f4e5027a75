//! Contractions: `'s`, `n't` and the words before them.

use crate::ptb::scan::{holds, is_apostrophe, is_word, is_word_start, run, starts_with};

/// Endings of words that are tokens of their own.
pub(crate) const CLITICS: [&str; 6] = ["'s", "'m", "'d", "'re", "'ve", "'ll"];

/// `do` of `don't`: the letters before `n't`.
pub(crate) fn verb_before_not(text: &[char]) -> Option<usize> {
    let letters = run(text, 0, |c| c.is_ascii_alphabetic());
    let verb = letters.checked_sub(1)?;
    let doubled = verb > 0 && text[verb - 1].eq_ignore_ascii_case(&'n');
    (verb > 0 && !doubled && clitic(&text[verb..]) == 3).then_some(verb)
}

/// The word before a clitic and how far both reach: such a word is not taken apart again
/// (`gonna's`).
pub(crate) fn word_before_clitic(text: &[char]) -> Option<(usize, usize)> {
    let word = run(text, 0, is_word);
    if word == 0 || !holds(text, 0, is_word_start) {
        return None;
    }
    let rest = text.get(word..)?;
    CLITICS.iter().find(|form| starts_with(rest, form)).map(|form| (word, word + form.len()))
}

/// `'s`, `'m`, `'d`, `'re`, `'ve`, `'ll` at the end of a word, and `n't`.
pub(crate) fn clitic(text: &[char]) -> usize {
    // Captions typed in a hurry have a back quote here, which the jar takes for an apostrophe
    // before a `t` only.
    if starts_with(text, "n't") || starts_with(text, "n`t") || starts_with(text, "n‘t") {
        return 3;
    }
    if !holds(text, 0, is_apostrophe) {
        return 0;
    }
    CLITICS
        .iter()
        // Only a straight apostrophe asks for the end of the word; marks and letters beyond ASCII
        // count as an end.
        .find(|form| {
            let glued = text[0] == '\'' && holds(text, form.len(), |c| c.is_ascii_alphabetic());
            starts_with(text, form) && !glued
        })
        .map_or(0, |form| form.len())
}

/// Measures a clitic as [`clitic`] does, but also a curly apostrophe asks for the end of the word.
pub(crate) fn ended_clitic(text: &[char]) -> usize {
    match clitic(text) {
        length if holds(text, length, |c| c.is_ascii_alphabetic()) => 0,
        length => length,
    }
}

/// `'tis` and `'twas`, of which only `'t` is taken; whatever follows.
pub(crate) fn it_was(text: &[char]) -> usize {
    let found = |form: &&&str| holds(text, 0, |c| c == '\'') && starts_with(text, form);
    ["'tis", "'twas"].iter().find(found).map_or(0, |form| form.len())
}
