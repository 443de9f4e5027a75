//! `run` and `plan` of a file with `kind = "pretrain"`.

use crate::context::Context;
use crate::interrupt;
use crate::text::{count, table};
use anyhow::anyhow;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use toolkit_core::{Cost, VisionShape};
use toolkit_lab::LabError;
use toolkit_lab::experiment::overrides::parse_set;
use toolkit_lab::experiment::pretrain_spec::{PartKind, PartSpec, PretrainSpec};
use toolkit_lab::run::RunOptions;
use toolkit_lab::work::pretrain;
use toolkit_registry::{Card, Kind, Source};

/// Steps of every part with `--smoke`.
const SMOKE_STEPS: u64 = 2;

/// Tokens of a text, for the count of operations.
const TOKENS: f64 = 40.0;

/// A file that was checked against the cards.
struct Prepared {
    spec: PretrainSpec,
    parts: Vec<(Card, Cost)>,
    out: PathBuf,
}

fn kind(part: &PartSpec) -> Kind {
    match part.kind {
        PartKind::Vision => Kind::Vision,
        PartKind::Language => Kind::Language,
        PartKind::Bert => Kind::Bridge,
    }
}

fn prepare(context: &Context, source: &Source, options: &RunOptions) -> Result<Prepared, LabError> {
    let mut spec: PretrainSpec = source.parse()?;
    if !options.overrides.is_empty() {
        let mut table: toml::Table = toml::from_str(source.text())
            .map_err(|e| LabError::new(e.message().to_owned(), "check the file"))?;
        for argument in &options.overrides {
            spec = set(&mut table, argument)?;
        }
    }
    spec.check()?;
    if options.smoke {
        spec.part.iter_mut().for_each(|part| part.steps = part.steps.min(SMOKE_STEPS));
    }
    spec.notes().iter().for_each(|note| context.log.line(&format!("note: {note}")));
    let data = context.registry.card(Kind::Dataset, &spec.data)?;
    data.config::<toolkit_data::ScenesConfig>()?.check()?;
    let parts: Result<Vec<_>, LabError> = spec
        .part
        .iter()
        .map(|part| {
            let card = context.registry.card(kind(part), &part.card)?;
            let cost = match part.kind {
                PartKind::Vision => context.registry.describe_vision(&card)?.cost,
                PartKind::Language => context.registry.describe_language(&card)?.cost,
                PartKind::Bert => {
                    let nothing =
                        VisionShape { image: [1, 1], tokens: 1, width: 8, cost: Cost::default() };
                    context.registry.describe_bridge(&card, &nothing)?.cost
                }
            };
            Ok((card, cost))
        })
        .collect();
    let name = if options.smoke { format!("{}-smoke", spec.name) } else { spec.name.clone() };
    let out = options.out.clone().unwrap_or_else(|| Path::new("runs").join(name));
    Ok(Prepared { parts: parts?, spec, out })
}

/// Sets a dotted key, `part.0.steps` for one of a list, and parses again.
fn set(table: &mut toml::Table, argument: &str) -> Result<PretrainSpec, LabError> {
    let wrong = |what: String| {
        LabError::new(
            format!("`--set {argument}`: {what}"),
            "keys are those of the experiment file, `part.0.steps` for the first part",
        )
    };
    let (key, value) = parse_set(argument)?;
    let mut names: Vec<&str> = key.split('.').collect();
    let last = names.pop().unwrap_or_default();
    let mut at = &mut *table;
    let mut names = names.into_iter();
    while let Some(name) = names.next() {
        let inner = at.get_mut(name).ok_or_else(|| wrong(format!("there is no `{name}`")))?;
        let inner = match inner {
            toml::Value::Array(list) => {
                names.next().and_then(|index| list.get_mut(index.parse::<usize>().ok()?))
            }
            other => Some(other),
        };
        at = inner
            .and_then(toml::Value::as_table_mut)
            .ok_or_else(|| wrong(format!("`{name}` is no table with that number")))?;
    }
    at.insert(last.to_owned(), value);
    let text = toml::to_string(table).map_err(|e| wrong(e.to_string()))?;
    Source::new("", text).and_then(|source| source.parse()).map_err(|e| wrong(e.what))
}

/// Shows what would be trained.
///
/// # Errors
/// Whatever is wrong with the file or its cards.
pub fn plan(context: &Context, source: &Source, options: &RunOptions) -> anyhow::Result<()> {
    let prepared = prepare(context, source, options)?;
    let rows: Vec<(&PartSpec, Cost, f64)> = (prepared.spec.part.iter().zip(&prepared.parts))
        .map(|(part, (_, cost))| {
            // A pass costs what `describe` says, for each token of a text; a backward pass costs
            // two forward passes.
            let tokens = if part.kind == PartKind::Vision { 1.0 } else { TOKENS };
            (part, *cost, 3.0 * cost.flops as f64 * tokens * part.steps as f64 * part.batch as f64)
        })
        .collect();
    let as_json = || -> Value {
        let parts = rows.iter().map(|(part, cost, flops)| {
            json!({"kind": part.kind, "card": part.card, "steps": part.steps, "batch": part.batch, "params": cost.params, "flops": flops})
        });
        json!({"name": prepared.spec.name, "out": crate::out::path(&prepared.out), "parts": parts.collect::<Vec<_>>()})
    };
    let as_text = || {
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|(part, cost, flops)| {
                let shape = [part.card.clone(), part.steps.to_string(), part.batch.to_string()];
                shape.into_iter().chain([count(cost.params as f64), count(*flops)]).collect()
            })
            .collect();
        table(&["part", "steps", "batch", "parameters", "operations"], &cells)
            + &format!("\nwritten to {}\n", prepared.out.join("registry").display())
    };
    context.print(as_json, as_text)
}

/// Trains backbones.
///
/// # Errors
/// Whatever is wrong with the file, and whatever goes wrong on the way.
pub fn run(context: &Context, source: &Source, options: &RunOptions) -> anyhow::Result<()> {
    let prepared = prepare(context, source, options)?;
    let device = context.device()?;
    interrupt::say_how_to_go_on(&context.log, &prepared.out);
    let jobs =
        options.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    pretrain::run(&prepared.spec, &context.registry, &prepared.out, &device, jobs, &context.log)?;
    let folder = prepared.out.join("registry");
    let overlay = context.registry.clone().overlay(folder.clone())?;
    let mut cards = Vec::new();
    for part in &prepared.spec.part {
        let card = overlay.card(kind(part), &part.card).map_err(|error| anyhow!(error))?;
        cards.push((format!("{}/{}", card.kind.folder(), card.name), card.scores));
    }
    let as_text = || {
        let score = |(name, value): (&String, &f64)| format!("  {name:<32}{value:.4}\n");
        cards
            .iter()
            .map(|(name, scores)| {
                format!("{name}\n{}", scores.iter().map(score).collect::<String>())
            })
            .collect()
    };
    let entries = || {
        cards
            .iter()
            .map(|(name, scores)| json!({"card": name, "scores": scores}))
            .collect::<Vec<_>>()
    };
    context
        .print(|| json!({"registry": crate::out::path(&folder), "cards": entries()}), as_text)?;
    context.log.line(&format!("use them with --registry {}", folder.display()));
    Ok(())
}
