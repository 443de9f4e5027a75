//! Scores of the matching head for pairs of an image and a text.

use super::Search;
use crate::EvalError;
use burn::tensor::Device;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use toolkit_core::{Pair, Side, pad, params};

/// Score of a pair outside the candidates, as in LAVIS; below any other score.
const UNRANKED: f32 = -100.0;

/// Returns `true` if `other` is ranked before a right item of score `gold`. Ties are broken against
/// the model (see [`toolkit_metrics::retrieval`]).
pub(crate) fn before(other: f32, gold: f32) -> bool {
    other.partial_cmp(&gold) != Some(Ordering::Less)
}

/// Returns the rank of `gold` among `total` items, of which `scored` have a score. The others come
/// last. Items that are `right` do not push each other down.
pub(crate) fn rank(scored: &[(usize, f32)], gold: usize, total: usize, right: &[usize]) -> usize {
    let own = scored.iter().find(|item| item.0 == gold).map_or(UNRANKED, |item| item.1);
    let wrong = || scored.iter().filter(|item| !right.contains(&item.0));
    let others = total - right.len() - wrong().count();
    wrong().filter(|item| before(item.1, own)).count()
        + if before(UNRANKED, own) { others } else { 0 }
}

/// Logits of "no match" and "match" by (image, text).
pub(crate) type Matched = BTreeMap<(usize, usize), [f32; 2]>;

/// Scores `pairs`, which are sorted, by the matching head.
///
/// Images are passed again, a batch at a time, because the keys and values of a whole data set
/// would not fit. That costs one pass, where the pairs of an image cost dozens.
pub(crate) fn match_pairs(
    search: &Search<'_>,
    pairs: &[(usize, usize)],
) -> Result<Matched, EvalError> {
    let Search { tower, items, texts, .. } = search;
    let batch = search.batch();
    let mut matched = Matched::new();
    for images in (0..items.len()).collect::<Vec<_>>().chunks(batch) {
        let from = pairs.partition_point(|pair| pair.0 < images[0]);
        let to = pairs.partition_point(|pair| pair.0 < images[0] + images.len());
        if from == to {
            continue;
        }
        let block: Vec<usize> = images.iter().map(|&image| items[image]).collect();
        let pass = tower.image_pass((search.features)(&block)?);
        let device: Device = pass.queries.device();
        // By length, so that little is padded, and by text, so that what the pairs of a text share
        // is done once.
        let mut order = pairs[from..to].to_vec();
        order.sort_by_key(|&(_, text)| (texts[text].len(), text));
        for chunk in order.chunks(batch) {
            let (own, rows) =
                Pair::by_text(chunk.iter().map(|&(image, text)| (text, image - images[0])));
            let own: Vec<Vec<u32>> = own.into_iter().map(|text| texts[text].clone()).collect();
            let text = pad(&own, search.padding, Side::Right, &device);
            let logits =
                params::floats(tower.match_logits(&pass.cross, &rows, text.ids, text.mask));
            matched.extend(
                chunk.iter().zip(logits.chunks_exact(2)).map(|(&pair, l)| (pair, [l[0], l[1]])),
            );
        }
    }
    Ok(matched)
}
