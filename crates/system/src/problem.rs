//! The one form of an error: what is wrong, where, and what to try.
//!
//! Every error of the toolkit is shown as one line, `WHAT --> PLACE; hint: HINT`. This module is
//! the only place that writes that line. A crate's own error type keeps the variants that callers
//! tell apart, and displays each of them as a [`Problem`].
//!
//! ```
//! use toolkit_system::problem::Problem;
//!
//! let problem = Problem::new("the prompt has no `{}`").at("--prompt").hint("write `Question: {}`");
//! let line = "the prompt has no `{}` --> --prompt; hint: write `Question: {}`";
//! assert_eq!(problem.to_string(), line);
//! ```

use std::fmt::{self, Display, Formatter};
use std::path::Path;

/// An error in three parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// Fault.
    pub what: String,
    /// Place: a file, a line of it, a tensor, an option. Empty if `what` says it.
    pub place: String,
    /// Way out. Empty if there is nothing to try.
    pub hint: String,
}

impl Problem {
    /// Creates a problem with neither place nor hint.
    pub fn new(what: impl Display) -> Self {
        Self { what: one_line(&what.to_string()), ..Self::default() }
    }

    /// Creates the problem of a part of the toolkit that did what it cannot do.
    pub fn defect(what: impl Display) -> Self {
        Self::new(what).hint("this is a defect: please report it with the command and the file")
    }

    /// Creates the problem of a file or folder that the system refuses.
    ///
    /// `action` completes "cannot ..", such as `read`.
    pub fn io(action: &str, path: &Path, error: impl Display) -> Self {
        Self::new(format_args!("cannot {action}: {error}"))
            .at(path.display())
            .hint("check the path and its permissions")
    }

    /// Sets the place.
    #[must_use]
    pub fn at(self, place: impl Display) -> Self {
        Self { place: one_line(&place.to_string()), ..self }
    }

    /// Removes the hint: for lists of problems, where advice would repeat.
    #[must_use]
    pub fn without_hint(self) -> Self {
        Self { hint: String::new(), ..self }
    }

    /// Sets the hint.
    #[must_use]
    pub fn hint(self, hint: impl Display) -> Self {
        Self { hint: one_line(&hint.to_string()), ..self }
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.place.is_empty() {
            write!(f, " --> {}", self.place)?;
        }
        if !self.hint.is_empty() {
            write!(f, "; hint: {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// Returns `true` if a rendered error ends with a hint.
#[must_use]
pub fn has_hint(line: &str) -> bool {
    line.contains("; hint: ")
}

/// Escapes control characters: keys and values of files may hold line breaks, an error may not.
#[must_use]
pub fn one_line(text: &str) -> String {
    let text = text.trim_end();
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let escape = |c: char| if c.is_control() { c.escape_debug().collect() } else { vec![c] };
    text.chars().flat_map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::Problem;

    #[test]
    fn a_problem_is_one_line() {
        assert_eq!(Problem::new("a\nb").to_string(), "a\\nb");
        assert_eq!(Problem::new("a").hint("c").to_string(), "a; hint: c");
        assert_eq!(Problem::new("a").at("x.toml:1:2").to_string(), "a --> x.toml:1:2");
    }
}
