//! The Q-Former. Ours are LAVIS's names in snake case without the levels that hold nothing.

use super::Side;

/// In transformers' BLIP-2, which has no captioning head and no temperature.
pub(super) fn hugging_face(name: &str) -> Option<String> {
    if side(name) == Side::Caption {
        return None;
    }
    let starts = [
        ("ln_vision.", "vision_model.post_layernorm."),
        ("embeddings.layer_norm.", "qformer.layernorm."),
        ("vision_proj.", "vision_projection."),
        ("text_proj.", "text_projection."),
    ];
    if let Some((ours, theirs)) = starts.iter().find(|(ours, _)| name.starts_with(ours)) {
        return Some(format!("{theirs}{}", &name[ours.len()..]));
    }
    Some(match layer(name, "attention") {
        Some(inner) => format!("qformer.{inner}"),
        None => name.to_owned(),
    })
}

/// In LAVIS.
pub(super) fn lavis(name: &str) -> String {
    if let Some(inner) = layer(name, "self") {
        return format!("Qformer.bert.{inner}");
    }
    if let Some(rest) = name.strip_prefix("embeddings.") {
        return format!("Qformer.bert.embeddings.{}", rest.replace("layer_norm.", "LayerNorm."));
    }
    match name.strip_prefix("cls.") {
        Some(rest) => {
            format!("Qformer.cls.predictions.{}", rest.replace("layer_norm.", "LayerNorm."))
        }
        None => name.to_owned(),
    }
}

/// A parameter of a layer, with the `level` that query, key and value stand under.
fn layer(name: &str, level: &str) -> Option<String> {
    let rest = name.strip_prefix("encoder.layer.")?;
    let mut inner = rest.replace(".layer_norm.", ".LayerNorm.");
    for matrix in ["query", "key", "value"] {
        inner =
            inner.replace(&format!("attention.{matrix}."), &format!("attention.{level}.{matrix}."));
    }
    Some(format!("encoder.layer.{inner}"))
}

pub(super) fn side(name: &str) -> Side {
    if crate::bridge::qformer::is_query_path(name) {
        Side::Query
    } else if name.starts_with("cls.") || name == "temp" {
        Side::Caption
    } else {
        Side::Text
    }
}
