//! Projections without attention: every image token becomes a vector of the prefix.
//!
//! `linear` is LLaVA's bridge (Liu et al. 2023), `mlp` that of LLaVA-1.5 (Liu et al. 2024,
//! `mlp2x_gelu`). Both put one vector per patch before the text, so that prefixes are long; `pool`
//! averages squares of patches to shorten them.

use super::{positive, vision_eps};
use crate::layers::{Activation, LayerNorm, Linear, linear_params};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use toolkit_core::{Bridge, BridgeShape, Cost, ShapeError, VisionShape, product};

const fn one() -> usize {
    1
}

/// Configuration of [`LinearBridge`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearConfig {
    /// Width of an output vector.
    pub width: usize,
    /// `true` if the first token is a class token, which is left out.
    #[serde(default)]
    pub drop_class_token: bool,
    /// Side of the squares of patches that are averaged; 1 averages nothing.
    #[serde(default = "one")]
    pub pool: usize,
    /// Variance offset of `ln_vision`.
    #[serde(default = "vision_eps")]
    pub vision_layer_norm_eps: f64,
}

/// Configuration of [`MlpBridge`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// Width of an output vector.
    pub width: usize,
    /// Width between the two layers; that of the output if left out, as in LLaVA-1.5.
    #[serde(default)]
    pub hidden: Option<usize>,
    /// `true` if the first token is a class token, which is left out.
    #[serde(default)]
    pub drop_class_token: bool,
    /// Side of the squares of patches that are averaged; 1 averages nothing.
    #[serde(default = "one")]
    pub pool: usize,
    /// Variance offset of `ln_vision`.
    #[serde(default = "vision_eps")]
    pub vision_layer_norm_eps: f64,
}

impl MlpConfig {
    fn hidden(&self) -> usize {
        self.hidden.unwrap_or(self.width)
    }
}

/// The selection of tokens that become vectors.
#[derive(Module, Debug)]
struct Tokens {
    /// Leading tokens left out.
    skip: usize,
    rows: usize,
    columns: usize,
    pool: usize,
}

impl Tokens {
    /// Finds the patch grid from the image's aspect ratio; only pooling needs one.
    fn new(drop_class_token: bool, pool: usize, vision: &VisionShape) -> Result<Self, ShapeError> {
        positive(&[("pool", pool)])?;
        let skip = usize::from(drop_class_token);
        let count = vision.tokens.saturating_sub(skip);
        if count == 0 {
            return Err(ShapeError::new(
                "the class token is the only token",
                "set `drop_class_token` to false",
            ));
        }
        if pool == 1 {
            return Ok(Self { skip, rows: 1, columns: count, pool });
        }
        let [height, width] = vision.image;
        let rows = (1..=count)
            .find(|rows| count.is_multiple_of(*rows) && rows * width == count / rows * height);
        let Some(rows) = rows else {
            let what = format!(
                "`pool` = {pool} needs a grid, and {count} tokens of a {height}x{width} image are \
                none"
            );
            return Err(ShapeError::new(
                what,
                "set `drop_class_token` to true if there is a class token, else `pool` to 1",
            ));
        };
        let columns = count / rows;
        if !rows.is_multiple_of(pool) || !columns.is_multiple_of(pool) {
            let what =
                format!("`pool` = {pool} does not divide the {rows}x{columns} grid of tokens");
            return Err(ShapeError::new(what, "choose `pool` as a divisor of both sides"));
        }
        Ok(Self { skip, rows, columns, pool })
    }

    fn count(&self) -> usize {
        self.rows * self.columns / if self.pool == 1 { 1 } else { self.pool * self.pool }
    }

    /// Selects and pools tokens: `[batch, tokens, width]` to `[batch, count, width]`.
    fn select(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, tokens, width] = x.dims();
        let x = x.narrow(1, self.skip, tokens - self.skip);
        if self.pool == 1 {
            return x;
        }
        let (down, across) = (self.rows / self.pool, self.columns / self.pool);
        let blocks = x.reshape([batch, down, self.pool, across, self.pool * width]);
        // Down first: rows of a block are a dimension of their own, columns are still beside the
        // width.
        let blocks = blocks.mean_dim(2).reshape([batch * down * across, self.pool, width]);
        blocks.mean_dim(1).reshape([batch, down * across, width])
    }
}

/// Panics where `describe` reports an error: [`Bridge::build`] is for configurations that it
/// accepts.
fn described<T>(result: Result<T, ShapeError>) -> T {
    result.unwrap_or_else(|error| {
        panic!("`build` needs a configuration that `describe` accepts: {error}")
    })
}

/// A linear layer on each token.
#[derive(Module, Debug)]
pub struct LinearBridge {
    ln_vision: LayerNorm,
    projection: Linear,
    tokens: Tokens,
}

impl Bridge for LinearBridge {
    type Config = LinearConfig;

    fn describe(config: &LinearConfig, vision: &VisionShape) -> Result<BridgeShape, ShapeError> {
        positive(&[("width", config.width)])?;
        let queries = Tokens::new(config.drop_class_token, config.pool, vision)?.count();
        let params = linear_params(vision.width, config.width, true) + 2 * vision.width;
        let flops = product([2, queries, vision.width, config.width]);
        // The features, as they are normalised and as they are selected.
        let activations =
            product([vision.tokens + queries, vision.width]) + product([queries, config.width]);
        Ok(BridgeShape {
            queries,
            width: config.width,
            text: None,
            cost: Cost::new(params, flops, activations),
        })
    }

    fn build(config: &LinearConfig, vision: &VisionShape, device: &Device) -> Self {
        Self {
            ln_vision: LayerNorm::new(vision.width, config.vision_layer_norm_eps, device),
            projection: Linear::new(vision.width, config.width, device),
            tokens: described(Tokens::new(config.drop_class_token, config.pool, vision)),
        }
    }

    fn queries(&self, features: Tensor<3>) -> Tensor<3> {
        self.projection.forward(self.tokens.select(self.ln_vision.forward(features)))
    }
}

/// Two linear layers with GELU between them on each token.
#[derive(Module, Debug)]
pub struct MlpBridge {
    ln_vision: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    tokens: Tokens,
}

impl Bridge for MlpBridge {
    type Config = MlpConfig;

    fn describe(config: &MlpConfig, vision: &VisionShape) -> Result<BridgeShape, ShapeError> {
        let (width, hidden) = (config.width, config.hidden());
        positive(&[("width", width), ("hidden", hidden)])?;
        let queries = Tokens::new(config.drop_class_token, config.pool, vision)?.count();
        let layers = linear_params(vision.width, hidden, true) + linear_params(hidden, width, true);
        let flops = product([2, queries, hidden, vision.width + width]);
        let activations = product([vision.tokens + queries, vision.width])
            + product([queries, 2 * hidden + width]);
        let cost = Cost::new(layers + 2 * vision.width, flops, activations);
        Ok(BridgeShape { queries, width, text: None, cost })
    }

    fn build(config: &MlpConfig, vision: &VisionShape, device: &Device) -> Self {
        Self {
            ln_vision: LayerNorm::new(vision.width, config.vision_layer_norm_eps, device),
            fc1: Linear::new(vision.width, config.hidden(), device),
            fc2: Linear::new(config.hidden(), config.width, device),
            tokens: described(Tokens::new(config.drop_class_token, config.pool, vision)),
        }
    }

    fn queries(&self, features: Tensor<3>) -> Tensor<3> {
        let x = self.tokens.select(self.ln_vision.forward(features));
        self.fc2.forward(Activation::Gelu.apply(self.fc1.forward(x)))
    }
}
