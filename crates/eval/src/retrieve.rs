//! Image-text retrieval with a stage-1 bridge: similarity first, then the matching head over the best candidates
//! (BLIP-2, section 4.4; LAVIS `blip2_qformer.py`, `compute_sim_matrix`).

use crate::EvalError;
use crate::pairs::{Matched, Scores, match_pairs};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use toolkit_core::{TextTower, noise, params};
use toolkit_metrics::retrieval::{Ranks, Retrieval, ranks, recall};
use toolkit_train::TrainError;
use toolkit_train::stage1::{TextMarks, similarity};
use toolkit_train::text::{Side, pad};

/// Settings of retrieval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetrievalConfig {
    /// Candidates of each image and of each text that the matching head looks at (LAVIS: 128); 0 leaves it out.
    pub top_k: usize,
    /// Images, texts or pairs at a time.
    pub batch: usize,
    /// Longest text with its first and last token; longer ones are cut (LAVIS: 35).
    pub max_tokens: usize,
    /// Whether similarities say something. If not, because ITC was not trained, the matching head looks at all pairs and its
    /// logit alone ranks them.
    pub contrast: bool,
}

impl Default for RetrievalConfig {
    fn default() -> Self {
        Self { top_k: 32, batch: 64, max_tokens: 35, contrast: true }
    }
}

/// Ranks of one image, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetrievalRow {
    /// The data set item.
    pub item: usize,
    /// Rank of the best of its texts, by similarity.
    pub text_rank_itc: usize,
    /// Rank of the image for its first text, by similarity.
    pub image_rank_itc: usize,
    /// Rank of the best of its texts, re-ranked.
    pub text_rank_itm: Option<usize>,
    /// Rank of the image for its first text, re-ranked.
    pub image_rank_itm: Option<usize>,
}

/// Recalls in percent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrievalResult {
    /// One for each image, in the order given.
    pub rows: Vec<RetrievalRow>,
    /// By similarity, the largest over the queries.
    pub itc: Retrieval,
    /// By similarity plus matching logit.
    pub itm: Option<Retrieval>,
    /// R@1 of guessing, mean of both directions.
    pub chance_r1: f64,
    /// Share of right verdicts of the matching head, in percent, on each text's own image and on the most similar other
    /// one; guessing gives 50.
    pub itm_accuracy: Option<f64>,
}

/// Retrieves texts by images and images by texts among `items`. `captions[i]` are the token ids of the texts of item `i`,
/// one or more; `[CLS]` and `[SEP]` are put around them where they are missing. `features` gives `[items, tokens, width]`
/// on a plain device and is asked twice for each item if pairs are matched.
///
/// # Errors
/// If an item has no text, similarities are not numbers, or features cannot be read.
pub fn retrieve(
    tower: &dyn TextTower,
    features: &dyn Fn(&[usize]) -> Result<Tensor<3>, TrainError>,
    items: &[usize],
    captions: &[Vec<Vec<u32>>],
    marks: TextMarks,
    config: RetrievalConfig,
) -> Result<RetrievalResult, EvalError> {
    if items.is_empty() || items.len() != captions.len() || captions.iter().any(Vec::is_empty) {
        let what =
            format!("{} images with {} lists of captions, not one or more for each", items.len(), captions.len());
        return Err(EvalError::new(what, "retrieval", "see `unique_captions`"));
    }
    noise::off(|| run(tower, features, items, captions, marks, config))
}

