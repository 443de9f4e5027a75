//! burn's dispatched tensors as tensors of flex, and back.

use burn::backend::autodiff::NodeId;
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, AutodiffBackend, BackendTensor, Dispatch, DispatchAutodiffContext, DispatchTensor,
    DispatchTensorKind, Flex, TensorMetadata,
};
use burn::tensor::{DType, Tensor};
use burn_flex::FlexTensor;

use crate::cpu::buffer::contiguous;

/// A float tensor of flex with its node in the graph.
pub(crate) type Tracked = FloatTensor<Autodiff<Flex>>;

/// Returns `true` for an f32 tensor of flex, tracked or not.
pub(crate) fn on_flex(x: &DispatchTensor) -> bool {
    float_of_flex(x) == Some(DType::F32)
}

/// Returns the number type of a float tensor of flex, tracked or not.
fn float_of_flex(x: &DispatchTensor) -> Option<DType> {
    match &x.kind {
        DispatchTensorKind::Flex(BackendTensor::Float(x)) => Some(x.dtype()),
        DispatchTensorKind::Autodiff(x) => match &**x {
            DispatchTensorKind::Flex(BackendTensor::Autodiff(x)) => Some(x.dtype()),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the values of a tensor that is [`on_flex`].
pub(crate) fn inner(kind: DispatchTensorKind) -> FlexTensor {
    match kind {
        DispatchTensorKind::Flex(BackendTensor::Float(x)) => x,
        kind => tracked(kind).into_primitive(),
    }
}

/// Returns the autodiff tensor of a tensor that is [`on_flex`]; one without autodiff becomes a
/// constant.
pub(crate) fn tracked(kind: DispatchTensorKind) -> Tracked {
    match kind {
        DispatchTensorKind::Flex(BackendTensor::Float(x)) => Autodiff::<Flex>::from_inner(x),
        DispatchTensorKind::Autodiff(x) => match *x {
            DispatchTensorKind::Flex(BackendTensor::Autodiff(x)) => x,
            _ => unreachable!("`on_flex` was asked before"),
        },
        _ => unreachable!("`on_flex` was asked before"),
    }
}

/// Returns the graph node of a tensor with autodiff on flex.
pub(crate) fn id(x: &DispatchTensor) -> Option<NodeId> {
    match &x.kind {
        DispatchTensorKind::Autodiff(x) => match &**x {
            DispatchTensorKind::Flex(BackendTensor::Autodiff(x)) => Some(x.node().id()),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the values of an f32 tensor of flex that has no gradient.
pub(crate) fn constant(x: &DispatchTensor) -> Option<FlexTensor> {
    (on_flex(x) && !Dispatch::is_tracked(x)).then(|| inner(x.kind.clone()))
}

/// Returns the values of a bf16 tensor of flex that has no gradient.
pub(crate) fn constant_bf16(x: &DispatchTensor) -> Option<FlexTensor> {
    let fits = float_of_flex(x) == Some(DType::BF16) && !Dispatch::is_tracked(x);
    fits.then(|| inner(x.kind.clone()))
}

/// Returns the contiguous values of an f32 matrix of flex without autodiff.
pub(crate) fn constant_matrix(w: &Tensor<2>) -> Option<FlexTensor> {
    if w.is_autodiff() { None } else { constant(&w.clone().into_dispatch()).map(contiguous) }
}

/// Wraps values as a tensor without a gradient.
pub(crate) fn plain(x: FlexTensor) -> DispatchTensor {
    DispatchTensor {
        kind: DispatchTensorKind::Flex(BackendTensor::Float(x)),
        autodiff: DispatchAutodiffContext::Disabled,
    }
}

/// Returns the values of an integer tensor of flex.
pub(crate) fn integers(x: &DispatchTensor) -> Option<FlexTensor> {
    match &x.kind {
        DispatchTensorKind::Flex(BackendTensor::Int(x)) => Some(x.clone()),
        _ => None,
    }
}
