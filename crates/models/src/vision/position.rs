//! Learned position tables for another image size than they were trained at.
//!
//! The table is laid out as a square grid and resized by a bicubic kernel (a = -0.75, no
//! antialiasing), which is what `torch.nn.functional.interpolate` computes. The families differ in
//! where they put the corners: see [`Corners`].

use toolkit_core::published::Corners;

/// Resizes a table `[from * from, width]`, row-major, to `[to * to, width]`.
///
/// # Panics
/// If `table` is not `from * from * width` long.
#[must_use]
pub fn resize_grid(
    table: &[f32],
    width: usize,
    from: usize,
    to: usize,
    corners: Corners,
) -> Vec<f32> {
    assert_eq!(
        table.len(),
        from * from * width,
        "a position table of {from} x {from} rows of {width}"
    );
    if from == to {
        return table.to_vec();
    }
    let taps: Vec<[(usize, f64); 4]> = (0..to).map(|at| taps(at, from, to, corners)).collect();
    let mut out = Vec::with_capacity(to * to * width);
    for rows in &taps {
        for columns in &taps {
            out.extend((0..width).map(|channel| {
                let across = |row: usize| -> f64 {
                    columns
                        .iter()
                        .map(|&(column, weight)| {
                            weight * f64::from(table[(row * from + column) * width + channel])
                        })
                        .sum()
                };
                rows.iter().map(|&(row, weight)| weight * across(row)).sum::<f64>() as f32
            }));
        }
    }
    out
}

/// Returns the four cells that cell `at` of the new grid is interpolated from, with their weights.
/// Cells beyond the border repeat the border.
fn taps(at: usize, from: usize, to: usize, corners: Corners) -> [(usize, f64); 4] {
    let source = match corners {
        Corners::Edges => (at as f64 + 0.5) * from as f64 / to as f64 - 0.5,
        Corners::Centres if to == 1 => 0.0,
        Corners::Centres => at as f64 * (from - 1) as f64 / (to - 1) as f64,
    };
    let (cell, t) = (source.floor(), source - source.floor());
    [-1.0, 0.0, 1.0, 2.0].map(|offset: f64| {
        let index = (cell + offset).clamp(0.0, (from - 1) as f64) as usize;
        (index, kernel((t - offset).abs()))
    })
}

/// Evaluates the cubic kernel of Keys with a = -0.75.
fn kernel(x: f64) -> f64 {
    const A: f64 = -0.75;
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    } else {
        0.0
    }
}
