//! The lexical rules of the caption tokeniser: at each place, the rule that matches the longest
//! piece of text wins.
//!
//! Longest match is what makes the rules small: `don't` is longer as "verb before n't" than as the
//! word `don`, and `U.S.-based` is longer as a hyphenated thing than as an acronym. On a tie, the
//! rule listed first wins.

use crate::ptb_chars::{Class, class};
use crate::ptb_glued::{address, file_name, markup, mixed_fraction, tag, telephone};
use crate::ptb_words::{
    abbreviation, clitic, ended_clitic, inner_apostrophe, irregular, it_was, sentence_starts,
    verb_before_not, word_before_clitic,
};
use std::cell::Cell;

/// What kind of text was matched, as far as printing it differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A word, number, abbreviation, address or run of signs: printed as it is.
    Word,
    /// A word that is not split further, because a clitic follows.
    Whole,
    /// `'s`, `n't` and the like.
    Clitic,
    /// `'tis`, `'twas`.
    ItWas,
    /// A smiley, whose brackets are still escaped.
    Smiley,
    /// One or two typographic quotes.
    Quotes,
    /// Several words in one token, with no-break spaces.
    Glued,
    /// One character by itself.
    Symbol,
}

/// The rule and length, at least 1, of the longest match at `at`, which is inside `text` and not
/// white space.
pub(crate) fn longest_match(text: &[char], at: usize, seen: &Seen) -> (Rule, usize) {
    let rest = &text[at..];
    if let Some(length) = plain_word(rest) {
        return (Rule::Word, length);
    }
    let mut best = (Rule::Symbol, 1);
    // What a rule looks ahead at counts for its priority, not for its length.
    let mut reach = 1;
    let before = verb_before_not(rest).map(|length| (Rule::Whole, length, length + 3));
    let old = Some((Rule::ItWas, 2, it_was(rest)));
    let whole = word_before_clitic(rest).map(|(length, ahead)| (Rule::Whole, length, ahead));
    let stopped = abbreviation(rest, seen).map(|(length, ahead)| (Rule::Word, length, ahead));
    let plain = |(rule, length)| (rule, length, length);
    let rules = [
        (Rule::Clitic, clitic(rest)),
        (Rule::Smiley, smiley(rest)),
        (Rule::Word, dotted_word(rest)),
        (Rule::Word, thing(rest, seen)),
        (Rule::Word, slashed(rest)),
        (Rule::Word, number(rest)),
        (Rule::Word, acronym(rest)),
        (Rule::Word, irregular(rest)),
        (Rule::Word, inner_apostrophe(rest)),
        (Rule::Word, initials(rest)),
        (Rule::Word, address(rest, seen)),
        (Rule::Word, tag(rest)),
        (Rule::Word, money(rest)),
        (Rule::Word, sign_run(rest)),
        (Rule::Quotes, quotes(rest)),
        (Rule::Word, file_name(rest, seen)),
        (Rule::Glued, mixed_fraction(rest)),
        (Rule::Glued, telephone(rest)),
        (Rule::Glued, markup(rest, seen)),
    ];
    for (rule, length, ahead) in before
        .into_iter()
        .chain(old)
        .chain(whole)
        .chain(rules.into_iter().map(plain))
        .chain(stopped)
    {
        if ahead > reach {
            (best, reach) = ((rule, length), ahead);
        }
    }
    // One letter and a stop end a sentence if an unmistakable beginning follows.
    if best == (Rule::Word, 2) && rest[1] == '.' && sentence_starts(&rest[2..]) {
        return (Rule::Word, 1);
    }
    best
}

/// The length of a word of ASCII letters between spaces, which no other rule touches: nearly all
/// words of captions.
fn plain_word(text: &[char]) -> Option<usize> {
    let length = run(text, 0, |c| c.is_ascii_alphabetic());
    (length > 0 && text.get(length).is_none_or(|&c| c == ' ')).then_some(length)
}

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

/// What plain words start with; marks and modifiers are in them but not in hyphenated things.
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

/// How many characters from `from` on satisfy `wanted`.
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

/// Eyes, perhaps a nose, a mouth; not glued to a following word, so that `red:Dog` is no smiley.
fn smiley(text: &[char]) -> usize {
    let brow = usize::from(holds(text, 0, |c| "<>".contains(c)));
    if !holds(text, brow, |c| ":;=".contains(c)) {
        return 0;
    }
    let nose = usize::from(holds(text, brow + 1, |c| "-o*'".contains(c)));
    let end = brow + 2 + nose;
    let whole = holds(text, end - 1, |c| "()DPdpO\\{@|[]".contains(c))
        && !holds(text, end, |c| c.is_ascii_alphanumeric());
    if whole { end } else { 0 }
}

