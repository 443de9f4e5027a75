//! Published scores of a task card, compared with measured ones.

use crate::EvalError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toolkit_registry::Card;

/// A published score; one `[[published]]` of a task card.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Model card, or the paper's name of the model if there is none.
    pub model: String,
    /// Key of the score, as in `scores.json`.
    pub score: String,
    /// Published value, in the unit of the score.
    pub value: f64,
    /// Largest difference of a faithful repetition: rounding, and known differences of the method.
    pub tolerance: f64,
    /// Preset that it was reached with; `paper` is the card's own settings.
    #[serde(default = "paper")]
    pub preset: String,
    /// Table or file.
    pub source: String,
}

/// A measured score and its published value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Published score.
    pub published: Published,
    /// Measured value.
    pub measured: f64,
    /// `measured - published`.
    pub difference: f64,
    /// `true` if the difference is within the tolerance.
    pub holds: bool,
}

fn paper() -> String {
    PAPER.to_owned()
}

/// Preset of a card's own settings.
pub const PAPER: &str = "paper";

/// Returns the published scores of a task card.
///
/// # Errors
/// If one is not of the form.
pub fn published(card: &Card) -> Result<Vec<Published>, EvalError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct All {
        published: Vec<Published>,
    }
    Ok(card.text().parse::<All>()?.published)
}

/// Compares the published scores of `model` under `preset` with measured ones.
#[must_use]
pub fn compare(
    all: &[Published],
    model: &str,
    preset: &str,
    scores: &BTreeMap<String, f64>,
) -> Vec<Compared> {
    let own = all.iter().filter(|p| p.model == model && p.preset == preset);
    let one = |published: &Published| {
        let measured = *scores.get(&published.score)?;
        let difference = measured - published.value;
        let holds = difference.abs() <= published.tolerance;
        Some(Compared { published: published.clone(), measured, difference, holds })
    };
    own.filter_map(one).collect()
}
