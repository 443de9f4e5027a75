//! Products of small matrices that lie within buffers of other kernels.

#![expect(unsafe_code, reason = "tiles read and write through pointers")]

use super::K_BLOCK;
use super::tile::{self, ACROSS, Tiles};
use crate::cpu::isa::Isa;

/// Rows of a matrix within a buffer: row `i` begins at `i * stride`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) stride: usize,
}

impl Matrix<'_> {
    /// Returns `true` if the buffer has so many rows and columns.
    fn has(&self, [rows, columns]: [usize; 2]) -> bool {
        self.stride >= columns && (rows - 1) * self.stride + columns <= self.data.len()
    }
}

/// Rows of a matrix within a buffer that a product writes.
pub(crate) struct Output<'a> {
    pub(crate) data: &'a mut [f32],
    pub(crate) stride: usize,
    /// `true` adds the product to the values that are there.
    pub(crate) add: bool,
}

/// Computes `C = A B`, or `C += A B` if the output says so.
///
/// `A` is `[m, k]`, or stored as `[k, m]` if it is `transposed`; `B` is `[k, n]`. Sums have the order
/// of all products.
pub(crate) fn gemm(
    [m, n, k]: [usize; 3],
    a: Matrix<'_>,
    transposed: bool,
    b: Matrix<'_>,
    out: Output<'_>,
) {
    let isa = Isa::current();
    if m * n * k == 0 {
        return;
    }
    let of_a = if transposed { [k, m] } else { [m, k] };
    let to = Matrix { data: out.data, stride: out.stride };
    assert!(a.has(of_a) && b.has([k, n]) && to.has([m, n]), "{m} x {n} x {k}");
    let (a_row, a_step) = if transposed { (1, a.stride) } else { (a.stride, 1) };
    for p in (0..k).step_by(K_BLOCK) {
        let mut j = 0;
        while j < n {
            // Registers of eight for what the wider ones leave.
            let isa = if n - j < tile::shape(isa)[1] { narrow(isa) } else { isa };
            let [height, register] = tile::shape(isa);
            let registers = ((n - j) / register).min(ACROSS);
            let tiles = Tiles {
                rows: m,
                registers: registers.max(1),
                depth: K_BLOCK.min(k - p),
                a: a.data[p * a_step..].as_ptr(),
                a_row,
                a_step,
                a_tile: height * a_row,
                b: b.data[p * b.stride + j..].as_ptr(),
                b_step: b.stride,
                out: out.data[j..].as_mut_ptr(),
                out_row: out.stride,
                add: out.add || p > 0,
            };
            // SAFETY: all tiles lie within the three matrices, which lie within their buffers, as
            // was asserted. The processor has its current instruction set.
            if registers > 0 {
                unsafe { tile::compute(isa, tiles) };
                j += registers * register;
            } else {
                unsafe { tile::compute_column(isa, tiles) };
                j += 1;
            }
        }
    }
}

/// Returns the instruction set with registers of eight whose bits are the same.
fn narrow(isa: Isa) -> Isa {
    match isa {
        Isa::Avx512 | Isa::Wide => Isa::Avx2,
        Isa::Avx2 | Isa::Portable => isa,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_equals_the_plain_sum() {
        for m in 1..14 {
            for n in 1..60 {
                let k = 1 + (m * n) % 19;
                let a: Vec<f32> = (0..m * (k + 2)).map(|i| ((i * 5) % 13) as f32 - 6.0).collect();
                let b: Vec<f32> = (0..k * (n + 1)).map(|i| ((i * 7) % 11) as f32 - 5.0).collect();
                let at: Vec<f32> = (0..k * m).map(|i| a[(i % m) * (k + 2) + i / m]).collect();
                let want: Vec<f32> = (0..m * n)
                    .map(|i| {
                        (0..k).map(|p| a[(i / n) * (k + 2) + p] * b[p * (n + 1) + i % n]).sum()
                    })
                    .collect();
                let b = Matrix { data: &b, stride: n + 1 };
                let (a, at) = (Matrix { data: &a, stride: k + 2 }, Matrix { data: &at, stride: m });
                for (a, transposed) in [(a, false), (at, true)] {
                    for times in [1.0, 2.0] {
                        let mut c = vec![0.0; m * n];
                        gemm(
                            [m, n, k],
                            a,
                            transposed,
                            b,
                            Output { data: &mut c, stride: n, add: false },
                        );
                        if times == 2.0 {
                            gemm(
                                [m, n, k],
                                a,
                                transposed,
                                b,
                                Output { data: &mut c, stride: n, add: true },
                            );
                        }
                        assert!(c.iter().zip(&want).all(|(c, want)| *c == times * want));
                    }
                }
            }
        }
    }
}
