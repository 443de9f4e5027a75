//! Numbers of bytes, as people write them.

/// Reads a size such as `20G`, `300M`, `1.5GB` or `123456`: bytes, in powers of a thousand.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_uppercase();
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    let scale = match text[number.len()..].trim() {
        "" | "B" => 1e0,
        "K" | "KB" => 1e3,
        "M" | "MB" => 1e6,
        "G" | "GB" => 1e9,
        "T" | "TB" => 1e12,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * scale;
    // Beyond that a number of bytes is not exact, and no disk is that large.
    (1.0..9e15).contains(&bytes).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let cases = [
            ("123", 123),
            ("20G", 20_000_000_000),
            ("1.5 GB", 1_500_000_000),
            ("300m", 300_000_000),
            ("2kb", 2000),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "G", "-1", "0", "1X", "nan", "inf", "1e300", "99999999999T"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
