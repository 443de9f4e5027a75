//! Tensors of a file that make up one parameter.

/// Rows of a tensor in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// All of a tensor.
    Whole(String),
    /// The i-th third of the rows of a tensor: query, key or value.
    Third(String, usize),
    /// Zeros, as many as a third of the parameter has rows.
    Zeros,
}

/// A parameter as rows of pieces under each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe(pub Vec<Piece>);

impl Recipe {
    /// Creates the recipe of a parameter that is one tensor of the file.
    pub fn whole(name: impl Into<String>) -> Self {
        Self(vec![Piece::Whole(name.into())])
    }

    /// Returns the same recipe with `level` before every name.
    #[must_use]
    pub fn under(&self, level: &str) -> Self {
        let piece = |piece: &Piece| match piece {
            Piece::Whole(name) => Piece::Whole(format!("{level}{name}")),
            Piece::Third(name, third) => Piece::Third(format!("{level}{name}"), *third),
            Piece::Zeros => Piece::Zeros,
        };
        Self(self.0.iter().map(piece).collect())
    }

    /// Returns the names of the tensors that it reads.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Whole(name) | Piece::Third(name, _) => Some(name.as_str()),
            Piece::Zeros => None,
        })
    }
}
