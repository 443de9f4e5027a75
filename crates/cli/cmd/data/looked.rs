//! All pictures of a data set decoded on all cores, and the shards that are worst.

use crate::context::Context;
use crate::text::table;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use toolkit_data::{DataError, Dataset};
use toolkit_system::progress::Progress;

/// Pictures that one task takes: neighbours, since those of a shard are read best in their order.
const TOGETHER: usize = 64;

/// Numbers of texts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub captions: u64,
    /// Items without a caption.
    pub bare: u64,
    pub questions: u64,
}

/// Result of looking at every item.
pub(super) struct Looked {
    pub counts: Counts,
    /// Pictures that cannot be had, in the order of the items.
    pub unreadable: Vec<(usize, DataError)>,
}

impl Looked {
    /// Decodes every picture and counts the texts.
    pub fn at(context: &Context, data: &dyn Dataset) -> Self {
        let progress = context.log.task(&format!("decoding {}", data.name()));
        progress.start(0, data.len() as u64);
        let blocks = data.len().div_ceil(TOGETHER);
        let look = |block: usize| {
            let (first, end) = (block * TOGETHER, data.len().min((block + 1) * TOGETHER));
            let (mut counts, mut unreadable) = (Counts::default(), Vec::new());
            for index in first..end {
                let item = data.item(index);
                counts.captions += item.captions.len() as u64;
                counts.bare += u64::from(item.captions.is_empty());
                counts.questions += item.questions.len() as u64;
                unreadable.extend(data.image(index).err().map(|error| (index, error)));
            }
            progress.advance((end - first) as u64);
            Self { counts, unreadable }
        };
        let all = (0..blocks).into_par_iter().map(look).reduce(Self::empty, Self::and);
        progress.finish();
        all
    }

    fn empty() -> Self {
        Self { counts: Counts::default(), unreadable: vec![] }
    }

    fn and(mut self, mut other: Self) -> Self {
        self.counts.captions += other.counts.captions;
        self.counts.bare += other.counts.bare;
        self.counts.questions += other.counts.questions;
        self.unreadable.append(&mut other.unreadable);
        self
    }
}

/// A shard with unreadable pictures.
#[derive(Debug, Serialize)]
pub(super) struct BadShard {
    shard: String,
    unreadable: u64,
    samples: u64,
}

/// Lists the shards with unreadable pictures, those with the most first.
pub(super) fn worst_shards(data: &dyn Dataset, looked: &Looked) -> Vec<BadShard> {
    let mut counts: BTreeMap<usize, u64> = BTreeMap::new();
    for shard in looked.unreadable.iter().filter_map(|(index, _)| data.shard_of(*index)) {
        *counts.entry(shard).or_default() += 1;
    }
    let shards = data.shards();
    let bad = counts.into_iter().filter_map(|(at, unreadable)| {
        let shard = shards.get(at)?;
        Some(BadShard { shard: shard.name.clone(), unreadable, samples: shard.samples })
    });
    let mut bad: Vec<BadShard> = bad.collect();
    bad.sort_by_key(|bad| std::cmp::Reverse(bad.unreadable));
    bad
}

/// Writes a table of at most `most` bad shards.
pub(super) fn worst_table(worst: &[BadShard], most: usize) -> String {
    let row = |bad: &BadShard| {
        vec![bad.shard.clone(), bad.unreadable.to_string(), bad.samples.to_string()]
    };
    let rows: Vec<Vec<String>> = worst.iter().take(most).map(row).collect();
    let more = worst.len() - rows.len();
    let rest = if more > 0 { format!("and {more} more shards\n") } else { String::new() };
    if rows.is_empty() { rest } else { table(&["shard", "unreadable", "of"], &rows) + &rest }
}
