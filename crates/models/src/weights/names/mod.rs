//! What a parameter is called in each published form, and how its values are put together there.
//!
//! [`recipes`] lists for a parameter of ours every way it is published, best known first; a reader
//! takes the first whose tensors are all there, so no form has to be told apart. A [`Scheme`] is
//! one such way for whole checkpoints: writers name by it.

use crate::vision::position::Corners;

mod bridge;
mod language;
mod vision;
mod wrappers;

pub(crate) use wrappers::shared;
pub use wrappers::{unusable, without_wrappers};

/// The parts of a whole model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The encoder.
    Vision,
    /// The Q-Former, `ln_vision` included.
    Bridge,
    /// The projection to the language model.
    Projection,
    /// The language model.
    Language,
}

/// A form of whole checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// transformers' BLIP-2.
    HuggingFace,
    /// LAVIS.
    Lavis,
    /// This toolkit's: `vision.`, `bridge.`, `language_projection.`, `language.` and the names of
    /// the parts.
    Own,
}

/// Rows of a tensor in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// All of a tensor.
    Whole(String),
    /// The i-th third of the rows of a tensor: query, key or value.
    Third(String, usize),
    /// As many zeros as a third of the parameter has rows.
    Zeros,
}

/// A parameter as rows of pieces under each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe(pub Vec<Piece>);

impl Recipe {
    fn whole(name: impl Into<String>) -> Self {
        Self(vec![Piece::Whole(name.into())])
    }

    /// The same with `prefix` before every name.
    fn under(&self, prefix: &str) -> Self {
        let piece = |piece: &Piece| match piece {
            Piece::Whole(name) => Piece::Whole(format!("{prefix}{name}")),
            Piece::Third(name, part) => Piece::Third(format!("{prefix}{name}"), *part),
            Piece::Zeros => Piece::Zeros,
        };
        Self(self.0.iter().map(piece).collect())
    }

    /// The tensors it reads.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Whole(name) | Piece::Third(name, _) => Some(name.as_str()),
            Piece::Zeros => None,
        })
    }
}

/// Every way parameter `name` of a part is published; `family` is the registry's name of the part's
/// family.
#[must_use]
pub fn recipes(part: Part, family: &str, name: &str) -> Vec<Recipe> {
    let schemes = [Scheme::HuggingFace, Scheme::Lavis, Scheme::Own];
    let mut all: Vec<Recipe> =
        schemes.into_iter().filter_map(|scheme| recipe(scheme, part, family, name)).collect();
    match part {
        Part::Vision => all.extend(vision::alone(family, name)),
        Part::Language => all.extend(language::alone(family, name)),
        Part::Bridge | Part::Projection => {}
    }
    // Older conversions by transformers kept LAVIS's two biases under its own names.
    if let Some(stem) = name.strip_suffix("self_attn.qkv.bias").filter(|_| part == Part::Vision) {
        all.push(vision::two_biases(&format!("vision_model.{stem}self_attn.")));
        all.push(vision::two_biases(&format!("{stem}self_attn.")));
    }
    all.push(Recipe::whole(name));
    all
}

/// What `name` is made of in a whole checkpoint of a scheme; none if such checkpoints do not have
/// it.
#[must_use]
pub fn recipe(scheme: Scheme, part: Part, family: &str, name: &str) -> Option<Recipe> {
    Some(match (scheme, part) {
        (Scheme::HuggingFace, Part::Vision) => Recipe::whole(format!("vision_model.{name}")),
        (Scheme::HuggingFace, Part::Bridge) => Recipe::whole(bridge::hugging_face(name)?),
        (Scheme::HuggingFace, Part::Projection) => {
            Recipe::whole(format!("language_projection.{name}"))
        }
        (Scheme::HuggingFace, Part::Language) => Recipe::whole(format!("language_model.{name}")),
        (Scheme::Lavis, Part::Vision) => vision::original(family, name)?.under("visual_encoder."),
        (Scheme::Lavis, Part::Bridge) => Recipe::whole(bridge::lavis(name)),
        (Scheme::Lavis, Part::Projection) => {
            Recipe::whole(format!("{}.{name}", if family == "t5" { "t5_proj" } else { "opt_proj" }))
        }
        (Scheme::Lavis, Part::Language) => Recipe::whole(format!("{family}_model.{name}")),
        (Scheme::Own, Part::Vision) => Recipe::whole(format!("vision.{name}")),
        (Scheme::Own, Part::Bridge) => Recipe::whole(format!("bridge.{name}")),
        (Scheme::Own, Part::Projection) => Recipe::whole(format!("language_projection.{name}")),
        (Scheme::Own, Part::Language) => Recipe::whole(format!("language.{name}")),
    })
}

/// Where a family's sources lay the corners when they resize a position table (LAVIS `eva_vit.py`,
/// `clip_vit.py`).
#[must_use]
pub fn corners(family: &str) -> Option<Corners> {
    match family {
        "eva" | "dinov2" => Some(Corners::Edges),
        "vit" => Some(Corners::Centres),
        _ => None,
    }
}

/// How many numbered blocks parameters have.
#[must_use]
pub fn layers(infos: &[toolkit_core::params::Info]) -> usize {
    let number = |info: &toolkit_core::params::Info| {
        info.name.split('.').find_map(|part| part.parse::<usize>().ok())
    };
    infos.iter().filter_map(number).max().map_or(0, |last| last + 1)
}

/// A tensor of a BERT, by what the Q-Former calls it: with or without the outer level, and in the
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

/// Whether a parameter of the bridge belongs to the text side that a file has whole or not at all.
#[must_use]
pub fn side(name: &str) -> Side {
    bridge::side(name)
}

/// What a bridge's parameter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The queries' way: in every checkpoint.
    Query,
    /// Text embeddings, text feed-forward networks, projections and the matching head: stage 1 and
    /// retrieval.
    Text,
    /// The captioning head and the temperature: stage 1 alone.
    Caption,
}

/// The tensor that `name` is a copy of where weights are tied, if it is one of those.
#[must_use]
pub fn twin(name: &str) -> Option<Vec<String>> {
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
    let others =
        ["shared.weight", "model.decoder.embed_tokens.weight", "decoder.embed_tokens.weight"];
    let more = ["encoder.embed_tokens.weight", "model.embed_tokens.weight", "lm_head.weight"];
    let all = others.iter().chain(&more).map(|other| format!("{stem}{other}"));
    Some(all.filter(|other| other != name).collect())
}

/// Why a tensor of a file is rightly not read, if it is so in a whole checkpoint.
#[must_use]
pub fn is_buffer(name: &str) -> bool {
    ["position_ids", "rotary_emb.inv_freq", "num_batches_tracked"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// The same in a file of one part, which may hold the rest of the model that it was cut from:
/// CLIP's text tower, blocks behind the last one that is built, heads and final norms.
#[must_use]
pub fn is_rest_of(part: Part, family: &str, name: &str, layers: usize) -> bool {
    match part {
        Part::Vision => vision::is_rest(family, name, layers),
        _ => false,
    }
}
