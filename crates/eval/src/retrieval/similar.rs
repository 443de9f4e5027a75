//! Similarities of all images with all texts, a block at a time: what is kept does not grow with
//! their product, so that 31,000 images with 155,000 texts fit.

use super::Search;
use super::pairs::{Matched, before, rank};
use crate::EvalError;
use burn::tensor::Tensor;
use std::collections::BTreeMap;
use toolkit_core::{Side, pad, params, similarity};
use toolkit_metrics::retrieval::Ranks;

/// Products of queries with texts at a time: 256 MB.
const PRODUCTS: usize = 1 << 26;

/// A candidate and its similarity.
pub(crate) type Candidate = (usize, f32);

/// Ranks and best candidates by similarity. The matrix of all pairs is never in memory.
pub(crate) struct Similar {
    /// Ranks by similarity alone.
    pub(crate) ranks: Ranks,
    /// The most similar texts of each image, best first, ties by number.
    pub(crate) texts: Vec<Vec<Candidate>>,
    /// The most similar images of each text.
    pub(crate) images: Vec<Vec<Candidate>>,
    /// The most similar image of each text that is not its own; `None` if there is no other.
    pub(crate) hardest: Vec<Option<usize>>,
}

/// Embeddings of both sides, each computed once.
pub(crate) struct Embeddings {
    /// `[images, queries, e]` of each block of images.
    images: Vec<Tensor<3>>,
    /// `[texts, e]`.
    texts: Tensor<2>,
}

impl Embeddings {
    /// Passes all images and texts, a batch at a time.
    ///
    /// # Errors
    /// If features cannot be read.
    pub(crate) fn new(search: &Search<'_>) -> Result<Self, EvalError> {
        let Search { tower, items, texts, .. } = search;
        let mut images = Vec::new();
        for block in items.chunks(search.batch()) {
            let pass = tower.image_pass((search.features)(block)?);
            images.push(tower.image_embeds(pass.queries));
        }
        let device = images[0].device();
        let embed = |rows: &[Vec<u32>]| {
            let text = pad(rows, search.padding, Side::Right, &device);
            tower.text_embeds(text.ids, text.mask)
        };
        let texts = Tensor::cat(texts.chunks(search.batch()).map(embed).collect(), 0);
        Ok(Self { images, texts })
    }

    /// Hands out the similarities of one image after the other with all texts: cosine with the most
    /// similar query, without temperature.
    fn rows(&self, mut take: impl FnMut(usize, &[f32])) -> Result<(), EvalError> {
        let texts = self.texts.dims()[0];
        let mut image = 0;
        let parts = self.images.iter().flat_map(|block| {
            let [images, queries, _] = block.dims();
            let step = (PRODUCTS / (queries * texts).max(1)).clamp(1, images);
            (0..images)
                .step_by(step)
                .map(move |from| block.clone().narrow(0, from, step.min(images - from)))
        });
        for part in parts {
            let values = params::floats(similarity(part, self.texts.clone()));
            if values.iter().any(|value| !value.is_finite()) {
                let hint =
                    "the weights hold NaN or overflow: look at the run's last losses, or use f32";
                return Err(EvalError::new("similarities are not numbers", "retrieval", hint));
            }
            for row in values.chunks_exact(texts) {
                take(image, row);
                image += 1;
            }
        }
        Ok(())
    }

