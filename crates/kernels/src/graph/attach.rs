//! The operation that sends a tensor's gradient to an accumulator.

use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::accumulate::{AccumulatorMap, GradientAccumulator};
use super::node::{Fused, run};
use super::tensor::id;

impl Fused<1> for GradientAccumulator {
    type Saved = ();

    fn forward(&self, [x]: [FlexTensor; 1], save: bool) -> (FlexTensor, Option<()>) {
        (x, save.then_some(()))
    }

    fn backward(&self, (): (), grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        self.add(grad);
        [None]
    }
}

impl GradientAccumulator {
    /// Returns the values of `x` as a tensor whose gradient is added here.
    ///
    /// Call it anew for each graph, and run that graph's backward pass with
    /// [`AccumulatorMap::backward`] of the same `map`.
    ///
    /// # Errors
    /// `x` unchanged if it is not an f32 tensor of flex: its gradient then comes in burn's
    /// `Gradients` as usual.
    #[expect(
        clippy::result_large_err,
        reason = "the tensor is handed back to be used, not an error on its way out"
    )]
    pub fn attach<const D: usize>(
        &self,
        x: Tensor<D>,
        map: &mut AccumulatorMap,
    ) -> Result<Tensor<D>, Tensor<D>> {
        let x = run(self.clone(), [x.into_dispatch()]).map_err(|[x]| Tensor::from_dispatch(x))?;
        if let Some(node) = id(&x) {
            map.insert(node, self.clone());
        }
        Ok(Tensor::from_dispatch(x))
    }
}
