//! The memory layout of inputs and outputs.

use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexTensor, Layout};

use crate::matmul::gemm::Matrix;

/// Smallest batch whose outputs are stored `[batch, tokens, heads, width]`.
const TOKENS_FIRST: usize = 4;

/// The sizes of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) batch: usize,
    pub(super) heads: usize,
    pub(super) queries: usize,
    pub(super) keys: usize,
    pub(super) width: usize,
    /// Samples of the keys.
    pub(super) sources: usize,
}

impl Sizes {
    pub(super) fn new(q: &FlexTensor, k: &FlexTensor) -> Self {
        let (q, k) = (q.layout().shape(), k.layout().shape());
        Self { batch: q[0], heads: q[1], queries: q[2], keys: k[2], width: q[3], sources: k[0] }
    }

    /// Returns the number of keys rounded up to whole vectors: the distance between rows of scores.
    pub(super) fn padded(&self) -> usize {
        self.keys.next_multiple_of(8)
    }

    /// Returns the number of scores of one head.
    pub(super) fn scores(&self) -> usize {
        self.queries * self.padded()
    }

    /// Returns the multiplications of one product in the unit of `buffer::parallel`'s elements,
    /// each of which costs about 32 of them elsewhere.
    pub(super) fn work(&self) -> usize {
        self.batch * self.heads * self.scores() * self.width / 32
    }
}

/// Makes the last dimension contiguous; views by `swap_dims` of the other dimensions are not
/// copied.
pub(super) fn rows_contiguous(x: FlexTensor) -> FlexTensor {
    let strides = x.layout().strides();
    let fine = strides.last() == Some(&1) && strides.iter().all(|&stride| stride >= 0);
    if fine { x } else { x.to_contiguous() }
}

/// An input, read in place.
pub(super) struct View<'a> {
    data: &'a [f32],
    strides: [usize; 4],
}

impl<'a> View<'a> {
    pub(super) fn new(x: &'a FlexTensor) -> Self {
        let strides = x.layout().strides();
        let strides = std::array::from_fn(|i| strides[i].unsigned_abs());
        Self { data: &x.storage()[x.layout().start_offset()..], strides }
    }

    /// Repeats the values along every dimension of size one.
    pub(super) fn broadcast(mut self, shape: &Shape) -> Self {
        for (stride, &size) in self.strides.iter_mut().zip(shape.iter()) {
            if size == 1 {
                *stride = 0;
            }
        }
        self
    }

    /// Returns the memory from this row on.
    #[inline(always)]
    pub(super) fn from(&self, [batch, head, token]: [usize; 3]) -> &'a [f32] {
        &self.data[batch * self.strides[0] + head * self.strides[1] + token * self.strides[2]..]
    }

    /// Returns the rows of one head.
    pub(super) fn head(&self, [batch, head]: [usize; 2]) -> Matrix<'a> {
        Matrix { data: self.from([batch, head, 0]), stride: self.strides[2] }
    }
}

/// The additive bias of the scores; a dimension of size one has stride zero.
pub(super) struct Bias<'a>(View<'a>);

impl<'a> Bias<'a> {
    pub(super) fn new(bias: &'a FlexTensor, sizes: &Sizes) -> Self {
        let full = [sizes.batch, sizes.heads, sizes.queries, sizes.keys];
        let shape = bias.layout().shape();
        let broadcasts = (0..4).all(|i| shape[i] == full[i] || shape[i] == 1);
        assert!(broadcasts, "a bias of {shape:?} does not broadcast to {full:?}");
        Self(View::new(bias).broadcast(shape))
    }

    /// Returns the rows of one head, and `true` if a row has one value for all keys.
    pub(super) fn head(&self, at: [usize; 2]) -> (Matrix<'a>, bool) {
        (self.0.head(at), self.0.strides[3] == 0)
    }
}

/// The grouping of heads. A group is contiguous in every output and is the unit of work of a
/// thread.
pub(super) struct Groups {
    /// Number of groups.
    pub(super) count: usize,
    /// Heads in a group.
    pub(super) heads: usize,
    all: usize,
    tokens_first: bool,
}

impl Groups {
    /// Groups the heads of one call.
    ///
    /// Normally a sample is a group and outputs are stored as `[batch, tokens, heads, width]`, so
    /// that merging the heads afterwards (for gradients: undoing their split) is a view and no
    /// copy. With few samples each head is a group of its own, to keep threads busy. `whole` keeps
    /// samples whole.
    pub(super) fn new(sizes: &Sizes, whole: bool) -> Self {
        let tokens_first = whole || sizes.batch >= TOKENS_FIRST;
        let (count, heads) =
            if tokens_first { (sizes.batch, sizes.heads) } else { (sizes.batch * sizes.heads, 1) };
        Self { count, heads, all: sizes.heads, tokens_first }
    }

    /// Returns sample and head.
    pub(super) fn at(&self, group: usize, head: usize) -> [usize; 2] {
        let index = group * self.heads + head;
        [index / self.all, index % self.all]
    }
}

/// An output of `tokens` rows for each head.
pub(super) struct Output {
    pub(super) values: Vec<f32>,
    /// Elements of a group.
    pub(super) group: usize,
    /// Distance between the rows of a head.
    pub(super) stride: usize,
    samples: usize,
    tokens: usize,
    count: usize,
    tokens_first: bool,
}

impl Output {
    /// Creates an output of zeros, or an empty one if it is not wanted.
    pub(super) fn new(
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

    /// Returns the groups; empty ones for an output that is not wanted.
    pub(super) fn parts(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let missing = if self.values.is_empty() { self.count } else { 0 };
        self.values
            .chunks_mut(self.group)
            .chain(std::iter::repeat_with(|| -> &mut [f32] { &mut [] }).take(missing))
    }

    /// Converts the output to `[batch, heads, tokens, width]`.
    pub(super) fn tensor(self, sizes: &Sizes) -> FlexTensor {
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
