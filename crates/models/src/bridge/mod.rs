//! Bridges: the trained part between a frozen image encoder and a frozen language model.
//!
//! All of them begin with `ln_vision`, the trained layer normalisation that BLIP-2 puts on the
//! frozen features, so that they differ only in what the comparison is about.

pub mod projector;
pub mod qformer;
pub mod resampler;

pub use projector::{LinearBridge, LinearConfig, MlpBridge, MlpConfig};
pub use qformer::{QFormer, QFormerConfig, QFormerInit, initialise, stage2_params};
pub use resampler::{Resampler, ResamplerConfig};

use toolkit_core::ShapeError;

/// Returns an error that names the first of `fields` that is zero.
fn positive(fields: &[(&str, usize)]) -> Result<(), ShapeError> {
    match fields.iter().find(|(_, value)| *value == 0) {
        Some((name, _)) => {
            Err(ShapeError::new(format!("`{name}` = 0"), format!("`{name}` must be at least 1")))
        }
        None => Ok(()),
    }
}

/// Returns the variance offset of `ln_vision` in LAVIS (PyTorch's default); Hugging Face's
/// conversions use 1e-6.
const fn vision_eps() -> f64 {
    1e-5
}
