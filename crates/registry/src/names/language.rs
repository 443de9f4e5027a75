//! Language models: transformers' names are ours.

use super::Recipe;

/// Files of the model alone, where any copy of a tied table will do.
pub(super) fn alone(family: &str, name: &str) -> Vec<Recipe> {
    let mut all = vec![Recipe::whole(name)];
    // The files first released for OPT lack the outer level.
    if let Some(rest) = name.strip_prefix("model.").filter(|_| family == "opt") {
        all.push(Recipe::whole(rest));
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
