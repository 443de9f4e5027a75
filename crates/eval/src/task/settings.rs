//! Prompt, search and presets of a task card.

use super::published::PAPER;
use crate::EvalError;
use serde::Deserialize;
use std::collections::BTreeMap;
use toolkit_registry::Card;
use toolkit_registry::spanned::suggest;
use toolkit_system::problem::Problem;
use toolkit_vlm::Decoding;

/// Settings of a task that are not in its card.
#[derive(Clone, Copy, Default)]
pub struct TaskSettings<'a> {
    /// Cards whose `[prompt]` counts where the task has none, the first that has one: the model
    /// card, then the language card.
    pub prompts: &'a [&'a Card],
    /// Preset of the card; `None` and `paper` are its own settings.
    pub preset: Option<&'a str>,
    /// Prompt in place of all cards'.
    pub prompt: Option<&'a str>,
}

impl<'a> TaskSettings<'a> {
    /// Creates settings that take missing prompts from `cards`.
    #[must_use]
    pub fn with_prompts(cards: &'a [&'a Card]) -> Self {
        Self { prompts: cards, ..Self::default() }
    }
}

/// `[config]` of tasks that generate text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerationConfig {
    /// Split that is measured.
    #[serde(default = "test_split")]
    pub split: String,
    /// At most so many samples.
    pub limit: Option<usize>,
    /// Card of the data, for `toolkit eval`.
    pub data: Option<String>,
}

/// Returns the split of cards that name none.
pub(super) fn test_split() -> String {
    "test".to_owned()
}

/// Prompt and search of a task that generates text.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// Prompt.
    pub prompt: String,
    /// Search.
    pub decoding: Decoding,
}

/// A prompt and the card that it is from; none if it was given by an option.
type FoundPrompt<'a> = (&'a str, Option<&'a Card>);

impl Generation {
    /// Reads prompt and search. `key` names the prompt in `[prompt]` of cards.
    ///
    /// The prompt is the one asked for, else the preset's, the task card's, or that of the first
    /// model card that has one, else empty. `check` is told the prompt of each source that counts.
    ///
    /// # Errors
    /// If there is no such preset, a value does not fit, or `check` finds a fault.
    pub fn of(
        card: &Card,
        settings: &TaskSettings<'_>,
        key: &str,
        check: impl Fn(&str) -> Result<(), Problem>,
    ) -> Result<Self, EvalError> {
        let (preset_prompt, decoding) = preset(card, settings.preset, decoding(card)?)?;
        if let Some(asked) = settings.prompt {
            check(asked).map_err(|fault| fault.at(format_args!("--prompt {asked:?}")))?;
            return Ok(Self { prompt: asked.to_owned(), decoding });
        }
        if let Some(prompt) = preset_prompt {
            return Ok(Self { prompt, decoding });
        }
        let (prompt, from) = card_prompt(card, settings.prompts, key).unwrap_or_default();
        check(prompt).map_err(|fault| {
            let place = format!("prompt.{key}");
            from.unwrap_or(card).text().error_at(&place, fault.what, fault.hint)
        })?;
        Ok(Self { prompt: prompt.to_owned(), decoding })
    }
}

fn card_prompt<'a>(card: &'a Card, others: &[&'a Card], key: &str) -> Option<FoundPrompt<'a>> {
    let of = |card: &'a Card| card.prompt.get(key).map(|text| (text.as_str(), Some(card)));
    of(card).or_else(|| others.iter().find_map(|other| of(other)))
}

/// Reads `[decoding]` of a card.
fn decoding(card: &Card) -> Result<Decoding, EvalError> {
    let decoding: Decoding = card.section("decoding")?;
    match decoding.check() {
        Err(Problem { what, hint, .. }) => Err(card.text().error_at("decoding", what, hint).into()),
        Ok(()) => Ok(decoding),
    }
}

/// Settings that others use for the same task; `[presets.NAME]` of a task card.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Preset {
    /// Prompt in place of the card's or the language model's.
    prompt: Option<String>,
    /// Differences from `[decoding]`.
    #[serde(default)]
    decoding: toml::Table,
    /// Reason for the preset.
    #[serde(default, rename = "about")]
    _about: String,
}

/// Returns prompt and search as a preset changes them; a prompt of `None` is the card's own.
fn preset(
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
        let what = error.trim().replace('\n', " ");
        EvalError::from(card.text().error_at(&at, what, "see `[decoding]` of other cards"))
    };
    let mut table = toml::Table::try_from(decoding).map_err(|error| wrong(error.to_string()))?;
    table.extend(preset.decoding.clone());
    let changed: Decoding =
        table.try_into().map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
    Ok((preset.prompt.clone(), changed))
}

/// Checks that a card has a preset, for kinds of task without prompt and search.
///
/// # Errors
/// If it has not.
pub fn check_preset(card: &Card, name: Option<&str>) -> Result<(), EvalError> {
    preset(card, name, Decoding::default()).map(|_| ())
}
