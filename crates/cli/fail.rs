//! Errors as one line of the log, and exit codes.

use crate::numbers::plain;
use crate::out::{log, out};
use clap::error::ErrorKind;
use std::fmt::Display;
use std::process::ExitCode;
use toolkit_system::problem::{Problem, has_hint};

/// Exit code of every failure.
const FAILED: u8 = 2;

/// Exit code of comparisons that find a difference, the same as that of `diff` and `cmp`.
const DIFFERENT: u8 = 1;

/// Result of a comparison that found a difference. The output shows where.
#[derive(Debug)]
pub struct Different(
    /// Problem for the log, if the output does not show it all.
    pub Option<Problem>,
);

impl Display for Different {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(problem) => problem.fmt(f),
            None => Problem::new("they differ").hint("the output shows where").fmt(f),
        }
    }
}

impl std::error::Error for Different {}

/// Writes an error to the log, and returns its exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(different) = error.downcast_ref::<Different>() {
        if different.0.is_some() {
            log(&format!("error: {}", line(different)));
        }
        return ExitCode::from(DIFFERENT);
    }
    log(&format!("error: {}", line(error)));
    ExitCode::from(FAILED)
}

/// Renders an error on one line that ends with a hint.
fn line(error: impl Display) -> String {
    let text = error.to_string();
    let one: String =
        text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if has_hint(&one) {
        return one;
    }
    Problem::new(one)
        .hint("`toolkit --help` shows how to call it, `toolkit doctor` checks this machine")
        .to_string()
}

/// Writes the answer of clap: help and version as they are, errors on one line.
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

/// Joins an error of clap into one line. Its paragraphs are the problem (sometimes over several
/// lines), tips, and the usage.
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
    Problem::new(what.join(" ")).hint(tips.join("; ")).to_string()
}

#[cfg(test)]
mod tests {
    use super::{line, usage_line};

    #[test]
    fn every_error_is_one_line_with_one_hint() {
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
