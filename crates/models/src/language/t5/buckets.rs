//! T5's relative positions: which row of its table stands for a distance.

use crate::layers::Embedding;
use burn::tensor::{Int, Tensor, TensorData};

/// The sizes of a relative-position table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buckets {
    pub(super) rows: usize,
    pub(super) max_distance: usize,
}

impl Buckets {
    /// Adds scores by distance, for the last `new` of `keys` positions, to `mask [batch, 1, 1 or new,
    /// keys]`: `[batch, heads, new, keys]`. A stack has a `table` in its first block; a stack without
    /// blocks has none.
    pub(super) fn add(
        self,
        mask: Tensor<4>,
        table: Option<&Embedding>,
        new: usize,
        bidirectional: bool,
    ) -> Tensor<4> {
        let Some(table) = table else { return mask };
        let (keys, past) = (mask.dims()[3], mask.dims()[3] - new);
        let row = |query: usize, key: usize| {
            bucket(key as i64 - (past + query) as i64, bidirectional, self.rows, self.max_distance)
                as i32
        };
        let rows: Vec<i32> =
            (0..new).flat_map(|query| (0..keys).map(move |key| row(query, key))).collect();
        let rows = Tensor::<2, Int>::from_data(TensorData::new(rows, [new, keys]), &mask.device());
        mask + table.forward(rows).permute([2, 0, 1]).unsqueeze()
    }
}

/// Returns the row of the relative-position table for a key `distance` positions to the right of
/// the query (negative: left).
///
/// Half the rows of a direction stand for single distances. The other half stand for ranges that
/// grow as powers, up to `max_distance`.
#[must_use]
pub fn bucket(distance: i64, bidirectional: bool, buckets: usize, max_distance: usize) -> usize {
    let (rows, base, away) = if bidirectional {
        let rows = buckets / 2;
        (rows, if distance > 0 { rows } else { 0 }, distance.unsigned_abs() as usize)
    } else {
        (buckets, 0, (-distance).max(0) as usize)
    };
    let exact = rows / 2;
    if away < exact {
        return base + away;
    }
    // In f32, as the reference computes it: distances on a boundary must fall on the same side.
    let ln = |x: f32| libm::log(f64::from(x)) as f32;
    let share =
        ln(away as f32 / exact as f32) / libm::log(max_distance as f64 / exact as f64) as f32;
    base + (exact + (share * (rows - exact) as f32) as usize).min(rows - 1)
}
