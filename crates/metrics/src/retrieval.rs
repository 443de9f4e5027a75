//! Recall at K of image-text retrieval.
//!
//! Ties are broken against the model: a gold item ranks after every wrong item with the same score.
//! A constant scorer therefore gets 0 as soon as there are more than K wrong items, whatever their
//! order; ranking ties by index would reward it on data sets whose captions are stored next to
//! their images. A score that is not a number counts as a tie.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Recall in percent; `txt` is image-to-text (find the text), `img` is text-to-image, as LAVIS
/// names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Retrieval {
    /// Images with one of their texts ranked first.
    pub txt_r1: f64,
    /// Images with one of their texts among the first 5.
    pub txt_r5: f64,
    /// Images with one of their texts among the first 10.
    pub txt_r10: f64,
    /// Texts with their image ranked first.
    pub img_r1: f64,
    /// Texts with their image among the first 5.
    pub img_r5: f64,
    /// Texts with their image among the first 10.
    pub img_r10: f64,
    /// Mean of the three `txt` values; LAVIS selects models by it.
    pub txt_r_mean: f64,
    /// Mean of the three `img` values.
    pub img_r_mean: f64,
    /// Mean of the two means.
    pub r_mean: f64,
}

/// The zero-based rank of each image's best text, and of each text's image. An image without texts
/// has no rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranks {
    /// Per image.
    pub image_to_text: Vec<Option<usize>>,
    /// Per text.
    pub text_to_image: Vec<usize>,
}

/// Returns `true` if an item with score `other` is ranked before a gold item with score `gold`.
fn before<T: PartialOrd>(other: &T, gold: &T) -> bool {
    other.partial_cmp(gold) != Some(Ordering::Less)
}

/// Ranks within a score matrix of `scores.len() / text_image.len()` images by `text_image.len()`
/// texts, row-major (one row per image, higher is better); `text_image[t]` is the row of the image
/// that text `t` describes.
///
/// # Panics
/// If `scores` is not a whole matrix or `text_image` names an image outside it.
#[must_use]
pub fn ranks<T: PartialOrd>(scores: &[T], text_image: &[usize]) -> Ranks {
    let texts = text_image.len();
    let images = scores.len().checked_div(texts).unwrap_or(0);
    assert_eq!(
        images * texts,
        scores.len(),
        "the scores are not one row of {texts} texts per image"
    );
    let mut own = vec![Vec::new(); images];
    for (text, &image) in text_image.iter().enumerate() {
        assert!(
            image < images,
            "text {text} belongs to image {image}, but there are {images} images"
        );
        own[image].push(text);
    }
    let mut text_to_image = vec![0; texts];
    let mut image_to_text = Vec::with_capacity(images);
    for (image, row) in scores.chunks_exact(texts.max(1)).enumerate() {
        for (text, &gold) in text_image.iter().enumerate() {
            let ahead = gold != image && before(&row[text], &scores[gold * texts + text]);
            text_to_image[text] += usize::from(ahead);
        }
        // The other texts of the image are right as well, so they do not push its best one down.
        let wrong = |gold: usize| {
            (0..texts).filter(|&t| text_image[t] != image && before(&row[t], &row[gold])).count()
        };
        image_to_text.push(own[image].iter().map(|&gold| wrong(gold)).min());
    }
    Ranks { image_to_text, text_to_image }
}

/// Computes recall at 1, 5 and 10 in both directions; see [`ranks`] for the arguments. `None` of no
/// items.
///
/// ```
/// use toolkit_metrics::recall;
///
/// // Two images by three texts; the first two texts describe image 0.
/// let scores = [
///     0.9, 0.2, 0.8, // image 0
///     0.1, 0.3, 0.7, // image 1
/// ];
/// let found = recall(&scores, &[0, 0, 1]).expect("there are items");
/// // Both images rank a text of theirs first; of the texts only the first finds its image.
/// assert_eq!(found.txt_r1, 100.0);
/// assert!((found.img_r1 - 100.0 / 3.0).abs() < 1e-9);
/// ```
///
/// # Panics
/// If `scores` is not a whole matrix or `text_image` names an image outside it.
#[must_use]
pub fn recall<T: PartialOrd>(scores: &[T], text_image: &[usize]) -> Option<Retrieval> {
    ranks(scores, text_image).recall()
}

