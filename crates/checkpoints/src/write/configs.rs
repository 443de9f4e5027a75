//! Configurations as transformers writes them.

use super::{Form, Written};
use crate::config::{LanguageConfig, VisionConfig};
use serde_json::{Value, json};
use toolkit_core::LanguageSpecialTokens;
use toolkit_models::language::t5::T5Config;
use toolkit_models::layers::Activation;
use toolkit_models::vision::eva::EvaConfig;
use toolkit_models::weights::StoredDtype;

/// Returns a placeholder id that no text has: the last row of the table. Tokenizers of published
/// models do not reach it.
pub(super) fn image_token(model: &Written<'_>) -> Option<u32> {
    match &model.language {
        Some(LanguageConfig::Opt(c)) => Some(c.vocab_size as u32 - 1),
        Some(LanguageConfig::T5(c)) => Some(c.vocab_size as u32 - 1),
        Some(LanguageConfig::Llama(c)) => Some(c.vocab_size as u32 - 1),
        None => Some(model.qformer.vocab_size as u32),
    }
}

/// Returns transformers' name of an activation.
fn act(act: Activation) -> &'static str {
    match act {
        Activation::Gelu => "gelu",
        Activation::GeluNew => "gelu_new",
        Activation::QuickGelu => "quick_gelu",
        Activation::Relu => "relu",
    }
}

/// Makes the `config.json`.
pub(super) fn config(
    model: &Written<'_>,
    v: &EvaConfig,
    image_token: Option<u32>,
    form: Form,
) -> Value {
    let q = &model.qformer;
    let text = model.language.is_none();
    let class = if text { "Blip2ForImageTextRetrieval" } else { "Blip2ForConditionalGeneration" };
    let dtype = match form.dtype {
        StoredDtype::F32 => "float32",
        StoredDtype::F16 => "float16",
        StoredDtype::Bf16 => "bfloat16",
    };
    json!({
        "architectures": [class], "model_type": "blip-2", "torch_dtype": dtype, "dtype": dtype,
        "num_query_tokens": q.num_query_tokens, "image_text_hidden_size": q.image_text_hidden_size,
        "image_token_index": image_token, "initializer_factor": 1.0, "initializer_range": 0.02,
        "use_decoder_only_language_model": !matches!(model.language, Some(LanguageConfig::T5(_))),
        "vision_config": vision_config(&VisionConfig::Eva(v.clone())),
        "qformer_config": {
            "model_type": "blip_2_qformer", "hidden_size": q.hidden_size,
            "num_hidden_layers": q.num_hidden_layers,
            "num_attention_heads": q.num_attention_heads, "intermediate_size": q.intermediate_size,
            "hidden_act": "gelu", "hidden_dropout_prob": q.dropout,
            "attention_probs_dropout_prob": q.dropout,
            "max_position_embeddings": q.max_position_embeddings,
            "layer_norm_eps": q.layer_norm_eps,
            "vocab_size": q.vocab_size, "cross_attention_frequency": q.cross_attention_frequency,
            "encoder_hidden_size": v.hidden_size, "position_embedding_type": "absolute",
            "use_qformer_text_input": text,
        },
        "text_config": text_config(model),
    })
}

/// Makes the `vision_config`.
pub(super) fn vision_config(config: &VisionConfig) -> Value {
    match config {
        VisionConfig::Eva(v) => json!({
            "model_type": "blip_2_vision_model", "hidden_size": v.hidden_size,
            "intermediate_size": v.intermediate_size,
            "num_hidden_layers": v.num_hidden_layers, "num_attention_heads": v.num_attention_heads,
            "image_size": v.image_size, "patch_size": v.patch_size, "hidden_act": act(v.hidden_act),
            "layer_norm_eps": v.layer_norm_eps, "attention_dropout": 0.0, "qkv_bias": v.qkv_bias,
        }),
        VisionConfig::Clip(v) => json!({
            "model_type": "clip_vision_model", "hidden_size": v.hidden_size,
            "intermediate_size": v.intermediate_size,
            "num_hidden_layers": v.num_hidden_layers, "num_attention_heads": v.num_attention_heads,
            "image_size": v.image_size, "patch_size": v.patch_size, "hidden_act": act(v.hidden_act),
            "layer_norm_eps": v.layer_norm_eps,
        }),
    }
}

