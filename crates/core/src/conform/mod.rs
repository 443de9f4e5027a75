//! The contract as checks that an author calls in a test.
//!
//! Each function builds the part, draws its weights, and panics with the promise that is broken.
//! Use a tiny configuration.
//!
//! | function | checks |
//! |---|---|
//! | [`vision`] | a [`crate::VisionEncoder`] |
//! | [`bridge`] | a [`crate::Bridge`], without its text tower |
//! | [`language`] | a [`crate::LanguageModel`] |

mod bridge;
mod language;
mod vision;

pub use bridge::bridge;
pub use language::language;
pub use vision::vision;

use crate::params;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use toolkit_seed::Stream;

/// Largest allowed difference between two ways to the same value, relative to the largest
/// magnitude.
const TOLERANCE: f32 = 1e-4;

/// Draws a normal test input, the same on every device.
#[must_use]
pub fn sample<const D: usize>(label: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    let mut stream = Stream::new(0, label, 0);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| stream.normal() as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Panics unless `a` and `b` agree to 1e-4 of the largest magnitude.
pub fn assert_close<const D: usize>(what: &str, a: Tensor<D>, b: Tensor<D>) {
    assert_eq!(a.dims(), b.dims(), "{what}: shapes differ");
    let (a, b) = (params::floats(a), params::floats(b));
    let scale = a.iter().chain(&b).fold(1e-3_f32, |m, x| m.max(x.abs()));
    for (i, (x, y)) in a.iter().zip(&b).enumerate() {
        assert!(
            (x - y).abs() <= TOLERANCE * scale,
            "{what}: element {i} is {x} one way and {y} the other"
        );
    }
}

/// Panics unless the part has as many parameters as `describe` says.
fn same_count<M: Module>(part: &M, described: u64) {
    assert_eq!(
        params::count(part),
        described,
        "`describe` must count the parameters that `build` makes"
    );
}

/// Exports and imports the parameters, and panics unless they come back unchanged.
fn round_trip<M: Module>(part: M) -> M {
    let before = params::export(&part);
    let Ok(after) = params::import(part, before.clone()) else {
        panic!("a part must import what it exports")
    };
    assert!(params::export(&after) == before, "exported and imported parameters differ");
    after
}
