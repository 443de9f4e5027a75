//! Products with a matrix that may be trained: `x w` or `x w'`.
//!
//! burn's own would do, but a gradient of the matrix that is gathered over several passes is added
//! where it is made here, by the product itself, and takes no memory of its own.

use burn::tensor::Shape;
use burn_flex::FlexTensor;

use crate::buffer::{contiguous, tensor};
use crate::gathered::GradientAccumulator;
use crate::node::Fused;

/// From so many multiplications on a product is shared out over threads, as burn's are.
const PARALLEL: usize = 192 * 192 * 192;

/// `x [rows, in]` with `w [in, out]`, or `w [out, in]` if it is `transposed`.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) transposed: bool,
}

/// What the gradient of the other factor needs; none if nobody asks for that.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    x: Option<FlexTensor>,
    w: Option<FlexTensor>,
}

/// A matrix in a buffer: the elements between two rows, and between two columns.
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

/// Writes `a b` to `out`, row after row, or with `add` adds it to what is there.
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

/// A new matrix `a b`. burn's own products zero theirs, and copy the zeros to where they are
/// aligned.
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

/// `out += a b`.
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

    /// The factors of the gradient of `w`, as it lies in memory.
    fn by_weight<'a>(&self, x: &'a FlexTensor, grad: &'a FlexTensor) -> [Matrix<'a>; 2] {
        if self.transposed {
            [matrix(grad).transposed(), matrix(x)]
        } else {
            [matrix(x).transposed(), matrix(grad)]
        }
    }
}

impl Fused<2> for Product {
    type Saved = Saved;

    fn forward(&self, inputs: [FlexTensor; 2], keep: bool) -> (FlexTensor, Option<Saved>) {
        self.forward_for(inputs, [keep; 2])
    }

    fn forward_for(
        &self,
        inputs: [FlexTensor; 2],
        wanted: [bool; 2],
    ) -> (FlexTensor, Option<Saved>) {
        let [x, w] = inputs.map(contiguous);
        let y = product(matrix(&x), self.weight(&w));
        let saved = Saved { x: wanted[1].then_some(x), w: wanted[0].then_some(w) };
        (y, wanted.contains(&true).then_some(saved))
    }

    fn backward(&self, saved: Saved, grad: FlexTensor, _: [bool; 2]) -> [Option<FlexTensor>; 2] {
        self.backward_into(saved, grad, [true; 2], [None, None])
    }

    fn backward_into(
        &self,
        saved: Saved,
        grad: FlexTensor,
        _: [bool; 2],
        slots: [Option<&GradientAccumulator>; 2],
    ) -> [Option<FlexTensor>; 2] {
        let grad = contiguous(grad);
        let by_x = saved.w.map(|w| product(matrix(&grad), self.weight(&w).transposed()));
        let by_w = saved.x.and_then(|x| {
            let [a, b] = self.by_weight(&x, &grad);
            let Some(slot) = slots[1] else { return Some(product(a, b)) };
            slot.update(|sum| match sum {
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

/// Rows `ids` of a table.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) ids: std::sync::Arc<[usize]>,
}

impl Rows {
    /// `sum[ids[i]] += grad[i]`.
    fn add_to(&self, sum: FlexTensor, grad: &[f32]) -> FlexTensor {
        let mut sum = contiguous(sum);
        let width = grad.len() / self.ids.len();
        let all: &mut [f32] = sum.storage_mut();
        for (row, &id) in grad.chunks_exact(width).zip(&*self.ids) {
            for (sum, x) in all[id * width..][..width].iter_mut().zip(row) {
                *sum += x;
            }
        }
        sum
    }
}

impl Fused<1> for Rows {
    /// The shape of the table.
    type Saved = Shape;

    fn forward(&self, [table]: [FlexTensor; 1], keep: bool) -> (FlexTensor, Option<Shape>) {
        let table = contiguous(table);
        let shape = table.layout().shape().clone();
        let (values, width): (&[f32], usize) = (table.storage(), shape[1]);
        let mut out = Vec::with_capacity(self.ids.len() * width);
        for &id in &*self.ids {
            out.extend_from_slice(&values[id * width..][..width]);
        }
        (tensor(out, Shape::new([self.ids.len(), width])), keep.then_some(shape))
    }

    fn backward(
        &self,
        shape: Shape,
        grad: FlexTensor,
        wanted: [bool; 1],
    ) -> [Option<FlexTensor>; 1] {
        self.backward_into(shape, grad, wanted, [None])
    }

    fn backward_into(
        &self,
        shape: Shape,
        grad: FlexTensor,
        _: [bool; 1],
        [slot]: [Option<&GradientAccumulator>; 1],
    ) -> [Option<FlexTensor>; 1] {
        let grad = contiguous(grad);
        let zeros = || tensor(vec![0.0; shape.num_elements()], shape.clone());
        let Some(slot) = slot else { return [Some(self.add_to(zeros(), grad.storage()))] };
        slot.update(|sum| self.add_to(sum.unwrap_or_else(zeros), grad.storage()));
        [None]
    }
}
