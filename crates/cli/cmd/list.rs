//! `toolkit list`: what there is.

use crate::context::Context;
use crate::text::table;
use clap::{Args as Arguments, ValueEnum};
use serde_json::json;
use toolkit_registry::{Card, Kind};
use toolkit_system::problem::Problem;

/// Lists cards: encoders, bridges, language models, data sets, tasks, models, metrics
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit list
  toolkit list bridge
  toolkit list --registry my-cards --json | jq '.[].name'")]
pub struct Args {
    /// Kind of card [default: all]
    kind: Option<Which>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    Vision,
    Bridge,
    Language,
    Datasets,
    Tasks,
    Models,
    Metrics,
}

impl Which {
    fn kind(self) -> Kind {
        match self {
            Self::Vision => Kind::Vision,
            Self::Bridge => Kind::Bridge,
            Self::Language => Kind::Language,
            Self::Datasets => Kind::Dataset,
            Self::Tasks => Kind::Task,
            Self::Models => Kind::Model,
            Self::Metrics => Kind::Metric,
        }
    }
}

struct Entry {
    kind: Kind,
    name: String,
    card: Result<Card, Problem>,
}

/// Runs the command. A card that is broken is listed as such and does not hide the others.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let kinds = args.kind.map_or_else(|| Kind::ALL.to_vec(), |which| vec![which.kind()]);
    let mut entries = Vec::new();
    for kind in kinds {
        for name in context.registry.names(kind) {
            entries.push(Entry { kind, card: context.registry.card(kind, &name), name });
        }
    }
    for error in entries.iter().filter_map(|entry| entry.card.as_ref().err()) {
        context.log.line(&format!("broken: {error}"));
    }
    context.print(
        || entries.iter().map(as_json).collect(),
        || {
            let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
            table(&["kind", "name", "family", "about"], &rows)
        },
    )
}

fn as_json(entry: &Entry) -> serde_json::Value {
    let kind = entry.kind.folder();
    match &entry.card {
        Ok(card) => json!({
            "kind": kind, "name": entry.name, "family": card.family, "about": card.about,
            "origin": card.origin.to_string(), "weights": card.weights.is_some(),
        }),
        Err(error) => json!({"kind": kind, "name": entry.name, "error": error.to_string()}),
    }
}

fn row(entry: &Entry) -> Vec<String> {
    let (family, about) = match &entry.card {
        Ok(card) => (card.family.clone(), card.about.clone()),
        Err(error) => ("broken".to_owned(), error.what.clone()),
    };
    vec![entry.kind.folder().to_owned(), entry.name.clone(), family, about]
}
