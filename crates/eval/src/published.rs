//! What a task card says of other people's results, and of other people's settings.

use crate::EvalError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toolkit_registry::Card;
use toolkit_registry::spanned::suggest;
use toolkit_vlm::Decoding;

/// A published score; one `[[published]]` of a task card.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// The model card, or what the paper calls the model if there is none.
    pub model: String,
    /// Key of the score, as in `scores.json`.
    pub score: String,
    /// The value that was published, in the unit of the score.
    pub value: f64,
    /// How far a faithful repetition may be from it: rounding, and what is known to differ.
    pub tolerance: f64,
    /// The preset that it was reached with; `paper` is the card's own settings.
    #[serde(default = "paper")]
    pub preset: String,
    /// Table or file.
    pub source: String,
}

/// A score beside its published one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// What was published.
    pub published: Published,
    /// What was measured.
    pub measured: f64,
    /// `measured - published`.
    pub difference: f64,
    /// Whether that is within the tolerance.
    pub holds: bool,
}

fn paper() -> String {
    PAPER.to_owned()
}

/// The preset of a card's own settings.
pub const PAPER: &str = "paper";

/// Settings that others use for the same task; `[presets.NAME]` of a task card.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Preset {
    /// In place of the card's or the language model's prompt.
    prompt: Option<String>,
    /// What differs from `[decoding]`.
    #[serde(default)]
    decoding: toml::Table,
    /// Why it is there.
    #[serde(default, rename = "about")]
    _about: String,
}

/// Prompt and search as a preset changes them: `None` is the card's own prompt.
///
/// # Errors
/// If the card has no such preset or a value of it does not fit.
pub(crate) fn preset(
    card: &Card,
    name: Option<&str>,
    decoding: Decoding,
) -> Result<(Option<String>, Decoding), EvalError> {
    let all: BTreeMap<String, Preset> = card.section("presets")?;
    let Some(name) = name.filter(|name| *name != PAPER) else { return Ok((None, decoding)) };
    let Some(preset) = all.get(name) else {
        let known: Vec<&str> = [PAPER].into_iter().chain(all.keys().map(String::as_str)).collect();
        let what = format!("task `{}` has no preset `{name}`", card.name);
        return Err(card.text().error_at("presets", what, suggest(name, &known)).into());
    };
    let wrong = |error: String| {
        let at = format!("presets.{name}.decoding");
        EvalError::from(card.text().error_at(
            &at,
            error.trim().replace('\n', " "),
            "see `[decoding]` of other cards",
        ))
    };
    let mut table = toml::Table::try_from(decoding).map_err(|error| wrong(error.to_string()))?;
    table.extend(preset.decoding.clone());
    let changed: Decoding =
        table.try_into().map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
    Ok((preset.prompt.clone(), changed))
}

/// The published scores of a task card.
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

/// The published scores of `model` with `preset` beside what was measured.
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
