//! A matrix of blocks, and the tensor of burn that carries it.

use burn::backend::{BackendTensor, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind};
use burn::tensor::{Bytes, DType, Device, Shape, Tensor};
use burn_flex::{FlexQTensor, FlexTensor, Layout};
use rayon::prelude::*;

use super::block::{BLOCK, Block, BlockFormat};
use super::encode::encode;
use crate::cpu::buffer::tensor;
use crate::graph::{on_flex, plain};

/// A constant matrix `[outputs, inputs]` of blocks along the inputs. Clones share its bytes.
#[derive(Clone, Debug)]
pub struct BlockMatrix {
    format: BlockFormat,
    shape: [usize; 2],
    bytes: FlexTensor,
}

impl BlockMatrix {
    /// Creates a matrix of the bytes of its rows, as a GGUF file has them. Returns `None` if they
    /// are not as many as the shape needs, or a row is no whole number of blocks.
    #[must_use]
    pub fn new(format: BlockFormat, shape: [usize; 2], bytes: Vec<u8>) -> Option<Self> {
        let [outputs, inputs] = shape;
        let fits = outputs > 0 && format.row_bytes(inputs)? * outputs == bytes.len();
        let layout = Layout::contiguous(Shape::new([bytes.len()]));
        let bytes = FlexTensor::new(Bytes::from_bytes_vec(bytes), layout, DType::I8);
        fits.then_some(Self { format, shape, bytes })
    }

    /// Rounds rows of numbers to blocks of Q8_0, or of Q4_1. Returns `None` for another format, or
    /// as [`BlockMatrix::new`].
    #[must_use]
    pub fn encode(format: BlockFormat, shape: [usize; 2], values: &[f32]) -> Option<Self> {
        let known = matches!(format, BlockFormat::Q8_0 | BlockFormat::Q4_1);
        let finite = known && values.iter().all(|x| x.is_finite());
        Self::new(format, shape, if finite { encode(format, values) } else { Vec::new() })
    }

    /// Returns the format.
    #[must_use]
    pub fn format(&self) -> BlockFormat {
        self.format
    }

    /// Returns outputs and inputs.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Returns the bytes of all rows.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.bytes()
    }

    /// Returns the bytes of a row.
    pub(super) fn stride(&self) -> usize {
        self.bytes().len() / self.shape[0]
    }

    /// Returns `true` if the operations of this crate take such a matrix on `device`.
    #[must_use]
    pub fn runs_on(device: &Device) -> bool {
        on_flex(&Tensor::<1>::zeros([1], device).into_dispatch())
    }

    /// Returns the tensor `[inputs, outputs]` that [`crate::linear`] multiplies with.
    #[must_use]
    pub fn into_weight(self) -> Tensor<2> {
        let [outputs, inputs] = self.shape;
        self.into_tensor([inputs, outputs])
    }

    /// Returns the tensor `[outputs, inputs]` that [`crate::embedding`] and
    /// [`crate::times_transposed`] read.
    #[must_use]
    pub fn into_table(self) -> Tensor<2> {
        let shape = self.shape;
        self.into_tensor(shape)
    }

    // burn's quantised tensor has a place for bytes, a shape and a scheme. Its own operations know
    // nothing of these blocks, so only those of this crate may get it.
    fn into_tensor(self, shape: [usize; 2]) -> Tensor<2> {
        let DType::QFloat(scheme) = self.format.dtype() else {
            unreachable!("every format is a scheme")
        };
        let bytes = self.bytes.with_layout(Layout::contiguous(Shape::new(shape)));
        let kind = FlexQTensor::new(bytes, scheme, vec![1.0], None);
        Tensor::from_dispatch(DispatchTensor {
            kind: DispatchTensorKind::Flex(BackendTensor::Quantized(kind)),
            autodiff: DispatchAutodiffContext::Disabled,
        })
    }

    /// Returns the matrix that [`BlockMatrix::into_weight`] made a tensor of.
    #[must_use]
    pub fn of_weight(w: &Tensor<2>) -> Option<Self> {
        let [inputs, outputs] = w.dims();
        Self::of(w, [outputs, inputs])
    }

    /// Returns the matrix that [`BlockMatrix::into_table`] made a tensor of.
    #[must_use]
    pub fn of_table(w: &Tensor<2>) -> Option<Self> {
        Self::of(w, w.dims())
    }

    fn of(w: &Tensor<2>, shape: [usize; 2]) -> Option<Self> {
        let dtype @ DType::QFloat(_) = w.dtype() else { return None };
        let format = BlockFormat::ALL.into_iter().find(|format| format.dtype() == dtype)?;
        match w.clone().into_dispatch().kind {
            DispatchTensorKind::Flex(BackendTensor::Quantized(w)) => {
                Some(Self { format, shape, bytes: w.tensor().clone() })
            }
            _ => None,
        }
    }

    /// Returns some rows in f32.
    pub(crate) fn rows(&self, rows: &[usize]) -> Vec<f32> {
        let (stride, inputs) = (self.stride(), self.shape[1]);
        let mut wide = vec![0.0; rows.len() * inputs];
        wide.par_chunks_mut(inputs).zip(rows).for_each(|(wide, &row)| {
            let bytes = &self.bytes()[row * stride..][..stride];
            for (at, wide) in wide.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
                Block::read(self.format, bytes, at).widen(wide);
            }
        });
        wide
    }

    /// Returns the matrix in f32, `[outputs, inputs]`.
    #[must_use]
    pub fn widen(&self) -> Tensor<2> {
        let all: Vec<usize> = (0..self.shape[0]).collect();
        Tensor::from_dispatch(plain(tensor(self.rows(&all), Shape::new(self.shape))))
    }
}
