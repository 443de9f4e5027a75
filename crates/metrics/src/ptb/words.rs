//! The rules of the caption tokeniser that know particular words: contractions, abbreviations,
//! irregular words.

use crate::ptb::clitics::{CLITICS, ended_clitic};
use crate::ptb::pieces::{initials, thing};
use crate::ptb::scan::{
    Seen, holds, is_apostrophe, is_letter, is_word, is_word_start, run, starts_with,
};

/// Abbreviations that keep their full stop and never end a sentence, in any case.
const TITLES: &str = " cf dr ft lt mr ms mt ph st vs wm adj adm adv alex ave cie col cpl det drs \
    ens gen gov hon jos maj mfg mme mrs mtg pfc pvt rep rev sen sfc sgt spc ste assoc asst atty \
    brig capt cmdr comdr dept elec govs insp invt lieut messrs mlle msgr natl pres prof profs \
    reps sens supt treas ";

/// Abbreviations that keep their full stop and may end a sentence, in any case.
const ABBREVIATIONS: &str = " al co ct ga jr ky md mo rd rt sq sr va vt ala apr aug bhd cos dak \
    dec esq est etc ext feb fla fri inc ind jan jul jun kan ltd mar mon neb nev nov oct plc pte \
    pty sep seq sys tel thu tue wed wis wyo ariz assn bldg blvd bros calif colo conn corp intl \
    kans mich minn mont okla penn ppte ppty ptes ptys sept tenn thurs tues univ wisc ";

/// Abbreviations that are common words in lower case and count only when capitalised (states,
/// mostly).
const CAPITAL_ABBREVIATIONS: &str = " az la pa ark del ill ore tex mass miss wash ";

/// Abbreviations that keep their full stop only before a number.
const NUMBER_ABBREVIATIONS: &str = " no nos fig figs prop pp art op ca ";

/// Irregular words that stay whole, in lower case.
const WHOLE_WORDS: [&str; 22] = [
    "'em",
    "'til",
    "'till",
    "'cause",
    "'n",
    "'n'",
    "c'mon",
    "e'er",
    "ne'er",
    "ol'",
    "nor'easter",
    "s'mores",
    "ev'ry",
    "nat'l",
    "dunkin'",
    "ph.d.",
    "c++",
    "c#",
    "f#",
    "^_^",
    "-_-",
    ">_<",
];

/// Words that can only begin a sentence, in the form in which they do.
const STARTERS: &str = " A About According After An As At But Earlier He Her Here However If In \
    It Last Many More Mr. Ms. Now Once One Other Our She Since So Some Such That The Their Then \
    There These They This We What When While Yet You ";

/// Returns `true` if white space, a word that begins sentences, and white space or the end follow.
pub(crate) fn sentence_starts(text: &[char]) -> bool {
    let blanks = run(text, 0, char::is_whitespace);
    if blanks == 0 || !holds(text, blanks, |c| c.is_ascii_uppercase()) {
        return false;
    }
    let length = run(&text[..text.len().min(blanks + 10)], blanks, |c| !c.is_whitespace());
    if length > 9 {
        return false;
    }
    let word = &text[blanks..blanks + length];
    STARTERS
        .split(' ')
        .any(|s| s.len() == length && s.chars().zip(word).all(|(s, c)| s.eq_ignore_ascii_case(c)))
}