/// Makes the `text_config`.
pub(super) fn text_config(model: &Written<'_>) -> Value {
    let m = model.special_tokens;
    match &model.language {
        // The retrieval class has no language model, but its configuration must have one; the
        // smallest will do.
        None => {
            json!({"model_type": "opt", "vocab_size": 8, "hidden_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 1, "ffn_dim": 8, "word_embed_proj_dim": 8})
        }
        Some(LanguageConfig::Opt(c)) => json!({
            "model_type": "opt", "vocab_size": c.vocab_size, "hidden_size": c.hidden_size,
            "num_hidden_layers": c.num_hidden_layers, "num_attention_heads": c.num_attention_heads,
            "ffn_dim": c.ffn_dim,
            "max_position_embeddings": c.max_position_embeddings,
            "do_layer_norm_before": c.do_layer_norm_before,
            "word_embed_proj_dim": c.word_embed_proj_dim.unwrap_or(c.hidden_size),
            "activation_function": "relu",
            "bos_token_id": m.bos.unwrap_or(2), "eos_token_id": m.eos, "pad_token_id": m.pad,
        }),
        Some(LanguageConfig::T5(c)) => t5_config(c, m),
        Some(LanguageConfig::Llama(c)) => json!({
            "model_type": "llama", "vocab_size": c.vocab_size, "hidden_size": c.hidden_size,
            "intermediate_size": c.intermediate_size, "num_hidden_layers": c.num_hidden_layers,
            "num_attention_heads": c.num_attention_heads,
            "num_key_value_heads": c.num_key_value_heads,
            "head_dim": c.head_dim, "max_position_embeddings": c.max_position_embeddings,
            "hidden_act": "silu",
            "rope_theta": c.rope_theta, "rms_norm_eps": c.rms_norm_eps,
            "tie_word_embeddings": c.tie_word_embeddings,
            "bos_token_id": m.bos, "eos_token_id": m.eos, "pad_token_id": m.pad,
        }),
    }
}

/// Makes the `text_config` of a T5.
fn t5_config(c: &T5Config, m: LanguageSpecialTokens) -> Value {
    let kind = match (c.gated, c.dense_act) {
        (true, Activation::Relu) => "gated-relu",
        (true, _) => "gated-gelu",
        (false, Activation::Relu) => "relu",
        (false, _) => "gelu",
    };
    json!({
        "model_type": "t5", "vocab_size": c.vocab_size, "d_model": c.d_model, "d_kv": c.d_kv,
        "d_ff": c.d_ff, "num_layers": c.num_layers,
        "num_decoder_layers": c.num_decoder_layers.unwrap_or(c.num_layers),
        "num_heads": c.num_heads,
        "relative_attention_num_buckets": c.relative_attention_num_buckets,
        "relative_attention_max_distance": c.relative_attention_max_distance,
        "feed_forward_proj": kind, "dense_act_fn": act(c.dense_act), "is_gated_act": c.gated,
        "tie_word_embeddings": c.tie_word_embeddings, "scale_decoder_outputs": c.scaled(),
        "layer_norm_epsilon": c.layer_norm_epsilon, "bos_token_id": 1, "eos_token_id": m.eos,
        "pad_token_id": m.pad, "decoder_start_token_id": m.decoder_start,
    })
}

/// Makes the `generation_config.json`.
pub(super) fn generation(model: &Written<'_>) -> Value {
    let m = model.special_tokens;
    match &model.language {
        Some(LanguageConfig::T5(_)) => {
            json!({
                "eos_token_id": m.eos, "pad_token_id": m.pad,
                "decoder_start_token_id": m.decoder_start,
            })
        }
        _ => {
            json!({
                "bos_token_id": m.bos.unwrap_or(2), "eos_token_id": m.eos, "pad_token_id": m.pad,
            })
        }
    }
}
