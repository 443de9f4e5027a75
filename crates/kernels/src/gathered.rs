//! Gradients that are gathered over several backward passes, each where it is made.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::autodiff::NodeId;
use burn::tensor::{Gradients, Shape, Tensor};
use burn_flex::FlexTensor;

use crate::buffer::tensor;
use crate::node::{self, Fused};
use crate::sums::add_in_place;

/// The gradient of one tensor, added up over the backward passes of several graphs.
///
/// A tensor that goes [`GradientAccumulator::attach`] it gets no gradient of its own: what arrives is added
/// here. Operations of this crate add theirs as soon as it is made, so that a pass never holds the
/// gradients of all parameters beside their sum; what other operations find is added at the end of
/// the pass.
#[derive(Clone, Debug, Default)]
pub struct GradientAccumulator(Arc<Mutex<Option<FlexTensor>>>);

/// Where the gradients of some graphs go, by the nodes of their tensors.
#[derive(Debug, Default)]
pub struct AccumulatorMap(HashMap<NodeId, GradientAccumulator>);

thread_local! {
    /// Those of the pass that is going on. burn propagates back on the thread that asks for it.
    static NOW: RefCell<AccumulatorMap> = RefCell::default();
}

/// Gives the slots back at the end of a pass, also of one that panics.
struct Lent<'a>(&'a mut AccumulatorMap);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        NOW.with_borrow_mut(|now| std::mem::swap(now, self.0));
    }
}

impl AccumulatorMap {
    /// Propagates back from `loss`. What remains are the gradients of tensors that are not
    /// gathered.
    pub fn backward(&mut self, loss: &Tensor<1>) -> Gradients {
        NOW.with_borrow_mut(|now| std::mem::swap(now, self));
        let _lent = Lent(self);
        loss.backward()
    }
}

/// Where the gradient of this node goes, if it is gathered.
pub(crate) fn slot(node: NodeId) -> Option<GradientAccumulator> {
    NOW.with_borrow(|now| now.0.get(&node).cloned())
}

impl Fused<1> for GradientAccumulator {
    type Saved = ();

    fn forward(&self, [x]: [FlexTensor; 1], keep: bool) -> (FlexTensor, Option<()>) {
        (x, keep.then_some(()))
    }

    fn backward(&self, (): (), grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        self.add(grad);
        [None]
    }
}

impl GradientAccumulator {
    /// The same values, whose gradient comes here. Needed anew for each graph; that graph is to be
    /// propagated back by `slots`.
    ///
    /// # Errors
    /// The tensor as it was, if it is not an f32 tensor of flex: its gradient then comes as ever.
    #[expect(
        clippy::result_large_err,
        reason = "the tensor is handed back to be used, not an error on its way out"
    )]
    pub fn attach<const D: usize>(
        &self,
        x: Tensor<D>,
        slots: &mut AccumulatorMap,
    ) -> Result<Tensor<D>, Tensor<D>> {
        let run = node::run(self.clone(), [x.into_dispatch()]);
        let x = run.map_err(|[x]| Tensor::from_dispatch(x))?;
        if let Some(node) = node::id(&x) {
            slots.0.insert(node, self.clone());
        }
        Ok(Tensor::from_dispatch(x))
    }

    /// What was gathered, if anything came.
    #[must_use]
    pub fn take<const D: usize>(&self) -> Option<Tensor<D>> {
        let sum = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Tensor::from_dispatch(node::plain(sum)))
    }

    /// Puts `f` of what is here in its place.
    pub(crate) fn update(&self, f: impl FnOnce(Option<FlexTensor>) -> FlexTensor) {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *sum = Some(f(sum.take()));
    }

    /// Adds a gradient, or [`GradientAccumulator::nothing`].
    pub(crate) fn add(&self, grad: FlexTensor) {
        let count = |x: &FlexTensor| x.layout().num_elements();
        self.update(|sum| match sum {
            // All of it is here already.
            Some(sum) if count(&sum) != count(&grad) => sum,
            Some(sum) => add_in_place(sum, grad),
            None => grad,
        });
    }

    /// What stands for a gradient that is here already, of as many dimensions.
    pub(crate) fn nothing(&self) -> FlexTensor {
        let sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rank = sum.as_ref().map_or(1, |sum| sum.layout().shape().num_dims());
        tensor(vec![0.0], Shape::new_raw(vec![1; rank].into()))
    }
}