    /// Ranks and the `k` best candidates of each side; `owner[t]` is the image of text `t`.
    ///
    /// # Errors
    /// If similarities are not numbers.
    pub(crate) fn similar(&self, owner: &[usize], k: usize) -> Result<Similar, EvalError> {
        // 1. Of each text with its own image. These come from the same products as all others: of
        //    products of other
        // shapes the last bit may differ, which would break ties.
        let mut own = vec![0.0; owner.len()];
        let mut of_image: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (text, &image) in owner.iter().enumerate() {
            of_image.entry(image).or_default().push(text);
        }
        self.rows(|image, row| {
            for &text in of_image.get(&image).into_iter().flatten() {
                own[text] = row[text];
            }
        })?;

        // 2. Everything else.
        let mut image_to_text = Vec::new();
        let (mut text_to_image, mut texts) = (vec![0; owner.len()], Vec::new());
        // Two at least: one of them is not the text's own.
        let mut images: Vec<Vec<Candidate>> = vec![Vec::new(); owner.len()];
        let kept = k.max(2);
        self.rows(|image, row| {
            let wrong = |gold: &usize| {
                (0..row.len()).filter(|&t| owner[t] != image && before(row[t], row[*gold])).count()
            };
            image_to_text.push(of_image.get(&image).and_then(|own| own.iter().map(wrong).min()));
            for (text, &value) in row.iter().enumerate() {
                text_to_image[text] +=
                    usize::from(owner[text] != image && before(value, own[text]));
                insert(&mut images[text], (image, value), kept);
            }
            texts.push(best(row, k));
        })?;
        let hardest = images.iter().zip(owner);
        let hardest = hardest
            .map(|(all, &own)| all.iter().map(|c| c.0).find(|&image| image != own))
            .collect();
        images.iter_mut().for_each(|all| all.truncate(k));
        Ok(Similar { ranks: Ranks { image_to_text, text_to_image }, texts, images, hardest })
    }
}

/// The `k` best of a row, ties by number.
fn best(row: &[f32], k: usize) -> Vec<Candidate> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    let better = |a: &usize, b: &usize| row[*b].total_cmp(&row[*a]).then(a.cmp(b));
    if k > 0 && k < order.len() {
        order.select_nth_unstable_by(k - 1, better);
    }
    order.truncate(k);
    order.sort_unstable_by(better);
    order.into_iter().map(|at| (at, row[at])).collect()
}

/// Puts a candidate, later than all that are there, among the `k` best.
fn insert(all: &mut Vec<Candidate>, new: Candidate, k: usize) {
    if all.len() == k && all.last().is_some_and(|last| last.1.total_cmp(&new.1).is_ge()) {
        return;
    }
    let at = all.partition_point(|held| held.1.total_cmp(&new.1).is_ge());
    all.insert(at, new);
    all.truncate(k);
}

impl Similar {
    /// Returns the candidates of both sides as pairs (image, text).
    pub(crate) fn pairs(&self) -> Vec<(usize, usize)> {
        let of_images =
            self.texts.iter().enumerate().flat_map(|(image, candidates)| {
                candidates.iter().map(move |&(text, _)| (image, text))
            });
        let of_texts =
            self.images.iter().enumerate().flat_map(|(text, candidates)| {
                candidates.iter().map(move |&(image, _)| (image, text))
            });
        of_images.chain(of_texts).collect()
    }

