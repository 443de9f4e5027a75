//! Task cards in typed form.

use crate::{Decoding, EvalError, RetrievalConfig};
use serde::Deserialize;
use toolkit_registry::{Card, CardError, Kind};

/// Answering questions by generation.
#[derive(Clone, Debug, PartialEq)]
pub struct VqaTask {
    /// The card's name.
    pub name: String,
    /// Changes when scores stop being comparable.
    pub version: u32,
    /// The split that is evaluated.
    pub split: String,
    /// With `{}` for the question.
    pub prompt: String,
    /// How answers are searched for.
    pub decoding: Decoding,
    /// At most so many questions; see [`crate::question_pairs`].
    pub limit: Option<usize>,
}

/// Captioning by generation.
#[derive(Clone, Debug, PartialEq)]
pub struct CaptionTask {
    /// The card's name.
    pub name: String,
    /// Changes when scores stop being comparable.
    pub version: u32,
    /// The split that is evaluated.
    pub split: String,
    /// What the caption continues; not part of it. May be empty.
    pub prompt: String,
    /// How captions are searched for.
    pub decoding: Decoding,
    /// At most so many images; see [`crate::captioned_items`].
    pub limit: Option<usize>,
}

/// Image-text retrieval with the bridge alone.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrievalTask {
    /// The card's name.
    pub name: String,
    /// Changes when scores stop being comparable.
    pub version: u32,
    /// The split that is evaluated.
    pub split: String,
    /// At most so many images. Scores fall with the number of candidates, so this is part of the task.
    pub limit: Option<usize>,
    /// Re-ranking and sizes.
    pub config: RetrievalConfig,
}

/// Any task.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// `kind = "vqa"`.
    Vqa(VqaTask),
    /// `kind = "caption"`.
    Caption(CaptionTask),
    /// `kind = "retrieval"`.
    Retrieval(RetrievalTask),
}

/// `[config]` of tasks that generate.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GenerateConfig {
    #[serde(default = "test")]
    split: String,
    limit: Option<usize>,
}

/// `[config]` of retrieval.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RetrieveConfig {
    split: String,
    limit: Option<usize>,
    top_k: usize,
    batch: usize,
    max_tokens: usize,
}

impl Default for RetrieveConfig {
    fn default() -> Self {
        let RetrievalConfig { top_k, batch, max_tokens, .. } = RetrievalConfig::default();
        Self { split: test(), limit: None, top_k, batch, max_tokens }
    }
}

fn test() -> String {
    "test".to_owned()
}

impl Task {
    /// The task of a card. A prompt comes from the task card if it has one, else from the first of `speakers` that does:
    /// the model card, then the language card.
    ///
    /// # Errors
    /// If the card is of no known kind or a value does not fit.
    pub fn from_card(card: &Card, speakers: &[&Card]) -> Result<Self, EvalError> {
        match card.family.as_str() {
            "vqa" => Ok(Self::Vqa(VqaTask::from_card(card, speakers)?)),
            "caption" => Ok(Self::Caption(CaptionTask::from_card(card, speakers)?)),
            "retrieval" => Ok(Self::Retrieval(RetrievalTask::from_card(card)?)),
            _ => Err(wrong_kind(card, "`vqa`, `caption` or `retrieval`")),
        }
    }

    /// The split that is evaluated.
    #[must_use]
    pub fn split(&self) -> &str {
        match self {
            Self::Vqa(VqaTask { split, .. })
            | Self::Caption(CaptionTask { split, .. })
            | Self::Retrieval(RetrievalTask { split, .. }) => split,
        }
    }
}

impl VqaTask {
    /// The task of a card; see [`Task::from_card`].
    ///
    /// # Errors
    /// If a value does not fit or nobody has a prompt with `{}`.
    pub fn from_card(card: &Card, speakers: &[&Card]) -> Result<Self, EvalError> {
        let config: GenerateConfig = of_kind(card, "vqa")?.config()?;
        let (prompt, from) = prompt(card, speakers, "vqa").unwrap_or_default();
        if !prompt.contains("{}") {
            let what = format!("the prompt `{prompt}` of task `{}` has no `{{}}` for the question", card.name);
            let hint = "write `[prompt] vqa = \"question: {} answer:\"` in the task or the language card";
            return Err(from.unwrap_or(card).text().error_at("prompt.vqa", what, hint).into());
        }
        Ok(Self {
            name: card.name.clone(),
            version: card.version,
            split: config.split,
            prompt: prompt.to_owned(),
            decoding: decoding(card)?,
            limit: config.limit,
        })
    }
}

impl CaptionTask {
    /// The task of a card; see [`Task::from_card`]. Without any prompt, captions start from nothing.
    ///
    /// # Errors
    /// If a value does not fit.
    pub fn from_card(card: &Card, speakers: &[&Card]) -> Result<Self, EvalError> {
        let config: GenerateConfig = of_kind(card, "caption")?.config()?;
        Ok(Self {
            name: card.name.clone(),
            version: card.version,
            split: config.split,
            prompt: prompt(card, speakers, "caption").unwrap_or_default().0.to_owned(),
            decoding: decoding(card)?,
            limit: config.limit,
        })
    }
}

impl RetrievalTask {
    /// The task of a card.
    ///
    /// # Errors
    /// If a value does not fit.
    pub fn from_card(card: &Card) -> Result<Self, EvalError> {
        let RetrieveConfig { split, limit, top_k, batch, max_tokens } = of_kind(card, "retrieval")?.config()?;
        let config = RetrievalConfig { top_k, batch, max_tokens, ..RetrievalConfig::default() };
        Ok(Self { name: card.name.clone(), version: card.version, split, limit, config })
    }
}

fn prompt<'a>(card: &'a Card, speakers: &[&'a Card], key: &str) -> Option<(&'a str, Option<&'a Card>)> {
    let of = |card: &'a Card| card.prompt.get(key).map(|text| (text.as_str(), Some(card)));
    of(card).or_else(|| speakers.iter().find_map(|speaker| of(speaker)))
}

fn decoding(card: &Card) -> Result<Decoding, EvalError> {
    let decoding: Decoding = card.section("decoding")?;
    match decoding.check() {
        Err(EvalError::Other { what, hint, .. }) => Err(card.text().error_at("decoding", what, hint).into()),
        checked => checked.map(|()| decoding),
    }
}

fn of_kind<'a>(card: &'a Card, kind: &str) -> Result<&'a Card, EvalError> {
    if card.kind == Kind::Task && card.family == kind { Ok(card) } else { Err(wrong_kind(card, &format!("`{kind}`"))) }
}

fn wrong_kind(card: &Card, wanted: &str) -> EvalError {
    let what = format!("{} `{}` has kind `{}`, wanted {wanted}", card.kind.noun(), card.name, card.family);
    let error: CardError = card.text().error_at("kind", what, "choose another card of `tasks/`, or correct its `kind`");
    error.into()
}
