//! Where the heads of the inputs and outputs lie in memory.

use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexTensor, Layout};

use super::Sizes;
use crate::gemm::Matrix;

/// From this batch size on outputs are stored `[batch, tokens, heads, width]`.
const TOKENS_FIRST: usize = 4;

/// The tensor with its last dimension contiguous; views by `swap_dims` of the other dimensions stay
/// as they are.
pub(crate) fn rows_contiguous(x: FlexTensor) -> FlexTensor {
    let strides = x.layout().strides();
    let fine = strides.last() == Some(&1) && strides.iter().all(|&stride| stride >= 0);
    if fine { x } else { x.to_contiguous() }
}

/// An input, read where it lies.
pub(crate) struct View<'a> {
    data: &'a [f32],
    strides: [usize; 4],
}

impl<'a> View<'a> {
    pub(crate) fn new(x: &'a FlexTensor) -> Self {
        let strides = x.layout().strides();
        let strides = std::array::from_fn(|i| strides[i].unsigned_abs());
        Self { data: &x.storage()[x.layout().start_offset()..], strides }
    }

    /// The same numbers along every dimension of size one.
    pub(crate) fn broadcast(mut self, shape: &Shape) -> Self {
        for (stride, &size) in self.strides.iter_mut().zip(shape.iter()) {
            if size == 1 {
                *stride = 0;
            }
        }
        self
    }

    /// What lies in memory from here on.
    #[inline(always)]
    pub(crate) fn from(&self, [batch, head, token]: [usize; 3]) -> &'a [f32] {
        &self.data[batch * self.strides[0] + head * self.strides[1] + token * self.strides[2]..]
    }

    /// The rows of one head.
    pub(crate) fn head(&self, [batch, head]: [usize; 2]) -> Matrix<'a> {
        Matrix { data: self.from([batch, head, 0]), stride: self.strides[2] }
    }
}

/// What is added to the scores; a dimension of one has stride zero.
pub(crate) struct Bias<'a>(View<'a>);

impl<'a> Bias<'a> {
    pub(crate) fn new(bias: &'a FlexTensor, sizes: &Sizes) -> Self {
        let full = [sizes.batch, sizes.heads, sizes.queries, sizes.keys];
        let shape = bias.layout().shape();
        let broadcasts = (0..4).all(|i| shape[i] == full[i] || shape[i] == 1);
        assert!(broadcasts, "a bias of {shape:?} does not broadcast to {full:?}");
        Self(View::new(bias).broadcast(shape))
    }

    /// The rows of one head, and whether a row has one value for all keys.
    pub(crate) fn head(&self, at: [usize; 2]) -> (Matrix<'a>, bool) {
        (self.0.head(at), self.0.strides[3] == 0)
    }
}

/// How heads are grouped: a group is contiguous in every output and is the unit of work of a
/// thread.
pub(crate) struct Groups {
    /// Number of groups.
    pub(crate) count: usize,
    /// Heads in a group.
    pub(crate) heads: usize,
    all: usize,
    tokens_first: bool,
}

impl Groups {
    /// Normally a sample is a group and outputs lie as `[batch, tokens, heads, width]`, so that
    /// merging the heads afterwards (and, for gradients, undoing their split) is a view and no
    /// copy. With few samples each head is a group of its own, to keep threads busy, unless samples
    /// are to be `whole`.
    pub(crate) fn new(sizes: &Sizes, whole: bool) -> Self {
        let tokens_first = whole || sizes.batch >= TOKENS_FIRST;
        let (count, heads) =
            if tokens_first { (sizes.batch, sizes.heads) } else { (sizes.batch * sizes.heads, 1) };
        Self { count, heads, all: sizes.heads, tokens_first }
    }

    /// Sample and head.
    pub(crate) fn at(&self, group: usize, head: usize) -> [usize; 2] {
        let index = group * self.heads + head;
        [index / self.all, index % self.all]
    }
}

/// An output of `tokens` rows for each head.
pub(crate) struct Output {
    pub(crate) values: Vec<f32>,
    /// Elements of a group.
    pub(crate) group: usize,
    /// Distance of the rows of a head.
    pub(crate) stride: usize,
    samples: usize,
    tokens: usize,
    count: usize,
    tokens_first: bool,
}

impl Output {
    /// Of zeros, or empty if it is not wanted.
    pub(crate) fn new(
        groups: &Groups,
        samples: usize,
        tokens: usize,
        sizes: &Sizes,
        wanted: bool,
    ) -> Self {
        let group = tokens * groups.heads * sizes.width;
        let count = samples * (groups.all / groups.heads);
        Self {
            values: vec![0.0; if wanted { group * count } else { 0 }],
            group,
            stride: groups.heads * sizes.width,
            samples,
            tokens,
            count,
            tokens_first: groups.tokens_first,
        }
    }

    /// The groups; of an output that is not wanted as many empty ones.
    pub(crate) fn parts(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let missing = if self.values.is_empty() { self.count } else { 0 };
        self.values
            .chunks_mut(self.group)
            .chain(std::iter::repeat_with(|| -> &mut [f32] { &mut [] }).take(missing))
    }

    /// As `[batch, heads, tokens, width]`.
    pub(crate) fn tensor(self, sizes: &Sizes) -> FlexTensor {
        let Sizes { heads, width, .. } = *sizes;
        let layout = if self.tokens_first {
            Layout::contiguous(Shape::new([self.samples, self.tokens, heads, width]))
                .transpose(1, 2)
        } else {
            Layout::contiguous(Shape::new([self.samples, heads, self.tokens, width]))
        };
        FlexTensor::new(Bytes::from_elems(self.values), layout, DType::F32)
    }
}
