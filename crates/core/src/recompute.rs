//! Gradient checkpointing: activations that the backward pass computes again instead of keeping.
//!
//! A deep frozen model keeps the activations of all its blocks until the backward pass. Inside a
//! [`scope`], a [`block`] keeps only its input. [`Recorded::backward`] then goes through the blocks
//! from the last to the first. It runs each block again with gradients, propagates back through it,
//! and frees its activations before the next. The memory is that of one block; the time is one more
//! forward pass. Values and gradients are the same to the last bit, dropout included: a block that
//! runs again draws the same masks. (Chen et al., 2016, arXiv:1604.06174.)
//!
//! burn has gradient checkpointing of its own, but not per block of a module. This one is written
//! with tensors alone, so it works on every backend.
//!
//! # The scope
//!
//! The list of recorded blocks is a thread-local variable. A model calls [`block`] deep inside its
//! `decode`, and its signature should not carry the list: the same code runs in evaluation, where
//! nothing is recorded. Traps:
//! - Scopes do not nest, and a block on another thread is not recorded.
//! - Outside a scope, and if all inputs are constants, [`block`] simply calls the function.
//! - Call [`Recorded::backward`] and not burn's `backward` on the loss: otherwise gradients stop at
//!   the last block.

use crate::noise;
use burn::tensor::{Gradients, Tensor};
use std::cell::RefCell;
use toolkit_kernels::{is_constant, with_gradient};
use toolkit_seed::Stream;

thread_local! {
    static BLOCKS: RefCell<Option<Vec<Block>>> = const { RefCell::new(None) };
}

/// The function of a block, with its part bound.
type Run = Box<dyn Fn(Tensor<3>, &[Tensor<4>]) -> Tensor<3>>;

/// A block that ran without gradients.
struct Block {
    input: Tensor<3>,
    extra_inputs: Vec<Tensor<4>>,
    /// Output, as the start of the graph that follows.
    output: Tensor<3>,
    /// Gradient of `output`, as far as it is known.
    output_gradient: Option<Tensor<3>>,
    /// Dropout's stream before the block, so that it draws the same masks again.
    noise: Option<Stream>,
    run: Run,
}

/// The blocks of a [`scope`]. Without blocks (the default), [`Recorded::backward`] is burn's own.
#[derive(Default)]
#[must_use = "recorded blocks have no gradients without `backward`"]
pub struct Recorded(Vec<Block>);

/// Runs `f` and records its [`block`]s.
pub fn scope<T>(f: impl FnOnce() -> T) -> (T, Recorded) {
    /// A guard that ends the scope even if `f` panics.
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

/// Runs `f(part, x)`, one block of a frozen model. `x` and the result are `[batch, tokens, width]`.
///
/// Traps:
/// - `x` is the only input with a gradient. Everything else that `f` captures must be constant; for
///   more inputs with gradients use [`block_with_inputs`].
/// - `x` must not be used elsewhere: burn consumes its graph in one backward pass.
pub fn block<P: Clone + 'static>(
    part: &P,
    x: Tensor<3>,
    f: impl Fn(&P, Tensor<3>) -> Tensor<3> + 'static,
) -> Tensor<3> {
    block_with_inputs(part, x, [], move |part, x, []| f(part, x))
}