/// A listed abbreviation with its full stop, or any word whose full stop cannot end a sentence: the
/// length, and the length with what was looked at.
pub(crate) fn abbreviation(text: &[char], seen: &Seen) -> Option<(usize, usize)> {
    // A stop that is followed by a lighter mark does not end a sentence, so the jar keeps it with
    // its word.
    let light = |stop: usize| {
        holds(text, stop, |c| c == '.') && holds(text, stop + 1, |c| ",;:".contains(c))
    };
    for length in [thing(text, seen), initials(text)] {
        if length > 0 && light(length) {
            return Some((length + 1, length + 2));
        }
    }
    // The degree is like the abbreviations below.
    if starts_with(text, "ph.d.") && text.len() >= 7 {
        return Some((5, 7));
    }
    let letters = run(text, 0, is_word);
    if !holds(text, letters, |c| c == '.') || !holds(text, 0, is_word_start) {
        return None;
    }
    let after = letters + 1;
    if light(letters) {
        return Some((after, after + 1));
    }
    let word: String = text[..letters].iter().map(char::to_ascii_lowercase).collect();
    let listed = |list: &str| list.contains(&format!(" {word} "));
    if listed(ABBREVIATIONS) || (text[0].is_ascii_uppercase() && listed(CAPITAL_ABBREVIATIONS)) {
        // Two more characters decide whether a sentence ends, which makes `corp.a` two tokens but
        // `corp.ab` one.
        return Some((after, if text.len() >= after + 2 { after + 2 } else { after }));
    }
    if listed(TITLES) {
        return Some((after, after));
    }
    let blank = usize::from(holds(text, after, char::is_whitespace));
    let before_number = holds(text, after + blank, |c| c.is_ascii_digit());
    (before_number && listed(NUMBER_ABBREVIATIONS)).then_some((after, after + blank + 1))
}

/// An apostrophe between vowels or before a capital, `Hawai'i`, `Ne'Kia`, or after `n` or a first
/// capital.
pub(crate) fn inner_apostrophe(text: &[char]) -> usize {
    let apostrophe = |at: usize| holds(text, at, |c| is_apostrophe(c) || c == '`');
    let vowel = |at: usize| holds(text, at, |c| "aeiouAEIOU".contains(c));
    let letters = run(text, 0, is_letter);
    if letters == 0 || !apostrophe(letters) {
        return 0;
    }
    let rest = run(text, letters + 1, is_letter);
    let last = letters - 1;
    let between = last > 0
        && (vowel(last) || holds(text, last, |c| "yY".contains(c)))
        && (vowel(letters + 1) || holds(text, letters + 1, |c| c.is_ascii_uppercase()));
    let elided = last == 0
        && holds(text, 0, |c| "nN".contains(c))
        && rest > 0
        && ended_clitic(&text[1..]) == 0;
    let capital = last == 0 && rest > 1 && text[0].is_ascii_uppercase() && !"IY".contains(text[0]);
    if between || elided || (capital && ended_clitic(&text[1..]) == 0) {
        letters + 1 + rest
    } else {
        0
    }
}

/// Words of the list; `y'`, `d'`, `j'`, `l'` before the rest of a word; shortened years and decades
/// (`'08`, `'90s`).
pub(crate) fn irregular(text: &[char]) -> usize {
    let blank = |at: usize| text.get(at).is_none_or(|c| c.is_whitespace());
    // Some of the list are known with a straight apostrophe only; `'n` is known in the middle of
    // text with a curly one.
    let found = |w: &&&str| match **w {
        "'n" => starts_with(text, w) && (blank(2) || text[0] != '\''),
        "'em" | "'til" | "'till" | "'cause" | "'n'" | "ne'er" | "ol'" | "dunkin'" => {
            starts_with(text, w)
        }
        word => {
            word.chars().zip(text).filter(|(w, c)| *w == c.to_ascii_lowercase()).count()
                == word.len()
        }
    };
    if let Some(word) = WHOLE_WORDS.iter().rev().find(found) {
        return word.len();
    }
    let prefix = ["d'", "j'", "l'"].iter().any(|p| starts_with(text, p));
    if prefix || (starts_with(text, "y'") && holds(text, 2, is_letter)) {
        let cliticised = CLITICS.iter().any(|form| starts_with(&text[1..], form));
        return if cliticised { 0 } else { 2 };
    }
    if holds(text, 0, is_apostrophe) && run(text, 1, |c| c.is_ascii_digit()) == 2 {
        if holds(text, 2, |c| c == '0') && holds(text, 3, |c| c == 's' || c == 'S') {
            return 4;
        }
        // Feet and inches (`5'10"`) look the same but for what follows.
        return if blank(3) { 3 } else { 0 };
    }
    0
}
