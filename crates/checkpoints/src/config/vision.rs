//! `vision_config`: EVA's form, as transformers' BLIP-2 has it, or CLIP's.

use crate::CheckpointError;
use crate::json::Json;
use burn::tensor::Device;
use toolkit_core::published::PublishedNames;
use toolkit_core::{AnyVision, ShapeError, VisionEncoder, VisionShape};
use toolkit_models::layers::Activation;
use toolkit_models::vision::eva::{Eva, EvaConfig};
use toolkit_models::vision::vit::{Vit, VitConfig};

/// An encoder that checkpoints are published for.
#[derive(Clone, Debug, PartialEq)]
pub enum VisionConfig {
    /// EVA-CLIP, the tower of transformers' BLIP-2.
    Eva(EvaConfig),
    /// CLIP.
    Clip(VitConfig),
}

impl VisionConfig {
    pub(crate) fn read(json: &Json) -> Result<Self, CheckpointError> {
        let kind = json.text("model_type")?.unwrap_or_else(|| "blip_2_vision_model".to_owned());
        match kind.as_str() {
            "blip_2_vision_model" | "eva" => {
                let d = EvaConfig::default();
                Ok(Self::Eva(EvaConfig {
                    image_size: json.side("image_size")?.unwrap_or(d.image_size),
                    patch_size: json.count("patch_size")?.unwrap_or(d.patch_size),
                    hidden_size: json.count("hidden_size")?.unwrap_or(d.hidden_size),
                    num_hidden_layers: json
                        .layers("num_hidden_layers")?
                        .unwrap_or(d.num_hidden_layers),
                    num_attention_heads: json
                        .count("num_attention_heads")?
                        .unwrap_or(d.num_attention_heads),
                    intermediate_size: json
                        .count("intermediate_size")?
                        .unwrap_or(d.intermediate_size),
                    hidden_act: json.named("hidden_act")?.unwrap_or(d.hidden_act),
                    layer_norm_eps: json.number("layer_norm_eps")?.unwrap_or(d.layer_norm_eps),
                    qkv_bias: json.flag("qkv_bias")?.unwrap_or(d.qkv_bias),
                }))
            }
            "clip_vision_model" | "clip" => Ok(Self::Clip(VitConfig {
                image_size: json.side("image_size")?.unwrap_or(224),
                patch_size: json.count("patch_size")?.unwrap_or(32),
                hidden_size: json.count("hidden_size")?.unwrap_or(768),
                num_hidden_layers: json.layers("num_hidden_layers")?.unwrap_or(12),
                num_attention_heads: json.count("num_attention_heads")?.unwrap_or(12),
                intermediate_size: json.count("intermediate_size")?.unwrap_or(3072),
                hidden_act: json.named("hidden_act")?.unwrap_or(Activation::QuickGelu),
                layer_norm_eps: json.number("layer_norm_eps")?.unwrap_or(1e-5),
                patch_bias: false,
                pre_norm: true,
            })),
            other => Err(json.wrong(
                "model_type",
                format!("is `{other}`; known: `blip_2_vision_model`, `clip_vision_model`"),
            )),
        }
    }

    /// Returns shapes and costs.
    ///
    /// # Errors
    /// If sizes contradict each other.
    pub fn describe(&self) -> Result<VisionShape, ShapeError> {
        match self {
            Self::Eva(c) => Eva::describe(c),
            Self::Clip(c) => Vit::describe(c),
        }
    }

    pub(crate) fn build(&self, device: &Device) -> AnyVision {
        match self {
            Self::Eva(c) => AnyVision::new(Eva::build(c, device)),
            Self::Clip(c) => AnyVision::new(Vit::build(c, device)),
        }
    }

    /// Returns the names that files of the family are published with.
    pub(crate) fn published(&self) -> PublishedNames {
        match self {
            Self::Eva(_) => Eva::published(),
            Self::Clip(_) => Vit::published(),
        }
    }

    pub(crate) fn layer_norm_eps(&self) -> f64 {
        match self {
            Self::Eva(c) => c.layer_norm_eps,
            Self::Clip(c) => c.layer_norm_eps,
        }
    }
}
