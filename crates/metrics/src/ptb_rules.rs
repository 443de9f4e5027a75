//! The lexical rules of the caption tokeniser: at each place, the rule that matches the longest piece of text wins.
//!
//! Longest match is what makes the rules small: `don't` is longer as "verb before n't" than as the word `don`, and
//! `U.S.-based` is longer as a hyphenated thing than as an acronym. On a tie, the rule listed first wins.

use crate::ptb_words::{abbreviation, clitic, irregular, it_was, verb_before_not};

/// What kind of text was matched, as far as printing it differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A word, number, abbreviation, address or run of signs: printed as it is.
    Word,
    /// `'s`, `n't` and the like.
    Clitic,
    /// `'tis`, `'twas`.
    ItWas,
    /// A smiley, whose brackets are still escaped.
    Smiley,
    /// One character by itself.
    Symbol,
}

/// The rule and length, at least 1, of the longest match at `at`, which is inside `text` and not white space.
pub(crate) fn longest_match(text: &[char], at: usize) -> (Rule, usize) {
    let rest = &text[at..];
    let mut best = (Rule::Symbol, 1);
    // The lookahead of `verb_before_not` counts for its priority, not for its length.
    let mut reach = 1;
    if let Some(length) = verb_before_not(rest) {
        (best, reach) = ((Rule::Word, length), length + 3);
    }
    for (rule, length) in [
        (Rule::Clitic, clitic(rest)),
        (Rule::ItWas, it_was(rest)),
        (Rule::Smiley, smiley(rest)),
        (Rule::Word, dotted_word(rest)),
        (Rule::Word, thing(rest)),
        (Rule::Word, slashed(rest)),
        (Rule::Word, number(rest)),
        (Rule::Word, acronym(rest)),
        (Rule::Word, abbreviation(rest)),
        (Rule::Word, irregular(rest)),
        (Rule::Word, initials(rest)),
        (Rule::Word, address(rest)),
        (Rule::Word, tag(rest)),
        (Rule::Word, money(rest)),
        (Rule::Word, sign_run(rest)),
    ] {
        if length > reach {
            (best, reach) = ((rule, length), length);
        }
    }
    best
}

pub(crate) fn is_letter(c: char) -> bool {
    // Above the basic plane nothing is a letter to the jar.
    c.is_alphabetic() && c <= '\u{FFFF}'
}

