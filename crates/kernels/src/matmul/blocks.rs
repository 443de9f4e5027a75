//! A product on one thread: blocks of both factors that fit the caches, tile after tile.

#![expect(unsafe_code, reason = "the output of a tile is a pointer")]

use std::cell::RefCell;
use std::ops::Range;

use super::element::{Values, of_any_type};
use super::pack::{PackLeft, PackRight};
use super::tile::{self, ACROSS, Tiles};
use super::{K_BLOCK, Matrix};
use crate::cpu::isa::Isa;
use crate::cpu::simd::vectorised;

/// Columns of the right factor that are packed at a time: a block of 1 MB.
const COLUMNS: usize = 1024;

/// Rows of the left factor that are packed at a time: 192 KB, for the second-level cache.
const ROWS: usize = 192;

/// Columns of the product above which a left factor with far rows is packed: it is read once for
/// each panel of the right factor.
const PACKED_FROM: usize = 128;

/// Distance of the left factor's rows or columns, in numbers, from which it is packed.
const FAR: usize = 512;

/// Where a product goes: rows of a buffer that others may write beside it.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) data: *mut f32,
    /// Distance of rows.
    pub(super) stride: usize,
    /// `true` adds to the values that are there.
    pub(super) add: bool,
}

// SAFETY: a target is a place and no reference; whoever computes with it promises that no two threads
// write one element.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

impl Target {
    /// Returns the target from this element on.
    ///
    /// # Safety
    /// The element lies within the buffer.
    pub(super) unsafe fn from(self, [row, column]: [usize; 2]) -> Self {
        // SAFETY: the caller promises it.
        let data = unsafe { self.data.add(row * self.stride + column) };
        Self { data, ..self }
    }
}

/// Memory for packed blocks.
#[derive(Default)]
struct Scratch {
    left: Vec<f32>,
    right: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Computes the rows and columns `[from, to)` of `a b`.
///
/// # Safety
/// `out` is element `from` of the product, and can be written for all of its rows and columns that
/// are asked for. With `add` they are initialised. This processor has `isa`.
pub(super) unsafe fn multiply(
    isa: Isa,
    (a, b): (Matrix<&[f32]>, Matrix<Values<'_>>),
    [rows, columns]: [Range<usize>; 2],
    out: Target,
) {
    let k = a.columns;
    let whole = a.fills(a.data.len()) && b.fills(b.data.len());
    assert!(whole && b.rows == k && k > 0, "{} x {k}", a.rows);
    assert!(rows.end <= a.rows && columns.end <= b.columns, "{rows:?} of {}", a.rows);
    SCRATCH.with_borrow_mut(|scratch| {
        for first in columns.clone().step_by(COLUMNS) {
            let width = COLUMNS.min(columns.end - first);
            for p in (0..k).step_by(K_BLOCK) {
                let block = Block { isa, a, b, depth: K_BLOCK.min(k - p), p, first, width };
                // SAFETY: these columns are among those that the caller asks for.
                let mut out = unsafe { out.from([0, first - columns.start]) };
                out.add |= p > 0;
                // SAFETY: as above, and the first block has initialised what the next ones add to.
                unsafe { block.run(scratch, rows.clone(), out) };
            }
        }
    });
}

/// A block of the right factor: rows `p..p + depth`, `width` columns from `first` on.
struct Block<'a> {
    isa: Isa,
    a: Matrix<&'a [f32]>,
    b: Matrix<Values<'a>>,
    p: usize,
    depth: usize,
    first: usize,
    width: usize,
}

impl Block<'_> {
    /// Computes its share of the product for these rows.
    ///
    /// # Safety
    /// As for [`multiply`]; `out` is the first row and column.
    unsafe fn run(&self, scratch: &mut Scratch, rows: Range<usize>, out: Target) {
        let Self { isa, a, p, depth, width, .. } = *self;
        let [height, register] = tile::shape(isa);
        let across = ACROSS * register;
        let Scratch { left, right } = scratch;
        self.pack_right(right, across);
        let packs = width >= PACKED_FROM && a.strides[0].max(a.strides[1]) >= FAR;
        for first in rows.clone().step_by(ROWS) {
            let count = ROWS.min(rows.end - first);
            if packs {
                self.pack_left(left, height, first..first + count);
            }
            let (left, a_row, a_step, a_tile) = if packs {
                (&left[..], 1, height, height * depth)
            } else {
                let [row, step] = a.strides;
                (&a.data[first * row + p * step..], row, step, height * row)
            };
            for j in (0..width).step_by(across) {
                let columns = across.min(width - j);
                let right = &right[j * depth..][..across * depth];
                // SAFETY: the tiles lie within the rows and columns of this block.
                unsafe {
                    let out = out.from([first - rows.start, j]);
                    let tiles = Tiles {
                        rows: count,
                        registers: columns.div_ceil(register),
                        depth,
                        a: left.as_ptr(),
                        a_row,
                        a_step,
                        a_tile,
                        b: right.as_ptr(),
                        b_step: across,
                        out: out.data,
                        out_row: out.stride,
                        add: out.add,
                    };
                    if columns.is_multiple_of(register) {
                        tile::compute(isa, tiles);
                    } else {
                        tile::compute_part(isa, tiles, columns);
                    }
                }
            }
        }
    }

    /// Packs the block of the right factor into panels of `across` columns.
    fn pack_right(&self, panels: &mut Vec<f32>, across: usize) {
        let Self { b, p, depth, first, width, .. } = *self;
        panels.resize(panels.len().max(depth * width.next_multiple_of(across)), 0.0);
        let (from, columns, strides) = ([p, first], width, b.strides);
        of_any_type!(b.data, b => match across {
            16 => vectorised(PackRight::<_, 16> { b, strides, from, depth, columns, panels }),
            32 => vectorised(PackRight::<_, 32> { b, strides, from, depth, columns, panels }),
            _ => unreachable!("no tile is {across} wide"),
        });
    }

    /// Packs these rows of the left factor into panels of `height` rows.
    fn pack_left(&self, panels: &mut Vec<f32>, height: usize, rows: Range<usize>) {
        let Self { a, p, depth, .. } = *self;
        let (from, rows) = ([rows.start, p], rows.len());
        panels.resize(panels.len().max(depth * rows.next_multiple_of(height)), 0.0);
        match height {
            6 => vectorised(PackLeft::<6> { a, from, rows, depth, panels }),
            12 => vectorised(PackLeft::<12> { a, from, rows, depth, panels }),
            _ => unreachable!("no tile is {height} high"),
        }
    }
}
