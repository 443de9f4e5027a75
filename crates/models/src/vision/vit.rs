//! ViT with CLIP's form: the frozen encoder of BLIP-2's ViT-L/14 rows, and `vit-nano`.
//!
//! Parameter names are those of transformers' `CLIPVisionModel` below `vision_model.`. The output
//! is what BLIP-2 takes: all tokens of the last block that is built, no final norm (the bridge has
//! its own `ln_vision`). For CLIP ViT-L/14 that is 23 blocks of the published 24: the
//! second-to-last layer (BLIP-2, section 3.4). Trap: OpenAI's weights want `quick_gelu`; with
//! `gelu` features are silently worse.

use super::sizes::{self, Sizes};
use crate::layers::{
    Activation, Embedding, LayerNorm, Linear, linear_params, merge_heads, parameter, patches,
    split_heads,
};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use serde::Deserialize;
use toolkit_core::published::{Corners, Piece, PublishedNames, Recipe};
use toolkit_core::{Count, ShapeError, VisionEncoder, VisionShape, product};
use toolkit_kernels::{AttentionOptions, attention};

/// Sizes of a [`Vit`], in the words of transformers' `CLIPVisionConfig`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VitConfig {
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
    #[serde(default = "clip_eps")]
    pub layer_norm_eps: f64,
    /// `true` if the patch projection has a bias (CLIP: no).
    #[serde(default)]
    pub patch_bias: bool,
    /// `true` if there is a norm before the first block (CLIP: yes).
    #[serde(default = "yes")]
    pub pre_norm: bool,
}

fn clip_eps() -> f64 {
    1e-5
}

fn yes() -> bool {
    true
}

impl VitConfig {
    fn grid(&self) -> usize {
        self.image_size / self.patch_size
    }
    fn tokens(&self) -> usize {
        self.grid() * self.grid() + 1
    }
}

#[derive(Module, Debug)]
struct PatchEmbedding {
    weight: Param<Tensor<4>>,
    bias: Option<Param<Tensor<1>>>,
}

#[derive(Module, Debug)]
struct Embeddings {
    class_embedding: Param<Tensor<1>>,
    patch_embedding: PatchEmbedding,
    position_embedding: Embedding,
}

impl Embeddings {
    /// Images `[batch, 3, height, width]` to `[batch, 1 + patches, width]`, positions added.
    fn forward(&self, images: Tensor<4>) -> Tensor<3> {
        let batch = images.dims()[0];
        let mut x = patches(images, self.patch_embedding.weight.val());
        let hidden = x.dims()[2];
        if let Some(bias) = &self.patch_embedding.bias {
            x = x + bias.val().unsqueeze();
        }
        let class = self.class_embedding.val().reshape([1, 1, hidden]).expand([batch, 1, hidden]);
        Tensor::cat(vec![class, x], 1) + self.position_embedding.table().unsqueeze::<3>()
    }
}

#[derive(Module, Debug)]
struct SelfAttention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    heads: usize,
}

impl SelfAttention {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let head_width = x.dims()[2] / self.heads;
        let split = |y| split_heads(y, self.heads);
        let (q, k, v) = (
            self.q_proj.forward(x.clone()),
            self.k_proj.forward(x.clone()),
            self.v_proj.forward(x),
        );
        let options = AttentionOptions::new(1.0 / (head_width as f64).sqrt());
        let y = attention(split(q), split(k), split(v), options);
        self.out_proj.forward(merge_heads(y))
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

/// A vision transformer of CLIP's form.
#[derive(Module, Debug)]
pub struct Vit {
    embeddings: Embeddings,
    /// The spelling is that of the published checkpoints.
    pre_layrnorm: Option<LayerNorm>,
    encoder: Encoder,
}

impl VisionEncoder for Vit {
    type Config = VitConfig;

