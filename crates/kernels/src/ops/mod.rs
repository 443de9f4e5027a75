//! The public operations, each beside its kernel and its fallback of burn's primitives.

mod activation;
mod adamw;
mod add;
mod attention;
mod cross_entropy;
mod dropout;
mod embedding;
mod linear;
mod norm;
mod product;
mod softmax;
mod sum_of_squares;
mod with_gradient;

pub use activation::{gelu, gelu_tanh, quick_gelu, relu, silu};
pub use adamw::{AdamWStep, adamw};
pub use add::{add, add_bias};
pub use attention::{AttentionOptions, KvSegment, attend_segments, attention};
pub use cross_entropy::cross_entropy;
pub use dropout::{DropoutMask, dropout};
pub use embedding::embedding;
pub use linear::{linear, times_transposed};
pub use norm::{layer_norm, rms_norm};
pub use softmax::softmax;
pub use sum_of_squares::sum_of_squares;
pub use with_gradient::{is_constant, with_gradient};
