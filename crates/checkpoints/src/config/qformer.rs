//! `qformer_config`.

use crate::CheckpointError;
use crate::json::Json;
use toolkit_models::bridge::qformer::QFormerConfig;

/// Reads the Q-Former's sizes from `qformer_config`, or from a flat file.
pub(super) fn read_of(root: &Json) -> Result<QFormerConfig, CheckpointError> {
    // A flat file may have the frozen parts' configurations next to the Q-Former's sizes.
    let flat = !root.has("qformer_config") && root.has("hidden_size");
    let mut config = if flat { read(root)? } else { read(&root.object("qformer_config"))? };
    if let Some(queries) = root.count("num_query_tokens")? {
        config.num_query_tokens = queries;
    }
    if let Some(width) = root.count("image_text_hidden_size")? {
        config.image_text_hidden_size = width;
    }
    Ok(config)
}

/// Reads the Q-Former's sizes.
///
/// transformers' default vocabulary is BERT's without `[DEC]`. The text side exists only in
/// checkpoints that state it.
fn read(json: &Json) -> Result<QFormerConfig, CheckpointError> {
    if let Some(act) = json.text("hidden_act")?.filter(|act| act != "gelu") {
        return Err(json.wrong("hidden_act", format!("is `{act}`; a Q-Former has `gelu`")));
    }
    if let Some(kind) = json.text("position_embedding_type")?.filter(|kind| kind != "absolute") {
        return Err(
            json.wrong("position_embedding_type", format!("is `{kind}`; only `absolute` is built"))
        );
    }
    let d = QFormerConfig::default();
    Ok(QFormerConfig {
        hidden_size: json.count("hidden_size")?.unwrap_or(d.hidden_size),
        num_hidden_layers: json.layers("num_hidden_layers")?.unwrap_or(d.num_hidden_layers),
        num_attention_heads: json.count("num_attention_heads")?.unwrap_or(d.num_attention_heads),
        intermediate_size: json.count("intermediate_size")?.unwrap_or(d.intermediate_size),
        cross_attention_frequency: json
            .count("cross_attention_frequency")?
            .unwrap_or(d.cross_attention_frequency),
        vocab_size: json.count("vocab_size")?.unwrap_or(30_522),
        max_position_embeddings: json
            .count("max_position_embeddings")?
            .unwrap_or(d.max_position_embeddings),
        layer_norm_eps: json.number("layer_norm_eps")?.unwrap_or(d.layer_norm_eps),
        dropout: json
            .number("hidden_dropout_prob")?
            .or(json.number("dropout")?)
            .unwrap_or(d.dropout),
        ..d
    })
}
