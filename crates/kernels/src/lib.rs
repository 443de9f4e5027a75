//! Operations that burn lacks or runs slowly on the CPU, each with its own backward pass.
//!
//! Each operation is one node of the autodiff graph. The fast path takes f32 tensors of flex,
//! burn's CPU backend, with and without autodiff. On other backends and number types the same
//! function falls back to burn's primitives. A row's result depends neither on the other rows of
//! the batch nor on the number of threads.
//!
//! | module | purpose |
//! |---|---|
//! | `ops` | the public operations, each beside its kernel and its fallback |
//! | `ops::attention` | attention: fused with its backward, and over segments of a cache |
//! | `matmul` | matrix products with one order of sums: any size, few rows, weights in blocks |
//! | `graph` | a fused operation as a node of burn's graph; accumulators of gradients |
//! | `cpu` | the instruction set chosen at run time, vector arithmetic, blocks over threads |
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use toolkit_kernels::{AttentionOptions, attention, gelu};
//!
//! let device = Device::flex().autodiff();
//! let x = Tensor::<4>::ones([2, 4, 3, 8], &device).require_grad(); // [batch, heads, tokens, width]
//! let y = attention(x.clone(), x.clone(), gelu(x.clone()), AttentionOptions::new(0.5));
//! assert_eq!(y.dims(), [2, 4, 3, 8]);
//!
//! let gradients = y.sum().backward();
//! assert_eq!(x.grad(&gradients).map(|gradient| gradient.dims()), Some([2, 4, 3, 8]));
//! ```
//!
//! To add an operation: one file in `ops` with the public function, an implementation of
//! `graph::Fused` and the fallback; compare them in `tests/`, gradients against finite differences
//! too.

#![expect(
    clippy::result_large_err,
    reason = "the tensor is handed back to be used, not an error on its way out"
)]

mod cpu;
mod graph;
mod matmul;
mod ops;

pub use cpu::isa::{ISA_VARIABLE, Isa};
pub use graph::{AccumulatorMap, GradientAccumulator};
pub use matmul::{BlockFormat, BlockMatrix};
pub use ops::{
    AdamWStep, AttentionOptions, DropoutMask, KvSegment, adamw, add, add_bias, attend_segments,
    attention, batched_product, cross_entropy, dropout, embedding, gelu, gelu_tanh, is_constant,
    l2_normalise, layer_norm, linear, log_sum_exp, mean, quick_gelu, relu, rms_norm, rotate,
    scale_rows, silu, soft_cross_entropy, softmax, sum, sum_of_squares, times_transposed,
    with_gradient,
};
