//! Image-text retrieval with the bridge alone; `kind = "retrieval"`.

use super::settings::{TaskSettings, check_preset, test_split};
use super::{TaskKind, expect_kind};
use crate::selection::captions;
use crate::{
    EvalError, Measured, Measurement, Needs, RetrievalConfig, RetrievalResult, RetrievalRow, Task,
    TextParts, captioned_items, retrieve, unique_captions,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use toolkit_data::{Dataset, TextProcessor};
use toolkit_metrics::scores::{self, Score};
use toolkit_registry::Card;
use toolkit_system::problem::Problem;

const SEVERAL: &str = "retrieval needs several pictures, each with a caption of its own";

/// Image-text retrieval with the bridge alone; `kind = "retrieval"`.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrievalTask {
    /// Name of the card.
    pub name: String,
    /// At most so many images. Scores fall with the number of candidates, so this is part of the
    /// task.
    pub limit: Option<usize>,
    /// Pictures and texts that are searched.
    pub pool: Pool,
    /// Cleaning of the texts.
    pub text_processor: Option<TextProcessor>,
    /// Re-ranking and sizes.
    pub config: RetrievalConfig,
}

/// The pictures and texts of a retrieval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// Pictures of different things, each with one caption of its own, so that there is one right
    /// answer: for data whose captions repeat.
    #[default]
    Unique,
    /// Every picture with all its captions, as COCO and Flickr30k are measured.
    All,
}

impl Pool {
    /// Returns the items with their texts as the processor makes them.
    #[must_use]
    pub fn of(
        self,
        dataset: &dyn Dataset,
        limit: Option<usize>,
        processor: Option<&TextProcessor>,
    ) -> Vec<(usize, Vec<String>)> {
        let items = captioned_items(dataset, limit);
        match self {
            Self::Unique => unique_captions(dataset, &items, processor)
                .into_iter()
                .map(|(item, text)| (item, vec![text]))
                .collect(),
            Self::All => {
                items.into_iter().map(|item| (item, captions(dataset, item, processor))).collect()
            }
        }
    }

    /// Returns a note on the pictures with captions that are left out, if any are.
    #[must_use]
    pub fn note(
        self,
        dataset: &dyn Dataset,
        limit: Option<usize>,
        processor: Option<&TextProcessor>,
    ) -> Option<String> {
        let captioned = captioned_items(dataset, limit).len();
        let taken = self.of(dataset, limit, processor).len();
        (taken < captioned).then(|| {
            format!(
                "Retrieval on `{}` leaves out {} of {captioned} pictures, which show what another \
                one shows or have no caption of their own: a shared caption has no one right \
                picture. `pool = \"all\"` of a task takes them all.",
                dataset.name(),
                captioned - taken,
            )
        })
    }
}

/// `[config]` of retrieval.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetrievalCardConfig {
    /// Split that is measured.
    pub split: String,
    /// At most so many images.
    pub limit: Option<usize>,
    /// Pictures and texts that are searched.
    pub pool: Pool,
    /// Card of the data, for `toolkit eval`.
    pub data: Option<String>,
    /// Candidates that are re-ranked.
    pub top_k: usize,
    /// Images, texts or pairs at a time.
    pub batch: usize,
    /// Longest text in tokens.
    pub max_tokens: usize,
}

impl Default for RetrievalCardConfig {
    fn default() -> Self {
        let RetrievalConfig { top_k, batch, max_tokens, .. } = RetrievalConfig::default();
        let (split, pool) = (test_split(), Pool::default());
        Self { split, limit: None, pool, data: None, top_k, batch, max_tokens }
    }
}

impl RetrievalTask {
    /// Reads a card.
    ///
    /// # Errors
    /// If the card is of another kind, or a value does not fit.
    pub fn from_card(card: &Card) -> Result<Self, EvalError> {
        expect_kind(card, "retrieval")?;
        Self::new(card.config()?, card, &TaskSettings::default())
    }
}

impl TaskKind for RetrievalTask {
    type Config = RetrievalCardConfig;

    const NEEDS: Needs = Needs::TextTower;

    fn new(
        config: RetrievalCardConfig,
        card: &Card,
        settings: &TaskSettings<'_>,
    ) -> Result<Self, EvalError> {
        check_preset(card, settings.preset)?;
        let RetrievalCardConfig { limit, pool, top_k, batch, max_tokens, .. } = config;
        let config = RetrievalConfig { top_k, batch, max_tokens, ..RetrievalConfig::default() };
        let (name, text_processor) = (card.name.clone(), card.text_processor.clone());
        Ok(Self { name, limit, pool, text_processor, config })
    }

