//! Shapes, sizes and costs of a card.

use crate::context::Context;
use serde_json::{Map, Value, json};
use toolkit_core::{Cost, LanguageKind, VisionShape};
use toolkit_eval::{TaskFamily, TaskSettings, task_split};
use toolkit_lab::experiment::spec::ModelSpec;
use toolkit_lab::plan::model_plan::ModelPlan;
use toolkit_models::bridge::QFormerInit;
use toolkit_registry::{Card, Kind, Registry};
use toolkit_system::problem::Problem;

/// Describes the shape of a card. A bridge reads the features of the encoder `vision`, or of the
/// first one that fits.
///
/// # Errors
/// If something in the card is wrong.
pub(super) fn shape(context: &Context, card: &Card, vision: Option<&str>) -> anyhow::Result<Value> {
    let registry = &context.registry;
    match card.kind {
        Kind::Vision => {
            let s = registry.describe_vision(card)?;
            let cost = cost(s.cost, "image");
            Ok(json!({"image": s.image, "tokens": s.tokens, "width": s.width, "cost": cost}))
        }
        Kind::Language => language(registry, card),
        Kind::Bridge => bridge(context, card, vision),
        Kind::Model => model(registry, card),
        Kind::Dataset => dataset(registry, card),
        Kind::Task => task(registry, card),
        Kind::Metric => {
            let away = format!("not on this machine: `toolkit data fetch {}` gets them", card.name);
            let here = card.not_here()?.is_empty();
            Ok(json!({"tables": if here { "here".to_owned() } else { away }}))
        }
    }
}

fn cost(cost: Cost, of: &str) -> Value {
    json!({"parameters": cost.params, format!("flops per {of}"): cost.flops})
}

fn language(registry: &Registry, card: &Card) -> anyhow::Result<Value> {
    let s = registry.describe_language(card)?;
    let kind = match s.kind {
        LanguageKind::DecoderOnly => "decoder-only",
        LanguageKind::EncoderDecoder => "encoder-decoder",
    };
    Ok(json!({
        "kind": kind, "width": s.width, "vocabulary": s.vocab, "positions": s.positions,
        "cost": cost(s.cost, "token"),
    }))
}

fn bridge(context: &Context, card: &Card, vision: Option<&str>) -> anyhow::Result<Value> {
    let (encoder, behind) = encoder_for(context, card, vision)?;
    let s = context.registry.describe_bridge(card, &behind)?;
    let text = s
        .text
        .map(|t| json!({"vocabulary": t.vocab, "positions": t.positions, "shared space": t.embed}));
    Ok(json!({
        "behind": encoder, "queries": s.queries, "width": s.width, "text": text,
        "cost": cost(s.cost, "image"),
    }))
}

fn model(registry: &Registry, card: &Card) -> anyhow::Result<Value> {
    let parts = card.parts.clone().ok_or_else(|| {
        Problem::new(format_args!("model `{}` names no parts", card.name))
            .hint("add `vision` and `bridge`")
    })?;
    let Some(language) = parts.language else {
        let vision = registry.describe_vision(&registry.card(Kind::Vision, &parts.vision)?)?;
        let bridge = registry.card(Kind::Bridge, &parts.bridge)?;
        let bridge = registry.describe_bridge(&bridge, &vision)?;
        return Ok(json!({
            "vision": parts.vision, "bridge": parts.bridge, "queries": bridge.queries,
            "parameters": vision.cost.params + bridge.cost.params,
        }));
    };
    let (vision, bridge, init) = (parts.vision, parts.bridge, QFormerInit::Random);
    let spec = ModelSpec {
        vision,
        bridge,
        language: Some(language),
        init,
        from: None,
        from_cell: None,
        from_stage: None,
    };
    let r = ModelPlan::new(registry, &spec)?;
    // A model that generates text is published without the bridge's text side, which only stage 1 uses.
    Ok(json!({
        "vision": spec.vision, "bridge": spec.bridge, "language": spec.language,
        "queries": r.bridge.shape.queries, "parameters": r.frozen_params() + r.trained_params,
        "trained": r.trained_params,
    }))
}

fn dataset(registry: &Registry, card: &Card) -> anyhow::Result<Value> {
    if !card.not_here()?.is_empty() {
        let away = format!("not on this machine: `toolkit data fetch {}` gets them", card.name);
        return Ok(json!({"images": away}));
    }
    let source = registry.dataset_of(card)?;
    if let Some(files) = source.user_files()? {
        let root =
            files.root.map_or_else(|error| error.to_string(), |root| root.display().to_string());
        return Ok(json!({"home": files.home, "root": root, "splits": source.splits()?}));
    }
    let mut sources = Map::new();
    for split in source.splits()? {
        let made_of = source.made_of(&split)?;
        sources.insert(split, json!(made_of));
    }
    if sources.values().any(|names| *names != json!([])) {
        return Ok(json!({"sources": sources}));
    }
    let mut splits = Map::new();
    for split in source.splits()? {
        let images = source.open(&split)?.len();
        splits.insert(split, json!(images));
    }
    Ok(json!({"images": splits}))
}

fn task(registry: &Registry, card: &Card) -> anyhow::Result<Value> {
    let names = registry.names(Kind::Language);
    let languages: Vec<Card> =
        names.iter().filter_map(|name| registry.card(Kind::Language, name).ok()).collect();
    // Checks the card; the prompt may come from any language card.
    let prompts: Vec<&Card> = languages.iter().collect();
    TaskFamily::of_card(registry, card)?.open(card, &TaskSettings::with_prompts(&prompts))?;
    Ok(json!({"split": task_split(card)?, "version": card.version}))
}

/// Returns the encoder whose features a bridge reads, with its shape.
pub(super) fn encoder_for(
    context: &Context,
    bridge: &Card,
    wanted: Option<&str>,
) -> anyhow::Result<(String, VisionShape)> {
    let registry = &context.registry;
    if let Some(name) = wanted {
        return Ok((
            name.to_owned(),
            registry.describe_vision(&registry.card(Kind::Vision, name)?)?,
        ));
    }
    // A nano bridge is described with a nano encoder, if there is one.
    let tier = |name: &str| name.rsplit_once('-').map(|(_, tier)| tier.to_owned());
    let mut names = registry.names(Kind::Vision);
    names.sort_by_key(|name| tier(name) != tier(&bridge.name));
    let mut first = None;
    for name in names {
        let Ok(shape) =
            registry.card(Kind::Vision, &name).and_then(|card| registry.describe_vision(&card))
        else {
            continue;
        };
        match registry.describe_bridge(bridge, &shape) {
            Ok(_) => return Ok((name, shape)),
            Err(error) => first = first.or(Some(error)),
        }
    }
    let none = || {
        Problem::new("there is no vision encoder to describe a bridge behind")
            .hint("add a card to `vision/`")
    };
    Err(first.unwrap_or_else(none).into())
}
