//! Where the numbers of a tensor lie in a file, checked when it is made.

use crate::dtype::{Dtype, Format, Info};
use crate::error::Fault;
use crate::gguf;
use std::collections::BTreeMap;

/// No published weight has more dimensions; a bound keeps what a hostile file can make us hold
/// small.
pub(crate) const MAX_RANK: usize = 8;

/// The most tensors that a file may have. Large models have some thousands, those of many experts
/// tens of thousands.
pub(crate) const MOST_TENSORS: usize = 100_000;

/// The fault of a file with more than [`MOST_TENSORS`].
pub(crate) fn too_many() -> Fault {
    let what = format!("this file has more than {MOST_TENSORS} tensors, which no model has");
    Fault::new(what, "get the file again, from those who made the model")
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) info: Info,
    /// Which of the files, for a sharded set.
    pub(crate) file: usize,
    pub(crate) start: usize,
    pub(crate) bytes: usize,
    pub(crate) layout: Layout,
}

#[derive(Clone)]
pub(crate) enum Layout {
    /// Row-major, without gaps.
    Dense,
    /// A view: the distance in numbers from one index to the next, for each dimension.
    Strided(Vec<usize>),
    /// Protobuf varints, one a number.
    Varints,
}

/// What a parser finds in one file.
pub(crate) struct Parsed {
    pub(crate) format: Format,
    pub(crate) entries: BTreeMap<String, Entry>,
    /// Tensors that are there but cannot be read, and why.
    pub(crate) skipped: BTreeMap<String, String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) gguf: Option<gguf::Metadata>,
}

impl Parsed {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            entries: BTreeMap::new(),
            skipped: BTreeMap::new(),
            metadata: BTreeMap::new(),
            gguf: None,
        }
    }
}

/// The numbers in `shape`, unless it has too many dimensions or the product overflows.
pub(crate) fn count(shape: &[usize]) -> Result<usize, String> {
    if shape.len() > MAX_RANK {
        return Err(format!("has {} dimensions, more than {MAX_RANK}", shape.len()));
    }
    let product = shape.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim));
    product.ok_or_else(|| "has more numbers than can be counted".to_owned())
}

impl Entry {
    /// A row-major tensor from byte `start` of a file of `file_len` bytes. The error reads well
    /// after the name.
    pub(crate) fn dense(
        shape: Vec<usize>,
        dtype: Dtype,
        start: usize,
        file_len: usize,
    ) -> Result<Self, String> {
        let bytes = dtype
            .bytes(count(&shape)?)
            .ok_or_else(|| format!("does not fill whole {dtype} blocks"))?;
        if start.checked_add(bytes).is_none_or(|end| end > file_len) {
            return Err(format!("has {bytes} bytes from byte {start}, past the end of the file"));
        }
        Ok(Self { info: Info { shape, dtype }, file: 0, start, bytes, layout: Layout::Dense })
    }

    /// A view of `storage` (start and length in bytes), beginning at its number `offset`.
    ///
    /// `file_len` bounds how often a view with stride 0 may repeat a number: reading must not take
    /// memory out of proportion to the file.
    pub(crate) fn view(
        shape: Vec<usize>,
        strides: Vec<usize>,
        dtype: Dtype,
        storage: (usize, usize),
        offset: usize,
        file_len: usize,
    ) -> Result<Self, String> {
        let (numbers, size) = dtype.block();
        debug_assert_eq!(numbers, 1, "only plain types can be viewed");
        if strides.len() != shape.len() {
            return Err(format!("has {} dimensions but {} strides", shape.len(), strides.len()));
        }
        let total = count(&shape)?;
        if total > file_len {
            return Err(format!("repeats its numbers to {total}, more than the file has bytes"));
        }
        let span = match total {
            0 => Some(0),
            _ => shape.iter().zip(&strides).try_fold(1usize, |last, (dim, stride)| {
                (dim - 1).checked_mul(*stride).and_then(|step| last.checked_add(step))
            }),
        };
        let place = span.and_then(|span| {
            let end = offset.checked_add(span)?.checked_mul(size)?;
            (end <= storage.1)
                .then_some((storage.0.checked_add(offset.checked_mul(size)?)?, span * size))
        });
        let Some((start, bytes)) = place.or((total == 0).then_some((storage.0, 0))) else {
            return Err(format!("reaches past its storage of {} bytes", storage.1));
        };
        let layout =
            if is_dense(&shape, &strides) { Layout::Dense } else { Layout::Strided(strides) };
        Ok(Self { info: Info { shape, dtype }, file: 0, start, bytes, layout })
    }
}

/// Strides of dimensions of length 1 are never used, so they may be anything.
fn is_dense(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1usize;
    shape.iter().zip(strides).rev().all(|(&dim, &stride)| {
        let fits = dim == 1 || stride == expected;
        expected = expected.saturating_mul(dim);
        fits
    }) || shape.contains(&0)
}
