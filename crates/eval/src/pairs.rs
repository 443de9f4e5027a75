//! Which image-text pairs are worth the matching head, and what it says about them.

use crate::EvalError;
use burn::tensor::{Device, Tensor};
use std::collections::BTreeMap;
use toolkit_core::{TextTower, params};
use toolkit_train::TrainError;
use toolkit_train::text::{Side, index, pad};

/// Image-text similarities `[images, texts]`, row-major.
pub(crate) struct Scores {
    pub(crate) images: usize,
    pub(crate) texts: usize,
    pub(crate) values: Vec<f32>,
}

/// What LAVIS gives a pair outside the first k; below any score.
const UNRANKED: f32 = -100.0;

impl Scores {
    pub(crate) fn at(&self, image: usize, text: usize) -> f32 {
        self.values[image * self.texts + text]
    }

    /// The `k` most similar texts of an image, best first; ties by number.
    pub(crate) fn best_texts(&self, image: usize, k: usize) -> Vec<usize> {
        best(self.texts, k, |text| self.at(image, text))
    }

    /// The `k` most similar images of a text.
    pub(crate) fn best_images(&self, text: usize, k: usize) -> Vec<usize> {
        best(self.images, k, |image| self.at(image, text))
    }

    /// The most similar image that is not the text's own; `None` if there is no other.
    pub(crate) fn hardest_image(&self, text: usize, own: usize) -> Option<usize> {
        self.best_images(text, 2).into_iter().find(|&image| image != own)
    }

    /// Similarity and matching logit summed for `pairs`, all others last (LAVIS; BLIP-2 specification, section 1.10).
    pub(crate) fn reranked(
        &self,
        pairs: impl Iterator<Item = (usize, usize)>,
        matched: &Matched,
        with_similarity: bool,
    ) -> Vec<f32> {
        let mut values = vec![UNRANKED; self.values.len()];
        for (image, text) in pairs {
            let similarity = if with_similarity { self.at(image, text) } else { 0.0 };
            values[image * self.texts + text] =
                similarity + matched.get(&(image, text)).map_or(f32::NAN, |logits| logits[1]);
        }
        values
    }
}

fn best(n: usize, k: usize, score: impl Fn(usize) -> f32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
    order.truncate(k);
    order
}

/// Logits of "no match" and "match" by (image, text).
pub(crate) type Matched = BTreeMap<(usize, usize), [f32; 2]>;

/// The matching head's view of `pairs`, sorted. Images are passed again, `batch` at a time, because the keys and values of
/// a whole data set would not fit; that costs one pass where the pairs of an image cost dozens.
pub(crate) fn match_pairs(
    tower: &dyn TextTower,
    features: &dyn Fn(&[usize]) -> Result<Tensor<3>, TrainError>,
    items: &[usize],
    texts: &[Vec<u32>],
    pairs: &[(usize, usize)],
    padding: u32,
    batch: usize,
) -> Result<Matched, EvalError> {
    let mut matched = Matched::new();
    for images in (0..items.len()).collect::<Vec<_>>().chunks(batch) {
        let from = pairs.partition_point(|pair| pair.0 < images[0]);
        let to = pairs.partition_point(|pair| pair.0 < images[0] + images.len());
        if from == to {
            continue;
        }
        let held: Vec<usize> = images.iter().map(|&image| items[image]).collect();
        let pass = tower.image_pass(features(&held)?);
        let device: Device = pass.queries.device();
        for chunk in pairs[from..to].chunks(batch) {
            let rows: Vec<usize> = chunk.iter().map(|pair| pair.0 - images[0]).collect();
            let rows = index(&rows, &device);
            let gather = |(k, v): &(Tensor<4>, Tensor<4>)| {
                (k.clone().select(0, rows.clone()), v.clone().select(0, rows.clone()))
            };
            let cross: Vec<_> = pass.cross.iter().map(gather).collect();
            let own: Vec<Vec<u32>> = chunk.iter().map(|pair| texts[pair.1].clone()).collect();
            let text = pad(&own, padding, Side::Right, &device);
            let logits = params::floats(tower.match_logits(&cross, text.ids, text.mask));
            matched.extend(chunk.iter().zip(logits.chunks_exact(2)).map(|(&pair, l)| (pair, [l[0], l[1]])));
        }
    }
    Ok(matched)
}
