//! Task cards in typed form.

use crate::{
    EvalError, RetrievalConfig, captioned_items, published, question_pairs, unique_captions,
};
use serde::Deserialize;
use toolkit_data::Dataset;
use toolkit_registry::{Card, Kind};
use toolkit_system::problem::Problem;
use toolkit_vlm::Decoding;

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
    /// At most so many images. Scores fall with the number of candidates, so this is part of the
    /// task.
    pub limit: Option<usize>,
    /// What is searched.
    pub pool: Pool,
    /// Re-ranking and sizes.
    pub config: RetrievalConfig,
}

/// The pictures and texts of a retrieval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// One picture and one caption of each thing, so that there is one right answer: for data whose
    /// captions repeat.
    #[default]
    Unique,
    /// All pictures and all their captions, as COCO and Flickr30k are measured.
    All,
}

impl Pool {
    /// Items with their texts.
    #[must_use]
    pub fn of(self, dataset: &dyn Dataset, limit: Option<usize>) -> Vec<(usize, Vec<String>)> {
        let items = captioned_items(dataset, limit);
        match self {
            Self::Unique => unique_captions(dataset, &items)
                .into_iter()
                .map(|(item, text)| (item, vec![text]))
                .collect(),
            Self::All => {
                items.into_iter().map(|item| (item, dataset.item(item).captions.clone())).collect()
            }
        }
    }
}

impl Pool {
    /// Says how many pictures with captions are left out and why, if any are.
    #[must_use]
    pub fn note(self, dataset: &dyn Dataset, limit: Option<usize>) -> Option<String> {
        let items = captioned_items(dataset, limit);
        let kept = self.of(dataset, limit).len();
        (kept < items.len()).then(|| {
            format!(
                "Retrieval on `{}` leaves out {} of {} pictures, which show what another one shows or have no caption of \
                 their own: a shared caption has no one right picture. `pool = \"all\"` of a task takes them all.",
                dataset.name(),
                items.len() - kept,
                items.len()
            )
        })
    }
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

const SEVERAL: &str = "retrieval needs several pictures, each with a caption of its own";

/// `[config]` of tasks that generate.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GenerateConfig {
    #[serde(default = "test")]
    split: String,
    limit: Option<usize>,
    /// The card of the data that the task is of, for `toolkit eval`.
    #[serde(rename = "data")]
    _data: Option<String>,
}

/// `[config]` of retrieval.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RetrieveConfig {
    split: String,
    limit: Option<usize>,
    #[serde(rename = "data")]
    _data: Option<String>,
    pool: Pool,
    top_k: usize,
    batch: usize,
    max_tokens: usize,
}

impl Default for RetrieveConfig {
    fn default() -> Self {
        let RetrievalConfig { top_k, batch, max_tokens, .. } = RetrievalConfig::default();
        Self {
            split: test(),
            limit: None,
            _data: None,
            pool: Pool::default(),
            top_k,
            batch,
            max_tokens,
        }
    }
}

fn test() -> String {
    "test".to_owned()
}

impl Task {
    /// The task of a card. A prompt comes from the task card if it has one, else from the first of
    /// `speakers` that does: the model card, then the language card.
    ///
    /// # Errors
    /// If the card is of no known kind or a value does not fit.
    pub fn from_card(card: &Card, speakers: &[&Card]) -> Result<Self, EvalError> {
        Self::with_preset(card, speakers, None)
    }

    /// The task of a card with the settings of one of its `[presets]`.
    ///
    /// # Errors
    /// As [`Task::from_card`], and if there is no such preset.
    pub fn with_preset(
        card: &Card,
        speakers: &[&Card],
        preset: Option<&str>,
    ) -> Result<Self, EvalError> {
        let mut task = match card.family.as_str() {
            "vqa" => Self::Vqa(VqaTask::from_card(card, speakers)?),
            "caption" => Self::Caption(CaptionTask::from_card(card, speakers)?),
            "retrieval" => Self::Retrieval(RetrievalTask::from_card(card)?),
            _ => return Err(wrong_kind(card, "`vqa`, `caption` or `retrieval`")),
        };
        let own = match &task {
            Self::Vqa(VqaTask { decoding, .. }) | Self::Caption(CaptionTask { decoding, .. }) => {
                *decoding
            }
            Self::Retrieval(_) => Decoding::default(),
        };
        let (words, search) = published::preset(card, preset, own)?;
        match &mut task {
            Self::Vqa(VqaTask { prompt, decoding, .. })
            | Self::Caption(CaptionTask { prompt, decoding, .. }) => {
                *decoding = search;
                *prompt = words.unwrap_or_else(|| std::mem::take(prompt));
            }
            Self::Retrieval(_) => {}
        }
        Ok(task)
    }

