//! The rules of the caption tokeniser that know particular words: contractions, abbreviations, irregular words.

use crate::ptb_rules::{holds, is_alnum, is_apostrophe, is_letter, run, starts_with};

/// Abbreviations that keep their full stop, in lower case (plus every single letter).
const ABBREVIATIONS: &str = " al az cf co ct dr ft ga jr ky lt md mo mr ms mt ph rd rt sq sr st va vs vt wm \
    adj adm adv ala apr aug ave bhd cie col cos cpl dak dec det drs ens esq est etc ext feb fla fri gen gov hon inc \
    ind jan jos jul jun kan ltd maj mar mfg mme mon mrs mtg neb nev nov oct pfc plc pte pty pvt rep rev sen sep seq \
    sfc sgt spc ste sys tel thu tue wed wis wyo ariz assn assoc asst atty bldg blvd brig bros calif capt cmdr colo \
    conn corp dept elec govs intl invt kans lieut messrs mich minn mlle mont natl okla penn pres prof reps sens sept \
    supt tenn thurs treas tues univ wisc ";

/// Abbreviations that are common words in lower case and count only when capitalised (states, mostly).
const CAPITAL_ABBREVIATIONS: &str = " la pa ark del ill ore tex mass miss wash ";

/// Abbreviations that keep their full stop only before a number.
const NUMBER_ABBREVIATIONS: &str = " no nos fig figs prop pp art ";

/// Irregular words that stay whole, in lower case and with a straight apostrophe.
const WHOLE_WORDS: [&str; 22] = [
    "'em",
    "'til",
    "'till",
    "'cause",
    "'n'",
    "'n",
    "c'mon",
    "ma'am",
    "e'er",
    "ne'er",
    "ol'",
    "nor'easter",
    "hawai'i",
    "xi'an",
    "nat'l",
    "ev'ry",
    "s'mores",
    "dunkin'",
    "ph.d.",
    "^_^",
    "-_-",
    ">_<",
];

/// `do` of `don't`: the letters before `n't`.
pub(crate) fn verb_before_not(text: &[char]) -> Option<usize> {
    let letters = run(text, 0, is_letter);
    let verb = letters.checked_sub(1)?;
    (verb > 0 && clitic(&text[verb..]) == 3).then_some(verb)
}

/// `'s`, `'m`, `'d`, `'re`, `'ve`, `'ll` at the end of a word, and `n't`.
pub(crate) fn clitic(text: &[char]) -> usize {
    // Captions typed in a hurry have a back quote here, which the jar takes for an apostrophe before a `t` only.
    if starts_with(text, "n't") || starts_with(text, "n`t") || starts_with(text, "n‘t") {
        return 3;
    }
    ["'s", "'m", "'d", "'re", "'ve", "'ll"]
        .iter()
        .find(|form| starts_with(text, form) && !holds(text, form.len(), is_letter))
        .map_or(0, |form| form.len())
}

pub(crate) fn it_was(text: &[char]) -> usize {
    ["'tis", "'twas"]
        .iter()
        .find(|form| starts_with(text, form) && !holds(text, form.len(), is_alnum))
        .map_or(0, |form| form.len())
}

/// A listed abbreviation with its full stop, or any word whose full stop cannot end a sentence.
pub(crate) fn abbreviation(text: &[char]) -> usize {
    let letters = run(text, 0, |c| c.is_ascii_alphabetic());
    if letters == 0 || !holds(text, letters, |c| c == '.') {
        return 0;
    }
    let word: String = text[..letters].iter().map(char::to_ascii_lowercase).collect();
    let listed = |list: &str| list.contains(&format!(" {word} "));
    let after = letters + 1;
    let digit_follows = |at: usize| holds(text, at, |c| c.is_ascii_digit());
    let before_number = digit_follows(after) || (holds(text, after, |c| c == ' ') && digit_follows(after + 1));
    // A stop that is followed by a lighter mark does not end a sentence, so the jar keeps it with its word.
    let kept = holds(text, after, |c| ",;:".contains(c))
        || listed(ABBREVIATIONS)
        || (text[0].is_ascii_uppercase() && listed(CAPITAL_ABBREVIATIONS))
        || (before_number && listed(NUMBER_ABBREVIATIONS));
    if kept { after } else { 0 }
}

/// Words of the list; `y'`, `d'`, `j'`, `l'` before the rest of a word; shortened years and decades (`'08`, `'90s`).
pub(crate) fn irregular(text: &[char]) -> usize {
    let ends = |at: usize| !holds(text, at, is_alnum);
    if let Some(word) = WHOLE_WORDS.iter().find(|w| starts_with(text, w) && (ends(w.len()) || **w == "'n'")) {
        return word.len();
    }
    if ["y'", "d'", "j'", "l'"].iter().any(|p| starts_with(text, p)) && holds(text, 2, is_letter) {
        return if clitic(&text[1..]) == 0 { 2 } else { 0 };
    }
    if holds(text, 0, is_apostrophe) && run(text, 1, |c| c.is_ascii_digit()) == 2 {
        if holds(text, 2, |c| c == '0') && holds(text, 3, |c| c == 's' || c == 'S') && ends(4) {
            return 4;
        }
        // Feet and inches (`5'10"`) look the same but for what follows.
        return if text.get(3).is_none_or(|c| c.is_whitespace()) { 3 } else { 0 };
    }
    0
}
