//! Place of a tensor's numbers in a file, checked when it is made.

use crate::dtype::{Dtype, TensorInfo};
use crate::error::ParseError;
use std::ops::Range;

/// Most dimensions of a tensor. No published weight has more; the bound limits what a hostile file
/// can make the reader allocate.
pub(crate) const MAX_RANK: usize = 8;

/// A tensor in a file.
#[derive(Clone)]
pub(crate) struct StoredTensor {
    pub(crate) info: TensorInfo,
    /// Index of the file in a sharded set.
    pub(crate) file: usize,
    pub(crate) start: usize,
    pub(crate) bytes: usize,
    pub(crate) layout: Layout,
}

/// Order of a tensor's numbers in its bytes.
#[derive(Clone)]
pub(crate) enum Layout {
    /// Row-major, without gaps.
    Dense,
    /// A view: the distance in numbers from one index to the next, for each dimension.
    Strided(Vec<usize>),
    /// Protobuf varints, one a number.
    Varints,
}

/// Reason that a tensor of a file has no [`StoredTensor`]. Texts follow the tensor's name.
pub(crate) enum TensorError {
    /// The tensor is of a type that is not read. The rest of the file is.
    Unread(String),
    /// The tensor contradicts itself or the file.
    Damaged(String),
    /// The tensor names bytes that the file does not have.
    File(ParseError),
}

impl TensorError {
    pub(crate) fn damaged(what: &str) -> Self {
        Self::Damaged(what.to_owned())
    }
}

/// Returns the count of numbers in `shape`.
///
/// # Errors
/// If it has too many dimensions or the product overflows.
pub(crate) fn count(shape: &[usize]) -> Result<usize, TensorError> {
    if shape.len() > MAX_RANK {
        let what = format!("has {} dimensions, more than {MAX_RANK}", shape.len());
        return Err(TensorError::Damaged(what));
    }
    let product = shape.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim));
    product.ok_or_else(|| TensorError::damaged("has more numbers than can be counted"))
}

impl StoredTensor {
    /// Creates a row-major tensor from byte `start` of a file of `file_len` bytes.
    pub(crate) fn dense(
        shape: Vec<usize>,
        dtype: Dtype,
        start: usize,
        file_len: usize,
    ) -> Result<Self, TensorError> {
        let Some(bytes) = dtype.bytes(count(&shape)?) else {
            return Err(TensorError::Damaged(format!("does not fill whole {dtype} blocks")));
        };
        if start.checked_add(bytes).is_none_or(|end| end > file_len) {
            let what = format!("has {bytes} bytes from byte {start}, past the end of the file");
            return Err(TensorError::Damaged(what));
        }
        Ok(Self { info: TensorInfo { shape, dtype }, file: 0, start, bytes, layout: Layout::Dense })
    }

    /// Creates a view of `storage`, a range of the file's bytes, beginning at its number `offset`.
    ///
    /// `file_len` bounds how often a view with stride 0 may repeat a number: reading must not take
    /// memory out of proportion to the file.
    pub(crate) fn view(
        shape: Vec<usize>,
        strides: Vec<usize>,
        dtype: Dtype,
        storage: Range<usize>,
        offset: usize,
        file_len: usize,
    ) -> Result<Self, TensorError> {
        let (numbers, size) = dtype.block();
        debug_assert_eq!(numbers, 1, "only plain types can be viewed");
        if strides.len() != shape.len() {
            let what = format!("has {} dimensions but {} strides", shape.len(), strides.len());
            return Err(TensorError::Damaged(what));
        }
        let total = count(&shape)?;
        if total > file_len {
            let what = format!("repeats its numbers to {total}, more than the file has bytes");
            return Err(TensorError::Damaged(what));
        }
        let window = if total == 0 {
            window(&storage, size, offset, 0).or(Some((storage.start, 0)))
        } else {
            span(&shape, &strides).and_then(|span| window(&storage, size, offset, span))
        };
        let Some((start, bytes)) = window else {
            let what = format!("reaches past its storage of {} bytes", storage.len());
            return Err(TensorError::Damaged(what));
        };
        let layout =
            if is_dense(&shape, &strides) { Layout::Dense } else { Layout::Strided(strides) };
        Ok(Self { info: TensorInfo { shape, dtype }, file: 0, start, bytes, layout })
    }
}

/// Returns the count of numbers from the first to the last of a view that is not empty; `None` on
/// overflow.
fn span(shape: &[usize], strides: &[usize]) -> Option<usize> {
    shape.iter().zip(strides).try_fold(1usize, |last, (dim, stride)| {
        (dim - 1).checked_mul(*stride).and_then(|step| last.checked_add(step))
    })
}

/// Returns start and length in bytes of `span` numbers of `size` bytes, from number `offset` of
/// `storage`; `None` if they reach past it.
fn window(
    storage: &Range<usize>,
    size: usize,
    offset: usize,
    span: usize,
) -> Option<(usize, usize)> {
    let end = offset.checked_add(span)?.checked_mul(size)?;
    let start = storage.start.checked_add(offset.checked_mul(size)?)?;
    (end <= storage.len()).then_some((start, span * size))
}

/// Returns `true` if the view is row-major without gaps.
///
/// Strides of dimensions of length 1 are never used, so they may be anything.
fn is_dense(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1usize;
    shape.iter().zip(strides).rev().all(|(&dim, &stride)| {
        let fits = dim == 1 || stride == expected;
        expected = expected.saturating_mul(dim);
        fits
    }) || shape.contains(&0)
}
