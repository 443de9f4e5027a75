//! EVA-CLIP's ViT, as BLIP-2 uses it: the encoder of the ViT-g/14 rows, and the vision tower of
//! Hugging Face's BLIP-2.
//!
//! Parameter names are those of transformers' `Blip2VisionModel` without `post_layernorm`: that
//! norm is the bridge's `ln_vision`. Query, key and value come from one matrix; in LAVIS and the
//! original files (`eva_vit_g.pth`) its bias is kept as `q_bias` and `v_bias`, and the keys have
//! none. The published ViT-g has 40 blocks, of which BLIP-2 builds 39 (its section 3.4 takes the
//! second-to-last layer's output). Reference: LAVIS `eva_vit.py`.

use super::sizes::{self, Sizes};
use crate::layers::{
    Activation, LayerNorm, Linear, linear_params, merge_heads, parameter, patches, split_heads,
};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use serde::Deserialize;
use toolkit_core::published::{Corners, Piece, PublishedNames, Recipe};
use toolkit_core::{ShapeError, VisionEncoder, VisionShape, product};
use toolkit_kernels::{AttentionOptions, attention};

/// Sizes of an [`Eva`], in the words of transformers' `Blip2VisionConfig`. Defaults are ViT-g's.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaConfig {
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
    /// Width of the feed-forward.
    pub intermediate_size: usize,
    /// Activation of the feed-forward.
    pub hidden_act: Activation,
    /// Epsilon of every norm.
    pub layer_norm_eps: f64,
    /// `true` if queries and values have a bias.
    pub qkv_bias: bool,
}

impl Default for EvaConfig {
    fn default() -> Self {
        Self {
            image_size: 224,
            patch_size: 14,
            hidden_size: 1408,
            num_hidden_layers: 39,
            num_attention_heads: 16,
            intermediate_size: 6144,
            hidden_act: Activation::Gelu,
            layer_norm_eps: 1e-6,
            qkv_bias: true,
        }
    }
}

impl EvaConfig {
    fn tokens(&self) -> usize {
        (self.image_size / self.patch_size).pow(2) + 1
    }
}

#[derive(Module, Debug)]
struct PatchEmbedding {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
struct Embeddings {
    class_embedding: Param<Tensor<3>>,
    position_embedding: Param<Tensor<3>>,
    patch_embedding: PatchEmbedding,
}

impl Embeddings {
    /// Images `[batch, 3, height, width]` to `[batch, 1 + patches, width]`, positions added.
    fn forward(&self, images: Tensor<4>) -> Tensor<3> {
        let batch = images.dims()[0];
        let x = patches(images, self.patch_embedding.weight.val())
            + self.patch_embedding.bias.val().unsqueeze();
        let hidden = x.dims()[2];
        let class = self.class_embedding.val().expand([batch, 1, hidden]);
        Tensor::cat(vec![class, x], 1) + self.position_embedding.val()
    }
}

#[derive(Module, Debug)]
struct SelfAttention {
    qkv: Linear,
    projection: Linear,
    heads: usize,
}

impl SelfAttention {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let width = x.dims()[2];
        let all = self.qkv.forward(x);
        let part = |i: usize| split_heads(all.clone().narrow(2, i * width, width), self.heads);
        let scale = 1.0 / ((width / self.heads) as f64).sqrt();
        let y = attention(part(0), part(1), part(2), AttentionOptions::new(scale));
        self.projection.forward(merge_heads(y))
    }
}

#[derive(Module, Debug)]
struct Mlp {
    fc1: Linear,
    fc2: Linear,
    #[module(skip)]
    act: Activation,
}

#[derive(Module, Debug)]
struct Block {
    self_attn: SelfAttention,
    layer_norm1: LayerNorm,
    mlp: Mlp,
    layer_norm2: LayerNorm,
}

impl Block {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = x.clone() + self.self_attn.forward(self.layer_norm1.forward(x));
        let hidden = self.mlp.act.apply(self.mlp.fc1.forward(self.layer_norm2.forward(x.clone())));
        toolkit_kernels::add(self.mlp.fc2.forward(hidden), x)
    }
}

#[derive(Module, Debug)]
struct Encoder {
    layers: Vec<Block>,
}

/// A vision transformer of EVA-CLIP's form.
#[derive(Module, Debug)]
pub struct Eva {
    embeddings: Embeddings,
    encoder: Encoder,
}

impl VisionEncoder for Eva {
    type Config = EvaConfig;

