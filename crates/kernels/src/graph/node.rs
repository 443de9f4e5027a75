//! A fused operation on flex as one node of the graph.

use std::fmt::Debug;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{
    BackendTensor, Dispatch, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind, Flex,
};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::accumulate::{self, GradientAccumulator};
use super::tensor::{Tracked, inner, on_flex, tracked};

/// An operation of `N` float tensors with its own backward pass.
pub(crate) trait Fused<const N: usize>: Clone + Debug + Send + 'static {
    /// State that the backward pass needs.
    type Saved: Clone + Debug + Send + 'static;

    /// Returns the output and, with `save`, the state for the backward pass.
    fn forward(&self, inputs: [FlexTensor; N], save: bool) -> (FlexTensor, Option<Self::Saved>);

    /// Runs [`Fused::forward`] when only the inputs `wanted`, at least one, need a gradient.
    fn forward_for(
        &self,
        inputs: [FlexTensor; N],
        wanted: [bool; N],
    ) -> (FlexTensor, Option<Self::Saved>) {
        self.forward(inputs, wanted.contains(&true))
    }

    /// Returns the gradients of the inputs, given the gradient of the output. Only those of the
    /// `wanted` inputs are read.
    fn backward(
        &self,
        saved: Self::Saved,
        grad: FlexTensor,
        wanted: [bool; N],
    ) -> [Option<FlexTensor>; N];

    /// Runs [`Fused::backward`]; the gradient of an input with an accumulator is added to that and
    /// not returned.
    fn backward_into(
        &self,
        saved: Self::Saved,
        grad: FlexTensor,
        wanted: [bool; N],
        accumulators: [Option<&GradientAccumulator>; N],
    ) -> [Option<FlexTensor>; N] {
        let mut gradients = self.backward(saved, grad, wanted);
        for (gradient, accumulator) in gradients.iter_mut().zip(accumulators) {
            if let Some(accumulator) = accumulator {
                gradient.take().into_iter().for_each(|gradient| accumulator.add(gradient));
            }
        }
        gradients
    }
}

/// Runs `op` on tensors of any backend.
///
/// # Errors
/// The inputs, unchanged, if one of them is not an f32 tensor of flex: the caller then runs burn's
/// primitives.
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

/// Runs an operation of one tensor and one shape.
///
/// # Errors
/// The tensor, unchanged, if it is empty or not an f32 tensor of flex.
pub(crate) fn apply<F: Fused<1>, const D: usize>(
    op: F,
    x: Tensor<D>,
) -> Result<Tensor<D>, Tensor<D>> {
    if x.shape().num_elements() == 0 {
        return Err(x);
    }
    run(op, [x.into_dispatch()]).map(Tensor::from_dispatch).map_err(|[x]| Tensor::from_dispatch(x))
}

/// The backward step of an operation, as burn's graph stores it.
#[derive(Debug)]
struct Node<F>(F);

impl<F: Fused<N>, const N: usize> Backward<Flex, N> for Node<F> {
    type State = F::Saved;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let accumulators = ops
            .parents
            .each_ref()
            .map(|parent| parent.as_ref().and_then(|parent| accumulate::of_node(parent.id)));
        let gradients = self.0.backward_into(
            ops.state,
            grad,
            wanted,
            accumulators.each_ref().map(Option::as_ref),
        );
        for ((parent, gradient), accumulator) in
            ops.parents.into_iter().zip(gradients).zip(accumulators)
        {
            // burn expects a gradient at every node, also if it was accumulated elsewhere.
            let gradient =
                gradient.or_else(|| accumulator.map(|accumulator| accumulator.placeholder()));
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

/// Runs the forward pass and adds the node to the graph.
fn record<F: Fused<N>, const N: usize>(op: F, inputs: [Tracked; N], wanted: [bool; N]) -> Tracked {
    let guards = inputs.each_ref().map(Tracked::node);
    let inputs = inputs.map(Tracked::into_primitive);
    // The saved state is never recomputed, so `NoCheckpointing` is right under any strategy of
    // gradient checkpointing.
    match Node(op.clone()).prepare::<NoCheckpointing>(guards).compute_bound().stateful() {
        OpsKind::Tracked(prep) => match op.forward_for(inputs, wanted) {
            (output, Some(saved)) => prep.finish(saved, output),
            (_, None) => unreachable!("a forward pass with `save` returned no state"),
        },
        OpsKind::UnTracked(prep) => prep.finish(op.forward(inputs, false).0),
    }
}
