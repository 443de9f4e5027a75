//! Zero-shot captioning (BLIP-2, section 4.2; LAVIS `generate`).

use crate::source::Prefixes;
use crate::{Batches, CaptionTask, EvalError, PrefixSource};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toolkit_data::Dataset;
use toolkit_metrics::{caption_scores, mean};
use toolkit_vlm::Generator;

/// One captioned image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaptionRow {
    /// The item.
    pub id: String,
    /// The item's group.
    pub group: String,
    /// What the caption continues.
    pub prompt: String,
    /// What was written.
    pub caption: String,
    /// What people wrote.
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

/// Captions `items` behind their prefixes, in batches, and scores against all their captions.
/// Without `prefixes` the language model captions blindly.
///
/// # Errors
/// If an item is not there or has no caption to compare with, or prefixes or text cannot be made.
pub fn caption<'a>(
    generator: &Generator<'_>,
    prefixes: Option<&PrefixSource<'_>>,
    dataset: &dyn Dataset,
    items: &[usize],
    task: &CaptionTask,
    batches: impl Into<Batches<'a>>,
) -> Result<CaptionResult, EvalError> {
    let mut batches = batches.into();
    if let Some(item) =
        items.iter().find(|&&item| item >= dataset.len() || dataset.item(item).captions.is_empty())
    {
        let what = format!("item {item} is not there or has no caption to compare with");
        return Err(EvalError::new(
            what,
            dataset.name(),
            "take the items from `captioned_items` of the same data set",
        ));
    }
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|&at| items[at]);
    let mut prefixes = prefixes.map(Prefixes::new);
    let mut written = vec![String::new(); items.len()];
    for (batch, chunk) in order.chunks(batches.size()).enumerate() {
        let images: Vec<usize> = chunk.iter().map(|&at| items[at]).collect();
        let texts = match batches.held(batch, chunk.len()) {
            Some(held) => {
                prefixes.iter_mut().for_each(|p| p.skip(&images));
                held
            }
            None => {
                let prefix = prefixes.as_mut().map(|p| p.of(&images)).transpose()?;
                let texts = generator.write(
                    prefix,
                    &vec![task.prompt.clone(); chunk.len()],
                    &task.decoding,
                )?;
                batches.keep(batch, &texts)?;
                texts
            }
        };
        for (&at, text) in chunk.iter().zip(texts) {
            written[at] = text;
        }
    }
    Ok(scored(dataset, items, &task.prompt, written))
}

pub(crate) fn scored(
    dataset: &dyn Dataset,
    items: &[usize],
    prompt: &str,
    written: Vec<String>,
) -> CaptionResult {
    let references: Vec<Vec<String>> =
        items.iter().map(|&item| dataset.item(item).captions.clone()).collect();
    let ciders = caption_scores(&written, &references)
        .map(|scores| scores.per_image_cider)
        .unwrap_or_default();
    let row =
        |(((&item, caption), references), &cider): (((&usize, String), Vec<String>), &f64)| {
            let item = dataset.item(item);
            let (id, group) = (item.id.clone(), item.group.clone());
            CaptionRow { id, group, prompt: prompt.to_owned(), caption, references, cider }
        };
    let rows: Vec<CaptionRow> =
        items.iter().zip(written).zip(references).zip(&ciders).map(row).collect();
    let mut groups: BTreeMap<String, Vec<&CaptionRow>> = BTreeMap::new();
    for row in &rows {
        groups.entry(row.group.clone()).or_default().push(row);
    }
    let overall = summary(&rows.iter().collect::<Vec<_>>());
    let per_group =
        groups.into_iter().filter_map(|(group, rows)| Some((group, summary(&rows)?))).collect();
    CaptionResult { rows, overall, per_group }
}

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
