//! Hyphenated things, acronyms and initials.

use crate::ptb::clitics::ended_clitic;
use crate::ptb::scan::{Seen, holds, is_alnum, is_apostrophe, run, starts_with};

/// `o'`, `d'` or `l'` before a word: 2, else 0.
fn elision(text: &[char], at: usize) -> usize {
    let found = holds(text, at, |c| "dDoOlL".contains(c))
        && holds(text, at + 1, |c| is_apostrophe(c) || c == '`')
        && run(text, at + 2, is_alnum) > 1
        // The plural of a letter, as in "two o's", is not an elision.
        && ended_clitic(&text[at + 1..]) == 0;
    if found { 2 } else { 0 }
}

/// Hyphenated and underscored things: `t-shirt`, `1.5-inch`, `U.S.-based`, `hors-d'oeuvres`, `a_b`,
/// `o'clock`.
pub(crate) fn thing(text: &[char], seen: &Seen) -> usize {
    let elided = elision(text, 0);
    let plain = elided + underscored(text, elided);
    if plain == 0 {
        return 0;
    }
    // Before the first hyphen, inner stops and commas belong to the thing.
    let first = elided + seen.numbers.run(text, elided, |c| is_alnum(c) || c == '.' || c == ',');
    [plain, first].into_iter().map(|start| hyphenated(text, start)).fold(plain, usize::max)
}

/// Counts the characters from `from` on that belong to words joined by single underscores.
fn underscored(text: &[char], from: usize) -> usize {
    let mut end = from + run(text, from, is_alnum);
    while end > from && holds(text, end, |c| c == '_') && holds(text, end + 1, is_alnum) {
        end += 1 + run(text, end + 1, is_alnum);
    }
    end - from
}

/// The end of `(-part)+` from `start`, or 0 if there is no part.
fn hyphenated(text: &[char], start: usize) -> usize {
    let mut end = start;
    let mut any = false;
    while holds(text, end, |c| c == '-') {
        let from = end + 1 + elision(text, end + 1);
        let initials = acronym(text.get(from..).unwrap_or_default());
        // One letter and a stop is the end of a sentence here, not an acronym.
        let part = underscored(text, from).max(if initials > 2 { initials } else { 0 });
        if part == 0 {
            break;
        }
        (end, any) = (from + part, true);
    }
    if any { end } else { 0 }
}

/// `a.`, `U.S.`, `p.m`.
pub(crate) fn acronym(text: &[char]) -> usize {
    let mut end = 0;
    let letter = |c: char| c.is_ascii_alphabetic();
    while holds(text, end, letter) && holds(text, end + 1, |c| c == '.') {
        end += 2;
    }
    // The last letter may go without a stop, but must not be the start of a word.
    if end > 0 && holds(text, end, letter) && !holds(text, end + 1, is_alnum) {
        end += 1;
    }
    end
}

/// `AT&T`, `R&B`: capitals only, so `salt&pepper` is three tokens.
pub(crate) fn initials(text: &[char]) -> usize {
    let capital = |c: char| c.is_ascii_uppercase();
    let and = |at: usize| match text.get(at..) {
        Some(rest) if starts_with(rest, "&amp;") => 5,
        Some(['&', ..]) => 1,
        _ => 0,
    };
    let mut end = run(text, 0, capital);
    let mut any = false;
    while end > 0 && and(end) > 0 && holds(text, end + and(end), capital) {
        end += and(end);
        end += run(text, end, capital);
        any = true;
    }
    if any { end } else { 0 }
}
