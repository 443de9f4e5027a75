//! Brace lists in names of shards, as shells and webdataset expand them: `part-{00..15}_{a,b}.tar`.

use crate::DataError;

/// Most names that one pattern may stand for.
const MOST: usize = 1 << 20;
/// Most lists of one pattern, lists in lists included.
const LISTS: usize = 100;

/// Lists the names that a pattern stands for, in the order of the pattern.
///
/// A list is `{a,b}`, a range `{0..15}`, padded with zeros if one of its ends is, with a step
/// `{0..15..5}`, or of letters `{a..e}`. Lists may hold lists. Other braces stand for themselves.
///
/// # Errors
/// If there are too many.
pub(super) fn expand(pattern: &str) -> Result<Vec<String>, DataError> {
    let few = pattern.matches('{').count() <= LISTS;
    few.then(|| prefixed(pattern)).flatten().ok_or_else(|| {
        let what = format!("`{pattern}` stands for more than {MOST} names");
        DataError::new(what, "correct the range, or write a `*`")
    })
}

/// Expands a pattern; `None` if there are too many names.
fn prefixed(pattern: &str) -> Option<Vec<String>> {
    let Some((start, end, parts)) = first_list(pattern) else {
        return Some(vec![pattern.to_owned()]);
    };
    let mut middles = Vec::new();
    match parts.as_slice() {
        [range] => middles = self::range(range)?.unwrap_or_default(),
        parts => {
            for part in parts {
                middles.extend(prefixed(part)?);
            }
        }
    }
    let tails = prefixed(&pattern[end..])?;
    if middles.len().checked_mul(tails.len()).is_none_or(|all| all > MOST) {
        return None;
    }
    let head = &pattern[..start];
    let with = |middle: &String| -> Vec<String> {
        tails.iter().map(|tail| format!("{head}{middle}{tail}")).collect()
    };
    Some(middles.iter().flat_map(with).collect())
}

/// Finds the first list or range: where it starts and ends, and its parts, which are one if it is a
/// range.
fn first_list(pattern: &str) -> Option<(usize, usize, Vec<&str>)> {
    let opens = pattern.match_indices('{').map(|(at, _)| at);
    opens.filter_map(|start| Some((start, closed(pattern, start)?))).find_map(|(start, commas)| {
        let (&end, commas) = commas.split_last()?;
        let mut from = start + 1;
        let mut parts = Vec::new();
        for &at in commas.iter().chain([&end]) {
            parts.push(&pattern[from..at]);
            from = at + 1;
        }
        let is_list = parts.len() > 1 || range(parts[0]) != Some(None);
        is_list.then_some((start, end + 1, parts))
    })
}

/// Finds the commas of the list that starts at `start`, and its closing brace as the last.
fn closed(pattern: &str, start: usize) -> Option<Vec<usize>> {
    let (mut depth, mut commas) = (0_usize, Vec::new());
    for (at, byte) in pattern.bytes().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => {
                commas.push(at);
                return Some(commas);
            }
            b'}' => depth -= 1,
            b',' if depth == 1 => commas.push(at),
            _ => {}
        }
    }
    None
}

/// Lists the members of `A..B` or `A..B..STEP`. `None` if there are too many, `Some(None)` if it is
/// no range.
fn range(text: &str) -> Option<Option<Vec<String>>> {
    let parts: Vec<&str> = text.split("..").collect();
    let (from, to, step) = match parts.as_slice() {
        [from, to] => (*from, *to, 1),
        [from, to, step] => match step.parse::<i64>() {
            Ok(step) if step != 0 => (*from, *to, step.unsigned_abs()),
            _ => return Some(None),
        },
        _ => return Some(None),
    };
    let letter = |text: &str| match text.as_bytes() {
        [letter @ (b'a'..=b'z' | b'A'..=b'Z')] => Some(i64::from(*letter)),
        _ => None,
    };
    if let (Some(first), Some(last)) = (letter(from), letter(to)) {
        let codes = steps(first, last, step)?.into_iter();
        let codes = codes.filter_map(|code| u8::try_from(code).ok());
        return Some(Some(codes.map(|code| char::from(code).to_string()).collect()));
    }
    let (Ok(first), Ok(last)) = (from.parse::<i64>(), to.parse::<i64>()) else { return Some(None) };
    let digits = |text: &str| text.trim_start_matches(['-', '+']).len();
    let padded = [from, to].iter().any(|end| {
        let own = end.trim_start_matches(['-', '+']);
        own.len() > 1 && own.starts_with('0')
    });
    let width = if padded { digits(from).max(digits(to)) } else { 0 };
    let write = |number: i64| match number < 0 {
        true => format!("-{:0width$}", number.unsigned_abs()),
        false => format!("{number:0width$}"),
    };
    Some(Some(steps(first, last, step)?.into_iter().map(write).collect()))
}

/// Counts from `first` to `last`, up or down; `None` if there are too many.
fn steps(first: i64, last: i64, step: u64) -> Option<Vec<i64>> {
    let count = usize::try_from(first.abs_diff(last) / step + 1).ok()?;
    if count > MOST {
        return None;
    }
    let step = i64::try_from(step).ok().unwrap_or(i64::MAX);
    let at = |index: usize| {
        let by = (index as i64).saturating_mul(step);
        if first <= last { first.saturating_add(by) } else { first.saturating_sub(by) }
    };
    Some((0..count).map(at).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// Expected names are those of the Python package `braceexpand` 0.1.7, which webdataset uses.
    #[test]
    fn lists_and_ranges_are_those_of_webdataset() {
        let names = |pattern: &str| expand(pattern).unwrap().join(" ");
        for (pattern, expected) in [
            (
                "part{00..03}_{a,b}.tar",
                "part00_a.tar part00_b.tar part01_a.tar part01_b.tar \
              part02_a.tar part02_b.tar part03_a.tar part03_b.tar",
            ),
            ("{8..11}", "8 9 10 11"),
            ("{08..11}", "08 09 10 11"),
            ("{3..1}", "3 2 1"),
            ("{0..10..5}.tar", "0.tar 5.tar 10.tar"),
            ("{a..c}", "a b c"),
            ("{a,b{1,2},c}", "a b1 b2 c"),
            ("{{1..2},x}y", "1y 2y xy"),
            ("a{,b}", "a ab"),
            ("{-1..1}", "-1 0 1"),
            ("plain.tar", "plain.tar"),
            ("{}", "{}"),
            ("{one}.tar", "{one}.tar"),
            ("a{b", "a{b"),
            ("{a}{1..2}", "{a}1 {a}2"),
            ("{1..x}", "{1..x}"),
        ] {
            assert_eq!(names(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn a_range_without_end_is_refused() {
        for pattern in ["{0..99999999999}", "{0..9999}{0..9999}", "{a,{0..9223372036854775807}}"] {
            let error = expand(pattern).unwrap_err().to_string();
            assert!(error.contains("stands for more than"), "{error}");
        }
        let widest = "{-9223372036854775808..9223372036854775807..9223372036854775807}";
        assert_eq!(expand(widest).unwrap().len(), 3);
        assert!(expand(&"{a,".repeat(50_000)).is_err());
    }
}
