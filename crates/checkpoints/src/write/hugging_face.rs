//! A folder that transformers loads: `Blip2ForConditionalGeneration`, or without a language model
//! `Blip2ForImageTextRetrieval`.

use super::beside::{preprocessor, put, tokenizer};
use super::{Form, Summary, Target, Written, shards, targets};
use crate::CheckpointError;
use crate::config::{LanguageConfig, VisionConfig};
use serde_json::{Value, json};
use std::path::Path;
use toolkit_core::published::{Part, Scheme};
use toolkit_models::bridge::qformer::{Side, side};
use toolkit_models::layers::Activation;
use toolkit_models::vision::eva::EvaConfig;
use toolkit_system::files::write_folder;

/// Writes the folder, which appears whole or not at all.
///
/// # Errors
/// If the model has no place in that form, something is there already, or files cannot be written.
pub fn hugging_face(
    model: &mut Written<'_>,
    folder: &Path,
    form: Form,
) -> Result<Summary, CheckpointError> {
    let place = folder.display().to_string();
    let refuse = |what: &str, hint: &str| Err(CheckpointError::new(what, place.clone(), hint));

    // 1. What transformers has no form for.
    let vision = match &model.vision {
        Some(VisionConfig::Eva(c)) => c.clone(),
        Some(VisionConfig::Clip(_)) => {
            return refuse(
                "transformers' BLIP-2 has only EVA's form of an encoder, this one is CLIP's",
                "its norm before the first block has no place there; convert to `lavis`, or train with an `eva` encoder",
            );
        }
        None => {
            return refuse(
                "transformers' BLIP-2 needs an encoder, and there is none",
                "name `vision_weights` in the `config.json`",
            );
        }
    };
    let text = model.language.is_none();
    if text
        && !model
            .parameters
            .iter()
            .any(|(names, info)| names.part() == Part::Bridge && side(&info.name) == Side::Text)
    {
        return refuse(
            "there is neither a language model nor a text side",
            "name `language_weights` in the `config.json`",
        );
    }
    // A generating model has no text side there, a retrieving one no captioning head.
    let mut left_out: Vec<String> = Vec::new();
    let (there, here) = (vision.layer_norm_eps, model.qformer.vision_layer_norm_eps);
    if there != here {
        left_out.push(format!(
            "the epsilon of ln_vision, {here:e} (the encoder's serves there, {there:e})"
        ));
    }
    model.parameters.retain(|(names, info)| {
        let kept = names.part() != Part::Bridge
            || side(&info.name) == Side::Query
            || (text && side(&info.name) == Side::Text);
        if !kept {
            left_out.push(info.name.clone());
        }
        kept
    });

    // 2. The files.
    let (targets, more) = targets(model, Scheme::HuggingFace);
    left_out.extend(more);
    let files = write_folder(folder, |temporary| {
        fill(model, &vision, text, &targets, temporary, form).map_err(|error| match error {
            CheckpointError::File(error) => CheckpointError::File(error.moved(temporary, folder)),
            other => other,
        })
    })?;
    let files = files.into_iter().map(|name| folder.join(name)).collect();
    Ok(Summary { files, tensors: targets.len(), left_out, note: None })
}

/// Weights, configuration, processor and tokenizer; returns the names of the weight files.
fn fill(
    model: &Written<'_>,
    vision: &EvaConfig,
    text: bool,
    targets: &[Target],
    folder: &Path,
    form: Form,
) -> Result<Vec<String>, CheckpointError> {
    let files = shards::write(folder, targets, model.values.as_ref(), form)?;
    let image_token = model.image_token.or_else(|| image_token(model));
    put(&folder.join("config.json"), &config(model, vision, image_token, text, form))?;
    if !text {
        put(&folder.join("generation_config.json"), &generation(model))?;
    }
    if let Some(made) = &model.preprocess {
        put(&folder.join("preprocessor_config.json"), &preprocessor(made))?;
        let processor = json!({"num_query_tokens": model.qformer.num_query_tokens, "processor_class": "Blip2Processor"});
        put(&folder.join("processor_config.json"), &processor)?;
    }
    tokenizer(model, folder)?;
    Ok(files)
}

/// A placeholder id that no text has: the last row of the table, which tokenizers do not reach in
/// published models.
fn image_token(model: &Written<'_>) -> Option<u32> {
    match &model.language {
        Some(LanguageConfig::Opt(c)) => Some(c.vocab_size as u32 - 1),
        Some(LanguageConfig::T5(c)) => Some(c.vocab_size as u32 - 1),
        Some(LanguageConfig::Llama(c)) => Some(c.vocab_size as u32 - 1),
        None => Some(model.qformer.vocab_size as u32),
    }
}

fn act(act: Activation) -> &'static str {
    match act {
        Activation::Gelu => "gelu",
        Activation::GeluNew => "gelu_new",
        Activation::QuickGelu => "quick_gelu",
        Activation::Relu => "relu",
    }
}

