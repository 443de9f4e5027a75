//! A gradient that is gathered over several backward passes.

use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use crate::node::{self, Fused};
use crate::sums::add_in_place;

/// The gradient of one parameter, added up over the backward passes of several graphs.
///
/// A parameter that goes [`Gathered::through`] it gets no gradient of its own: what arrives is added here at once and let go, so that
/// a pass never holds the gradients of all parameters beside their sum.
#[derive(Clone, Debug, Default)]
pub struct Gathered(Arc<Mutex<Option<FlexTensor>>>);

impl Fused<1> for Gathered {
    type Saved = ();

    fn forward(&self, [x]: [FlexTensor; 1], keep: bool) -> (FlexTensor, Option<()>) {
        (x, keep.then_some(()))
    }

    fn backward(&self, (): (), grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *sum = Some(match sum.take() {
            Some(sum) => add_in_place(sum, grad),
            None => grad,
        });
        [None]
    }
}

impl Gathered {
    /// The same values, whose gradient comes here. Needed anew for each graph.
    ///
    /// # Errors
    /// The tensor as it was, if it is not an f32 tensor of flex: its gradient then comes as ever.
    #[expect(clippy::result_large_err, reason = "the tensor is handed back to be used, not an error on its way out")]
    pub fn through<const D: usize>(&self, x: Tensor<D>) -> Result<Tensor<D>, Tensor<D>> {
        let run = node::run(self.clone(), [x.into_dispatch()]);
        run.map(Tensor::from_dispatch).map_err(|[x]| Tensor::from_dispatch(x))
    }

    /// What was gathered, if anything came.
    #[must_use]
    pub fn take<const D: usize>(&self) -> Option<Tensor<D>> {
        let sum = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Tensor::from_dispatch(node::plain(sum)))
    }
}
