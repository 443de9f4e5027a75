//! `toolkit inspect`: all about one card.

use crate::cmd::plan::spaced;
use crate::context::Context;
use crate::text::count;
use anyhow::{anyhow, bail};
use clap::Args as Arguments;
use serde_json::{Map, Value, json};
use toolkit_core::{Cost, LanguageKind, VisionShape};
use toolkit_eval::Task;
use toolkit_lab::experiment::spec::ModelSpec;
use toolkit_lab::plan::parts::Resolved;
use toolkit_models::bridge::QFormerInit;
use toolkit_registry::spanned::suggest;
use toolkit_registry::{Card, Kind};
use toolkit_tokenizer::TokenTable;

/// Shows a card: configuration, shapes and costs, weights (checked), prompts, scores, licence
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit inspect vit-nano
  toolkit inspect bridge/qformer-nano --vision vit-nano
  toolkit inspect scenes-vqa --json")]
pub struct Args {
    /// Name of a card, or KIND/NAME where several kinds have one of that name
    name: String,
    /// Encoder that a bridge is described behind [default: the first one that fits]
    #[arg(long, value_name = "NAME")]
    vision: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// If there is no such card or something in it is wrong.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let card = find(context, &args.name)?;
    let mut facts = Map::new();
    facts.insert("kind".into(), json!(card.kind.folder()));
    facts.insert("name".into(), json!(card.name));
    facts.insert("about".into(), json!(card.about));
    facts.insert("from".into(), json!(card.origin.to_string()));
    let entries = [
        ("family", json!(card.family)),
        ("shape", shape(context, &card, args.vision.as_deref())?),
        ("weights", weights(&card)),
    ];
    facts.extend(entries.map(|(key, value)| (key.to_owned(), value)));
    facts.extend(tables(&card)?);
    facts.retain(|_, value| !empty(value));
    context.print(|| Value::Object(facts.clone()), || listing(&facts, 0))?;
    // A card whose weights or tokenizer cannot be used is shown, and is a failure as in a run.
    let state =
        facts.get("weights").and_then(|weights| weights["state"].as_str()).unwrap_or_default();
    if let Some(reason) = state.strip_prefix("broken: ") {
        bail!("{reason}");
    }
    check_tokenizer(context, &card, args.vision.as_deref())
}

/// Reads the tokenizer of a part as a run would.
fn check_tokenizer(context: &Context, card: &Card, vision: Option<&str>) -> anyhow::Result<()> {
    if card.tokenizer_section.is_none() || !card.not_here()?.is_empty() {
        return Ok(());
    }
    let table = match card.kind {
        Kind::Language => TokenTable::of_language(context.registry.describe_language(card)?.vocab),
        Kind::Bridge => {
            let (_, behind) = encoder_for(context, card, vision)?;
            let text = context.registry.describe_bridge(card, &behind)?.text;
            TokenTable::of_text_side(text.map_or(0, |text| text.vocab))
        }
        _ => return Ok(()),
    };
    card.tokenizer(table)?;
    Ok(())
}

fn find(context: &Context, wanted: &str) -> anyhow::Result<Card> {
    let all: Vec<(Kind, String)> = Kind::ALL
        .into_iter()
        .flat_map(|kind| context.registry.names(kind).into_iter().map(move |name| (kind, name)))
        .collect();
    let full = |(kind, name): &(Kind, String)| format!("{}/{name}", kind.folder());
    let found: Vec<&(Kind, String)> =
        all.iter().filter(|card| card.1 == wanted || full(card) == wanted).collect();
    match found.as_slice() {
        [(kind, name)] => Ok(context.registry.card(*kind, name)?),
        [] => {
            let names: Vec<String> = all
                .iter()
                .map(|card| if wanted.contains('/') { full(card) } else { card.1.clone() })
                .collect();
            let hint = suggest(wanted, &names.iter().map(String::as_str).collect::<Vec<_>>());
            bail!("there is no card `{wanted}`; hint: {hint}")
        }
        several => {
            let names: Vec<String> =
                several.iter().map(|card| format!("`{}`", full(card))).collect();
            bail!("`{wanted}` is the name of several cards; hint: write {}", names.join(" or "))
        }
    }
}

fn cost(cost: Cost, of: &str) -> Value {
    json!({"parameters": cost.params, format!("flops per {of}"): cost.flops})
}