pub(crate) fn is_alnum(c: char) -> bool {
    is_letter(c) || c.is_ascii_digit()
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

/// Case-insensitive; a curly apostrophe counts as a straight one.
pub(crate) fn starts_with(text: &[char], prefix: &str) -> bool {
    let same = |(p, &c): (char, &char)| p == if is_apostrophe(c) { '\'' } else { c.to_ascii_lowercase() };
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
    let whole = holds(text, end - 1, |c| "()DPdpO\\{@|[]".contains(c)) && !holds(text, end, is_alnum);
    if whole { end } else { 0 }
}

/// A word, and words glued by a full stop or mark without a space: `google.com`, `man.He`, `stop!now`.
fn dotted_word(text: &[char]) -> usize {
    if !holds(text, 0, is_letter) {
        return 0;
    }
    let mut end = run(text, 0, is_alnum);
    while holds(text, end, |c| ".!?".contains(c)) && holds(text, end + 1, is_letter) {
        end += 1 + run(text, end + 1, is_alnum);
    }
    end
}

/// `o'`, `d'` or `l'` before a word: 2, else 0.
fn elision(text: &[char], at: usize) -> usize {
    let found = holds(text, at, |c| "dDoOlL".contains(c))
        && holds(text, at + 1, is_apostrophe)
        && holds(text, at + 2, is_alnum)
        // The plural of a letter, as in "two o's", is not an elision.
        && clitic(&text[at + 1..]) == 0;
    if found { 2 } else { 0 }
}

/// Hyphenated and underscored things: `t-shirt`, `1.5-inch`, `U.S.-based`, `hors-d'oeuvres`, `a_b`, `o'clock`.
fn thing(text: &[char]) -> usize {
    let elided = elision(text, 0);
    let mut plain = elided + run(text, elided, is_alnum);
    if plain == 0 {
        return 0;
    }
    while holds(text, plain, |c| c == '_') && holds(text, plain + 1, is_alnum) {
        plain += 1 + run(text, plain + 1, is_alnum);
    }
    // Before the first hyphen, inner stops and commas belong to the thing.
    let first = elided + run(text, elided, |c| is_alnum(c) || c == '.' || c == ',');
    [plain, first].into_iter().map(|start| hyphenated(text, start)).fold(plain, usize::max)
}

/// The end of `(-part)+` from `start`, or 0 if there is no part.
fn hyphenated(text: &[char], start: usize) -> usize {
    let mut end = start;
    let mut any = false;
    while holds(text, end, |c| c == '-') {
        let from = end + 1 + elision(text, end + 1);
        let initials = acronym(text.get(from..).unwrap_or_default());
        // One letter and a stop is the end of a sentence here, not an acronym.
        let part = run(text, from, is_alnum).max(if initials > 2 { initials } else { 0 });
        if part == 0 {
            break;
        }
        (end, any) = (from + part, true);
    }
    if any { end } else { 0 }
}

/// `men/women`, `3/4`, `12/25/2010`, `he/she/it`: at most two slashes and two hyphens between slashes.
fn slashed(text: &[char]) -> usize {
    let part = |from: usize| {
        let mut length = run(text, from, is_alnum);
        for _ in 0..2 {
            let next = run(text, from + length + 1, is_alnum);
            if length > 0 && holds(text, from + length, |c| c == '-') && next > 0 {
                length += 1 + next;
            }
        }
        length
    };
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
    while holds(text, end, is_letter) && holds(text, end + 1, |c| c == '.') {
        end += 2;
    }
    // The last letter may go without a stop, but must not be the start of a word.
    if end > 0 && holds(text, end, is_letter) && !holds(text, end + 1, is_alnum) {
        end += 1;
    }
    end
}

/// `AT&T`, `R&B`: capitals only, so `salt&pepper` is three tokens.
fn initials(text: &[char]) -> usize {
    let capital = |c: char| c.is_ascii_uppercase();
    let mut end = run(text, 0, capital);
    let mut any = false;
    while end > 0 && holds(text, end, |c| c == '&') && holds(text, end + 1, capital) {
        end += 1 + run(text, end + 1, capital);
        any = true;
    }
    if any { end } else { 0 }
}

/// Web addresses with a scheme or `www.`, e-mail addresses, and @names.
fn address(text: &[char]) -> usize {
    if ["http://", "https://", "www."].iter().any(|p| starts_with(text, p)) {
        let mut end = run(text, 0, |c| !c.is_whitespace() && !"\"<>|()[]{}'`".contains(c));
        while end > 0 && ".,!?;:-".contains(text[end - 1]) {
            end -= 1;
        }
        // A scheme alone is not an address.
        return if text[..end].contains(&'.') { end } else { 0 };
    }
    if holds(text, 0, |c| c == '@') && holds(text, 1, |c| c.is_ascii_alphabetic() || c == '_') {
        return 1 + run(text, 1, |c| c.is_ascii_alphanumeric() || c == '_');
    }
    let name = run(text, 0, |c| c.is_ascii_alphanumeric() || ".+_-".contains(c));
    if holds(text, 0, |c| c.is_ascii_alphanumeric()) && holds(text, name, |c| c == '@') {
        let mut end = name + 1 + run(text, name + 1, |c| c.is_ascii_alphanumeric() || ".-".contains(c));
        while ".-".contains(text[end - 1]) {
            end -= 1;
        }
        return if end > name + 1 { end } else { 0 };
    }
    0
}

/// `#tag` and simple markup, `<b>` or `</b>`.
fn tag(text: &[char]) -> usize {
    if holds(text, 0, |c| c == '#') && holds(text, 1, is_letter) {
        return 1 + run(text, 1, is_letter);
    }
    if holds(text, 0, |c| c == '<') {
        let name = 1 + usize::from(holds(text, 1, |c| c == '/'));
        let end = name + run(text, name, is_alnum);
        if holds(text, name, is_letter) && holds(text, end, |c| c == '>') {
            return end + 1;
        }
    }
    0
}

/// `US$`, `C$`: a dollar sign with the country in capitals.
fn money(text: &[char]) -> usize {
    let country = run(text, 0, |c| c.is_ascii_uppercase());
    if (1..=2).contains(&country) && holds(text, country, |c| c == '$') { country + 1 } else { 0 }
}

/// Runs of one sign that stay together: `!!!`, `?!`, `...`, `***`, `-----`, `___`.
fn sign_run(text: &[char]) -> usize {
    match text[0] {
        '!' | '?' => run(text, 0, |c| c == '!' || c == '?'),
        // Longest match decides between these stops and the decimal point of `.5`; they are dropped later.
        '.' => match run(text, 0, |c| c == '.') {
            stops @ 3.. => stops.min(5),
            _ => 0,
        },
        sign @ ('*' | '#' | '_' | '@') => run(text, 0, |c| c == sign),
        '-' => run(text, 0, |c| c == '-'),
        _ => 0,
    }
}
