//! Zero-shot captioning (BLIP-2, section 4.2; LAVIS `generate`).

use super::settings::{Generation, GenerationConfig, TaskSettings};
use super::{TaskKind, expect_kind};
use crate::{
    Control, EvalError, Measured, Measurement, Needs, Sample, Task, captioned_items, meteor,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toolkit_data::Dataset;
use toolkit_metrics::scores;
use toolkit_metrics::{CaptionTokens, Meteor, caption_notes, caption_scores, mean};
use toolkit_registry::Card;
use toolkit_system::problem::Problem;
use toolkit_vlm::Decoding;

/// Captioning by generation; `kind = "caption"`.
#[derive(Clone, Debug, PartialEq)]
pub struct CaptionTask {
    /// Prompt that the caption continues; not part of it. May be empty.
    pub prompt: String,
    /// Search for captions.
    pub decoding: Decoding,
    /// At most so many images; see [`captioned_items`].
    pub limit: Option<usize>,
}

impl CaptionTask {
    /// Reads a card. `prompts` are cards whose prompt counts if the task has none. Without any,
    /// captions start from nothing.
    ///
    /// # Errors
    /// If the card is of another kind, or a value does not fit.
    pub fn from_card(card: &Card, prompts: &[&Card]) -> Result<Self, EvalError> {
        expect_kind(card, "caption")?;
        Self::new(card.config()?, card, &TaskSettings::with_prompts(prompts))
    }
}

impl TaskKind for CaptionTask {
    type Config = GenerationConfig;

    const NEEDS: Needs = Needs::Language;

    fn new(
        config: GenerationConfig,
        card: &Card,
        settings: &TaskSettings<'_>,
    ) -> Result<Self, EvalError> {
        let check = |prompt: &str| {
            if settings.prompt.is_some() && prompt.contains("{}") {
                return Err(Problem::new("`{}` stands for a question, and a caption has none")
                    .hint("leave it out"));
            }
            Ok(())
        };
        if card.text_processor.is_some() {
            let what = "captions are compared as people and the model wrote them";
            let hint = "leave `[text_processor]` out; that of training is in the card of the data";
            return Err(card.text().error_at("text_processor", what, hint).into());
        }
        let Generation { prompt, decoding } = Generation::of(card, settings, "caption", check)?;
        Ok(Self { prompt, decoding, limit: config.limit })
    }

    fn check_data(_: &GenerationConfig, data: &dyn Dataset) -> Result<(), Problem> {
        if captioned_items(data, None).is_empty() {
            return Err(Problem::new("the data have no captions")
                .hint("take data with captions, or a task of questions"));
        }
        Ok(())
    }
}

impl Task for CaptionTask {
    /// Measures CIDEr-D, BLEU, METEOR and ROUGE-L, and CIDEr-D by the group of the picture.
    fn measure(&self, mut on: Measurement<'_, '_>) -> Result<Measured, EvalError> {
        if matches!(on.options.control, Some(Control::Majority(_))) {
            let problem = Problem::new("captions have no commonest answer");
            return Err(problem.hint("take another control").into());
        }
        let items = captioned_items(on.data, on.limit(self.limit));
        // Damaged tables are found before hours of generation.
        let meteor = on.options.meteor.get()?;
        let samples = self.samples(&items);
        on.start(&samples);
        let captions = on.generate(&samples, &self.decoding)?;
        let captions = scored(on.data, &items, &self.prompt, captions);
        let each: Vec<f64> = captions.rows.iter().map(|row| row.cider).collect();
        let mut measured = Measured::of(&captions.rows, items)?;
        (measured.scores, measured.notes) = captions.scores(meteor)?;
        measured.add_interval(scores::CIDER.key, &each, None);
        Ok(measured)
    }

    fn prompt(&self) -> Option<&str> {
        Some(&self.prompt)
    }
}

impl CaptionTask {
    /// Returns a sample for each item.
    pub(crate) fn samples(&self, items: &[usize]) -> Vec<Sample> {
        items.iter().map(|&item| Sample { item, prompt: self.prompt.clone() }).collect()
    }
}

impl CaptionResult {
    /// Returns the scores by name in their units, and notes on them.
    fn scores(&self, meteor: &Meteor) -> Result<(BTreeMap<String, f64>, Vec<String>), EvalError> {
        let Some(all) = self.overall else { return Ok(Default::default()) };
        let (captions, references): (Vec<String>, Vec<Vec<String>>) =
            self.rows.iter().map(|row| (row.caption.clone(), row.references.clone())).unzip();
        let tokens = CaptionTokens::of(&captions, &references);
        let mut notes = caption_notes(&tokens, &tokens.bleu(&|_| {}), &tokens.cider(&|_| {}));
        let name = meteor::score(meteor);
        let found = meteor.score_tokens(&tokens, &|_| {})?.overall;
        if found.is_none() {
            notes.push(format!(
                "`{}` is left out: a caption and its references are too long to be compared.",
                name.key
            ));
        }
        if !meteor.has_tables() {
            notes.push(meteor::NO_TABLES.to_owned());
        }
        let own = [
            (scores::CIDER, all.cider),
            (scores::BLEU1, 100.0 * all.bleu1),
            (scores::BLEU2, 100.0 * all.bleu2),
            (scores::BLEU3, 100.0 * all.bleu3),
            (scores::BLEU4, 100.0 * all.bleu4),
            (scores::ROUGE_L, 100.0 * all.rouge_l),
        ];
        let own = own.into_iter().chain(found.map(|score| (name, 100.0 * score)));
        let own = own.map(|(score, value)| (score.key.to_owned(), value));
        let cider_of = |group| format!("{}.{group}.{}", scores::GROUP, scores::CIDER.key);
        let groups = self.per_group.iter();
        let groups = groups.map(|(name, group)| (cider_of(name), group.cider));
        let scores = own.chain(groups).filter(|(_, value)| value.is_finite()).collect();
        Ok((scores, notes))
    }
}

/// Caption of an image, with its score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaptionRow {
    /// Id of the item.
    pub id: String,
    /// Group of the item.
    pub group: String,
    /// Prompt that the caption continues.
    pub prompt: String,
    /// Generated caption.
    pub caption: String,
    /// Captions by people.
    pub references: Vec<String>,
    /// CIDEr-D of this caption, 0 to 10, by the n-gram frequencies of all references of the
    /// evaluation.
    pub cider: f64,
}

