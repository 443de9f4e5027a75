//! A vision encoder of one's own, patches through one linear layer, a data set, a loss
//! and a kind of task.

mod loss;
mod stripes;
mod words;

pub use loss::Align;
pub use stripes::{Stripes, StripesConfig};
pub use words::NamesWord;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use toolkit_core::{Cost, ShapeError, VisionEncoder, VisionShape};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchConfig {
    pub image: usize,
    pub patch: usize,
    pub width: usize,
}

#[derive(Module, Debug)]
pub struct PatchEncoder {
    proj: Linear,
    patch: usize,
}

impl VisionEncoder for PatchEncoder {
    type Config = PatchConfig;

    fn describe(c: &PatchConfig) -> Result<VisionShape, ShapeError> {
        ShapeError::unless_divides(("patch", c.patch), ("image", c.image))?;
        let (tokens, pixels) = ((c.image / c.patch).pow(2), 3 * c.patch * c.patch);
        let cost = Cost {
            params: ((pixels + 1) * c.width) as u64,
            flops: (2 * tokens * pixels * c.width) as u64,
            activations: 0,
        };
        Ok(VisionShape { image: [c.image; 2], tokens, width: c.width, cost })
    }

    fn build(c: &PatchConfig, device: &Device) -> Self {
        Self {
            proj: LinearConfig::new(3 * c.patch * c.patch, c.width).init(device),
            patch: c.patch,
        }
    }

    fn encode(&self, images: Tensor<4>) -> Tensor<3> {
        let ([batch, channels, height, width], p) = (images.dims(), self.patch);
        let patches = images
            .reshape([batch, channels, height / p, p, width / p, p])
            .permute([0, 2, 4, 1, 3, 5]);
        self.proj.forward(patches.reshape([batch, (height / p) * (width / p), channels * p * p]))
    }
}
