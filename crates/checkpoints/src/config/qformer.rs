//! `qformer_config`.

use crate::CheckpointError;
use crate::json::Json;
use toolkit_models::bridge::qformer::QFormerConfig;

/// The Q-Former's sizes. transformers' default vocabulary is BERT's without `[DEC]`; the text side
/// exists only in checkpoints that say so.
pub(crate) fn read(json: &Json) -> Result<QFormerConfig, CheckpointError> {
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
