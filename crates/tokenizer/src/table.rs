//! Rows of an embedding table.

/// The embedding table that token ids are looked up in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenTable {
    /// Count of rows. Ids from 0 to `rows - 1` have an embedding.
    pub rows: usize,
    /// Name of the part with the table, for messages.
    pub of: String,
}

impl TokenTable {
    /// Creates the table of a language model.
    #[must_use]
    pub fn of_language(rows: usize) -> Self {
        Self { rows, of: "the language model".to_owned() }
    }

    /// Creates the table of a bridge's text side.
    #[must_use]
    pub fn of_text_side(rows: usize) -> Self {
        Self { rows, of: "the bridge's text side".to_owned() }
    }
}