    fn check_data(config: &RetrievalCardConfig, data: &dyn Dataset) -> Result<(), Problem> {
        let pool = config.pool;
        match (pool.of(data, None, None).len(), pool.note(data, None, None)) {
            (2.., _) => Ok(()),
            (_, Some(note)) => {
                Err(Problem::new(format_args!("there are no two pictures to choose from; {note}"))
                    .hint(SEVERAL))
            }
            (_, None) => {
                Err(Problem::new("there are no two pictures with captions to choose from")
                    .hint(SEVERAL))
            }
        }
    }
}

impl Task for RetrievalTask {
    /// Measures recall in both directions, by similarity and re-ranked by the matching head.
    fn measure(&self, on: Measurement<'_, '_>) -> Result<Measured, EvalError> {
        let limit = on.limit(self.limit);
        let processor = self.text_processor.as_ref();
        let pool = self.pool.of(on.data, limit, processor);
        if pool.len() < 2 {
            let place = format!("task `{}` on `{}`", self.name, on.data.name());
            let problem = Problem::new("there are no two pictures to choose from").at(place);
            return Err(problem.hint("raise `--limit`").into());
        }
        let text = on.text()?;
        let items: Vec<usize> = pool.iter().map(|(item, _)| *item).collect();
        let captions = encoded(&text, &pool)?;
        // Each picture is passed twice: for its similarities, and for its pairs.
        on.options.progress.start(0, 2 * items.len() as u64);
        let found = retrieve(
            text.tower,
            on.model.features,
            &items,
            &captions,
            text.special_tokens,
            self.config_for(&text),
        )?;
        let mut measured = Measured::of(&found.rows, items)?;
        measured.scores = found.scores();
        add_intervals(&mut measured, &found, captions.iter().all(|own| own.len() == 1));
        measured.notes.extend(self.pool.note(on.data, limit, processor));
        Ok(measured)
    }
}

impl RetrievalTask {
    /// Fits the settings to the text tower.
    fn config_for(&self, text: &TextParts<'_>) -> RetrievalConfig {
        RetrievalConfig {
            contrast: text.contrast,
            max_tokens: self.config.max_tokens.min(text.positions),
            ..self.config
        }
    }
}

/// Encodes the texts of a pool, without special tokens.
fn encoded(
    text: &TextParts<'_>,
    pool: &[(usize, Vec<String>)],
) -> Result<Vec<Vec<Vec<u32>>>, EvalError> {
    let encode = |texts: &Vec<String>| -> Result<Vec<Vec<u32>>, EvalError> {
        texts.iter().map(|caption| Ok(text.tokenizer.encode(caption)?)).collect()
    };
    pool.iter().map(|(_, texts)| encode(texts)).collect()
}

impl RetrievalResult {
    /// Returns the scores by name.
    fn scores(&self) -> BTreeMap<String, f64> {
        let key = |method: &str, score: Score| format!("{method}.{}", score.key);
        let mut all = BTreeMap::from([
            (key(scores::CHANCE, scores::R1), self.chance_r1),
            (scores::IMAGES.key.to_owned(), self.rows.len() as f64),
        ]);
        for (method, recall) in [(scores::ITC, Some(&self.itc)), (scores::ITM, self.itm.as_ref())] {
            let Some(r) = recall else { continue };
            let found = [
                (scores::TXT_R1, r.txt_r1),
                (scores::TXT_R5, r.txt_r5),
                (scores::TXT_R10, r.txt_r10),
                (scores::TXT_R_MEAN, r.txt_r_mean),
                (scores::IMG_R1, r.img_r1),
                (scores::IMG_R5, r.img_r5),
                (scores::IMG_R10, r.img_r10),
                (scores::IMG_R_MEAN, r.img_r_mean),
                (scores::R_MEAN, r.r_mean),
            ];
            all.extend(found.map(|(score, value)| (key(method, score), value)));
        }
        let hard = key(scores::ITM, scores::HARD_NEGATIVE_ACCURACY);
        all.extend(self.itm_accuracy.map(|accuracy| (hard, accuracy)));
        all
    }
}

/// Adds the intervals of the recalls at 1.
///
/// Only the rank of an image's first text is known, so recall of images has an interval only if
/// there is `one_text` an image.
fn add_intervals(measured: &mut Measured, found: &RetrievalResult, one_text: bool) {
    let mut add = |method: &str, score: Score, rank: fn(&RetrievalRow) -> Option<usize>| {
        let hit = |row: &RetrievalRow| if rank(row) == Some(0) { 100.0 } else { 0.0 };
        let each: Vec<f64> = found.rows.iter().map(hit).collect();
        measured.add_interval(&format!("{method}.{}", score.key), &each, None);
    };
    add(scores::ITC, scores::TXT_R1, |row| Some(row.text_rank_itc));
    if found.itm.is_some() {
        add(scores::ITM, scores::TXT_R1, |row| row.text_rank_itm);
    }
    if one_text {
        add(scores::ITC, scores::IMG_R1, |row| Some(row.image_rank_itc));
    }
}
