//! `text_config` of a Llama.

use crate::CheckpointError;
use crate::json::Json;
use toolkit_models::language::llama::LlamaConfig;

/// Reads Llama's sizes, with the defaults of transformers' class.
pub(super) fn read(json: &Json) -> Result<LlamaConfig, CheckpointError> {
    for key in ["attention_bias", "mlp_bias"] {
        if json.flag(key)? == Some(true) {
            return Err(json.wrong(key, "is true; only Llama without biases is built"));
        }
    }
    if let Some(act) = json.text("hidden_act")?.filter(|act| act != "silu") {
        return Err(json.wrong("hidden_act", format!("is `{act}`; Llama has `silu`")));
    }
    // transformers 5 has the base in the object with the kind of scaling.
    let rope = json.object("rope_parameters");
    for scaling in [&rope, &json.object("rope_scaling")] {
        let kind = scaling.text("rope_type")?.or(scaling.text("type")?);
        if let Some(kind) = kind.filter(|kind| kind != "default") {
            return Err(scaling.wrong(
                "rope_type",
                format!("is `{kind}`; only positions without scaling are built"),
            ));
        }
    }
    Ok(LlamaConfig {
        vocab_size: json.count("vocab_size")?.unwrap_or(32_000),
        hidden_size: json.count("hidden_size")?.unwrap_or(4096),
        intermediate_size: json.count("intermediate_size")?.unwrap_or(11_008),
        num_hidden_layers: json.layers("num_hidden_layers")?.unwrap_or(32),
        num_attention_heads: json.count("num_attention_heads")?.unwrap_or(32),
        num_key_value_heads: json.count("num_key_value_heads")?,
        head_dim: json.count("head_dim")?,
        max_position_embeddings: json.count("max_position_embeddings")?.unwrap_or(2048),
        rope_theta: json.number("rope_theta")?.or(rope.number("rope_theta")?).unwrap_or(10_000.0),
        rms_norm_eps: json.number("rms_norm_eps")?.unwrap_or(1e-6),
        tie_word_embeddings: json.flag("tie_word_embeddings")?.unwrap_or(false),
        interleaved: false,
    })
}
