//! Numbers and text as a report prints them.

use crate::names::is_percent;

/// Text as HTML and XML content or as the value of an attribute. Characters that XML forbids are
/// left out.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' | '\r' => out.push(' '),
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => {}
            c => out.push(c),
        }
    }
    out
}

/// A number with `decimals` places, a true minus sign, and no negative zero.
pub(crate) fn decimals(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|c| c == '0' || c == '.') => digits.to_owned(),
        Some(digits) => format!("\u{2212}{digits}"),
        None => text,
    }
}

/// The decimals of a score of this size.
fn places(key: &str, size: f64) -> usize {
    if is_percent(key) || size >= 100.0 {
        1
    } else if size >= 10.0 {
        2
    } else {
        3
    }
}

/// A score.
pub(crate) fn score(key: &str, value: f64) -> String {
    decimals(value, places(key, value.abs()))
}

/// A difference of scores, with its sign.
pub(crate) fn signed(key: &str, value: f64) -> String {
    let text = score(key, value);
    if value > 0.0 && text.contains(|c| ('1'..='9').contains(&c)) {
        format!("+{text}")
    } else {
        text
    }
}

/// The value of a p-value, without `p =`.
pub(crate) fn p(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(p) if p < 0.001 => "< 0.001".to_owned(),
        Some(p) if p < 0.1 => format!("{p:.3}"),
        Some(p) => format!("{p:.2}"),
    }
}

/// A p-value in a sentence: `p = 0.03`.
pub(crate) fn p_is(value: f64) -> String {
    let text = p(Some(value));
    if text.starts_with('<') { format!("p {text}") } else { format!("p = {text}") }
}

/// A time.
pub(crate) fn seconds(value: f64) -> String {
    let whole = value.round().max(0.0) as u64;
    match whole {
        _ if !value.is_finite() => "–".to_owned(),
        0..10 => format!("{value:.1} s"),
        10..120 => format!("{whole} s"),
        120..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A size of memory.
pub(crate) fn bytes(value: u64) -> String {
    let (mib, gib) = (value as f64 / f64::from(1 << 20), value as f64 / f64::from(1 << 30));
    if gib >= 1.0 { format!("{gib:.2} GiB") } else { format!("{mib:.0} MiB") }
}

/// A count with thin spaces between thousands.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// `1 seed`, `3 seeds`.
pub(crate) fn plural(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// The text with its first letter as a capital.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(signed("vqa.overall", 0.04), "0.0");
        assert_eq!(signed("vqa.overall", -0.04), "0.0");
        assert_eq!(signed("vqa.overall", -3.25), "\u{2212}3.2");
        assert_eq!(signed("caption.cider", 0.1234), "+0.123");
        assert_eq!(
            (p(Some(0.0001)), p(Some(0.0312)), p(Some(0.25))),
            ("< 0.001".into(), "0.031".into(), "0.25".into())
        );
        assert_eq!((seconds(4.25), seconds(61.0)), ("4.2 s".into(), "61 s".into()));
        assert_eq!((seconds(150.0), seconds(7260.0)), ("2 min 30 s".into(), "2 h 01 min".into()));
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(escape("<a b='c'>\u{0}&"), "&lt;a b=&#39;c&#39;&gt;&amp;");
    }
}
