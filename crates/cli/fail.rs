//! One line for whatever went wrong.

use crate::numbers::plain;
use crate::out::{log, out};
use clap::error::ErrorKind;
use std::process::ExitCode;

/// Exit code of every failure.
const FAILED: u8 = 2;

/// Exit code where two things were compared and are not the same, as of `diff` and `cmp`.
const DIFFERENT: u8 = 1;

/// Two things were compared and are not the same. The output says where.
#[derive(Debug)]
pub struct Different(
    /// A line for the log, if the output does not say it all.
    pub Option<String>,
);

impl std::fmt::Display for Different {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or("they differ; hint: the output says where"))
    }
}

impl std::error::Error for Different {}

/// Says what went wrong.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(different) = error.downcast_ref::<Different>() {
        if different.0.is_some() {
            log(&format!("error: {}", line(&different.to_string())));
        }
        return ExitCode::from(DIFFERENT);
    }
    log(&format!("error: {}", line(&error.to_string())));
    ExitCode::from(FAILED)
}

/// One line that ends with its hint in the one form `; hint: ..`.
fn line(message: &str) -> String {
    let one: String =
        message.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match one.strip_suffix(')').and_then(|inner| inner.rsplit_once(" (hint: ")) {
        Some((what, hint)) => format!("{what}; hint: {hint}"),
        None if one.contains("hint: ") => one,
        None => format!(
            "{one}; hint: `toolkit --help` shows how to call it, `toolkit doctor` checks this \
            machine"
        ),
    }
}

/// What clap says: help and version as they are, errors in one line.
pub fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            match out(&error.render().to_string()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => report(&error),
            }
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            log(&error.render().to_string());
            ExitCode::from(FAILED)
        }
        _ => {
            log(&usage_line(&plain(&error.render().to_string())));
            ExitCode::from(FAILED)
        }
    }
}

/// Paragraphs are what is wrong (sometimes over several lines), tips, and the usage.
fn usage_line(text: &str) -> String {
    let (mut what, mut tips, mut usage) = (Vec::new(), Vec::new(), None);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(tip) = line.strip_prefix("tip: ") {
            tips.push(tip.to_owned());
        } else if let Some(line) = line.strip_prefix("Usage: ") {
            usage = Some(line.to_owned());
        } else if !line.starts_with("For more information") && usage.is_none() {
            what.push(line.to_owned());
        }
    }
    if tips.is_empty() {
        tips.push(
            usage.map_or_else(|| "see `--help`".to_owned(), |usage| format!("usage is `{usage}`")),
        );
    }
    format!("{}; hint: {}", what.join(" "), tips.join("; "))
}

#[cfg(test)]
mod tests {
    use super::{line, usage_line};

    #[test]
    fn every_error_is_one_line_with_one_hint() {
        assert_eq!(line("x is wrong (hint: mend it)"), "x is wrong; hint: mend it");
        assert_eq!(line("a: b\nc; hint: d"), "a: b c; hint: d");
        assert!(line("odd").starts_with("odd; hint: "));
        let text = "error: unexpected argument '--ot' found\n\n  tip: a similar argument exists: \
            '--out'\n\nUsage: toolkit run\n";
        assert_eq!(
            usage_line(text),
            "error: unexpected argument '--ot' found; hint: a similar argument exists: '--out'"
        );
        let text = "error: the following required arguments were not provided:\n  <FILE>\n\nUsage: \
            toolkit run <FILE>\n\nFor more information, try '--help'.";
        let wanted = "error: the following required arguments were not provided: <FILE>; hint: \
            usage is `toolkit run <FILE>`";
        assert_eq!(usage_line(text), wanted);
    }
}