/// Scores of a set of captions on the scales of the official tools: BLEU and ROUGE in `[0, 1]`,
/// CIDEr in `[0, 10]`. Tokens are those of the official tokeniser (see
/// `toolkit_metrics::tokenize`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CaptionSummary {
    /// Number of images.
    pub images: usize,
    /// Mean CIDEr-D. In a group too, the n-gram frequencies are those of the whole evaluation.
    pub cider: f64,
    /// Corpus BLEU-1.
    pub bleu1: f64,
    /// Corpus BLEU-2.
    pub bleu2: f64,
    /// Corpus BLEU-3.
    pub bleu3: f64,
    /// Corpus BLEU-4.
    pub bleu4: f64,
    /// Mean ROUGE-L.
    pub rouge_l: f64,
}

/// Captions with their scores.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CaptionResult {
    /// In the order of the items given.
    pub rows: Vec<CaptionRow>,
    /// Over all images; `None` if there are none.
    pub overall: Option<CaptionSummary>,
    /// By group of the item.
    pub per_group: BTreeMap<String, CaptionSummary>,
}

/// Scores captions of `items` against all captions of the data set.
pub(crate) fn scored(
    dataset: &dyn Dataset,
    items: &[usize],
    prompt: &str,
    captions: Vec<String>,
) -> CaptionResult {
    let references: Vec<Vec<String>> =
        items.iter().map(|&item| dataset.item(item).captions.clone()).collect();
    let ciders = caption_scores(&captions, &references)
        .map(|scores| scores.per_image_cider)
        .unwrap_or_default();
    let row =
        |(((&item, caption), references), &cider): (((&usize, String), Vec<String>), &f64)| {
            let item = dataset.item(item);
            let (id, group) = (item.id.clone(), item.group.clone());
            CaptionRow { id, group, prompt: prompt.to_owned(), caption, references, cider }
        };
    let rows: Vec<CaptionRow> =
        items.iter().zip(captions).zip(references).zip(&ciders).map(row).collect();
    let mut groups: BTreeMap<String, Vec<&CaptionRow>> = BTreeMap::new();
    for row in &rows {
        groups.entry(row.group.clone()).or_default().push(row);
    }
    let overall = summary(&rows.iter().collect::<Vec<_>>());
    let per_group =
        groups.into_iter().filter_map(|(group, rows)| Some((group, summary(&rows)?))).collect();
    CaptionResult { rows, overall, per_group }
}

/// Summarises captions; of none there is no summary.
fn summary(rows: &[&CaptionRow]) -> Option<CaptionSummary> {
    let captions: Vec<String> = rows.iter().map(|row| row.caption.clone()).collect();
    let references: Vec<Vec<String>> = rows.iter().map(|row| row.references.clone()).collect();
    let scores = caption_scores(&captions, &references)?;
    Some(CaptionSummary {
        images: rows.len(),
        cider: mean(&rows.iter().map(|row| row.cider).collect::<Vec<_>>())?,
        bleu1: scores.bleu1,
        bleu2: scores.bleu2,
        bleu3: scores.bleu3,
        bleu4: scores.bleu4,
        rouge_l: scores.rouge_l,
    })
}
