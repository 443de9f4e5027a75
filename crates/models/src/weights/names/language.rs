//! Language models: transformers' names are ours.

use super::Recipe;

/// Files of the model alone, where any copy of a tied table will do.
pub(super) fn alone(family: &str, name: &str) -> Vec<Recipe> {
    let mut all = vec![Recipe::whole(name)];
    // The files first released for OPT lack the outer level.
    if let Some(rest) = name.strip_prefix("model.").filter(|_| family == "opt") {
        all.push(Recipe::whole(rest));
    }
    if family == "llama" {
        all.extend(gguf(name).map(Recipe::whole));
    }
    let tables: &[&str] = match (family, name) {
        ("opt", "model.decoder.embed_tokens.weight") => &["lm_head.weight"],
        ("t5", "shared.weight") => &["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"],
        _ => &[],
    };
    for table in tables {
        all.push(Recipe::whole(format!("language_model.{table}")));
        all.push(Recipe::whole(*table));
    }
    all
}

/// Llama's parameters in a GGUF file.
fn gguf(name: &str) -> Option<String> {
    let whole = [
        ("model.embed_tokens.weight", "token_embd.weight"),
        ("model.norm.weight", "output_norm.weight"),
        ("lm_head.weight", "output.weight"),
    ];
    if let Some((_, theirs)) = whole.iter().find(|(ours, _)| *ours == name) {
        return Some((*theirs).to_owned());
    }
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let parts = [
        ("self_attn.q_proj.", "attn_q."),
        ("self_attn.k_proj.", "attn_k."),
        ("self_attn.v_proj.", "attn_v."),
        ("self_attn.o_proj.", "attn_output."),
        ("mlp.gate_proj.", "ffn_gate."),
        ("mlp.up_proj.", "ffn_up."),
        ("mlp.down_proj.", "ffn_down."),
        ("input_layernorm.", "attn_norm."),
        ("post_attention_layernorm.", "ffn_norm."),
    ];
    let (ours, theirs) = parts.iter().find(|(ours, _)| rest.starts_with(ours))?;
    Some(format!("blk.{layer}.{theirs}{}", &rest[ours.len()..]))
}
