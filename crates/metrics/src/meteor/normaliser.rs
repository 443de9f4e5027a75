//! The tokeniser behind `-norm`: punctuation parted from words, quotes and dashes made alike,
//! contractions split.
//!
//! A chain of rewrites whose order matters. Each works from left to right without overlaps: after
//! "a,b" was rewritten in "a,b,c", the second comma has lost its left neighbour and stays.

use std::borrow::Cow;
use std::collections::HashMap;

use super::java;

/// When a word keeps its full stop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Prefix {
    /// Always, as in "vs.".
    Always,
    /// Before a number, as in "No. 5".
    BeforeNumber,
}

/// Words that a full stop does not end, in the case in which they are written.
pub type Prefixes = HashMap<String, Prefix>;

fn letter(c: char) -> bool {
    matches!(c,
        'A'..='Z' | 'a'..='z' | '\u{160}' | '\u{17d}' | '\u{161}' | '\u{17e}' | '\u{178}' | '\u{c0}'..='\u{d6}'
        | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{17e}' | '\u{400}'..='\u{4ff}' | '\u{500}'..='\u{527}'
        | '\u{a640}'..='\u{a66e}' | '\u{a67e}'..='\u{a697}' | '\u{1d00}'..='\u{1d7f}')
}

fn digit(c: char) -> bool {
    c.is_ascii_digit()
}

fn alphanumeric(c: char) -> bool {
    letter(c) || digit(c)
}

/// A text of words in lower case, with blanks between them (see [`java::tokens`]).
pub fn normal(text: &str, prefixes: &Prefixes) -> String {
    let text = part_symbols(&without_long_runs(text));
    let text = part_dots(&text);
    let text = dashes_and_quotes(text.chars().collect());
    let text = contractions(text);
    let text = full_stops(&text.into_iter().collect::<String>(), prefixes);
    let text = join_dots(text);
    let spaced = text.replace(
        |c| matches!(c, '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{a0}'),
        " ",
    );
    java::trim(&spaced).to_lowercase()
}

/// A run of more stops counts as so many, for there is a rewrite for each.
const MOST_STOPS: usize = 64;

fn without_long_runs(text: &str) -> Cow<'_, str> {
    if !text.contains(&".".repeat(MOST_STOPS + 1)) {
        return Cow::Borrowed(text);
    }
    let mut stops = 0;
    let kept = text.chars().filter(|&c| {
        stops = if c == '.' { stops + 1 } else { 0 };
        stops <= MOST_STOPS
    });
    Cow::Owned(kept.collect())
}

/// Blanks around every symbol but those that may belong to a word.
fn part_symbols(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    out.push(' ');
    for c in text.chars() {
        let blank = matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r');
        if alphanumeric(c)
            || blank
            || matches!(c, '.' | '\'' | '`' | ',' | '-' | '\u{2018}' | '\u{2019}')
        {
            out.push(c);
        } else {
            out.extend([' ', c, ' ']);
        }
    }
    out.push(' ');
    out
}

const MULTI: &str = "DOTMULTI";

/// Runs of dots are parted from words. The marker is METEOR's, for a text may hold it.
fn part_dots(text: &str) -> String {
    if !text.contains("..") && !text.contains(MULTI) {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("..") {
        let run = rest[at..].bytes().take_while(|&byte| byte == b'.').count();
        out.push_str(&rest[..at]);
        out.push(' ');
        out.push_str(MULTI);
        out.push_str(&rest[at + 1..at + run]);
        rest = &rest[at + run..];
    }
    out.push_str(rest);
    while out.contains("DOTMULTI.") {
        let mut next = String::new();
        let mut rest = out.as_str();
        while let Some(at) = rest.find("DOTMULTI.") {
            let behind = at + "DOTMULTI.".len();
            next.push_str(&rest[..at]);
            match rest[behind..].chars().next() {
                Some(c) if c != '.' => {
                    next.push_str("DOTDOTMULTI ");
                    next.push(c);
                    rest = &rest[behind + c.len_utf8()..];
                }
                _ => {
                    next.push_str("DOTMULTI.");
                    rest = &rest[behind..];
                }
            }
        }
        next.push_str(rest);
        out = next.replace("DOTMULTI.", "DOTDOTMULTI");
    }
    out
}

fn join_dots(mut text: String) -> String {
    while text.contains("DOTDOTMULTI") {
        text = text.replace("DOTDOTMULTI", "DOTMULTI.");
    }
    text.replace(MULTI, ".")
}

/// Rewrites `left middle right` to `left` + `by` + `right`.
fn between(
    text: &[char],
    left: impl Fn(char) -> bool,
    middle: char,
    right: impl Fn(char) -> bool,
    by: &str,
) -> Vec<char> {
    let mut out = Vec::with_capacity(text.len() + 8);
    let mut at = 0;
    while at < text.len() {
        match &text[at..] {
            [a, b, c, ..] if *b == middle && left(*a) && right(*c) => {
                out.push(*a);
                out.extend(by.chars());
                out.push(*c);
                at += 3;
            }
            _ => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

fn dashes_and_quotes(text: Vec<char>) -> Vec<char> {
    let no_digit = |c| !digit(c);
    let text = between(&text, no_digit, ',', no_digit, " , ");
    let text = between(&text, digit, ',', no_digit, " , ");
    let text = between(&text, no_digit, ',', digit, " , ");
    let text: String = text
        .into_iter()
        .map(|c| if matches!(c, '`' | '\u{2018}' | '\u{2019}') { '\'' } else { c })
        .collect();
    let text = text.replace("''", "\u{201c}").replace(['\u{201c}', '\u{201d}'], " \" ");
    let text: Vec<char> = text.replace('\u{2013}', "-").replace("--", "-").chars().collect();
    between(&text, |c| alphanumeric(c) || c == '.', '-', alphanumeric, " ")
}

fn contractions(text: Vec<char>) -> Vec<char> {
    if !text.contains(&'\'') {
        return text;
    }
    let no_letter = |c| !letter(c);
    let text = between(&text, no_letter, '\'', no_letter, " ' ");
    let text = between(&text, |c| !alphanumeric(c), '\'', letter, " ' ");
    let text = between(&text, letter, '\'', no_letter, " ' ");
    let text = between(&text, letter, '\'', letter, " '");
    between(&text, digit, '\'', |c| c == 's', " '")
}

/// Parts full stops from words, unless they mark an abbreviation or a word in lower case follows.
fn full_stops(text: &str, prefixes: &Prefixes) -> String {
    let tokens: Vec<&str> = java::tokens(text).collect();
    let mut out = String::with_capacity(text.len() + 8);
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1).and_then(|next| next.bytes().next()).unwrap_or(b' ');
        match token.strip_suffix('.') {
            Some(word) if !word.is_empty() => {
                let prefix = prefixes.get(word);
                if word.contains('.') && word.contains(letter) {
                    out.extend(token.chars().filter(|&c| c != '.'));
                } else if prefix == Some(&Prefix::Always)
                    || next.is_ascii_lowercase()
                    || prefix == Some(&Prefix::BeforeNumber) && next.is_ascii_digit()
                {
                    out.push_str(token);
                } else {
                    out.push_str(word);
                    out.push_str(" .");
                }
            }
            _ => out.push_str(token),
        }
        out.push(' ');
    }
    out
}
