//! `toolkit inspect`: shows one card.

mod shape;

use self::shape::{encoder_for, shape};
use crate::cmd::plan::spaced;
use crate::context::Context;
use crate::text::count;
use anyhow::{anyhow, bail};
use clap::Args as Arguments;
use serde_json::{Map, Value, json};
use toolkit_registry::spanned::suggest;
use toolkit_registry::{Card, Kind};
use toolkit_system::problem::Problem;
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
    /// Vision encoder whose features a described bridge reads [default: the first one that fits]
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
            Err(Problem::new(format_args!("there is no card `{wanted}`")).hint(hint).into())
        }
        several => {
            let names: Vec<String> =
                several.iter().map(|card| format!("`{}`", full(card))).collect();
            Err(Problem::new(format_args!("`{wanted}` is the name of several cards"))
                .hint(format_args!("write {}", names.join(" or ")))
                .into())
        }
    }
}

/// Describes the weights: their source, and the result of the check against the card.
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

/// Returns the tables of the card as they are written.
fn tables(card: &Card) -> anyhow::Result<Map<String, Value>> {
    let table: toml::Table = toml::from_str(card.text().text())
        .map_err(|error| anyhow!("{}", error.message().to_owned()))?;
    let wanted = [
        "config",
        "decoding",
        "preprocess",
        "tokenizer",
        "text_processor",
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
