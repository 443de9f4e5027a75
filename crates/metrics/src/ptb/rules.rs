//! The lexical rules of the caption tokeniser: at each place, the rule that matches the longest
//! piece of text wins.
//!
//! Longest match is what makes the rules small: `don't` is longer as "verb before n't" than as the
//! word `don`, and `U.S.-based` is longer as a hyphenated thing than as an acronym. On a tie, the
//! rule listed first wins.

use crate::ptb::clitics::{clitic, it_was, verb_before_not, word_before_clitic};
use crate::ptb::glued::{address, file_name, markup, mixed_fraction, tag, telephone};
use crate::ptb::pieces::{acronym, initials, thing};
use crate::ptb::scan::{Seen, holds, is_word, is_word_start, run, starts_with};
use crate::ptb::words::{abbreviation, inner_apostrophe, irregular, sentence_starts};

/// Kind of a matched text, as far as printing differs.
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
    /// A typographic quote, or two.
    Quotes,
    /// Several words in one token, with no-break spaces.
    Glued,
    /// A single character.
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
