//! A normal form of captions, by which two of them count as the same.

/// Returns the caption in lower case without punctuation and articles, with single spaces. Splits
/// are made by it, and it is [`crate::Item::depicts`]. A text of articles only keeps them, one of
/// punctuation only stays as it is.
///
/// Singular and plural, synonyms and misspellings stay different.
///
/// ```
/// # use toolkit_data::normalise;
/// assert_eq!(normalise("The knight’s helmet!"), "knights helmet");
/// assert_eq!(normalise("T-shirt"), normalise("a t shirt."));
/// ```
#[must_use]
pub fn normalise(caption: &str) -> String {
    let lower = caption.to_lowercase();
    let mut plain = String::with_capacity(lower.len());
    for c in lower.chars() {
        match c {
            '\'' | '’' => {}
            c if c.is_alphanumeric() => plain.push(c),
            _ => plain.push(' '),
        }
    }
    let words = || plain.split(' ').filter(|word| !word.is_empty());
    let telling: Vec<&str> = words().filter(|word| !matches!(*word, "a" | "an" | "the")).collect();
    if !telling.is_empty() {
        return telling.join(" ");
    }
    let all: Vec<&str> = words().collect();
    if all.is_empty() {
        lower.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        all.join(" ")
    }
}

/// Returns the words of a file name: `leaningTowerOfPisa2` is "leaning tower of pisa".
pub(crate) fn words_of_name(stem: &str) -> String {
    let mut out = String::with_capacity(stem.len() + 4);
    let mut last = ' ';
    for c in stem.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_' || c == '-').chars() {
        if c.is_uppercase() && last.is_lowercase() {
            out.push(' ');
        }
        if c == '_' || c == '-' {
            out.push(' ')
        } else {
            out.extend(c.to_lowercase())
        }
        last = c;
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}
