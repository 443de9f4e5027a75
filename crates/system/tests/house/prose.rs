//! Words: openings of documentation, and hints in string literals.

use super::source::{Piece, Source};

/// Words that a doc comment does not begin with.
const OPENINGS: [&str; 8] = ["What", "Whatever", "Whether", "Who", "How", "Of", "Its", "As"];

/// Lists the first lines of the doc comments of a file, without their slashes.
pub fn openings(source: &Source) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut last = (0, "");
    for Piece { line, text } in &source.comments {
        let Some(kind) = ["///", "//!"].into_iter().find(|kind| text.starts_with(kind)) else {
            continue;
        };
        if last != (line - 1, kind) {
            found.push(Piece { line: *line, text: text[3..].trim().to_owned() });
        }
        last = (*line, kind);
    }
    found
}

/// Returns `true` if documentation begins with a word that it should not begin with.
pub fn opens_badly(text: &str) -> bool {
    let word = text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    OPENINGS.contains(&word)
}

/// Lists the lines of string literals with a hint.
pub fn hints(source: &Source) -> Vec<usize> {
    source.strings.iter().filter(|one| one.text.contains("hint: ")).map(|one| one.line).collect()
}

#[test]
fn a_bad_opening_is_found() {
    let text =
        "//! What a is.\n\n/// Returns b.\n/// As c.\nfn b() {}\n\n/// As d.\nfn d() {}\n// How\n";
    let found = openings(&Source::new("", text));
    let bad = found.iter().filter(|one| opens_badly(&one.text)).map(|one| one.line);
    assert_eq!(bad.collect::<Vec<_>>(), [1, 7]);
    assert_eq!(found.len(), 3);
    assert!(!opens_badly("Asks the Hub.") && !opens_badly("") && opens_badly("Who?"));
}

#[test]
fn a_hint_in_a_literal_is_found() {
    let text = "struct A { hint: B }\n// hint: c\nlet d = format!(\n  \"e; hint: {f}\",\n);\n";
    assert_eq!(hints(&Source::new("", text)), [4]);
}