    fn describe(c: &VitConfig) -> Result<VisionShape, ShapeError> {
        sizes::check([c.image_size, c.patch_size], [c.hidden_size, c.num_attention_heads])?;
        let sizes = Sizes {
            image_size: c.image_size,
            hidden_size: c.hidden_size,
            intermediate_size: c.intermediate_size,
            num_hidden_layers: c.num_hidden_layers,
            tokens: c.tokens(),
        };
        let (width, tokens) = (c.hidden_size, c.tokens());
        let norm = product([2, width]);
        let matrices = linear_params(width, width, true) * 4_u64
            + linear_params(width, c.intermediate_size, true)
            + linear_params(c.intermediate_size, width, true);
        let patch = product([3, c.patch_size, c.patch_size, width]);
        let params = (matrices + norm * 2_u64) * c.num_hidden_layers
            + patch
            + if c.patch_bias { width } else { 0 }
            + width
            + product([tokens, width])
            + if c.pre_norm { norm } else { Count::default() };
        Ok(sizes.shape(params, matrices, patch))
    }

    fn build(c: &VitConfig, device: &Device) -> Self {
        let width = c.hidden_size;
        let linear = || Linear::new(width, width, device);
        let norm = || LayerNorm::new(width, c.layer_norm_eps, device);
        let block = |_| Block {
            self_attn: SelfAttention {
                q_proj: linear(),
                k_proj: linear(),
                v_proj: linear(),
                out_proj: linear(),
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
                class_embedding: parameter([width], device),
                patch_embedding: PatchEmbedding {
                    weight: parameter([width, 3, c.patch_size, c.patch_size], device),
                    bias: c.patch_bias.then(|| parameter([width], device)),
                },
                position_embedding: Embedding::new(c.tokens(), width, device),
            },
            pre_layrnorm: c.pre_norm.then(norm),
            encoder: Encoder { layers: (0..c.num_hidden_layers).map(block).collect() },
        }
    }

    fn encode(&self, images: Tensor<4>) -> Tensor<3> {
        let mut x = self.embeddings.forward(images);
        if let Some(norm) = &self.pre_layrnorm {
            x = norm.forward(x);
        }
        self.encoder.layers.iter().fold(x, |x, block| block.forward(x))
    }

    fn published() -> PublishedNames {
        PublishedNames::vision()
            .lavis(openai)
            .alone(openai_alone)
            .rest_of_whole(&OPENAI_TEXT_TOWER)
            .resized_by(Corners::Centres)
    }
}

/// Beginnings of names that are the text tower's in a whole model of OpenAI; the image tower's
/// stand behind `visual.`.
const OPENAI_TEXT_TOWER: [&str; 5] =
    ["positional_embedding", "transformer.", "context_length", "input_resolution", "vocab_size"];

/// Returns OpenAI's name of a parameter, which is LAVIS's too.
fn openai(name: &str) -> Option<Recipe> {
    let embeddings = [
        ("embeddings.class_embedding", "class_embedding"),
        ("embeddings.position_embedding.weight", "positional_embedding"),
        ("embeddings.patch_embedding.weight", "conv1.weight"),
        ("pre_layrnorm.weight", "ln_pre.weight"),
        ("pre_layrnorm.bias", "ln_pre.bias"),
    ];
    if let Some((_, theirs)) = embeddings.iter().find(|(ours, _)| *ours == name) {
        return Some(Recipe::whole(*theirs));
    }
    let (block, rest) = name.strip_prefix("encoder.layers.")?.split_once('.')?;
    let stem = format!("transformer.resblocks.{block}.");
    for (part, ours) in ["q_proj", "k_proj", "v_proj"].into_iter().enumerate() {
        if let Some(kind) = rest.strip_prefix(&format!("self_attn.{ours}.")) {
            return Some(Recipe(vec![Piece::Third(format!("{stem}attn.in_proj_{kind}"), part)]));
        }
    }
    let names = [
        ("layer_norm1.", "ln_1."),
        ("layer_norm2.", "ln_2."),
        ("self_attn.out_proj.", "attn.out_proj."),
        ("mlp.fc1.", "mlp.c_fc."),
        ("mlp.fc2.", "mlp.c_proj."),
    ];
    let (ours, theirs) = names.iter().find(|(ours, _)| rest.starts_with(ours))?;
    Some(Recipe::whole(format!("{stem}{theirs}{}", &rest[ours.len()..])))
}

/// Returns OpenAI's names in a file of both towers and in one of the image tower.
fn openai_alone(name: &str) -> Vec<Recipe> {
    openai(name).map(|recipe| vec![recipe.under("visual."), recipe]).unwrap_or_default()
}
