//! The error of a configuration that cannot be built.

use toolkit_system::problem::Problem;

/// A configuration that contradicts itself or another part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// Fields that are wrong, and what is wrong with them, in one line.
    pub what: String,
    /// Advice on what to try.
    pub hint: String,
}

impl ShapeError {
    /// Creates an error with a hint.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }

    /// Checks that `whole` is a multiple of `part`; both are given with their names in the card.
    ///
    /// # Errors
    /// If it is not, or if one of them is 0.
    pub fn unless_divides(part: (&str, usize), whole: (&str, usize)) -> Result<(), Self> {
        if part.1 > 0 && whole.1 > 0 && whole.1.is_multiple_of(part.1) {
            return Ok(());
        }
        let what =
            format!("`{}` = {} is not a multiple of `{}` = {}", whole.0, whole.1, part.0, part.1);
        Err(Self::new(what, format!("choose `{}` as a positive divisor of `{}`", part.0, whole.0)))
    }
}

impl From<ShapeError> for Problem {
    fn from(error: ShapeError) -> Self {
        Self::new(error.what).hint(error.hint)
    }
}

impl std::fmt::Display for ShapeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Problem::from(self.clone()).fmt(f)
    }
}

impl std::error::Error for ShapeError {}
