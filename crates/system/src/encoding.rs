//! Encoding of a text file, detected by its first bytes.

/// Fault of a file in UTF-16, and what to try.
pub const UTF16: (&str, &str) = ("this is UTF-16", "save the file as UTF-8");

/// Encoding of a file, detected by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8 behind a mark.
    Utf8 {
        /// Bytes of the mark: 0 or 3.
        mark: usize,
    },
    /// UTF-16, with a mark, or detected by its zeros.
    Utf16,
}

/// Looks at the first bytes of a file.
#[must_use]
pub fn encoding(start: &[u8]) -> Encoding {
    match start {
        [0xef, 0xbb, 0xbf, ..] => Encoding::Utf8 { mark: 3 },
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Encoding::Utf16,
        // Without a mark, Latin letters have a zero on one side.
        [0, a, 0, b, ..] | [a, 0, b, 0, ..] if *a != 0 && *b != 0 => Encoding::Utf16,
        _ => Encoding::Utf8 { mark: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_told_by_the_first_bytes() {
        assert_eq!(encoding(b"{\0\"\0"), Encoding::Utf16);
        assert_eq!(encoding(b"\0{\0\""), Encoding::Utf16);
        assert_eq!(encoding(b"\xff\xfe{\0"), Encoding::Utf16);
        assert_eq!(encoding(b"\xef\xbb\xbf{}"), Encoding::Utf8 { mark: 3 });
        for text in [&b"{}"[..], b"", b"{", "ü{".as_bytes()] {
            assert_eq!(encoding(text), Encoding::Utf8 { mark: 0 });
        }
    }
}
