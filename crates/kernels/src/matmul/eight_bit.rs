//! Matrices of 8-bit blocks: 32 numbers of a row share a scale. They take a quarter of the memory,
//! and a product with few rows is bound by reading memory.

use burn::backend::{BackendTensor, DispatchTensorKind};
use burn::tensor::quantization::{QuantScheme, QuantValue, ScaleDtype};
use burn::tensor::{DType, Tensor};
use burn_flex::{FlexQTensor, FlexTensor};
use rayon::prelude::*;

use super::split::{DEPTH, in_pieces};
use crate::cpu::buffer::tensor;
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::graph::{on_flex, plain};

/// Numbers that share a scale.
const BLOCK: usize = 32;

/// Returns the number type of such matrices: symmetric, one f32 scale for 32 numbers, 9 bits a
/// number.
#[must_use]
pub fn eight_bit() -> DType {
    let scheme = QuantScheme::default()
        .with_value(QuantValue::Q8F)
        .per_block([BLOCK as u8], ScaleDtype::F32);
    DType::QFloat(scheme)
}

/// Casts `x [rows, in]` to the number type `dtype`, a float type or [`eight_bit`].
///
/// A matrix whose rows are no whole number of blocks, or that is not on flex, is returned unchanged
/// instead of in 8 bits.
#[must_use]
pub fn cast<const D: usize>(x: Tensor<D>, dtype: DType) -> Tensor<D> {
    let DType::QFloat(scheme) = dtype else { return x.cast(dtype) };
    let fits = D == 2 && x.dims()[D - 1].is_multiple_of(BLOCK);
    if fits && on_flex(&x.clone().into_dispatch()) { x.quantize_dynamic(&scheme) } else { x }
}

/// Returns `true` for a matrix of 8-bit blocks.
pub(crate) fn is(x: &Tensor<2>) -> bool {
    matches!(x.dtype(), DType::QFloat(_))
}

/// Returns the numbers and scales of a contiguous matrix of 8-bit blocks on flex.
pub(crate) fn blocks(w: &Tensor<2>) -> Option<FlexQTensor> {
    match w.clone().into_dispatch().kind {
        DispatchTensorKind::Flex(BackendTensor::Quantized(w)) if w.tensor().is_contiguous() => {
            Some(w)
        }
        _ => None,
    }
}

/// Computes `y [rows, n] = x [rows, k] w [k, n]`.
pub(crate) fn times(x: FlexTensor, w: FlexQTensor, rows: usize, n: usize) -> Vec<f32> {
    let k = x.storage::<f32>().len() / rows;
    in_pieces([k, n], rows * n, move |run, sums| {
        let (from, to) = (run.start * n, run.end * n);
        let (x, w, scales) =
            (x.storage(), &w.tensor().storage()[from..to], &w.scales()[from / BLOCK..to / BLOCK]);
        vectorised(Times { x, w, scales, first: run.start, k, n, sums });
    })
}

/// The product with rows `first..` of the matrix, as many as `w` holds.
struct Times<'a> {
    x: &'a [f32],
    w: &'a [i8],
    scales: &'a [f32],
    first: usize,
    k: usize,
    n: usize,
    sums: &'a mut [f32],
}

/// Multiplies the numbers of a block by its scale.
#[inline(always)]
fn widen_block(w: &[i8; BLOCK], scale: f32, wide: &mut [f32; BLOCK]) {
    for j in 0..BLOCK {
        wide[j] = f32::from(w[j]) * scale;
    }
}

impl Kernel for Times<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { x, w, scales, first, k, n, sums } = self;
        let blocks = n / BLOCK;
        let w = w.as_chunks::<BLOCK>().0;
        for (i, (w, scales)) in
            w.chunks(DEPTH * blocks).zip(scales.chunks(DEPTH * blocks)).enumerate()
        {
            let (at, depth) = (first + i * DEPTH, w.len() / blocks);
            for block in 0..blocks {
                // Widened once for all rows of `x`.
                let mut wide = [[0.0; BLOCK]; DEPTH];
                for (d, wide) in wide.iter_mut().take(depth).enumerate() {
                    widen_block(&w[d * blocks + block], scales[d * blocks + block], wide);
                }
                for (x, sums) in x.chunks_exact(k).zip(sums.chunks_exact_mut(n)) {
                    let mut factors = [0.0; DEPTH];
                    factors[..depth].copy_from_slice(&x[at..at + depth]);
                    let sums = &mut sums.as_chunks_mut::<BLOCK>().0[block];
                    for j in 0..BLOCK {
                        let both = factors[0] * wide[0][j] + factors[1] * wide[1][j];
                        sums[j] += both + (factors[2] * wide[2][j] + factors[3] * wide[3][j]);
                    }
                }
            }
        }
    }
}

struct Widen<'a>(&'a [i8], &'a [f32], &'a mut [f32]);

impl Kernel for Widen<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let blocks = self.0.as_chunks::<BLOCK>().0.iter().zip(self.2.as_chunks_mut::<BLOCK>().0);
        for ((w, wide), &scale) in blocks.zip(self.1) {
            widen_block(w, scale, wide);
        }
    }
}

/// Converts the matrix to f32.
pub(crate) fn widen(w: Tensor<2>) -> Tensor<2> {
    let shape = w.shape();
    let Some(blocks) = blocks(&w) else { return w.dequantize() };
    let (values, scales) = (blocks.tensor().storage::<i8>(), blocks.scales());
    let mut wide = vec![0.0; values.len()];
    const PIECE: usize = 128 * BLOCK;
    let pieces = values
        .par_chunks(PIECE)
        .zip(scales.par_chunks(PIECE / BLOCK))
        .zip(wide.par_chunks_mut(PIECE));
    pieces.for_each(|((values, scales), wide)| vectorised(Widen(values, scales, wide)));
    Tensor::from_dispatch(plain(tensor(wide, shape)))
}