fn run(
    tower: &dyn TextTower,
    features: &dyn Fn(&[usize]) -> Result<Tensor<3>, TrainError>,
    items: &[usize],
    captions: &[Vec<Vec<u32>>],
    marks: TextMarks,
    config: RetrievalConfig,
) -> Result<RetrievalResult, EvalError> {
    let batch = config.batch.max(1);
    let texts: Vec<Vec<u32>> = captions.iter().flatten().map(|ids| framed(ids, marks, config.max_tokens)).collect();
    let owner: Vec<usize> = captions.iter().enumerate().flat_map(|(i, c)| std::iter::repeat_n(i, c.len())).collect();
    let sim = similarities(tower, features, items, &texts, marks.pad, batch)?;
    let by_sim = ranks(&sim.values, &owner);
    let itc = recall(&sim.values, &owner);
    let (mut reranked, mut itm, mut itm_accuracy) = (None, None, None);
    if config.top_k > 0 {
        let k = if config.contrast { config.top_k } else { usize::MAX };
        let of_image: Vec<(usize, usize)> = (0..items.len())
            .flat_map(|image| sim.best_texts(image, k).into_iter().map(move |text| (image, text)))
            .collect();
        let of_text: Vec<(usize, usize)> = (0..texts.len())
            .flat_map(|text| sim.best_images(text, k).into_iter().map(move |image| (image, text)))
            .collect();
        let own = owner.iter().enumerate().map(|(text, &image)| (image, text));
        let hard =
            owner.iter().enumerate().filter_map(|(text, &own)| sim.hardest_image(text, own).map(|image| (image, text)));
        let (own, hard): (Vec<_>, Vec<_>) = (own.collect(), hard.collect());
        let mut pairs = [&of_image[..], &of_text, &own, &hard].concat();
        pairs.sort_unstable();
        pairs.dedup();
        let matched = match_pairs(tower, features, items, &texts, &pairs, marks.pad, batch)?;
        let to_text = sim.reranked(of_image.into_iter(), &matched, config.contrast);
        let to_image = sim.reranked(of_text.into_iter(), &matched, config.contrast);
        itm = Some(joined(recall(&to_text, &owner), recall(&to_image, &owner)));
        let image_to_text = ranks(&to_text, &owner).image_to_text;
        reranked = Some(Ranks { image_to_text, text_to_image: ranks(&to_image, &owner).text_to_image });
        itm_accuracy = Some(verdicts(&matched, &own, &hard));
    }
    let mut first = 0;
    let rows = items.iter().zip(captions).enumerate().map(|(image, (&item, own))| {
        let text = first;
        first += own.len();
        RetrievalRow {
            item,
            text_rank_itc: by_sim.image_to_text[image].unwrap_or(usize::MAX),
            image_rank_itc: by_sim.text_to_image[text],
            text_rank_itm: reranked.as_ref().and_then(|r| r.image_to_text[image]),
            image_rank_itm: reranked.as_ref().map(|r| r.text_to_image[text]),
        }
    });
    let rows = rows.collect();
    let guess_text = captions.iter().map(|own| own.len() as f64 / texts.len() as f64).sum::<f64>() / items.len() as f64;
    let chance_r1 = 50.0 * (guess_text + 1.0 / items.len() as f64);
    Ok(RetrievalResult { rows, itc, itm, chance_r1, itm_accuracy })
}

/// The text between its marks, cut so that the last one stays (as tokenizers cut).
fn framed(ids: &[u32], marks: TextMarks, longest: usize) -> Vec<u32> {
    let inner = ids.strip_prefix(&[marks.cls]).unwrap_or(ids);
    let inner = inner.strip_suffix(&[marks.sep]).unwrap_or(inner);
    let kept = &inner[..inner.len().min(longest.saturating_sub(2).max(1))];
    [&[marks.cls][..], kept, &[marks.sep]].concat()
}

/// `[images, texts]`: cosine of the text with the most similar query, no temperature. Each side is passed once.
fn similarities(
    tower: &dyn TextTower,
    features: &dyn Fn(&[usize]) -> Result<Tensor<3>, TrainError>,
    items: &[usize],
    texts: &[Vec<u32>],
    padding: u32,
    batch: usize,
) -> Result<Scores, EvalError> {
    let mut values = Vec::with_capacity(items.len() * texts.len());
    let mut all_texts: Option<Tensor<2>> = None;
    for images in items.chunks(batch) {
        let image = tower.image_embeds(tower.image_pass(features(images)?).queries);
        let device = image.device();
        let text = all_texts.get_or_insert_with(|| {
            let embed = |rows: &[Vec<u32>]| {
                let text = pad(rows, padding, Side::Right, &device);
                tower.text_embeds(text.ids, text.mask)
            };
            Tensor::cat(texts.chunks(batch).map(embed).collect(), 0)
        });
        values.extend(params::floats(similarity(image, text.clone())));
    }
    if values.iter().any(|value| !value.is_finite()) {
        let hint = "the weights hold NaN or overflow: look at the run's last losses, or use f32";
        return Err(EvalError::new("similarities are not numbers", "retrieval", hint));
    }
    Ok(Scores { images: items.len(), texts: texts.len(), values })
}

/// Image-to-text recall of one matrix with text-to-image recall of another.
fn joined(txt: Retrieval, img: Retrieval) -> Retrieval {
    let Retrieval { img_r1, img_r5, img_r10, img_r_mean, .. } = img;
    Retrieval { img_r1, img_r5, img_r10, img_r_mean, r_mean: (txt.txt_r_mean + img_r_mean) / 2.0, ..txt }
}

fn verdicts(matched: &Matched, own: &[(usize, usize)], hard: &[(usize, usize)]) -> f64 {
    let says = |pair: &(usize, usize), wanted: bool| matched.get(pair).is_some_and(|l| (l[1] > l[0]) == wanted);
    let right =
        own.iter().filter(|pair| says(pair, true)).count() + hard.iter().filter(|pair| says(pair, false)).count();
    100.0 * right as f64 / (own.len() + hard.len()).max(1) as f64
}
