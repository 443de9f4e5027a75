//! A backward pass that continues from one graph into another.

use burn::backend::Dispatch;
use burn::tensor::{Shape, Tensor};
use burn_flex::FlexTensor;

use crate::cpu::buffer::{contiguous, tensor};
use crate::graph::{self, Fused};

/// Returns a scalar `s [1]` with `ds/dx = gradient`.
///
/// Calling `s.backward()` continues a backward pass that another graph started, where `gradient`
/// was found. The value of `s` is not used. `gradient` has the shape of `x` and no gradient of its
/// own.
#[must_use]
pub fn with_gradient<const D: usize>(x: Tensor<D>, gradient: Tensor<D>) -> Tensor<1> {
    let gradient = gradient.into_dispatch();
    let scalar = match graph::constant(&gradient) {
        Some(constant) => graph::run(Carry(constant), [x.into_dispatch()]),
        None => Err([x.into_dispatch()]),
    };
    match scalar {
        Ok(scalar) => Tensor::from_dispatch(scalar),
        Err([x]) => (Tensor::<D>::from_dispatch(x)
            * Tensor::<D>::from_inner(Tensor::from_dispatch(gradient)))
        .sum(),
    }
}

/// Returns `true` if no operation on `x` is recorded: it has no gradient.
#[must_use]
pub fn is_constant<const D: usize>(x: &Tensor<D>) -> bool {
    !Dispatch::is_tracked(&x.clone().into_dispatch())
}

/// Zero, with the gradient that it holds.
#[derive(Clone, Debug)]
struct Carry(FlexTensor);

impl Fused<1> for Carry {
    type Saved = ();

    fn forward(&self, _: [FlexTensor; 1], save: bool) -> (FlexTensor, Option<()>) {
        (tensor(vec![0.0], Shape::new([1])), save.then_some(()))
    }

    fn backward(&self, (): (), grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let factor = contiguous(grad).storage::<f32>()[0];
        let mut gradient = self.0.clone();
        if factor != 1.0 {
            gradient = contiguous(gradient);
            gradient.storage_mut::<f32>().iter_mut().for_each(|x| *x *= factor);
        }
        [Some(gradient)]
    }
}