/// A word, and words glued by a full stop or mark without a space: `google.com`, `man.He`,
/// `stop!now`.
fn dotted_word(text: &[char]) -> usize {
    if !holds(text, 0, is_word_start) {
        return 0;
    }
    let mut end = run(text, 0, is_word);
    while holds(text, end, |c| ".!?".contains(c)) && holds(text, end + 1, is_word_start) {
        end += 1 + run(text, end + 1, is_word);
    }
    end
}

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

/// How many characters from `from` on are of words joined by single underscores.
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

/// `men/women`, `3/4`, `12/25/2010`, `he/she/it`, of ASCII: at most two slashes and, between them,
/// two hyphens, each before a letter. A fraction may have its own slash, `3⁄4`.
fn slashed(text: &[char]) -> usize {
    let part = |from: usize| {
        let mut length = run(text, from, |c| c.is_ascii_alphanumeric());
        for _ in 0..2 {
            let hyphen = length > 0 && holds(text, from + length, |c| c == '-');
            if hyphen && holds(text, from + length + 1, |c| c.is_ascii_alphabetic()) {
                length += 1 + run(text, from + length + 1, |c| c.is_ascii_alphanumeric());
            }
        }
        length
    };
    let digits = run(text, 0, |c| c.is_ascii_digit());
    if (1..=4).contains(&digits) && holds(text, digits, |c| c == '⁄') {
        let below = run(text, digits + 1, |c| c.is_ascii_digit());
        return if below > 0 { digits + 1 + below.min(4) } else { 0 };
    }
    let mut end = part(0);
    let mut slashes = 0;
    while end > 0 && slashes < 2 && holds(text, end, |c| c == '/') && part(end + 1) > 0 {
        end += 1 + part(end + 1);
        slashes += 1;
    }
    if slashes > 0 { end } else { 0 }
}

/// `5`, `-5`, `1,000.50`, `10:30`, `.5`.
fn number(text: &[char]) -> usize {
    let digit = |c: char| c.is_ascii_digit();
    let sign = usize::from(holds(text, 0, |c| c == '-' || c == '+'));
    let mut end = sign + run(text, sign, digit);
    while holds(text, end, |c| ".,:".contains(c)) && holds(text, end + 1, digit) {
        end += 1 + run(text, end + 1, digit);
    }
    if end > sign { end } else { 0 }
}

/// `a.`, `U.S.`, `p.m`.
fn acronym(text: &[char]) -> usize {
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

/// `US$`, `C$`: a dollar sign with capitals before it.
fn money(text: &[char]) -> usize {
    let country = run(text, 0, |c| c.is_ascii_uppercase());
    if country > 0 && holds(text, country, |c| c == '$') { country + 1 } else { 0 }
}

/// A numeric entity, which stays as it is: `&#39;`.
fn entity(text: &[char]) -> usize {
    let digits =
        if holds(text, 1, |c| c == '#') { run(text, 2, |c| c.is_ascii_digit()) } else { 0 };
    if digits > 0 && holds(text, 2 + digits, |c| c == ';') { 3 + digits } else { 0 }
}

/// Up to two typographic or back quotes.
fn quotes(text: &[char]) -> usize {
    run(&text[..text.len().min(2)], 0, |c| "’‘“”«»‹›„‚`".contains(c))
}

/// Runs of one sign that stay together: `!!!`, `?!`, `...`, `***`, `-----`, `___`.
fn sign_run(text: &[char]) -> usize {
    match text[0] {
        '!' | '?' => run(text, 0, |c| c == '!' || c == '?'),
        // Longest match decides between these stops and the decimal point of `.5`; they are dropped
        // later.
        '.' if text.starts_with(&['.', ' ', '.', ' ', '.']) => {
            1 + 2 * text[1..].chunks_exact(2).take_while(|&pair| pair == [' ', '.']).count()
        }
        '.' => match run(&text[..text.len().min(5)], 0, |c| c == '.') {
            stops @ 3.. => stops,
            _ => 0,
        },
        '\'' if text.get(1) == Some(&'\'') => 2,
        '<' | '>' if text.get(1) == text.first() => 2,
        '\\' if text.get(1) == Some(&'*') => 2,
        '&' if starts_with(text, "&amp;") => 5,
        '&' => entity(text),
        sign @ ('*' | '#' | '_' | '@') => run(text, 0, |c| c == sign),
        '-' => run(text, 0, |c| c == '-'),
        _ => 0,
    }
}
