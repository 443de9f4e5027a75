//! The Q-Former's published names. Ours are LAVIS's in snake case, without the levels that hold
//! nothing.

use super::is_query_path;
use toolkit_core::published::Recipe;

/// Use of a parameter of the Q-Former.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Query path: in every checkpoint.
    Query,
    /// Text embeddings, text feed-forward networks, projections and the matching head: stage 1 and
    /// retrieval.
    Text,
    /// Captioning head and temperature: stage 1 alone.
    Caption,
}

/// Returns the use of the parameter called `name`.
#[must_use]
pub fn side(name: &str) -> Side {
    if is_query_path(name) {
        Side::Query
    } else if name.starts_with("cls.") || name == "temp" {
        Side::Caption
    } else {
        Side::Text
    }
}

/// Returns the side that a checkpoint may lack, `None` for the query path.
pub(super) fn optional_group(name: &str) -> Option<&'static str> {
    match side(name) {
        Side::Query => None,
        Side::Text => Some("text"),
        Side::Caption => Some("caption"),
    }
}

/// Returns the name in transformers' BLIP-2, which has no captioning head and no temperature.
pub(super) fn hugging_face(name: &str) -> Option<Recipe> {
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
        return Some(Recipe::whole(format!("{theirs}{}", &name[ours.len()..])));
    }
    Some(Recipe::whole(match layer(name, "attention") {
        Some(inner) => format!("qformer.{inner}"),
        None => name.to_owned(),
    }))
}

/// Returns the name in LAVIS.
pub(super) fn lavis(name: &str) -> Option<Recipe> {
    let theirs = if let Some(inner) = layer(name, "self") {
        format!("Qformer.bert.{inner}")
    } else if let Some(rest) = name.strip_prefix("embeddings.") {
        format!("Qformer.bert.embeddings.{}", rest.replace("layer_norm.", "LayerNorm."))
    } else if let Some(rest) = name.strip_prefix("cls.") {
        format!("Qformer.cls.predictions.{}", rest.replace("layer_norm.", "LayerNorm."))
    } else {
        name.to_owned()
    };
    Some(Recipe::whole(theirs))
}

/// Returns the name of a layer's parameter, with the `level` that query, key and value stand under.
fn layer(name: &str, level: &str) -> Option<String> {
    let rest = name.strip_prefix("encoder.layer.")?;
    let mut inner = rest.replace(".layer_norm.", ".LayerNorm.");
    for matrix in ["query", "key", "value"] {
        inner =
            inner.replace(&format!("attention.{matrix}."), &format!("attention.{level}.{matrix}."));
    }
    Some(format!("encoder.layer.{inner}"))
}

/// Returns the Q-Former's name of a tensor of a BERT, with or without the outer level, and in the
/// older spelling of norms.
#[must_use]
pub fn of_bert(name: &str) -> String {
    let bare = name.strip_prefix("bert.").unwrap_or(name);
    let bare = bare.strip_suffix(".gamma").map_or(bare.to_owned(), |stem| format!("{stem}.weight"));
    let bare = bare.strip_suffix(".beta").map_or(bare.clone(), |stem| format!("{stem}.bias"));
    bare.replace(".LayerNorm.", ".layer_norm.")
        .replace("attention.self.", "attention.")
        .replace("cls.predictions.", "cls.")
}
