//! The few habits of Java's strings that scores depend on.

/// Java's 32-bit hash of a string of UTF-16 units. METEOR compares words by it, so that two words
/// with one hash are one word to it.
pub fn hash(units: impl IntoIterator<Item = u16>) -> i32 {
    units.into_iter().fold(0, |hash, unit| 31i32.wrapping_mul(hash).wrapping_add(i32::from(unit)))
}

/// The pieces between blanks; other Unicode white space does not part words, nor does a vertical
/// tab.
pub fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t', '\n', '\r', '\x0c']).filter(|token| !token.is_empty())
}

/// Cuts blanks and control characters (everything up to U+0020) from both ends.
pub fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}
