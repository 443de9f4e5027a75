//! Products with a matrix that may be trained: `x w` or `x w'`.
//!
//! Unlike burn's product, this one adds the gradient of the matrix directly to its accumulator,
//! where there is one: the gradient takes no memory of its own.

use burn::tensor::Shape;
use burn_flex::FlexTensor;

use crate::cpu::buffer::{contiguous, tensor};
use crate::graph::{Fused, GradientAccumulator};

/// Smallest number of multiplications that are spread over threads, as in burn's products.
const PARALLEL: usize = 192 * 192 * 192;

/// `x [rows, in]` with `w [in, out]`, or `w [out, in]` if it is `transposed`.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) transposed: bool,
}

/// The factors: each is saved if the gradient of the other is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Factors {
    x: Option<FlexTensor>,
    w: Option<FlexTensor>,
}

/// A matrix that fills a buffer, with the distances between its rows and between its columns.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    fn new(data: &'a [f32], columns: usize) -> Self {
        Self { data, rows: data.len() / columns, columns, strides: [columns, 1] }
    }

    fn transposed(self) -> Self {
        let Self { data, rows, columns, strides: [row, column] } = self;
        Self { data, rows: columns, columns: rows, strides: [column, row] }
    }
}

/// Writes `a b` to `out`, row after row; with `add`, adds it to the values that are there.
///
/// # Safety
/// `out` points to as many numbers as the product has, for writing; with `add` they are
/// initialised.
#[expect(unsafe_code, reason = "the interface of `gemm` is pointers")]
unsafe fn multiply(a: Matrix<'_>, b: Matrix<'_>, out: *mut f32, add: bool) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    let whole = |x: &Matrix<'_>| x.data.len() == x.rows * x.columns;
    assert!(whole(&a) && whole(&b) && b.rows == k && k > 0, "{m} x {n} x {k}");
    let threads = if m * n * k >= PARALLEL {
        ::gemm::Parallelism::Rayon(0)
    } else {
        ::gemm::Parallelism::None
    };
    let [[a_row, a_column], [b_row, b_column]] =
        [a, b].map(|x| x.strides.map(|stride| stride as isize));
    // SAFETY: every element of the factors, as their rows, columns and strides say, lies within its
    // slice, as was just asserted; the caller answers for `out`, which is read only with `add`.
    unsafe {
        ::gemm::gemm(
            m,
            n,
            k,
            out,
            1,
            n as isize,
            add,
            a.data.as_ptr(),
            a_column,
            a_row,
            b.data.as_ptr(),
            b_column,
            b_row,
            1.0_f32,
            1.0_f32,
            false,
            false,
            false,
            threads,
        );
    }
}

/// Returns `a b` in a new buffer.
// burn's products zero their buffer first, and copy the zeros to aligned memory.
#[expect(unsafe_code, reason = "a buffer that is written whole need not be zeroed first")]
fn product(a: Matrix<'_>, b: Matrix<'_>) -> FlexTensor {
    let count = a.rows * b.columns;
    let mut out = Vec::<f32>::with_capacity(count);
    // SAFETY: the buffer has room for `count` numbers, and `multiply` writes every one of them.
    unsafe {
        multiply(a, b, out.as_mut_ptr(), false);
        out.set_len(count);
    }
    tensor(out, Shape::new([a.rows, b.columns]))
}

/// Adds `a b` to `out`.
#[expect(unsafe_code, reason = "the interface of `gemm` is pointers")]
fn add_product(a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32]) {
    assert_eq!(out.len(), a.rows * b.columns, "the product's size");
    // SAFETY: `out` is borrowed for writing and as long as the product, as was just asserted.
    unsafe { multiply(a, b, out.as_mut_ptr(), true) }
}

fn matrix(x: &FlexTensor) -> Matrix<'_> {
    Matrix::new(x.storage(), x.layout().shape()[1])
}

impl Product {
    fn weight<'a>(&self, w: &'a FlexTensor) -> Matrix<'a> {
        if self.transposed { matrix(w).transposed() } else { matrix(w) }
    }

    /// Returns the factors of the gradient of `w`, in its memory layout.
    fn by_weight<'a>(&self, x: &'a FlexTensor, grad: &'a FlexTensor) -> [Matrix<'a>; 2] {
        if self.transposed {
            [matrix(grad).transposed(), matrix(x)]
        } else {
            [matrix(x).transposed(), matrix(grad)]
        }
    }
}

impl Fused<2> for Product {
    type Saved = Factors;

    fn forward(&self, inputs: [FlexTensor; 2], save: bool) -> (FlexTensor, Option<Factors>) {
        self.forward_for(inputs, [save; 2])
    }

    fn forward_for(
        &self,
        inputs: [FlexTensor; 2],
        wanted: [bool; 2],
    ) -> (FlexTensor, Option<Factors>) {
        let [x, w] = inputs.map(contiguous);
        let y = product(matrix(&x), self.weight(&w));
        let saved = Factors { x: wanted[1].then_some(x), w: wanted[0].then_some(w) };
        (y, wanted.contains(&true).then_some(saved))
    }

    fn backward(&self, saved: Factors, grad: FlexTensor, _: [bool; 2]) -> [Option<FlexTensor>; 2] {
        self.backward_into(saved, grad, [true; 2], [None, None])
    }

    fn backward_into(
        &self,
        saved: Factors,
        grad: FlexTensor,
        _: [bool; 2],
        accumulators: [Option<&GradientAccumulator>; 2],
    ) -> [Option<FlexTensor>; 2] {
        let grad = contiguous(grad);
        let by_x = saved.w.map(|w| product(matrix(&grad), self.weight(&w).transposed()));
        let by_w = saved.x.and_then(|x| {
            let [a, b] = self.by_weight(&x, &grad);
            let Some(accumulator) = accumulators[1] else { return Some(product(a, b)) };
            accumulator.update(|sum| match sum {
                Some(sum) => {
                    let mut sum = contiguous(sum);
                    add_product(a, b, sum.storage_mut());
                    sum
                }
                None => product(a, b),
            });
            None
        });
        [by_x, by_w]
    }
}
