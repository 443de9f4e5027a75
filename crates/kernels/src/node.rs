//! Runs a fused operation on flex, with or without autodiff, as one node of the graph.

use std::fmt::Debug;

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, AutodiffBackend, BackendTensor, Dispatch, DispatchAutodiffContext, DispatchTensor,
    DispatchTensorKind, Flex, TensorMetadata,
};
use burn::tensor::DType;
use burn_flex::FlexTensor;

use crate::gathered::{self, GradientAccumulator};

type Tracked = FloatTensor<Autodiff<Flex>>;

/// An operation of `N` float tensors with its own backward.
pub(crate) trait Fused<const N: usize>: Clone + Debug + Send + 'static {
    /// What the backward needs.
    type Saved: Clone + Debug + Send + 'static;

    /// The output; with `keep`, also what the backward needs.
    fn forward(&self, inputs: [FlexTensor; N], keep: bool) -> (FlexTensor, Option<Self::Saved>);

    /// The same, where a gradient is wanted of these inputs only, at least one.
    fn forward_for(
        &self,
        inputs: [FlexTensor; N],
        wanted: [bool; N],
    ) -> (FlexTensor, Option<Self::Saved>) {
        self.forward(inputs, wanted.contains(&true))
    }

    /// Gradients of the inputs from that of the output. Only the `wanted` are read.
    fn backward(
        &self,
        saved: Self::Saved,
        grad: FlexTensor,
        wanted: [bool; N],
    ) -> [Option<FlexTensor>; N];

    /// The same, where gradients that have a slot are added to it and not returned.
    fn backward_into(
        &self,
        saved: Self::Saved,
        grad: FlexTensor,
        wanted: [bool; N],
        slots: [Option<&GradientAccumulator>; N],
    ) -> [Option<FlexTensor>; N] {
        let mut parts = self.backward(saved, grad, wanted);
        for (part, slot) in parts.iter_mut().zip(slots) {
            if let Some(slot) = slot {
                part.take().into_iter().for_each(|part| slot.add(part));
            }
        }
        parts
    }
}

/// Runs `op`, or gives the inputs back if one of them is not an f32 tensor on flex.
///
/// # Errors
/// The inputs, unchanged, for the caller to go on with burn's primitives.
pub(crate) fn run<F: Fused<N>, const N: usize>(
    op: F,
    inputs: [DispatchTensor; N],
) -> Result<DispatchTensor, [DispatchTensor; N]> {
    if !inputs.iter().all(on_flex) {
        return Err(inputs);
    }
    let context = inputs
        .iter()
        .fold(DispatchAutodiffContext::Disabled, |context, x| context.merge(x.autodiff));
    let kind = match context {
        DispatchAutodiffContext::Disabled => {
            let (output, _) = op.forward(inputs.map(|x| inner(x.kind)), false);
            DispatchTensorKind::Flex(BackendTensor::Float(output))
        }
        DispatchAutodiffContext::Enabled(_) => {
            let wanted = inputs.each_ref().map(Dispatch::is_tracked);
            let output = record(op, inputs.map(|x| tracked(x.kind)), wanted);
            DispatchTensorKind::Autodiff(Box::new(DispatchTensorKind::Flex(
                BackendTensor::Autodiff(output),
            )))
        }
    };
    Ok(DispatchTensor { kind, autodiff: context })
}

/// Whether this is an f32 tensor of flex, tracked or not.
pub(crate) fn on_flex(x: &DispatchTensor) -> bool {
    match &x.kind {
        DispatchTensorKind::Flex(BackendTensor::Float(x)) => x.dtype() == DType::F32,
        DispatchTensorKind::Autodiff(x) => match &**x {
            DispatchTensorKind::Flex(BackendTensor::Autodiff(x)) => x.dtype() == DType::F32,
            _ => false,
        },
        _ => false,
    }
}

/// The values of a tensor that is [`on_flex`].
pub(crate) fn inner(kind: DispatchTensorKind) -> FlexTensor {
    match kind {
        DispatchTensorKind::Flex(BackendTensor::Float(x)) => x,
        kind => tracked(kind).into_primitive(),
    }
}

/// The autodiff tensor; one without autodiff becomes a constant.
fn tracked(kind: DispatchTensorKind) -> Tracked {
    match kind {
        DispatchTensorKind::Flex(BackendTensor::Float(x)) => Autodiff::<Flex>::from_inner(x),
        DispatchTensorKind::Autodiff(x) => match *x {
            DispatchTensorKind::Flex(BackendTensor::Autodiff(x)) => x,
            _ => unreachable!("`on_flex` was asked before"),
        },
        _ => unreachable!("`on_flex` was asked before"),
    }
}

/// The node of an operation.
#[derive(Debug)]
struct Node<F>(F);

impl<F: Fused<N>, const N: usize> Backward<Flex, N> for Node<F> {
    type State = F::Saved;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let slots = ops
            .parents
            .each_ref()
            .map(|parent| parent.as_ref().and_then(|parent| gathered::slot(parent.id)));
        let parts =
            self.0.backward_into(ops.state, grad, wanted, slots.each_ref().map(Option::as_ref));
        for ((parent, part), slot) in ops.parents.into_iter().zip(parts).zip(slots) {
            // burn wants something at every node.
            let part = part.or_else(|| slot.map(|slot| slot.nothing()));
            if let (Some(parent), Some(part)) = (parent, part) {
                grads.register::<Flex>(parent.id, part);
            }
        }
    }
}

/// Runs the forward and puts the node into the graph. What is saved is never recomputed, so the
/// strategy of gradient checkpointing has no say here and `NoCheckpointing` stands for all.
fn record<F: Fused<N>, const N: usize>(op: F, inputs: [Tracked; N], wanted: [bool; N]) -> Tracked {
    let guards = inputs.each_ref().map(Tracked::node);
    let inputs = inputs.map(Tracked::into_primitive);
    match Node(op.clone()).prepare::<NoCheckpointing>(guards).compute_bound().stateful() {
        OpsKind::Tracked(prep) => match op.forward_for(inputs, wanted) {
            (output, Some(saved)) => prep.finish(saved, output),
            (_, None) => unreachable!("a forward that was told to keep its state kept none"),
        },
        OpsKind::UnTracked(prep) => prep.finish(op.forward(inputs, false).0),
    }
}

/// The node of a tensor with autodiff on flex.
pub(crate) fn id(x: &DispatchTensor) -> Option<NodeId> {
    match &x.kind {
        DispatchTensorKind::Autodiff(x) => match &**x {
            DispatchTensorKind::Flex(BackendTensor::Autodiff(x)) => Some(x.node().id()),
            _ => None,
        },
        _ => None,
    }
}

/// The values of a tensor that is f32 on flex and has no gradient.
pub(crate) fn constant(x: &DispatchTensor) -> Option<FlexTensor> {
    (on_flex(x) && !Dispatch::is_tracked(x)).then(|| inner(x.kind.clone()))
}

/// A tensor without a gradient.
pub(crate) fn plain(x: FlexTensor) -> DispatchTensor {
    DispatchTensor {
        kind: DispatchTensorKind::Flex(BackendTensor::Float(x)),
        autodiff: DispatchAutodiffContext::Disabled,
    }
}

/// Integers on flex.
pub(crate) fn integers(x: &DispatchTensor) -> Option<FlexTensor> {
    match &x.kind {
        DispatchTensorKind::Flex(BackendTensor::Int(x)) => Some(x.clone()),
        _ => None,
    }
}