    /// The data that a task is of, `card:split`, if its card names any.
    ///
    /// # Errors
    /// If `[config]` is wrong.
    pub fn data(card: &Card) -> Result<Option<String>, EvalError> {
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Named {
            data: Option<String>,
            split: Option<String>,
        }
        let named: Named = card.config()?;
        let split = named.split.unwrap_or_else(test);
        Ok(named.data.map(|data| format!("{data}:{split}")))
    }

    /// Checks that `dataset` has what the task of a card scores: a score of nothing is no number.
    ///
    /// # Errors
    /// If it has no questions, no captions, or fewer than two pictures to choose from.
    pub fn check_data(card: &Card, dataset: &dyn Dataset) -> Result<(), EvalError> {
        let (what, hint) = match card.family.as_str() {
            "vqa" if question_pairs(dataset, None).is_empty() => (
                "the data have no questions".to_owned(),
                "take data with questions, or a task of captions or retrieval",
            ),
            "caption" if captioned_items(dataset, None).is_empty() => (
                "the data have no captions".to_owned(),
                "take data with captions, or a task of questions",
            ),
            "retrieval" => {
                let pool = RetrievalTask::from_card(card)?.pool;
                match (pool.of(dataset, None).len(), pool.note(dataset, None)) {
                    (2.., _) => return Ok(()),
                    (_, Some(note)) => (
                        "there are no two pictures to choose from".to_owned() + "; " + &note,
                        SEVERAL,
                    ),
                    (_, None) => (
                        "there are no two pictures with captions to choose from".to_owned(),
                        SEVERAL,
                    ),
                }
            }
            _ => return Ok(()),
        };
        Err(EvalError::new(what, format!("task `{}` on `{}`", card.name, dataset.name()), hint))
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
            let what = format!(
                "the prompt `{prompt}` of task `{}` has no `{{}}` for the question",
                card.name
            );
            let hint =
                "write `[prompt] vqa = \"question: {} answer:\"` in the task or the language card";
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
    /// The task of a card; see [`Task::from_card`]. Without any prompt, captions start from
    /// nothing.
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
        let RetrieveConfig { split, limit, pool, top_k, batch, max_tokens, .. } =
            of_kind(card, "retrieval")?.config()?;
        let config = RetrievalConfig { top_k, batch, max_tokens, ..RetrievalConfig::default() };
        Ok(Self { name: card.name.clone(), version: card.version, split, limit, pool, config })
    }
}

fn prompt<'a>(
    card: &'a Card,
    speakers: &[&'a Card],
    key: &str,
) -> Option<(&'a str, Option<&'a Card>)> {
    let of = |card: &'a Card| card.prompt.get(key).map(|text| (text.as_str(), Some(card)));
    of(card).or_else(|| speakers.iter().find_map(|speaker| of(speaker)))
}

fn decoding(card: &Card) -> Result<Decoding, EvalError> {
    let decoding: Decoding = card.section("decoding")?;
    match decoding.check() {
        Err(Problem { what, hint, .. }) => Err(card.text().error_at("decoding", what, hint).into()),
        Ok(()) => Ok(decoding),
    }
}

fn of_kind<'a>(card: &'a Card, kind: &str) -> Result<&'a Card, EvalError> {
    if card.kind == Kind::Task && card.family == kind {
        Ok(card)
    } else {
        Err(wrong_kind(card, &format!("`{kind}`")))
    }
}

fn wrong_kind(card: &Card, wanted: &str) -> EvalError {
    let what =
        format!("{} `{}` has kind `{}`, wanted {wanted}", card.kind.noun(), card.name, card.family);
    let error: Problem = card.text().error_at(
        "kind",
        what,
        "choose another card of `tasks/`, or correct its `kind`",
    );
    error.into()
}
