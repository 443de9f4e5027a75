//! Gradients that are summed over several backward passes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::autodiff::NodeId;
use burn::tensor::{Gradients, Shape, Tensor};
use burn_flex::FlexTensor;

use super::tensor::plain;
use crate::cpu::add::add_in_place;
use crate::cpu::buffer::tensor;

/// The gradient of one tensor, summed over the backward passes of several graphs.
///
/// After [`GradientAccumulator::attach`], the tensor's gradients go to the accumulator and not to
/// burn's [`Gradients`]. Operations of this crate add a gradient as soon as they compute it. So a
/// backward pass never holds the gradients of all parameters beside their sum. Gradients from
/// burn's own operations are added at the end of the pass.
#[derive(Clone, Debug, Default)]
pub struct GradientAccumulator(Arc<Mutex<Option<FlexTensor>>>);

/// The accumulators of some graphs, by the graph node of each attached tensor.
#[derive(Debug, Default)]
pub struct AccumulatorMap(HashMap<NodeId, GradientAccumulator>);

thread_local! {
    // burn calls a node's backward with its state only, so the map of the running pass has to be
    // found from the thread. burn propagates back on the thread that calls `backward`.
    static RUNNING: RefCell<AccumulatorMap> = RefCell::default();
}

/// A guard that gives the map back at the end of a pass, also if it panics.
struct Lent<'a>(&'a mut AccumulatorMap);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(|running| std::mem::swap(running, self.0));
    }
}

impl AccumulatorMap {
    /// Runs a backward pass from `loss`. Returns the gradients of the tensors without an
    /// accumulator; the others are added to theirs.
    pub fn backward(&mut self, loss: &Tensor<1>) -> Gradients {
        RUNNING.with_borrow_mut(|running| std::mem::swap(running, self));
        let _lent = Lent(self);
        loss.backward()
    }

    /// Sends the gradient of `node` to `accumulator`.
    pub(super) fn insert(&mut self, node: NodeId, accumulator: GradientAccumulator) {
        self.0.insert(node, accumulator);
    }
}

/// Returns the accumulator of a node in the running backward pass.
pub(super) fn of_node(node: NodeId) -> Option<GradientAccumulator> {
    RUNNING.with_borrow(|running| running.0.get(&node).cloned())
}

impl GradientAccumulator {
    /// Takes the sum out; `None` if no gradient came.
    #[must_use]
    pub fn take<const D: usize>(&self) -> Option<Tensor<D>> {
        let sum = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Tensor::from_dispatch(plain(sum)))
    }

    /// Replaces the sum by `f` of it.
    pub(crate) fn update(&self, f: impl FnOnce(Option<FlexTensor>) -> FlexTensor) {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *sum = Some(f(sum.take()));
    }

    /// Adds a gradient; a [`GradientAccumulator::placeholder`] adds nothing.
    pub(crate) fn add(&self, grad: FlexTensor) {
        let count = |x: &FlexTensor| x.layout().num_elements();
        self.update(|sum| match sum {
            // A placeholder: the operation has added its gradient already.
            Some(sum) if count(&sum) != count(&grad) => sum,
            Some(sum) => add_in_place(sum, grad),
            None => grad,
        });
    }

    /// Returns one zero in as many dimensions as the sum has: it stands in burn's [`Gradients`] for
    /// a gradient that was added here.
    pub(crate) fn placeholder(&self) -> FlexTensor {
        let sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rank = sum.as_ref().map_or(1, |sum| sum.layout().shape().num_dims());
        tensor(vec![0.0], Shape::new_raw(vec![1; rank].into()))
    }
}