    /// Ranks by similarity plus matching logit among the candidates of each side, all others last
    /// (LAVIS; BLIP-2 specification, section 1.10). Without `contrast` by the logit alone.
    pub(crate) fn reranked(&self, owner: &[usize], matched: &Matched, contrast: bool) -> Ranks {
        let score = |image: usize, text: usize, similarity: f32| {
            let similarity = if contrast { similarity } else { 0.0 };
            similarity + matched.get(&(image, text)).map_or(f32::NAN, |logits| logits[1])
        };
        let mut own: Vec<Vec<usize>> = vec![Vec::new(); self.texts.len()];
        owner.iter().enumerate().for_each(|(text, &image)| own[image].push(text));
        let of_image = |(image, candidates): (usize, &Vec<Candidate>)| {
            let scored: Vec<Candidate> =
                candidates.iter().map(|&(text, s)| (text, score(image, text, s))).collect();
            own[image].iter().map(|&gold| rank(&scored, gold, owner.len(), &own[image])).min()
        };
        let of_text = |(text, candidates): (usize, &Vec<Candidate>)| {
            let scored: Vec<Candidate> =
                candidates.iter().map(|&(image, s)| (image, score(image, text, s))).collect();
            rank(&scored, owner[text], self.texts.len(), &[owner[text]])
        };
        Ranks {
            image_to_text: self.texts.iter().enumerate().map(of_image).collect(),
            text_to_image: self.images.iter().enumerate().map(of_text).collect(),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::super::pairs::Matched;
    use super::{Embeddings, best, insert};
    use burn::tensor::{Device, Tensor, TensorData};
    use proptest::prelude::*;
    use toolkit_core::params;
    use toolkit_core::similarity;
    use toolkit_metrics::retrieval::ranks;

    /// Few values, so that there are ties.
    fn drawn(seed: u64, count: usize) -> Vec<f32> {
        let mut draw = toolkit_core::Stream::new(seed, "test", 0);
        (0..count).map(|_| draw.below(4) as f32 / 2.0 - 0.5).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Against the whole matrix, which the ranks of the metrics and LAVIS's re-ranking are of.
        #[test]
        fn blocks_give_what_the_whole_matrix_gives(
            seed in 0u64..1000,
            images in 1usize..7,
            each in 1usize..4,
            batch in 1usize..4,
            k in 1usize..6,
            contrast: bool,
        ) {
            let device = Device::flex();
            let (queries, width) = (2, 3);
            let texts = images * each;
            let owner: Vec<usize> = (0..texts).map(|text| text / each).collect();
            let all = drawn(seed, images * queries * width);
            let image = |from: usize, to: usize| {
                let part = all[from * queries * width..to * queries * width].to_vec();
                Tensor::<3>::from_data(TensorData::new(part, [to - from, queries, width]), &device)
            };
            let text = TensorData::new(drawn(seed + 1, texts * width), [texts, width]);
            let text = Tensor::<2>::from_data(text, &device);
            let block = |from: usize| image(from, (from + batch).min(images));
            let blocks = (0..images).step_by(batch).map(block);
            let embeddings = Embeddings { images: blocks.collect(), texts: text.clone() };
            let values = params::floats(similarity(image(0, images), text));
            let found = embeddings.similar(&owner, k).unwrap();
            prop_assert_eq!(&found.ranks, &ranks(&values, &owner));

            let logits = drawn(seed + 2, images * texts);
            let pair = |at: usize| (at / texts, at % texts);
            let matched: Matched =
                (0..images * texts).map(|at| (pair(at), [0.0, logits[at]])).collect();
            let whole = |candidates: &dyn Fn(usize, usize) -> bool| -> Vec<f32> {
                let score = |at: usize| if contrast { values[at] + logits[at] } else { logits[at] };
                let is_candidate = |at: usize| candidates(at / texts, at % texts);
                let one = |at: usize| if is_candidate(at) { score(at) } else { -100.0 };
                (0..images * texts).map(one).collect()
            };
            let to_text = whole(&|image, text| found.texts[image].iter().any(|c| c.0 == text));
            let to_image = whole(&|image, text| found.images[text].iter().any(|c| c.0 == image));
            let reranked = found.reranked(&owner, &matched, contrast);
            prop_assert_eq!(reranked.image_to_text, ranks(&to_text, &owner).image_to_text);
            prop_assert_eq!(reranked.text_to_image, ranks(&to_image, &owner).text_to_image);
        }

        #[test]
        fn the_best_are_those_of_a_stable_sort(row in prop::collection::vec(0u8..6, 1..40), k in 0usize..12) {
            let row: Vec<f32> = row.into_iter().map(f32::from).collect();
            let mut sorted: Vec<(usize, f32)> = row.iter().copied().enumerate().collect();
            sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
            sorted.truncate(k);
            prop_assert_eq!(&best(&row, k), &sorted);
            let mut held = Vec::new();
            row.iter().copied().enumerate().for_each(|new| insert(&mut held, new, k.max(1)));
            held.truncate(k);
            prop_assert_eq!(held, sorted);
        }
    }
}
