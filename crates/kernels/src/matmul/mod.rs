//! Matrix products.
//!
//! | module | product |
//! |---|---|
//! | `product` | a large product with a matrix that may be trained, and its gradients |
//! | `streamed` | a few rows with a large constant matrix, as generation makes; picks one of the next two |
//! | `matvec` | fewer than 20 rows: bound by reading the matrix |
//! | `tiles` | more rows: sums in registers, the same bits as `matvec` |
//! | `eight_bit` | as `matvec`, with a matrix of 8-bit blocks |
//! | `split` | the order of sums that those three share |
//! | `team` | threads that stay awake between short products |
//! | `gemm` | small matrices inside other kernels, such as one head of attention |

pub(crate) mod eight_bit;
pub(crate) mod gemm;
mod matvec;
pub(crate) mod product;
mod split;
pub(crate) mod streamed;
mod team;
mod tiles;

pub use eight_bit::{cast, eight_bit};
