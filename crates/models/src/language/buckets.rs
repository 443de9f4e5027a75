//! T5's relative positions: which row of its table stands for a distance.

/// The row of the relative-position table for a key `distance` positions to the right of the query
/// (negative: left). Half the rows of a direction stand for single distances, the other half for
/// ranges that grow as powers up to `max_distance`. A causal table has one direction, and row 0 for
/// what lies ahead.
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
    let share =
        (away as f32 / exact as f32).ln() / (max_distance as f64 / exact as f64).ln() as f32;
    base + (exact + (share * (rows - exact) as f32) as usize).min(rows - 1)
}
