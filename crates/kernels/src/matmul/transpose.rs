//! Transposed copies.

use super::element::Element;
use crate::cpu::simd::Simd;
use crate::cpu::vector::lanes;

/// Transposes and scales `rows x columns` numbers: `to[c * width + r] = scale * from[r * stride +
/// c]`. Columns of `to` from `rows` to `width` become 0.
#[inline(always)]
pub(crate) fn transpose<S: Simd, E: Element>(
    simd: S,
    (from, stride): (&[E], usize),
    [rows, columns]: [usize; 2],
    scale: f32,
    to: &mut [f32],
    width: usize,
) {
    let factor = simd.splat(scale);
    let whole = columns / 8 * 8;
    for first in (0..width).step_by(8) {
        let (some, room) = (rows.saturating_sub(first).min(8), (width - first).min(8));
        for c in (0..whole).step_by(8) {
            let mut square = [simd.splat(0.0); 8];
            for (i, row) in square.iter_mut().enumerate().take(some) {
                *row = simd.mul(E::load(simd, lanes(from, (first + i) * stride + c)), factor);
            }
            let square = simd.transpose(square);
            for (i, column) in square.into_iter().enumerate() {
                let (column, to) = (simd.store(column), &mut to[(c + i) * width + first..]);
                if room == 8 {
                    to[..8].copy_from_slice(&column);
                } else {
                    to[..room].copy_from_slice(&column[..room]);
                }
            }
        }
        for c in whole..columns {
            for (i, to) in to[c * width + first..][..room].iter_mut().enumerate() {
                *to = if i < some { from[(first + i) * stride + c].wide() * scale } else { 0.0 };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::{Baseline, Kernel, vectorised};

    struct Transpose<'a>(&'a [f32], [usize; 2], &'a mut [f32], usize);

    impl Kernel for Transpose<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let [_, columns] = self.1;
            transpose(simd, (self.0, columns + 2), self.1, 2.0, self.2, self.3);
        }
    }

    #[test]
    fn every_size() {
        for (rows, columns, width) in [(1, 1, 1), (6, 9, 6), (5, 16, 12), (8, 8, 8), (13, 30, 16)] {
            let from: Vec<f32> = (0..rows * (columns + 2)).map(|i| i as f32).collect();
            for portable in [true, false] {
                let mut to = vec![1.0; columns * width];
                let kernel = Transpose(&from, [rows, columns], &mut to, width);
                if portable {
                    kernel.run(Baseline)
                } else {
                    vectorised(kernel)
                }
                for (at, &got) in to.iter().enumerate() {
                    let (c, r) = (at / width, at % width);
                    let want = if r < rows { 2.0 * from[r * (columns + 2) + c] } else { 0.0 };
                    assert_eq!(got, want, "{rows} x {columns}, {width}: {r}, {c}");
                }
            }
        }
    }
}