fn config(
    model: &Written<'_>,
    v: &EvaConfig,
    image_token: Option<u32>,
    text: bool,
    form: Form,
) -> Value {
    let q = &model.qformer;
    let class = if text { "Blip2ForImageTextRetrieval" } else { "Blip2ForConditionalGeneration" };
    let dtype = match form.dtype {
        toolkit_models::weights::StoredDtype::F32 => "float32",
        toolkit_models::weights::StoredDtype::F16 => "float16",
        toolkit_models::weights::StoredDtype::Bf16 => "bfloat16",
    };
    json!({
        "architectures": [class], "model_type": "blip-2", "torch_dtype": dtype, "dtype": dtype,
        "num_query_tokens": q.num_query_tokens, "image_text_hidden_size": q.image_text_hidden_size,
        "image_token_index": image_token, "initializer_factor": 1.0, "initializer_range": 0.02,
        "use_decoder_only_language_model": !matches!(model.language, Some(LanguageConfig::T5(_))),
        "vision_config": vision_config(&VisionConfig::Eva(v.clone())),
        "qformer_config": {
            "model_type": "blip_2_qformer", "hidden_size": q.hidden_size, "num_hidden_layers": q.num_hidden_layers,
            "num_attention_heads": q.num_attention_heads, "intermediate_size": q.intermediate_size,
            "hidden_act": "gelu", "hidden_dropout_prob": q.dropout, "attention_probs_dropout_prob": q.dropout,
            "max_position_embeddings": q.max_position_embeddings, "layer_norm_eps": q.layer_norm_eps,
            "vocab_size": q.vocab_size, "cross_attention_frequency": q.cross_attention_frequency,
            "encoder_hidden_size": v.hidden_size, "position_embedding_type": "absolute", "use_qformer_text_input": text,
        },
        "text_config": text_config(model),
    })
}

/// `vision_config` of either form.
pub(super) fn vision_config(config: &VisionConfig) -> Value {
    match config {
        VisionConfig::Eva(v) => json!({
            "model_type": "blip_2_vision_model", "hidden_size": v.hidden_size, "intermediate_size": v.intermediate_size,
            "num_hidden_layers": v.num_hidden_layers, "num_attention_heads": v.num_attention_heads,
            "image_size": v.image_size, "patch_size": v.patch_size, "hidden_act": act(v.hidden_act),
            "layer_norm_eps": v.layer_norm_eps, "attention_dropout": 0.0, "qkv_bias": v.qkv_bias,
        }),
        VisionConfig::Clip(v) => json!({
            "model_type": "clip_vision_model", "hidden_size": v.hidden_size, "intermediate_size": v.intermediate_size,
            "num_hidden_layers": v.num_hidden_layers, "num_attention_heads": v.num_attention_heads,
            "image_size": v.image_size, "patch_size": v.patch_size, "hidden_act": act(v.hidden_act),
            "layer_norm_eps": v.layer_norm_eps,
        }),
    }
}

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
            "num_hidden_layers": c.num_hidden_layers, "num_attention_heads": c.num_attention_heads, "ffn_dim": c.ffn_dim,
            "max_position_embeddings": c.max_position_embeddings, "do_layer_norm_before": c.do_layer_norm_before,
            "word_embed_proj_dim": c.word_embed_proj_dim.unwrap_or(c.hidden_size), "activation_function": "relu",
            "bos_token_id": m.bos.unwrap_or(2), "eos_token_id": m.eos, "pad_token_id": m.pad,
        }),
        Some(LanguageConfig::T5(c)) => {
            let kind = match (c.gated, c.dense_act) {
                (true, Activation::Relu) => "gated-relu",
                (true, _) => "gated-gelu",
                (false, Activation::Relu) => "relu",
                (false, _) => "gelu",
            };
            json!({
                "model_type": "t5", "vocab_size": c.vocab_size, "d_model": c.d_model, "d_kv": c.d_kv, "d_ff": c.d_ff,
                "num_layers": c.num_layers, "num_decoder_layers": c.num_decoder_layers.unwrap_or(c.num_layers),
                "num_heads": c.num_heads, "relative_attention_num_buckets": c.relative_attention_num_buckets,
                "relative_attention_max_distance": c.relative_attention_max_distance, "feed_forward_proj": kind,
                "dense_act_fn": act(c.dense_act), "is_gated_act": c.gated, "tie_word_embeddings": c.tie_word_embeddings,
                "scale_decoder_outputs": c.scaled(),
                "layer_norm_epsilon": c.layer_norm_epsilon, "bos_token_id": 1, "eos_token_id": m.eos,
                "pad_token_id": m.pad, "decoder_start_token_id": m.decoder_start,
            })
        }
        Some(LanguageConfig::Llama(c)) => json!({
            "model_type": "llama", "vocab_size": c.vocab_size, "hidden_size": c.hidden_size,
            "intermediate_size": c.intermediate_size, "num_hidden_layers": c.num_hidden_layers,
            "num_attention_heads": c.num_attention_heads, "num_key_value_heads": c.num_key_value_heads,
            "head_dim": c.head_dim, "max_position_embeddings": c.max_position_embeddings, "hidden_act": "silu",
            "rope_theta": c.rope_theta, "rms_norm_eps": c.rms_norm_eps, "tie_word_embeddings": c.tie_word_embeddings,
            "bos_token_id": m.bos, "eos_token_id": m.eos, "pad_token_id": m.pad,
        }),
    }
}

fn generation(model: &Written<'_>) -> Value {
    let m = model.special_tokens;
    match &model.language {
        Some(LanguageConfig::T5(_)) => {
            json!({"eos_token_id": m.eos, "pad_token_id": m.pad, "decoder_start_token_id": m.decoder_start})
        }
        _ => {
            json!({"bos_token_id": m.bos.unwrap_or(2), "eos_token_id": m.eos, "pad_token_id": m.pad})
        }
    }
}