/// Runs a [`block`] that also reads `extra_inputs`, such as a decoder block that reads the keys and
/// values of the encoder's output.
///
/// Consecutive blocks may share the graph of their extra inputs: the encoder. Their gradients are
/// summed and propagated once, after the first of those blocks has run backward.
///
/// Traps:
/// - `x` and the extra inputs must not come from one graph, back to the blocks before them: each
///   graph can be propagated once.
/// - Blocks that share extra inputs must not have a [`block`] without extra inputs between them.
/// - All inputs are on the autodiff device, constants too.
pub fn block_with_inputs<P: Clone + 'static, const N: usize>(
    part: &P,
    x: Tensor<3>,
    extra_inputs: [Tensor<4>; N],
    f: impl Fn(&P, Tensor<3>, [Tensor<4>; N]) -> Tensor<3> + 'static,
) -> Tensor<3> {
    let recording = BLOCKS.with(|blocks| blocks.borrow().is_some());
    if !recording || (is_constant(&x) && extra_inputs.iter().all(is_constant)) {
        return f(part, x, extra_inputs);
    }
    let noise = noise::current();
    // `inner` and `from_inner` give constants on the autodiff device. `detach` would not do: it
    // would mark the previous block's output as untracked.
    let constants = extra_inputs.each_ref().map(|x| Tensor::from_inner(x.clone().inner()));
    let output = f(part, Tensor::from_inner(x.clone().inner()), constants);
    let output = Tensor::from_inner(output.inner()).require_grad();
    let part = part.clone();
    let run: Run = Box::new(move |x, extra| f(&part, x, std::array::from_fn(|i| extra[i].clone())));
    let block = Block {
        input: x,
        extra_inputs: extra_inputs.into(),
        output: output.clone(),
        output_gradient: None,
        noise,
        run,
    };
    BLOCKS.with(|blocks| blocks.borrow_mut().as_mut().map(|blocks| blocks.push(block)));
    output
}

/// Returns the values of `x` as the start of a new graph; a constant stays one.
fn new_graph<const D: usize>(x: &Tensor<D>) -> Tensor<D> {
    if is_constant(x) { x.clone() } else { x.clone().detach().require_grad() }
}

/// Propagates back from `scalar` and adds the gradients of the blocks' outputs to the blocks. The
/// other gradients go to `each`.
fn propagate(scalar: &Tensor<1>, blocks: &mut [Block], each: &mut impl FnMut(Gradients)) {
    let mut gradients = scalar.backward();
    for block in blocks {
        if let Some(more) = block.output.grad_remove(&mut gradients) {
            block.output_gradient = Some(match block.output_gradient.take() {
                Some(sum) => sum + more,
                None => more,
            });
        }
    }
    each(gradients);
}

impl Recorded {
    /// Propagates back from `loss`, which was computed inside the scope.
    ///
    /// `each` receives the gradients of every piece of the way: a parameter may be in several of
    /// them, and then its gradient is their sum.
    pub fn backward(self, loss: &Tensor<1>, mut each: impl FnMut(Gradients)) {
        let mut blocks = self.0;
        // 1. From the loss to the output of the last block.
        propagate(loss, &mut blocks, &mut each);
        // The extra inputs' gradients so far, as a scalar to propagate from.
        let mut extra: Option<Tensor<1>> = None;
        loop {
            // 4. The first of the blocks with extra inputs is done: propagate their sum once.
            if blocks.last().is_none_or(|block| block.extra_inputs.is_empty())
                && let Some(extra) = extra.take()
            {
                propagate(&extra, &mut blocks, &mut each);
            }
            let Some(block) = blocks.pop() else { return };
            let Block { input, extra_inputs, output_gradient, noise, run, .. } = block;
            let Some(output_gradient) = output_gradient else { continue };
            // 2. Run the block again with gradients, and propagate back to its inputs.
            let x = new_graph(&input);
            let starts: Vec<Tensor<4>> = extra_inputs.iter().map(new_graph).collect();
            let y = noise::with(noise, || run(x.clone(), &starts));
            let mut gradients = with_gradient(y, output_gradient).backward();
            for (extra_input, start) in extra_inputs.into_iter().zip(starts) {
                let gradient = start
                    .grad_remove(&mut gradients)
                    .map(|gradient| with_gradient(extra_input, gradient));
                extra = extra.into_iter().chain(gradient).reduce(|sum, more| sum + more);
            }
            // 3. From the block's input to the output of the block before it.
            if let Some(gradient) = x.grad_remove(&mut gradients) {
                propagate(&with_gradient(input, gradient), &mut blocks, &mut each);
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
    fn gradients_reach_extra_inputs() {
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
