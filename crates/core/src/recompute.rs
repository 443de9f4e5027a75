//! Activations that are made again in the backward pass instead of kept.
//!
//! Inside a [`scope`], a [`block`] runs without a tape, and only what it reads is kept.
//! [`Recorded::backward`] goes through the blocks from the last to the first: each is run again,
//! with a tape, from its input, and propagated back before the next. EncoderOutput is that of one block;
//! time is one more forward pass of the blocks. Values and gradients are the same to the last bit,
//! dropout included. It is made of tensors alone, so nothing binds it to a backend. (Chen et al.,
//! 2016, arXiv:1604.06174.)

use crate::noise;
use burn::tensor::{Gradients, Tensor};
use std::cell::RefCell;
use toolkit_kernels::is_constant;
use toolkit_seed::Stream;

thread_local! {
    static BLOCKS: RefCell<Option<Vec<Block>>> = const { RefCell::new(None) };
}

type Again = Box<dyn Fn(Tensor<3>, &[Tensor<4>]) -> Tensor<3>>;

struct Block {
    input: Tensor<3>,
    /// What else it reads that has a gradient.
    beside: Vec<Tensor<4>>,
    /// What came out, as a constant that what follows has a gradient for.
    output: Tensor<3>,
    found: Option<Tensor<3>>,
    noise: Option<Stream>,
    again: Again,
}

/// The blocks of a [`scope`]; by default none, and `backward` is burn's own.
#[derive(Default)]
#[must_use = "what was not kept has no gradient without `backward`"]
pub struct Recorded(Vec<Block>);

/// Runs `f` with [`block`]s recorded. Scopes do not nest.
pub fn scope<T>(f: impl FnOnce() -> T) -> (T, Recorded) {
    /// Ends the scope even if `f` panics.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            BLOCKS.with(|blocks| blocks.borrow_mut().take());
        }
    }
    BLOCKS.with(|blocks| *blocks.borrow_mut() = Some(Vec::new()));
    let _end = End;
    let value = f();
    (value, Recorded(BLOCKS.with(|blocks| blocks.borrow_mut().take()).unwrap_or_default()))
}

/// `f(part, x)`, a block of a frozen model. `x` and the result are `[batch, tokens, width]`.
///
/// Traps: whatever else `f` holds must be constant, since no gradient reaches it; and `x` must not
/// be used beside the block, since its graph can be gone through once only.
pub fn block<P: Clone + 'static>(
    part: &P,
    x: Tensor<3>,
    f: impl Fn(&P, Tensor<3>) -> Tensor<3> + 'static,
) -> Tensor<3> {
    block_with_inputs(part, x, [], move |part, x, []| f(part, x))
}

/// [`block`] that reads `beside` too, such as keys and values of an encoder's output: a decoder's
/// block. Gradients of all that is beside go on together, after the last of the blocks that have it
/// in succession.
///
/// Traps: `x` and what is beside must not come from one graph, as far as the blocks before: each
/// graph is gone through once. Neither may blocks share what is beside them if a [`block`] stands
/// between them. All of it is on the autodiff device, constants too.
pub fn block_with_inputs<P: Clone + 'static, const N: usize>(
    part: &P,
    x: Tensor<3>,
    beside: [Tensor<4>; N],
    f: impl Fn(&P, Tensor<3>, [Tensor<4>; N]) -> Tensor<3> + 'static,
) -> Tensor<3> {
    let records = BLOCKS.with(|blocks| blocks.borrow().is_some());
    if !records || (is_constant(&x) && beside.iter().all(is_constant)) {
        return f(part, x, beside);
    }
    let noise = noise::current();
    // Without a tape, on the device that has one; `detach` would leave an output of the block
    // before what it is.
    let plain = beside.each_ref().map(|x| Tensor::from_inner(x.clone().inner()));
    let output = f(part, Tensor::from_inner(x.clone().inner()), plain);
    let output = Tensor::from_inner(output.inner()).require_grad();
    let part = part.clone();
    let again: Again =
        Box::new(move |x, beside| f(&part, x, std::array::from_fn(|i| beside[i].clone())));
    let block = Block {
        input: x,
        beside: beside.into(),
        output: output.clone(),
        found: None,
        noise,
        again,
    };
    BLOCKS.with(|blocks| blocks.borrow_mut().as_mut().map(|blocks| blocks.push(block)));
    output
}

/// The same values as the start of a graph of their own; constants stay so.
fn leaf<const D: usize>(x: &Tensor<D>) -> Tensor<D> {
    if is_constant(x) { x.clone() } else { x.clone().detach().require_grad() }
}

/// Propagates back from `loss`, and keeps what it says about the outputs of `blocks`.
fn pass(loss: &Tensor<1>, blocks: &mut [Block], each: &mut impl FnMut(Gradients)) {
    let mut gradients = loss.backward();
    for block in blocks {
        if let Some(more) = block.output.grad_remove(&mut gradients) {
            block.found = Some(match block.found.take() {
                Some(sum) => sum + more,
                None => more,
            });
        }
    }
    each(gradients);
}

