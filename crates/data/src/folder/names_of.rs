//! Names of columns and keys that a card gives.

/// Names of columns or keys that are no usual ones.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names<'a> {
    /// Path of the picture.
    pub picture: Option<&'a str>,
    /// Caption.
    pub caption: Option<&'a str>,
}
