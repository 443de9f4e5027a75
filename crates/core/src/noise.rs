//! Dropout whose masks are a pure function of `(seed, step)`.
//!
//! The training loop opens a [`scope`] for each step with that step's [`Stream`]. Inside it,
//! [`dropout`] and [`attention`] draw their masks from the stream; outside (evaluation, generation)
//! they do nothing. So no module carries a training flag, and a resumed run draws the masks of the
//! uninterrupted run, on every backend.
//!
//! The stream is a thread-local variable: every layer of every family would have to pass it down
//! otherwise. Traps:
//! - A layer on another thread has no dropout.
//! - Scopes do not nest; the stream ends with the scope.
//! - The order of draws is part of the result. A layer that is computed again
//!   ([`crate::recompute`]) must start from the stream that it started from before.
//! - A frozen part inside a scope has dropout too; wrap it in [`off`].

use burn::tensor::Tensor;
use std::cell::RefCell;
use toolkit_kernels::{AttentionOptions, DropoutMask};
use toolkit_seed::Stream;

thread_local! {
    static STREAM: RefCell<Option<Stream>> = const { RefCell::new(None) };
}

/// Runs `f` with dropout on, drawing masks from `stream`.
pub fn scope<T>(stream: Stream, f: impl FnOnce() -> T) -> T {
    /// A guard that ends the scope even if `f` panics.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            STREAM.with(|s| *s.borrow_mut() = None);
        }
    }
    STREAM.with(|s| *s.borrow_mut() = Some(stream));
    let _end = End;
    f()
}

/// Runs `f` with dropout off, inside a scope or not: for a frozen part that behaves as in
/// evaluation.
pub fn off<T>(f: impl FnOnce() -> T) -> T {
    /// A guard that restores the scope's stream even if `f` panics.
    struct Restore(Option<Stream>);
    impl Drop for Restore {
        fn drop(&mut self) {
            STREAM.with(|s| *s.borrow_mut() = self.0.take());
        }
    }
    let _restore = Restore(STREAM.with(|s| s.borrow_mut().take()));
    f()
}

/// Returns the stream as it is now; `None` if dropout is off.
pub(crate) fn current() -> Option<Stream> {
    STREAM.with(|s| s.borrow().clone())
}

/// Runs `f` with a stream that [`current`] returned.
pub(crate) fn with<T>(stream: Option<Stream>, f: impl FnOnce() -> T) -> T {
    off(|| match stream {
        Some(stream) => scope(stream, f),
        None => f(),
    })
}

/// Returns `true` if dropout is on: inside a [`scope`] and not [`off`].
#[must_use]
pub fn is_on() -> bool {
    STREAM.with(|s| s.borrow().is_some())
}

/// Draws a dropout mask of `count` elements, each dropped with probability `p`, from the scope's
/// stream. Returns `None` if dropout is off here or `p` is 0.
///
/// The mask is drawn on the host: slower than a device's generator, and the same on every device.
#[must_use]
pub fn mask(count: usize, p: f64) -> Option<DropoutMask> {
    if p <= 0.0 {
        return None;
    }
    STREAM.with(|s| {
        s.borrow_mut().as_mut().map(|stream| {
            // 32 random bits decide one element, so a draw of 64 decides two.
            let below = (p * 4_294_967_296.0) as u64;
            let mut keep = Vec::with_capacity(count + 1);
            while keep.len() < count {
                let bits = stream.next_u64();
                for half in [bits & 0xFFFF_FFFF, bits >> 32] {
                    keep.push(u8::from(half >= below));
                }
            }
            keep.truncate(count);
            DropoutMask { keep: keep.into(), scale: (1.0 / (1.0 - p)) as f32 }
        })
    })
}

/// Zeroes each element with probability `p` and scales the others by `1 / (1 - p)` inside a scope;
/// returns `x` outside.
#[must_use]
pub fn dropout<const D: usize>(x: Tensor<D>, p: f64) -> Tensor<D> {
    match mask(x.shape().num_elements(), p) {
        Some(mask) => toolkit_kernels::dropout(x, mask),
        None => x,
    }
}

/// Computes [`toolkit_kernels::attention`] of `[batch, heads, tokens, head width]`, with dropout
/// `p` on the probabilities inside a scope, as in BERT.
#[must_use]
pub fn attention(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    options: AttentionOptions<'_>,
    p: f64,
) -> Tensor<4> {
    let [batch, heads, queries, _] = q.dims();
    let mask = mask(batch * heads * queries * k.dims()[2], p);
    toolkit_kernels::attention(q, k, v, options.dropout(mask))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn only_in_scope_and_repeatable() {
        let x = Tensor::<1>::ones([10_000], &Device::default());
        let sum = |t: Tensor<1>| t.sum().into_scalar::<f32>();
        assert_eq!(sum(dropout(x.clone(), 0.5)), 10_000.0);
        let run = || scope(Stream::new(1, "dropout", 5), || dropout(x.clone(), 0.1));
        let (a, b) = (run(), run());
        assert_eq!(a.to_data(), b.to_data());
        let mean = sum(a) / 10_000.0;
        assert!(mean != 1.0 && (mean - 1.0).abs() < 0.03, "mean {mean}");
        assert!(!is_on() && scope(Stream::new(1, "x", 0), || is_on() && !off(is_on)));
        assert_eq!(
            sum(scope(Stream::new(1, "x", 0), || off(|| dropout(x.clone(), 0.5)))),
            10_000.0
        );
    }
}
