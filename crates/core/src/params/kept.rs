//! The form in which matrices are kept in memory.

use super::Values;
use super::path::Path;
use burn::tensor::{DType, Device, Tensor, TensorData};
use toolkit_kernels::{BlockFormat, BlockMatrix};

/// Form of the matrices of a frozen part in memory: the weights of `Linear`s, and in blocks the
/// table of tokens too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// The type that is computed with.
    #[default]
    F32,
    /// Half precision, widened where it is used.
    F16,
    /// The upper half of single precision, widened where it is used.
    Bf16,
    /// Blocks of 8 bits, multiplied as integers.
    Q8,
    /// Blocks of 4 bits with a minimum, multiplied as integers; the table of tokens in 8 bits.
    Q4,
    /// The blocks that the file has. Numbers that are not in blocks become `F32`, and blocks
    /// without a product of integers `Q8`.
    Stored,
}

/// Values of a parameter, in one of the forms of a matrix.
pub enum Content {
    /// Values that are kept in f32.
    Values(Values),
    /// Values that are kept in this form, if they are a matrix that has one.
    Matrix(Values, Kept),
    /// Blocks of a file, in PyTorch's layout. Another parameter than a matrix gets their values.
    Blocks(BlockMatrix),
}

impl From<Values> for Content {
    fn from(values: Values) -> Self {
        Self::Values(values)
    }
}

/// Use of a matrix, by its place in the module.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    /// The weight of a `Linear`: in memory it is `[in, out]`.
    Weight,
    /// The table of tokens, also of a tied head.
    Table,
    Other,
}

impl Use {
    fn of(path: &Path, rank: usize) -> Self {
        match (path.transposed(rank), path.is_token_table(rank)) {
            (true, _) => Self::Weight,
            (_, true) => Self::Table,
            _ => Self::Other,
        }
    }
}

/// Returns the tensor of the parameter at `path`.
pub(super) fn tensor<const D: usize>(content: Content, path: &Path, device: &Device) -> Tensor<D> {
    let place = Use::of(path, D);
    let (values, kept) = match content {
        Content::Values(values) => (values, Kept::F32),
        Content::Matrix(values, kept) => (values, kept),
        Content::Blocks(blocks) => match in_blocks(blocks, place, device) {
            Ok(tensor) => return tensor,
            Err(values) => (values, Kept::F32),
        },
    };
    let format = match (kept, place) {
        (Kept::Q8, Use::Weight | Use::Table) | (Kept::Q4, Use::Table) => Some(BlockFormat::Q8_0),
        (Kept::Q4, Use::Weight) => Some(BlockFormat::Q4_1),
        _ => None,
    };
    let matrix = format.filter(|_| BlockMatrix::runs_on(device)).and_then(|format| {
        BlockMatrix::encode(format, values.shape.clone().try_into().ok()?, &values.data)
    });
    if let Some(Ok(tensor)) = matrix.map(|blocks| in_blocks(blocks, place, device)) {
        return tensor;
    }
    let tensor = Tensor::<D>::from_data(TensorData::new(values.data, values.shape), device);
    let half = match kept {
        Kept::F16 => DType::F16,
        Kept::Bf16 => DType::BF16,
        _ => DType::F32,
    };
    match place {
        Use::Weight if half != DType::F32 => contiguous(tensor.swap_dims(0, 1)).cast(half),
        Use::Weight => contiguous(tensor.swap_dims(0, 1)),
        _ => tensor,
    }
}

/// Returns the tensor of a matrix of blocks.
///
/// # Errors
/// The values, if no operation on that device takes such a tensor in this place.
fn in_blocks<const D: usize>(
    blocks: BlockMatrix,
    place: Use,
    device: &Device,
) -> Result<Tensor<D>, Values> {
    let tensor = match place {
        Use::Weight if BlockMatrix::runs_on(device) => blocks.into_weight(),
        // In a graph, an embedding is joined with tensors that record: it has to be one of those.
        Use::Table if BlockMatrix::runs_on(device) && !device.is_autodiff() => blocks.into_table(),
        _ => return Err(values(&blocks)),
    };
    Ok(Tensor::from_dispatch(tensor.into_dispatch()))
}

/// Returns the numbers of blocks, in PyTorch's layout.
pub(super) fn values(blocks: &BlockMatrix) -> Values {
    Values { shape: blocks.shape().to_vec(), data: super::floats(blocks.widen()) }
}

/// Returns the matrix of blocks that a parameter at `path` holds.
pub(super) fn blocks<const D: usize>(tensor: &Tensor<D>, path: &Path) -> Option<BlockMatrix> {
    let matrix = || Tensor::<2>::from_dispatch(tensor.clone().into_dispatch());
    match tensor.dtype() {
        DType::QFloat(_) if path.transposed(D) => BlockMatrix::of_weight(&matrix()),
        DType::QFloat(_) if D == 2 => BlockMatrix::of_table(&matrix()),
        _ => None,
    }
}

/// Returns the values in row-major order, so that matrix products need not copy a transposed weight
/// at every call.
fn contiguous<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    let device = tensor.device();
    Tensor::from_data(tensor.into_data(), &device)
}
