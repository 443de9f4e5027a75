//! The rules of the caption tokeniser for what is more than a word: addresses, file names, markup,
//! telephone numbers and mixed fractions. The official tool prints the blanks inside the last three
//! as no-break spaces.

use crate::ptb::scan::{Seen, holds, is_letter, run, starts_with};

/// Endings by which a name that starts with a digit is a file and not a number.
const FILE_ENDINGS: [&str; 35] = [
    "bat", "bmp", "c", "cgi", "class", "cpp", "dll", "doc", "docx", "exe", "gif", "gz", "h", "htm",
    "html", "jar", "java", "jpeg", "jpg", "mov", "mp3", "pdf", "php", "pl", "png", "ppt", "ps",
    "py", "sql", "tar", "txt", "wav", "x", "xml", "zip",
];

/// Longest name of a host or file that is looked for; systems have no longer ones.
const LONGEST_NAME: usize = 256;

/// Web addresses, e-mail addresses, and @names.
pub(crate) fn address(text: &[char], seen: &Seen) -> usize {
    if holds(text, 0, |c| c == '@') {
        let at_name = run(text, 1, |c| c.is_ascii_alphanumeric() || c == '_');
        return if holds(text, 1, |c| c.is_ascii_alphabetic() || c == '_') {
            1 + at_name
        } else {
            0
        };
    }
    web(text, seen).max(mail(text, seen))
}

fn in_path(c: char) -> bool {
    !c.is_whitespace() && !"\"<>|()".contains(c)
}

/// The end of the longest run of address characters from `from` on, without the marks that end a
/// sentence.
fn path_end(text: &[char], from: usize) -> usize {
    let mut end = from + run(text, from, in_path);
    while end > from && ".!?{},-".contains(text[end - 1]) {
        end -= 1;
    }
    // Two characters at least.
    if end >= from + 2 { end } else { from }
}

/// With a scheme; or a host that ends in one of the old domains, or starts with `www.`, and then
/// perhaps a path.
fn web(text: &[char], seen: &Seen) -> usize {
    if let Some(scheme) = ["http://", "https://"].iter().find(|scheme| starts_with(text, scheme)) {
        let end = path_end(text, scheme.len());
        return if end > scheme.len() { end } else { 0 };
    }
    let www = starts_with(text, "www.");
    // Nearly everything but the marks of sentences is part of a host to the jar.
    let in_label = |c: char| match c {
        '0'..='9' | '-' => www,
        c if c.is_ascii() => c.is_ascii_alphabetic() || "#%&*+~".contains(c),
        c => !c.is_whitespace(),
    };
    let (mut host, mut labels, mut end) = (0, 0, 0);
    if !www && seen.hosts.run(text, 0, in_label) >= LONGEST_NAME {
        return 0;
    }
    let whole = text;
    let text = &text[..text.len().min(LONGEST_NAME)];
    loop {
        let label = run(text, host, in_label);
        if host + label == LONGEST_NAME {
            break;
        }
        let word = &text[host..host + label];
        let known =
            matches!(word, ['c', 'o', 'm'] | ['n', 'e', 't'] | ['o', 'r', 'g'] | ['e', 'd', 'u']);
        let short = (2..=4).contains(&label) && word.iter().all(char::is_ascii_alphabetic);
        if (labels > 0 && known) || (www && labels > 1 && short) {
            end = host + label;
        }
        if label == 0 || !holds(text, host + label, |c| c == '.') {
            break;
        }
        host += label + 1;
        labels += 1;
    }
    if end > 0 && holds(whole, end, |c| c == '/') {
        let path = path_end(whole, end + 1);
        return if path > end + 1 { path } else { end };
    }
    end
}

/// `name@host`, with nearly any sign inside; also in angle brackets.
fn mail(text: &[char], seen: &Seen) -> usize {
    let bracket = usize::from(holds(text, 0, |c| c == '<'));
    let part = |c: char| in_path(c) && c != '\u{a0}' && c != '.';
    if !holds(text, bracket, |c| c.is_ascii_alphanumeric()) {
        return 0;
    }
    let at = bracket + seen.names.run(text, bracket, |c| in_path(c) && c != '@');
    if !holds(text, at, |c| c == '@') || !holds(text, at + 1, part) {
        return 0;
    }
    let mut end = at + 1 + run(text, at + 1, part);
    while holds(text, end, |c| c == '.') && holds(text, end + 1, part) {
        end += 1 + run(text, end + 1, part);
    }
    match (bracket, holds(text, end, |c| c == '>')) {
        (0, _) => end,
        (_, true) => end + 1,
        (_, false) => 0,
    }
}

/// `#tag`.
pub(crate) fn tag(text: &[char]) -> usize {
    if holds(text, 0, |c| c == '#') && holds(text, 1, is_letter) {
        1 + run(text, 1, is_letter)
    } else {
        0
    }
}

