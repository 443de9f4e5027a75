//! burn's autodiff graph: fused operations as nodes, and gradients accumulated over several passes.

mod accumulate;
mod attach;
mod node;
mod tensor;

pub use accumulate::{AccumulatorMap, GradientAccumulator};
pub(crate) use node::{Fused, apply, run};
pub(crate) use tensor::{
    constant, constant_bf16, constant_matrix, inner, integers, on_flex, plain,
};