    fn describe(c: &EvaConfig) -> Result<VisionShape, ShapeError> {
        sizes::check([c.image_size, c.patch_size], [c.hidden_size, c.num_attention_heads])?;
        let sizes = Sizes {
            image_size: c.image_size,
            hidden_size: c.hidden_size,
            intermediate_size: c.intermediate_size,
            num_hidden_layers: c.num_hidden_layers,
            tokens: c.tokens(),
        };
        let (width, tokens) = (c.hidden_size, c.tokens());
        let matrices = linear_params(width, 3 * width, c.qkv_bias)
            + linear_params(width, width, true)
            + linear_params(width, c.intermediate_size, true)
            + linear_params(c.intermediate_size, width, true);
        let patch = linear_params(3 * c.patch_size * c.patch_size, width, true);
        let params =
            (matrices + 4 * width) * c.num_hidden_layers + patch + product([1 + tokens, width]);
        Ok(sizes.shape(params, matrices, patch))
    }

    fn build(c: &EvaConfig, device: &Device) -> Self {
        let width = c.hidden_size;
        let norm = || LayerNorm::new(width, c.layer_norm_eps, device);
        let qkv = || match c.qkv_bias {
            true => Linear::new(width, 3 * width, device),
            false => Linear::without_bias(width, 3 * width, device),
        };
        let block = |_| Block {
            self_attn: SelfAttention {
                qkv: qkv(),
                projection: Linear::new(width, width, device),
                heads: c.num_attention_heads,
            },
            layer_norm1: norm(),
            mlp: Mlp {
                fc1: Linear::new(width, c.intermediate_size, device),
                fc2: Linear::new(c.intermediate_size, width, device),
                act: c.hidden_act,
            },
            layer_norm2: norm(),
        };
        Self {
            embeddings: Embeddings {
                class_embedding: parameter([1, 1, width], device),
                position_embedding: parameter([1, c.tokens(), width], device),
                patch_embedding: PatchEmbedding {
                    weight: parameter([width, 3, c.patch_size, c.patch_size], device),
                    bias: parameter([width], device),
                },
            },
            encoder: Encoder { layers: (0..c.num_hidden_layers).map(block).collect() },
        }
    }

    fn encode(&self, images: Tensor<4>) -> Tensor<3> {
        let x = self.embeddings.forward(images);
        self.encoder.layers.iter().fold(x, |x, block| block.forward(x))
    }

    fn published() -> PublishedNames {
        PublishedNames::vision()
            .lavis(original)
            .alone(alone)
            .rest(&HEADS)
            .rest_of_whole(&REST_OF_BLIP2)
            .resized_by(Corners::Edges)
    }
}

/// Beginnings of names behind the last block that is built.
const HEADS: [&str; 6] =
    ["post_layernorm.", "norm.", "fc_norm.", "head.", "mask_token", "rel_pos_bias."];

/// Beginnings of names in a whole BLIP-2 that are not the encoder's.
const REST_OF_BLIP2: [&str; 8] = [
    "qformer.",
    "query_tokens",
    "language_model.",
    "language_projection.",
    "embeddings.",
    "vision_projection.",
    "text_projection.",
    "itm_head.",
];

/// Returns the name of a parameter in `eva_vit_g.pth`, which is LAVIS's too.
fn original(name: &str) -> Option<Recipe> {
    let embeddings = [
        ("embeddings.class_embedding", "cls_token"),
        ("embeddings.position_embedding", "pos_embed"),
        ("embeddings.patch_embedding.weight", "patch_embed.proj.weight"),
        ("embeddings.patch_embedding.bias", "patch_embed.proj.bias"),
    ];
    if let Some((_, theirs)) = embeddings.iter().find(|(ours, _)| *ours == name) {
        return Some(Recipe::whole(*theirs));
    }
    let (block, rest) = name.strip_prefix("encoder.layers.")?.split_once('.')?;
    if rest == "self_attn.qkv.bias" {
        return Some(two_biases(&format!("blocks.{block}.attn.")));
    }
    let names = [
        ("layer_norm1.", "norm1."),
        ("layer_norm2.", "norm2."),
        ("self_attn.qkv.", "attn.qkv."),
        ("self_attn.projection.", "attn.proj."),
        ("mlp.", "mlp."),
    ];
    let (ours, theirs) = names.iter().find(|(ours, _)| rest.starts_with(ours))?;
    Some(Recipe::whole(format!("blocks.{block}.{theirs}{}", &rest[ours.len()..])))
}

/// Returns the names in files of the encoder alone.
fn alone(name: &str) -> Vec<Recipe> {
    let mut all: Vec<Recipe> =
        original(name).map(|recipe| vec![recipe.under("visual."), recipe]).unwrap_or_default();
    // Older conversions by transformers kept LAVIS's two biases under its own names.
    if let Some(stem) = name.strip_suffix("self_attn.qkv.bias") {
        all.push(two_biases(&format!("vision_model.{stem}self_attn.")));
        all.push(two_biases(&format!("{stem}self_attn.")));
    }
    all
}

/// Returns `q_bias`, zeros for the keys, `v_bias`.
fn two_biases(stem: &str) -> Recipe {
    let whole = |end| Piece::Whole(format!("{stem}{end}"));
    Recipe(vec![whole("q_bias"), Piece::Zeros, whole("v_bias")])
}
