//! Why a picture is not read.

/// A reason not to read a picture, with a hint where the usual one does not help.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    /// Fault that was found.
    pub reason: String,
    /// Advice: what to do about it.
    pub hint: String,
}

impl Refusal {
    /// Advice that helps against most damage.
    const HINT: &str = "replace or remove the file";

    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: Self::HINT.to_owned() }
    }

    /// Sets another hint.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self::new(reason)
    }
}

impl From<&str> for Refusal {
    fn from(reason: &str) -> Self {
        Self::new(reason)
    }
}
