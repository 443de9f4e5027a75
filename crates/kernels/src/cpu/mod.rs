//! The processor: its instruction set, vector arithmetic, and work in blocks over threads.

pub(crate) mod add;
pub(crate) mod buffer;
pub(crate) mod isa;
pub(crate) mod simd;
pub(crate) mod vector;
