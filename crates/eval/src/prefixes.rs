//! Soft prefixes of the pictures of a data set, each computed once.

use crate::EvalError;
use burn::tensor::Tensor;
use toolkit_core::index;

/// Source of the soft prefixes `[items, queries, width]` of data set items, on a plain device.
pub(crate) type PrefixSource<'a> = dyn Fn(&[usize]) -> Result<Tensor<3>, EvalError> + 'a;

/// Prefixes of samples that are sorted by item. The prefix of an item is computed once, even if its
/// samples span two batches.
pub(crate) struct Prefixes<'a> {
    source: &'a PrefixSource<'a>,
    last: Last,
}

/// Last item of the batch before.
enum Last {
    Nothing,
    /// Item and its prefix `[1, queries, width]`.
    Made(usize, Box<Tensor<3>>),
    /// Items whose prefixes would have been made together; their batch was skipped.
    Skipped(Vec<usize>),
}

impl Last {
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
        Self { source, last: Last::Nothing }
    }

    /// Returns the prefixes `[items, queries, width]` of `items`, which are sorted and may repeat.
    pub(crate) fn of(&mut self, items: &[usize]) -> Result<Tensor<3>, EvalError> {
        let mut distinct = items.to_vec();
        distinct.dedup();
        let last = std::mem::replace(&mut self.last, Last::Nothing);
        let mut parts: Vec<Tensor<3>> = match last {
            last if last.item() != distinct.first().copied() => Vec::new(),
            Last::Nothing => Vec::new(),
            Last::Made(_, prefix) => vec![*prefix],
            // Made as it would have been, in the same batch: another one rounds otherwise.
            Last::Skipped(items) => vec![self.make(&items)?.narrow(0, items.len() - 1, 1)],
        };
        let missing = &distinct[parts.len()..];
        if !missing.is_empty() {
            parts.push(self.make(missing)?);
        }
        let prefixes = Tensor::cat(parts, 0);
        if let Some(&last) = distinct.last() {
            self.last =
                Last::Made(last, Box::new(prefixes.clone().narrow(0, distinct.len() - 1, 1)));
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
        if self.last.item().is_some() && self.last.item() == missing.first().copied() {
            missing.remove(0);
        }
        if !missing.is_empty() {
            self.last = Last::Skipped(missing);
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
