//! `toolkit plan`: shows what an experiment would do and cost. No weight is read and nothing is
//! written.

mod priced;

use self::priced::{PriceArgs, text as price_text};
use crate::cmd::run::args::ExperimentArgs;
use crate::cmd::run::pretrain;
use crate::context::Context;
use crate::text::{bytes, count, seconds, table};
use clap::Args as Arguments;
use serde_json::{Value, json};
use toolkit_lab::experiment::kind::{Experiment, kind};
use toolkit_lab::plan::estimate::Estimate;
use toolkit_lab::plan::run_plan::PlannedCell;
use toolkit_lab::run::Run;

/// Shows what an experiment would do and cost, and stops
///
/// Cards are looked up, widths checked and shared work found; nothing is written. Operations are
/// counted from the shapes, time is an estimate for small models on the CPU. Data and weights need
/// not be here: the plan notes what it assumes of them. `--on` prices the plan on a GPU: hours at
/// an assumed share of its peak, and if the largest job fits in its memory.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit plan experiments/ablate_stage1.toml
  toolkit plan experiments/ablate_stage1.toml --set stage2.steps=2000 --jobs 8
  toolkit plan experiments/pretrain_stage1_vit_g.toml --on a100-40 --devices 16
  toolkit plan experiments/ablate_stage1.toml --json | jq .estimate.seconds")]
pub struct Args {
    #[command(flatten)]
    experiment: ExperimentArgs,
    #[command(flatten)]
    price: PriceArgs,
}

/// Runs the command.
///
/// # Errors
/// If something is wrong with the file, cards, widths or data.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    show_priced(context, &args.experiment, Some(&args.price))
}

/// Shows the plan of an experiment; `run --plan` calls it too.
///
/// # Errors
/// The errors of [`run`].
pub fn show(context: &Context, args: &ExperimentArgs) -> anyhow::Result<()> {
    show_priced(context, args, None)
}

fn show_priced(
    context: &Context,
    args: &ExperimentArgs,
    priced: Option<&PriceArgs>,
) -> anyhow::Result<()> {
    let source = context.source(&args.file)?;
    let options = args.options(context);
    if let Experiment::Pretrain(_) = kind(&source)? {
        priced.map_or(Ok(()), PriceArgs::refuse)?;
        return pretrain::plan(context, &source, &options);
    }
    let mut run = Run::sketch(source, &context.registry, &options)?;
    let missing = run.plan.check_headers()?;
    run.plan.notes.extend(missing);
    run.plan.notes.iter().for_each(|note| context.log.line(&format!("note: {note}")));
    let price = priced.map(|priced| priced.price(context, &run.estimate)).transpose()?.flatten();
    let as_json = || {
        let mut plan = as_json(&run);
        if let Some(price) = &price {
            plan["price"] = json!(price);
        }
        plan
    };
    context.print(as_json, || as_text(&run) + &price.as_ref().map_or_else(String::new, price_text))
}

/// Returns the trained and frozen parameters of a cell.
fn params(run: &Run, cell: &PlannedCell) -> (u64, u64) {
    let parts = &run.plan.model_plans[cell.model_plan];
    (parts.trained_params, parts.frozen_params())
}

fn as_json(run: &Run) -> Value {
    let cells = run.plan.cells.iter().map(|cell| {
        let (trained, frozen) = params(run, cell);
        let spec = &cell.cell.spec;
        json!({
            "id": cell.cell.id, "seed": cell.cell.seed, "axes": cell.cell.axes,
            "vision": spec.model.vision,
            "bridge": spec.model.bridge,
            "language": spec.model.language,
            "stage1": cell.stage1.map(|at| &run.plan.stage1[at].key),
            "trained_params": trained, "frozen_params": frozen,
        })
    });
    json!({
        "name": run.spec.name,
        "question": run.spec.question,
        "out": crate::out::path(&run.out),
        "jobs": run.jobs,
        "cells": cells.collect::<Vec<_>>(), "stage1": run.plan.stage1, "estimate": run.estimate,
        "notes": run.plan.notes,
    })
}

fn as_text(run: &Run) -> String {
    let rows: Vec<Vec<String>> = run
        .plan
        .cells
        .iter()
        .map(|cell| {
            let (trained, frozen) = params(run, cell);
            let axes = cell
                .cell
                .axes
                .iter()
                .map(|(key, value)| format!("{key} = {value}"))
                .collect::<Vec<_>>()
                .join(", ");
            let stage1 = cell.stage1.map_or("-", |at| run.plan.stage1[at].key.as_str());
            vec![
                axes,
                cell.cell.seed.to_string(),
                stage1.to_owned(),
                count(trained as f64),
                count(frozen as f64),
                cell.cell.id.clone(),
            ]
        })
        .collect();
    let estimate = &run.estimate;
    let mut text = table(&["cell", "seed", "stage 1", "trained", "frozen", "id"], &rows);
    let facts = [
        ("cells", estimate.cells.to_string()),
        ("stage-1 runs", format!("{}, shared by the cells that name them", estimate.stage1_runs)),
        ("operations", format!("{}FLOP", spaced(&count(estimate.flops)))),
        ("memory", memory(estimate)),
        ("disk", format!("about {} in {}", bytes(estimate.disk_bytes), run.out.display())),
        ("time", format!("about {}", seconds(estimate.seconds))),
    ];
    text.push('\n');
    for (name, value) in facts {
        text.push_str(&format!("{name:<14}{value}\n"));
    }
    text
}

fn memory(estimate: &Estimate) -> String {
    let (all, one, jobs) = (bytes(estimate.memory_bytes), bytes(estimate.job_bytes), estimate.jobs);
    if jobs == 1 {
        format!("about {all}")
    } else {
        format!("about {all}, {one} for each of {jobs} jobs")
    }
}

/// Adds the space before a unit: `1.20 T` stays, `12` becomes `12 `.
pub fn spaced(number: &str) -> String {
    if number.ends_with(char::is_alphabetic) { number.to_owned() } else { format!("{number} ") }
}