impl Recorded {
    /// Propagates back from `loss`, which was made inside the scope. `each` gets the gradients of
    /// every part of the way; a parameter may be in several of them.
    pub fn backward(self, loss: &Tensor<1>, mut each: impl FnMut(Gradients)) {
        let mut blocks = self.0;
        pass(loss, &mut blocks, &mut each);
        let mut carried: Option<Tensor<1>> = None;
        loop {
            if blocks.last().is_none_or(|block| block.beside.is_empty())
                && let Some(carried) = carried.take()
            {
                pass(&carried, &mut blocks, &mut each);
            }
            let Some(Block { input, beside, found, noise, again, .. }) = blocks.pop() else {
                return;
            };
            let Some(found) = found else { continue };
            let (x, leaves) = (leaf(&input), beside.iter().map(leaf).collect::<Vec<_>>());
            let y = noise::with(noise, || again(x.clone(), &leaves));
            let mut gradients = toolkit_kernels::with_gradient(y, found).backward();
            for (whole, leaf) in beside.into_iter().zip(leaves) {
                let slope = leaf
                    .grad_remove(&mut gradients)
                    .map(|slope| toolkit_kernels::with_gradient(whole, slope));
                carried = carried.into_iter().chain(slope).reduce(|sum, more| sum + more);
            }
            if let Some(slope) = x.grad_remove(&mut gradients) {
                pass(&toolkit_kernels::with_gradient(input, slope), &mut blocks, &mut each);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use burn::tensor::Device;

    /// Two blocks with something between them, and noise.
    fn run(x: Tensor<3>, w: &Tensor<3>) -> Tensor<1> {
        let one = |w: &Tensor<3>, x: Tensor<3>| noise::dropout((x * w.clone()).sin(), 0.3);
        let x = block(w, x.exp(), one) * 0.5;
        block(w, x, one).sum()
    }

    #[test]
    fn gradients_are_those_of_the_whole() {
        let device = Device::default().autodiff();
        let x = Tensor::<3>::from_floats([[[0.1, -0.4], [0.7, 1.2]]], &device).require_grad();
        let w = Tensor::<3>::from_floats([[[1.5, -0.5], [0.3, 2.0]]], &device);
        let stream = || Stream::new(3, "dropout", 0);
        let whole = noise::scope(stream(), || run(x.clone(), &w));
        let want = x.grad(&whole.backward()).unwrap().into_data();
        let mut got = None;
        noise::scope(stream(), || {
            let (loss, recorded) = scope(|| run(x.clone(), &w));
            assert_eq!(loss.to_data(), whole.to_data());
            assert_eq!(recorded.0.len(), 2);
            recorded.backward(&loss, |gradients| got = got.take().or(x.grad(&gradients)));
        });
        assert_eq!(got.unwrap().into_data(), want);
    }

    /// An encoder of one block, and a decoder of two that start from a constant.
    #[test]
    fn gradients_reach_what_is_beside() {
        let device = Device::default().autodiff();
        let x = Tensor::<3>::from_floats([[[0.1, -0.4], [0.7, 1.2]]], &device).require_grad();
        let w = Tensor::<3>::from_floats([[[1.5, -0.5], [0.3, 2.0]]], &device);
        let run = |x: Tensor<3>| {
            let read = block(&w, x.exp(), |w, x| (x * w.clone()).sin());
            let keys = |factor: f64| (read.clone() * factor).unsqueeze::<4>();
            let (first, second) = ([keys(0.3), keys(0.7)], [keys(-0.2), keys(1.1)]);
            let one = |w: &Tensor<3>, x: Tensor<3>, [k, v]: [Tensor<4>; 2]| {
                (x * k.squeeze_dim::<3>(0) + w.clone()).sin() * v.squeeze_dim::<3>(0)
            };
            let y = block_with_inputs(&w, w.clone(), first, one);
            block_with_inputs(&w, y, second, one).sum()
        };
        let whole = run(x.clone());
        let want = x.grad(&whole.backward()).unwrap().into_data();
        let mut got = None;
        let (loss, recorded) = scope(|| run(x.clone()));
        assert_eq!((loss.to_data(), recorded.0.len()), (whole.to_data(), 3));
        recorded.backward(&loss, |gradients| got = got.take().or(x.grad(&gradients)));
        got.unwrap().into_data().assert_approx_eq::<f32>(&want, Default::default());
    }

    #[test]
    fn nothing_is_recorded_outside_of_a_scope_or_of_constants() {
        let device = Device::default().autodiff();
        let x = Tensor::<3>::ones([1, 2, 2], &device);
        let (_, recorded) = scope(|| run(x.clone(), &x));
        assert!(recorded.0.is_empty());
        let y = block(&(), x.require_grad(), |(), x| x * 2.0);
        assert!(!is_constant(&y));
    }
}
