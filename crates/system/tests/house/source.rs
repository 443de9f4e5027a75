//! A source file, split into code, string literals and comments; tests are left out.

use std::ops::Range;

/// Text and the number of its first line, from one.
pub struct Piece {
    pub line: usize,
    pub text: String,
}

/// A source file.
pub struct Source {
    /// Path from the root of the repository.
    pub path: String,
    /// The file, byte for byte; strings, comments and tests are blank.
    pub code: String,
    pub strings: Vec<Piece>,
    /// Comments, one a line.
    pub comments: Vec<Piece>,
    /// Lines outside of tests.
    pub lines: Vec<Piece>,
    /// Number of lines, tests included.
    pub length: usize,
    /// Offset of the beginning of each line.
    starts: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Comment,
    Text,
    Character,
}

impl Source {
    /// Splits the text of a file.
    pub fn new(path: &str, text: &str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        let starts: Vec<usize> = std::iter::once(0).chain(breaks).collect();
        let line = |at: usize| starts.partition_point(|start| *start <= at);
        let tokens = tokens(text);
        let code = blank(text, tokens.iter().map(|(_, range)| range.clone()));
        let tests = tests(&code);
        let in_test = |at: usize| tests.iter().any(|test| test.contains(&at));
        let code = blank(&code, tests.iter().cloned());
        let pieces = |kind: Kind| {
            let own = tokens.iter().filter(|(of, range)| *of == kind && !in_test(range.start));
            own.map(|(_, range)| Piece {
                line: line(range.start),
                text: text[range.clone()].to_owned(),
            })
            .collect()
        };
        let numbered = text.lines().zip(&starts).enumerate();
        let lines = numbered
            .filter(|(_, (_, start))| !in_test(**start))
            .map(|(at, (text, _))| Piece { line: at + 1, text: text.to_owned() })
            .collect();
        let (strings, comments) = (pieces(Kind::Text), pieces(Kind::Comment));
        let length = text.lines().count();
        Self { path: path.to_owned(), code, strings, comments, lines, length, starts }
    }

    /// Returns the number of the line at an offset.
    pub fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }
}

/// Lists the comments and literals of a file.
fn tokens(text: &str) -> Vec<(Kind, Range<usize>)> {
    let (mut found, mut at) = (Vec::new(), 0);
    // Only these bytes begin a token, and none of them is inside of a wider character.
    while let Some(next) = text.as_bytes()[at..].iter().position(|byte| b"/\"'r".contains(byte)) {
        at += next;
        match token(&text[at..]) {
            Some((kind, length)) => {
                found.push((kind, at..at + length));
                at += length;
            }
            None => at += 1,
        }
    }
    found
}

/// Returns kind and length of the comment or literal at the beginning of a text.
fn token(text: &str) -> Option<(Kind, usize)> {
    if text.starts_with("//") {
        return Some((Kind::Comment, text.find('\n').unwrap_or(text.len())));
    }
    if text.starts_with("/*") {
        return Some((Kind::Comment, block(text)));
    }
    if text.starts_with('"') {
        return Some((Kind::Text, quoted(text, b'"')));
    }
    if let Some(rest) = text.strip_prefix('\'') {
        let first = rest.chars().next()?;
        // A lifetime has no closing quote.
        let literal = first == '\\' || rest[first.len_utf8()..].starts_with('\'');
        return literal.then(|| (Kind::Character, quoted(text, b'\'')));
    }
    let rest = text.strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let inner = rest[hashes..].strip_prefix('"')?;
    let end = inner.find(&format!("\"{}", "#".repeat(hashes)))?;
    Some((Kind::Text, 1 + hashes + 1 + end + 1 + hashes))
}

/// Returns the length of a literal up to its closing quote.
fn quoted(text: &str, quote: u8) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            _ if byte == quote => return at + 1,
            _ => (),
        }
    }
    text.len()
}

/// Returns the length of a block comment; they nest.
fn block(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let pair = &text.as_bytes()[at..text.len().min(at + 2)];
        match pair {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at
}

/// Replaces ranges by blanks; the breaks of lines stay.
fn blank(text: &str, ranges: impl Iterator<Item = Range<usize>>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for range in ranges {
        out.push_str(&text[at..range.start]);
        let inner = text[range.clone()].bytes();
        out.extend(inner.map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        at = range.end;
    }
    out.push_str(&text[at..]);
    out
}

/// Lists the items under `#[cfg(test)]`.
fn tests(code: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, _) in code.match_indices("#[cfg(test)]") {
        if found.last().is_none_or(|last| last.end <= at) {
            found.push(at..item_end(code, at));
        }
    }
    found
}

/// Returns the offset after an item: after its body, or after its semicolon.
pub fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => (),
        }
        if depth == 0 && matches!(byte, b'}' | b';') {
            return at + 1;
        }
    }
    code.len()
}

/// Lists the offsets of a word.
pub fn words(code: &str, word: &str) -> Vec<usize> {
    let found = code.match_indices(word).map(|(at, _)| at);
    let alone = |at: &usize| {
        let before = code[..*at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(in_name) && !after.is_some_and(in_name)
    };
    found.filter(alone).collect()
}

/// Returns `true` if a character may be part of a name.
pub fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn strings_and_comments_are_no_code() {
    let text = "// fn a\nlet b = \"fn \\\" c\"; /* fn /* d */ */ r#\"fn \"e\"#; 'f' '\\'' &'g h";
    let source = Source::new("", text);
    assert!(words(&source.code, "fn").is_empty(), "{}", source.code);
    assert_eq!(source.code.len(), text.len());
    assert!(source.code.ends_with("&'g h"));
    let strings: Vec<&str> = source.strings.iter().map(|piece| &*piece.text).collect();
    assert_eq!(strings, ["\"fn \\\" c\"", "r#\"fn \"e\"#"]);
    assert_eq!((source.strings[0].line, source.comments[0].line), (2, 1));
}

#[test]
fn tests_are_left_out() {
    let text = "fn a() {}\n#[cfg(test)]\n#[expect(x)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n\
                #[cfg(test)]\nmod d;\nfn e() {}\n";
    let source = Source::new("", text);
    assert_eq!(words(&source.code, "fn").len(), 3);
    let lines: Vec<usize> = source.lines.iter().map(|piece| piece.line).collect();
    assert_eq!(lines, [1, 7, 10]);
    assert_eq!(source.length, 10);
}
