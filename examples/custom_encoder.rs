//! A vision encoder of one's own, from the trait to every command.
//!
//! ```sh
//! cargo run --example custom_encoder                       # checks it and encodes one picture
//! cargo run --example custom_encoder -- list vision        # the whole command line, with it
//! ```
//!
//! `tests/plugin` is the same as a crate outside of the toolkit, with a card and a run.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use std::process::ExitCode;
use toolkit::core::conform;
use toolkit::prelude::*;

/// Values of `[config]` in a card of the family.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct PatchConfig {
    image: usize,
    patch: usize,
    width: usize,
}

/// Patches of the picture through one linear layer.
#[derive(Module, Debug)]
struct PatchEncoder {
    // The name of the field is the name of the parameter in a checkpoint: `proj.weight`.
    proj: Linear,
    patch: usize,
}

impl VisionEncoder for PatchEncoder {
    type Config = PatchConfig;

    /// Computes shapes and costs without a tensor: `plan` calls it before anything is read.
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
        let proj = LinearConfig::new(3 * c.patch * c.patch, c.width).init(device);
        Self { proj, patch: c.patch }
    }

    /// Encodes `[batch, 3, height, width]` to `[batch, tokens, width]`.
    fn encode(&self, images: Tensor<4>) -> Tensor<3> {
        let ([batch, channels, height, width], p) = (images.dims(), self.patch);
        let patches = images
            .reshape([batch, channels, height / p, p, width / p, p])
            .permute([0, 2, 4, 1, 3, 5]);
        self.proj.forward(patches.reshape([batch, (height / p) * (width / p), channels * p * p]))
    }
}

fn main() -> ExitCode {
    if std::env::args().len() > 1 {
        return toolkit::run(Registry::builtin().vision::<PatchEncoder>("patch"));
    }
    let config = PatchConfig { image: 8, patch: 4, width: 6 };
    // Shapes, counts, gradients, independence of pictures, saving and loading. Use it in a test.
    conform::vision::<PatchEncoder>(&config);
    let encoder = AnyVision::new(PatchEncoder::build(&config, &Device::flex()));
    let features = encoder.encode(Tensor::zeros([1, 3, 8, 8], &Device::flex()));
    println!("conforms; features of one picture: {:?}", features.dims());
    ExitCode::SUCCESS
}
