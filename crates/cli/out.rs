//! The two streams: data on standard output, everything else on standard error.

use serde::Serialize;
use std::borrow::Cow;
use std::io::{ErrorKind, Write};
use std::path::Path;
use toolkit_system::problem::Problem;

/// Escapes control characters, line breaks and tabs included, so that foreign text is safe as part
/// of a line.
///
/// Captions, names of files and what a model wrote may hold sequences that move a terminal's
/// cursor, change its title or hide text by writing direction.
#[must_use]
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c.is_control() || is_hidden(c))
}

/// Returns `true` if a character changes how its neighbours are drawn.
/// Such are the marks of writing direction (Unicode's `Bidi_Control`).
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

fn escaped(text: &str, bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&bad) {
        return Cow::Borrowed(text);
    }
    let one = |c: char| if bad(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(one).collect())
}

/// Makes whole output safe for a terminal: its own line breaks and tabs stay.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |c| (c.is_control() && c != '\n' && c != '\t') || is_hidden(c))
}

/// Refuses to write over a file that is read, or over one in a folder that is read, such as a model
/// or a data set.
///
/// # Errors
/// If the file is there and is one of `inputs` or inside one.
pub fn keep_inputs(out: &Path, inputs: &[&Path]) -> anyhow::Result<()> {
    let Ok(there) = out.canonicalize() else { return Ok(()) };
    let inside = |input: &&&Path| input.canonicalize().is_ok_and(|input| there.starts_with(input));
    match inputs.iter().find(inside) {
        None => Ok(()),
        Some(input) => Err(Problem::new(format_args!(
            "the result would replace what is read: {}",
            input.display()
        ))
        .at(format_args!("--out {}", out.display()))
        .hint("give another file")
        .into()),
    }
}

/// Names a path in JSON, which is Unicode; bytes that are none are replaced.
#[must_use]
pub fn path(path: &Path) -> Cow<'_, str> {
    path.to_string_lossy()
}

/// Writes `text` to standard output, control characters but line breaks and tabs escaped. A reader
/// that closes the pipe (`toolkit list | head -1`) is no error.
///
/// # Errors
/// If it cannot be written, such as on a full disk.
pub fn out(text: &str) -> anyhow::Result<()> {
    exact(&printable(text))
}

/// Writes `text` to standard output as it is: JSON escapes by its own rules.
fn exact(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Problem::new("cannot write the result")
                .at(format_args!("standard output: {error}"))
                .hint("check that the disk it goes to has room")
                .into())
        }
        _ => Ok(()),
    }
}

/// Writes `value` to standard output as JSON.
///
/// # Errors
/// The errors of [`out`].
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    exact(&(serde_json::to_string_pretty(value)? + "\n"))
}

/// Writes `value` to standard output as one line of JSON Lines.
///
/// # Errors
/// The errors of [`out`].
pub fn json_line(value: &impl Serialize) -> anyhow::Result<()> {
    exact(&(serde_json::to_string(value)? + "\n"))
}

/// Writes a line to standard error. Failure is ignored: there is no other place for the line.
pub fn log(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", printable(line));
}

#[cfg(test)]
mod tests {
    use super::{printable, shown};

    #[test]
    fn no_text_reaches_the_terminal_as_a_command() {
        assert_eq!(shown("a dog"), "a dog");
        assert_eq!(shown("\u{1b}]0;pwn\u{7}"), "\\u{1b}]0;pwn\\u{7}");
        assert_eq!(
            shown("two\nlines\tand \u{9b}31m \u{202e}txt"),
            "two\\nlines\\tand \\u{9b}31m \\u{202e}txt"
        );
        assert_eq!(printable("a\tb\nc\r\u{7f}"), "a\tb\nc\\r\\u{7f}");
        assert_eq!(shown("日本 ünï 👩\u{200d}👧"), "日本 ünï 👩\u{200d}👧", "joined emoji stay");
    }
}
