//! Items, questions and captions that are measured.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use toolkit_core::Stream;
use toolkit_data::{Dataset, TextProcessor};

/// Returns at most `limit` of `all`, in order.
///
/// They are drawn, because data sets are sorted by group. The draw is the same for every model and
/// seed.
fn limited<T>(all: Vec<T>, limit: Option<usize>) -> Vec<T> {
    let Some(limit) = limit.filter(|&limit| limit < all.len()) else { return all };
    let mut keep = vec![false; all.len()];
    for at in Stream::new(0, "eval/limit", 0).permutation(all.len()).into_iter().take(limit) {
        keep[at] = true;
    }
    all.into_iter().zip(keep).filter_map(|(x, keep)| keep.then_some(x)).collect()
}

/// Returns all questions of a data set as (item, question of the item), or `limit` of them.
#[must_use]
pub fn question_pairs(dataset: &dyn Dataset, limit: Option<usize>) -> Vec<(usize, usize)> {
    let of =
        |item: usize| (0..dataset.item(item).questions.len()).map(move |question| (item, question));
    limited((0..dataset.len()).flat_map(of).collect(), limit)
}

/// Returns all items that have a caption, or `limit` of them.
#[must_use]
pub fn captioned_items(dataset: &dyn Dataset, limit: Option<usize>) -> Vec<usize> {
    limited(
        (0..dataset.len()).filter(|&item| !dataset.item(item).captions.is_empty()).collect(),
        limit,
    )
}

/// Returns the captions of an item as a task reads them.
pub(crate) fn captions(
    dataset: &dyn Dataset,
    item: usize,
    processor: Option<&TextProcessor>,
) -> Vec<String> {
    let captions = dataset.item(item).into_owned().captions;
    match processor {
        Some(processor) => captions.iter().map(|text| processor.apply(text)).collect(),
        None => captions,
    }
}

/// Returns for each of `items` its first caption that no other of them has, so that retrieval has
/// one right answer. Captions are compared and returned as the processor makes them.
///
/// The first of several items that depict the same is taken. Items without a caption of their own
/// are left out.
#[must_use]
pub fn unique_captions(
    dataset: &dyn Dataset,
    items: &[usize],
    processor: Option<&TextProcessor>,
) -> Vec<(usize, String)> {
    let mut shown: BTreeSet<String> = BTreeSet::new();
    let mut new = |&item: &usize| shown.insert(dataset.item(item).depicts.clone());
    let items: Vec<usize> = items.iter().copied().filter(|item| new(item)).collect();
    // The item that a caption belongs to; `None` once it belongs to two.
    let mut owner: BTreeMap<String, Option<usize>> = BTreeMap::new();
    for &item in &items {
        for caption in captions(dataset, item, processor) {
            let held = owner.entry(caption).or_insert(Some(item));
            *held = held.filter(|&other| other == item);
        }
    }
    let unique = |&item: &usize| {
        let captions = captions(dataset, item, processor);
        let own = captions.into_iter().find(|c| owner.get(c.as_str()) == Some(&Some(item)))?;
        Some((item, own))
    };
    items.iter().filter_map(unique).collect()
}

/// Returns for each item the first item that depicts the same.
#[must_use]
pub fn same_pictures(dataset: &dyn Dataset) -> Vec<usize> {
    let mut first: HashMap<String, usize> = HashMap::new();
    let depicts = |i| dataset.item(i).into_owned().depicts;
    (0..dataset.len()).map(|i| *first.entry(depicts(i)).or_insert(i)).collect()
}