/// `1.jpg`, `12a.5.jpg`.
pub(crate) fn file_name(text: &[char], seen: &Seen) -> usize {
    let mut end = seen.stems.run(text, 0, char::is_alphanumeric);
    if end >= LONGEST_NAME {
        return 0;
    }
    let (text, cut) = (&text[..text.len().min(LONGEST_NAME)], text.len() > LONGEST_NAME);
    let mut longest = 0;
    while end > 0 && holds(text, end, |c| c == '.') {
        let part = run(text, end + 1, |c| c.is_alphanumeric());
        if part == 0 {
            break;
        }
        let ending = &text[end + 1..end + 1 + part];
        end += 1 + part;
        let ends = text.get(end).map_or(!cut, |&c| c.is_whitespace() || ".,?!".contains(c));
        if ends && is_file_ending(ending) {
            longest = end;
        }
    }
    longest
}

fn is_file_ending(text: &[char]) -> bool {
    let same = |known: &str| {
        known.len() == text.len() && text.iter().map(char::to_ascii_lowercase).eq(known.chars())
    };
    text.len() <= 5 && FILE_ENDINGS.iter().any(|known| same(known))
}

fn digits(text: &[char], from: usize) -> usize {
    run(text, from, |c| c.is_ascii_digit())
}

/// `2 1/2`.
pub(crate) fn mixed_fraction(text: &[char]) -> usize {
    let whole = digits(text, 0);
    if !(1..=4).contains(&whole) || !holds(text, whole, |c| c == ' ' || c == '-') {
        return 0;
    }
    let above = digits(text, whole + 1);
    let slash = whole + 1 + above;
    if !(1..=4).contains(&above) || !holds(text, slash, |c| c == '/' || c == '⁄') {
        return 0;
    }
    match digits(text, slash + 1) {
        0 => 0,
        below => slash + 1 + below.min(4),
    }
}

/// Three or four groups of digits with blanks or hyphens: `555 123 4567`, `(555) 123-4567`, `+44 20
/// 7946 0958`.
pub(crate) fn telephone(text: &[char]) -> usize {
    let gap = |at: usize| usize::from(holds(text, at, |c| c == ' ' || c == '-' || c == '\u{a0}'));
    // The last two groups; the blank between them may be missing.
    let local = |from: usize| {
        let mut longest = 0;
        for first in 3..=4.min(digits(text, from)) {
            for blank in 0..=gap(from + first) {
                let last = digits(text, from + first + blank).min(5);
                if last >= 3 {
                    longest = longest.max(from + first + blank + last);
                }
            }
        }
        longest
    };
    if holds(text, 0, |c| c == '(') {
        let area = digits(text, 1);
        let closed = (2..=4).contains(&area) && holds(text, 1 + area, |c| c == ')');
        return if closed { local(2 + area + gap(2 + area)) } else { 0 };
    }
    let plus = usize::from(holds(text, 0, |c| c == '+'));
    let group = |from: usize| {
        let length = digits(text, from);
        ((2..=4).contains(&length) && gap(from + length) == 1).then_some(from + length + 1)
    };
    let Some(second) = group(plus) else { return 0 };
    local(second).max(group(second).map_or(0, local))
}

/// `<b>`, `</b>`, `<a href="x">`, `<!-- x -->`: a name, words and quoted values, and nothing else.
pub(crate) fn markup(text: &[char], seen: &Seen) -> usize {
    let blanks = |from: usize| run(text, from, |c| c == ' ');
    let name = |from: usize| {
        if !holds(text, from, |c| c.is_ascii_alphabetic()) {
            return 0;
        }
        run(text, from, |c| c.is_ascii_alphanumeric() || "_:.-".contains(c))
    };
    if !holds(text, 0, |c| c == '<') {
        return 0;
    }
    if holds(text, 1, |c| c == '!' || c == '?') {
        let inside = seen.comments.run(text, 2, |c| c != '>' && c != '\n' && c != '\r');
        let spaced = holds(text, 2, |c| c == ' ');
        return if inside > 0 && !spaced && holds(text, 2 + inside, |c| c == '>') {
            3 + inside
        } else {
            0
        };
    }
    let closing = usize::from(holds(text, 1, |c| c == '/'));
    let mut end = 1 + closing + name(1 + closing);
    if end == 1 + closing {
        return 0;
    }
    while closing == 0 && blanks(end) > 0 && name(end + blanks(end)) > 0 {
        end += blanks(end);
        end += name(end);
        let mut value = end + blanks(end);
        if holds(text, value, |c| c == '=') {
            value += 1 + blanks(value + 1);
            let quote = text.get(value).copied().filter(|c| "\"'".contains(*c));
            let Some(quote) = quote else { return 0 };
            let inside = run(text, value + 1, |c| c != quote && c != '\n' && c != '\r');
            if !holds(text, value + 1 + inside, |c| c == quote) {
                return 0;
            }
            end = value + 2 + inside;
        }
    }
    end += blanks(end);
    if closing == 0 && holds(text, end, |c| c == '/') {
        end += 1;
        end += blanks(end);
    }
    if holds(text, end, |c| c == '>') { end + 1 } else { 0 }
}
