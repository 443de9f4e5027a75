//! Tensors of a file that repeat another one, and those that are no parameters.

/// Returns the tensors that `name` may be a copy of where weights are tied; `None` if it is not one
/// of those.
pub(super) fn twins(name: &str) -> Option<Vec<String>> {
    if let Some(stem) = name.strip_suffix("Qformer.cls.predictions.decoder.weight") {
        return Some(vec![format!("{stem}Qformer.bert.embeddings.word_embeddings.weight")]);
    }
    if let Some(stem) = name.strip_suffix("Qformer.cls.predictions.decoder.bias") {
        return Some(vec![format!("{stem}Qformer.cls.predictions.bias")]);
    }
    let ends = [
        "lm_head.weight",
        "encoder.embed_tokens.weight",
        "decoder.embed_tokens.weight",
        "shared.weight",
    ];
    let stem = ends.iter().find_map(|end| name.strip_suffix(end))?;
    let others = [
        "shared.weight",
        "model.decoder.embed_tokens.weight",
        "decoder.embed_tokens.weight",
        "encoder.embed_tokens.weight",
        "model.embed_tokens.weight",
        "lm_head.weight",
    ];
    let all = others.iter().map(|other| format!("{stem}{other}"));
    Some(all.filter(|other| other != name).collect())
}

/// Returns `true` if a tensor of a file is no parameter: position ids, rotary frequencies, counters.
#[must_use]
pub fn is_buffer(name: &str) -> bool {
    ["position_ids", "rotary_emb.inv_freq", "num_batches_tracked"]
        .iter()
        .any(|end| name.ends_with(end))
}