impl Ranks {
    /// Recall at 1, 5 and 10 in both directions; `None` if there are no images or no texts.
    #[must_use]
    pub fn recall(&self) -> Option<Retrieval> {
        if self.image_to_text.is_empty() || self.text_to_image.is_empty() {
            return None;
        }
        let texts: Vec<Option<usize>> = self.text_to_image.iter().copied().map(Some).collect();
        let at = |ranks: &[Option<usize>], k: usize| {
            let found = ranks.iter().flatten().filter(|&&rank| rank < k).count();
            100.0 * found as f64 / ranks.len() as f64
        };
        let [txt_r1, txt_r5, txt_r10] = [1, 5, 10].map(|k| at(&self.image_to_text, k));
        let [img_r1, img_r5, img_r10] = [1, 5, 10].map(|k| at(&texts, k));
        let txt_r_mean = (txt_r1 + txt_r5 + txt_r10) / 3.0;
        let img_r_mean = (img_r1 + img_r5 + img_r10) / 3.0;
        let r_mean = (txt_r_mean + img_r_mean) / 2.0;
        Some(Retrieval {
            txt_r1,
            txt_r5,
            txt_r10,
            img_r1,
            img_r5,
            img_r10,
            txt_r_mean,
            img_r_mean,
            r_mean,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_worked_ranks() {
        // Texts 0 and 1 describe image 0, text 2 describes image 1.
        let scores = [0.1, 0.9, 0.5, 0.8, 0.2, 0.7];
        let found = ranks(&scores, &[0, 0, 1]);
        assert_eq!(
            found,
            Ranks { image_to_text: vec![Some(0), Some(1)], text_to_image: vec![1, 0, 0] }
        );
        let recall = recall(&scores, &[0, 0, 1]).expect("two images");
        assert_eq!((recall.txt_r1, recall.txt_r5, recall.txt_r10), (50.0, 100.0, 100.0));
        assert!((recall.img_r1 - 200.0 / 3.0).abs() < 1e-12);
        assert!((recall.txt_r_mean - 250.0 / 3.0).abs() < 1e-12);
        assert!((recall.r_mean - (recall.txt_r_mean + recall.img_r_mean) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_constant_scorer_finds_nothing() {
        let text_image: Vec<usize> = (0..20).collect();
        assert_eq!(recall(&[0.5_f32; 400], &text_image), Some(Retrieval::default()));
        assert_eq!(recall(&[f32::NAN; 400], &text_image), Some(Retrieval::default()));
        // With few candidates, five wrong ones are all there can be before the gold one.
        assert_eq!(recall(&[0.5_f32; 25], &[0, 1, 2, 3, 4]).map(|r| r.txt_r5), Some(100.0));
    }

    #[test]
    fn a_perfect_scorer_finds_everything() {
        let text_image: Vec<usize> = (0..30).map(|t| t / 3).collect();
        let scores: Vec<f32> =
            (0..300).map(|i| f32::from(u8::from(text_image[i % 30] == i / 30))).collect();
        let recall = recall(&scores, &text_image).expect("thirty texts");
        assert_eq!((recall.txt_r1, recall.img_r1, recall.r_mean), (100.0, 100.0, 100.0));
    }

    #[test]
    fn images_without_texts_are_misses_and_nothing_is_no_number() {
        assert_eq!(ranks(&[0.3, 0.1], &[0]).image_to_text, [Some(0), None]);
        assert_eq!(recall(&[0.3, 0.1], &[0]).map(|r| r.txt_r10), Some(50.0));
        assert_eq!(recall::<f32>(&[], &[]), None);
    }
}
