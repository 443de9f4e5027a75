//! What is evaluated: items, questions, captions, and the soft prefixes of images.

use crate::EvalError;
use burn::tensor::Tensor;
use std::collections::{BTreeMap, BTreeSet};
use toolkit_core::{Stream, index};
use toolkit_data::Dataset;
use toolkit_train::TrainError;

/// Soft prefixes `[items, queries, width]` of data set items, on a plain device. Controls map the
/// items first: those of a
/// [`crate::derangement`] are prefixes of wrong images.
pub type PrefixSource<'a> = dyn Fn(&[usize]) -> Result<Tensor<3>, TrainError> + 'a;

/// Prefixes of samples that come sorted by item: each item's is computed once, also if its samples
/// span two batches.
pub(crate) struct Prefixes<'a> {
    source: &'a PrefixSource<'a>,
    held: Held,
}

/// The last item of the batch before.
enum Held {
    Nothing,
    /// The item and its prefix `[1, queries, width]`.
    Made(usize, Box<Tensor<3>>),
    /// It was skipped: it is the last of the items whose prefixes would have been made together.
    Skipped(Vec<usize>),
}

impl Held {
    fn item(&self) -> Option<usize> {
        match self {
            Self::Nothing => None,
            Self::Made(item, _) => Some(*item),
            Self::Skipped(items) => items.last().copied(),
        }
    }
}

impl<'a> Prefixes<'a> {
    pub(crate) fn new(source: &'a PrefixSource<'a>) -> Self {
        Self { source, held: Held::Nothing }
    }

    /// Prefixes of `items`, which are sorted and may repeat: `[items, queries, width]`.
    pub(crate) fn of(&mut self, items: &[usize]) -> Result<Tensor<3>, EvalError> {
        let mut distinct = items.to_vec();
        distinct.dedup();
        let held = std::mem::replace(&mut self.held, Held::Nothing);
        let mut parts: Vec<Tensor<3>> = match held {
            held if held.item() != distinct.first().copied() => Vec::new(),
            Held::Nothing => Vec::new(),
            Held::Made(_, prefix) => vec![*prefix],
            // Made as it would have been, in the same batch: another one rounds otherwise.
            Held::Skipped(items) => vec![self.make(&items)?.narrow(0, items.len() - 1, 1)],
        };
        let missing = &distinct[parts.len()..];
        if !missing.is_empty() {
            parts.push(self.make(missing)?);
        }
        let prefixes = Tensor::cat(parts, 0);
        if let Some(&last) = distinct.last() {
            self.held =
                Held::Made(last, Box::new(prefixes.clone().narrow(0, distinct.len() - 1, 1)));
        }
        let row = |item: &usize| distinct.binary_search(item).unwrap_or_default();
        let rows: Vec<usize> = items.iter().map(row).collect();
        let device = prefixes.device();
        Ok(prefixes.select(0, index(&rows, &device)))
    }

    /// Passes over `items`, whose texts are there already.
    pub(crate) fn skip(&mut self, items: &[usize]) {
        let mut missing = items.to_vec();
        missing.dedup();
        if self.held.item().is_some() && self.held.item() == missing.first().copied() {
            missing.remove(0);
        }
        if !missing.is_empty() {
            self.held = Held::Skipped(missing);
        }
    }

    fn make(&self, items: &[usize]) -> Result<Tensor<3>, EvalError> {
        let made = (self.source)(items)?;
        if made.dims()[0] != items.len() {
            let what = format!("{} prefixes for {} items", made.dims()[0], items.len());
            return Err(EvalError::new(
                what,
                "prefix source",
                "return one row per item, in the order given",
            ));
        }
        Ok(made)
    }
}

/// At most `limit` of `all`, in order. Drawn and not cut off, because data sets are sorted by
/// group; the same for every model and seed.
fn limited<T>(all: Vec<T>, limit: Option<usize>) -> Vec<T> {
    let Some(limit) = limit.filter(|&limit| limit < all.len()) else { return all };
    let mut keep = vec![false; all.len()];
    for at in Stream::new(0, "eval/limit", 0).permutation(all.len()).into_iter().take(limit) {
        keep[at] = true;
    }
    all.into_iter().zip(keep).filter_map(|(x, keep)| keep.then_some(x)).collect()
}

/// All questions of a data set as (item, question of the item), or `limit` of them.
#[must_use]
pub fn question_pairs(dataset: &dyn Dataset, limit: Option<usize>) -> Vec<(usize, usize)> {
    let of =
        |item: usize| (0..dataset.item(item).questions.len()).map(move |question| (item, question));
    limited((0..dataset.len()).flat_map(of).collect(), limit)
}

/// All items that have a caption, or `limit` of them.
#[must_use]
pub fn captioned_items(dataset: &dyn Dataset, limit: Option<usize>) -> Vec<usize> {
    limited(
        (0..dataset.len()).filter(|&item| !dataset.item(item).captions.is_empty()).collect(),
        limit,
    )
}

/// For each of `items` its first caption that no other of them has, so that retrieval has one right
/// answer. Of several that show the same only the first is there; items without a caption of their
/// own are left out.
#[must_use]
pub fn unique_captions(dataset: &dyn Dataset, items: &[usize]) -> Vec<(usize, String)> {
    let mut shown: BTreeSet<&str> = BTreeSet::new();
    let items: Vec<usize> =
        items.iter().copied().filter(|&item| shown.insert(&dataset.item(item).depicts)).collect();
    // The item that a caption belongs to; `None` once it belongs to two.
    let mut owner: BTreeMap<&str, Option<usize>> = BTreeMap::new();
    for &item in &items {
        for caption in &dataset.item(item).captions {
            let held = owner.entry(caption).or_insert(Some(item));
            *held = held.filter(|&other| other == item);
        }
    }
    let unique = |&item: &usize| {
        let caption = dataset
            .item(item)
            .captions
            .iter()
            .find(|c| owner.get(c.as_str()) == Some(&Some(item)))?;
        Some((item, caption.clone()))
    };
    items.iter().filter_map(unique).collect()
}
