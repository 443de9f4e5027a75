//! Copies of parts of a factor, in the order in which tiles read them.

use super::Matrix;
use super::element::Element;
use super::transpose::transpose;
use crate::cpu::simd::{Kernel, Simd};

/// Panels that are filled at a time: their rows are contiguous in the matrix, so that a few lines
/// of the cache are read from each of its rows and not one.
const TOGETHER: usize = 4;

/// Copies `depth` rows and `columns` columns of a right factor into panels of `WIDTH` columns, row
/// after row. The last panel is padded with zeros.
pub(super) struct PackRight<'a, E, const WIDTH: usize> {
    pub(super) b: &'a [E],
    pub(super) strides: [usize; 2],
    /// First row and first column.
    pub(super) from: [usize; 2],
    pub(super) depth: usize,
    pub(super) columns: usize,
    pub(super) panels: &'a mut [f32],
}

impl<E: Element, const WIDTH: usize> Kernel for PackRight<'_, E, WIDTH> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { b, strides, from: [row, column], depth, columns, panels } = self;
        let panels = &mut panels[..columns.div_ceil(WIDTH) * WIDTH * depth];
        for (i, group) in panels.chunks_mut(TOGETHER * WIDTH * depth).enumerate() {
            let first = i * TOGETHER * WIDTH;
            let width = (TOGETHER * WIDTH).min(columns - first);
            if strides[1] == 1 {
                for p in 0..depth {
                    let from = &b[(row + p) * strides[0] + column + first..][..width];
                    for (panel, from) in
                        group.chunks_exact_mut(WIDTH * depth).zip(from.chunks(WIDTH))
                    {
                        let to = &mut panel[p * WIDTH..][..WIDTH];
                        if let Some(whole) = from.first_chunk::<WIDTH>() {
                            for i in 0..WIDTH {
                                to[i] = whole[i].wide();
                            }
                        } else {
                            for (to, from) in to.iter_mut().zip(from) {
                                *to = from.wide();
                            }
                            to[from.len()..].fill(0.0);
                        }
                    }
                }
            } else {
                for (j, panel) in group.chunks_exact_mut(WIDTH * depth).enumerate() {
                    let first = first + j * WIDTH;
                    let from = &b[(column + first) * strides[1] + row..];
                    let rows = WIDTH.min(columns - first);
                    transpose(simd, (from, strides[1]), [rows, depth], 1.0, panel, WIDTH);
                }
            }
        }
    }
}

/// Copies `rows` rows and `depth` columns of a left factor into panels of `HEIGHT` rows, column after
/// column. Missing rows of the last panel hold any numbers.
pub(super) struct PackLeft<'a, const HEIGHT: usize> {
    pub(super) a: Matrix<&'a [f32]>,
    /// First row and first column.
    pub(super) from: [usize; 2],
    pub(super) rows: usize,
    pub(super) depth: usize,
    pub(super) panels: &'a mut [f32],
}

impl<const HEIGHT: usize> Kernel for PackLeft<'_, HEIGHT> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { a, from: [row, column], rows, depth, panels } = self;
        let panels = panels.chunks_exact_mut(HEIGHT * depth).take(rows.div_ceil(HEIGHT));
        for (i, panel) in panels.enumerate() {
            let first = i * HEIGHT;
            let height = HEIGHT.min(rows - first);
            if a.strides[0] == 1 {
                for (p, to) in panel.chunks_exact_mut(HEIGHT).enumerate() {
                    let from = &a.data[(column + p) * a.strides[1] + row + first..];
                    match from.first_chunk::<HEIGHT>() {
                        Some(whole) if height == HEIGHT => to.copy_from_slice(whole),
                        _ => to[..height].copy_from_slice(&from[..height]),
                    }
                }
            } else {
                let from = &a.data[(row + first) * a.strides[0] + column..];
                transpose(simd, (from, a.strides[0]), [height, depth], 1.0, panel, HEIGHT);
            }
        }
    }
}