fn shape(context: &Context, card: &Card, vision: Option<&str>) -> anyhow::Result<Value> {
    let registry = &context.registry;
    Ok(match card.kind {
        Kind::Vision => {
            let s = registry.describe_vision(card)?;
            json!({"image": s.image, "tokens": s.tokens, "width": s.width, "cost": cost(s.cost, "image")})
        }
        Kind::Language => {
            let s = registry.describe_language(card)?;
            let kind = if s.kind == LanguageKind::DecoderOnly {
                "decoder-only"
            } else {
                "encoder-decoder"
            };
            json!({"kind": kind, "width": s.width, "vocabulary": s.vocab, "positions": s.positions, "cost": cost(s.cost, "token")})
        }
        Kind::Bridge => {
            let (encoder, behind) = encoder_for(context, card, vision)?;
            let s = registry.describe_bridge(card, &behind)?;
            let text =
                s.text.map(|t| json!({"vocabulary": t.vocab, "positions": t.positions, "shared space": t.embed}));
            json!({"behind": encoder, "queries": s.queries, "width": s.width, "text": text, "cost": cost(s.cost, "image")})
        }
        Kind::Model => {
            let parts = card.parts.clone().ok_or_else(|| {
                anyhow!("model `{}` names no parts; hint: add `vision` and `bridge`", card.name)
            })?;
            let Some(language) = parts.language else {
                let vision =
                    registry.describe_vision(&registry.card(Kind::Vision, &parts.vision)?)?;
                let bridge = registry
                    .describe_bridge(&registry.card(Kind::Bridge, &parts.bridge)?, &vision)?;
                let total = vision.cost.params + bridge.cost.params;
                return Ok(
                    json!({"vision": parts.vision, "bridge": parts.bridge, "queries": bridge.queries, "parameters": total}),
                );
            };
            let spec = ModelSpec {
                vision: parts.vision,
                bridge: parts.bridge,
                language,
                init: QFormerInit::Random,
            };
            let r = Resolved::new(registry, &spec)?;
            // A model that writes is published without the bridge's text side, which only stage 1
            // uses.
            let params = [r.vision.1.cost.params, r.trained_params, r.language.1.cost.params];
            json!({"vision": spec.vision, "bridge": spec.bridge, "language": spec.language, "queries": r.bridge.1.queries, "parameters": params.iter().sum::<u64>(), "trained": r.trained_params})
        }
        Kind::Dataset => {
            if !card.not_here()?.is_empty() {
                return Ok(
                    json!({"images": format!("not on this machine: `toolkit data fetch {}` gets \
                        them", card.name)}),
                );
            }
            let source = registry.dataset_of(card)?;
            if let Some(files) = source.user_files()? {
                let root = files
                    .root
                    .map_or_else(|error| error.to_string(), |root| root.display().to_string());
                return Ok(json!({"home": files.home, "root": root, "splits": source.splits()?}));
            }
            let mut splits = Map::new();
            for split in source.splits()? {
                let images = source.open(&split)?.len();
                splits.insert(split, json!(images));
            }
            json!({"images": splits})
        }
        Kind::Task => {
            let languages = registry
                .names(Kind::Language)
                .iter()
                .filter_map(|name| registry.card(Kind::Language, name).ok())
                .collect::<Vec<_>>();
            // Checks the card; the prompt may come from any language card.
            let task = Task::from_card(card, &languages.iter().collect::<Vec<_>>())?;
            json!({"split": task.split(), "version": card.version})
        }
        Kind::Metric => {
            let away = format!("not on this machine: `toolkit data fetch {}` gets them", card.name);
            json!({"tables": if card.not_here()?.is_empty() { "here".to_owned() } else { away }})
        }
    })
}

/// The encoder that a bridge is described behind.
fn encoder_for(
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
    // A nano bridge is described behind a nano encoder, if there is one.
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
    Err(first.map_or_else(
        || {
            anyhow!(
                "there is no vision encoder to describe a bridge behind; hint: add a card to \
            `vision/`"
            )
        },
        Into::into,
    ))
}

/// Where the weights are and whether they are what the card says.
fn weights(card: &Card) -> Value {
    let Some(section) = &card.weights else { return Value::Null };
    let here = card.not_here().is_ok_and(|missing| missing.is_empty());
    let state = match card.open_weights() {
        _ if !here => format!("not on this machine: `toolkit data fetch {}` gets it", card.name),
        Ok(tensors) => {
            let infos = || tensors.names().filter_map(|name| tensors.info(name));
            let numbers: usize = infos().map(|info| info.shape.iter().product::<usize>()).sum();
            format!("ok: {} tensors, {} numbers", infos().count(), count(numbers as f64))
        }
        Err(error) => format!("broken: {error}"),
    };
    json!({"source": section.source, "sha256": section.sha256, "state": state})
}

/// The tables of the card as they are written.
fn tables(card: &Card) -> anyhow::Result<Map<String, Value>> {
    let table: toml::Table = toml::from_str(card.text().text())
        .map_err(|error| anyhow!("{}", error.message().to_owned()))?;
    let wanted = [
        "config",
        "decoding",
        "preprocess",
        "tokenizer",
        "prompt",
        "init",
        "facts",
        "scores",
        "licence",
        "source",
    ];
    let mut out = Map::new();
    for key in wanted {
        if let Some(value) = table.get(key) {
            out.insert(key.to_owned(), serde_json::to_value(value)?);
        }
    }
    Ok(out)
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn listing(facts: &Map<String, Value>, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let mut text = String::new();
    for (key, value) in facts {
        match value {
            Value::Object(map) => {
                text.push_str(&format!("{indent}{key}\n{}", listing(map, depth + 1)))
            }
            Value::String(said) => text.push_str(&format!("{indent}{key:<23} {said}\n")),
            Value::Number(n) if n.as_u64().is_some_and(|n| n >= 10_000) => {
                let short = spaced(&count(n.as_f64().unwrap_or_default()));
                text.push_str(&format!("{indent}{key:<23} {n} ({})\n", short.trim_end()));
            }
            Value::Null => {}
            other => text.push_str(&format!("{indent}{key:<23} {other}\n")),
        }
    }
    text
}
