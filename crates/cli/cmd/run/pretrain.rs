//! `run` and `plan` of a file with `kind = "pretrain"`.

use crate::context::Context;
use crate::interrupt;
use crate::text::{count, table};
use serde_json::{Value, json};
use toolkit_lab::plan::pretrain_plan::PretrainPlan;
use toolkit_lab::run::RunOptions;
use toolkit_lab::work::pretrain;
use toolkit_registry::{Card, Source};

fn prepare(
    context: &Context,
    source: &Source,
    options: &RunOptions,
) -> anyhow::Result<PretrainPlan> {
    let plan = PretrainPlan::new(source, &context.registry, options)?;
    plan.spec.notes().iter().for_each(|note| context.log.line(&format!("note: {note}")));
    Ok(plan)
}

/// Prints the parts that a pre-training would train.
///
/// # Errors
/// If something is wrong with the file or its cards.
pub fn plan(context: &Context, source: &Source, options: &RunOptions) -> anyhow::Result<()> {
    let plan = prepare(context, source, options)?;
    context.print(|| plan_json(&plan), || plan_text(&plan))
}

fn plan_json(plan: &PretrainPlan) -> Value {
    let parts = plan.parts().map(|(part, cost, flops)| {
        json!({
            "kind": part.kind, "card": part.card, "steps": part.steps, "batch": part.batch,
            "params": cost.params, "flops": flops,
        })
    });
    json!({
        "name": plan.spec.name, "out": crate::out::path(&plan.out),
        "parts": parts.collect::<Vec<_>>(),
    })
}

fn plan_text(plan: &PretrainPlan) -> String {
    let rows = plan.parts().map(|(part, cost, flops)| {
        let (params, flops) = (count(cost.params as f64), count(flops));
        vec![part.card.clone(), part.steps.to_string(), part.batch.to_string(), params, flops]
    });
    let head = ["part", "steps", "batch", "parameters", "operations"];
    table(&head, &rows.collect::<Vec<_>>())
        + &format!("\nwritten to {}\n", plan.registry_folder().display())
}

/// Trains backbones and prints their scores.
///
/// # Errors
/// If the file is wrong, or training fails.
pub fn run(context: &Context, source: &Source, options: &RunOptions) -> anyhow::Result<()> {
    let plan = prepare(context, source, options)?;
    let device = context.device()?;
    interrupt::say_how_to_go_on(&context.log, &plan.out);
    let jobs =
        options.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    pretrain::run(&plan.spec, &context.registry, &plan.out, &device, jobs, &context.log)?;
    let cards = plan.trained_cards(&context.registry)?;
    let folder = plan.registry_folder();
    let name = |card: &Card| format!("{}/{}", card.kind.folder(), card.name);
    let as_json = || {
        let entry = |card: &Card| json!({"card": name(card), "scores": card.scores});
        let entries: Vec<Value> = cards.iter().map(entry).collect();
        json!({"registry": crate::out::path(&folder), "cards": entries})
    };
    let as_text = || {
        let score = |(name, value): (&String, &f64)| format!("  {name:<32}{value:.4}\n");
        let scores = |card: &Card| card.scores.iter().map(score).collect::<String>();
        cards.iter().map(|card| format!("{}\n{}", name(card), scores(card))).collect()
    };
    context.print(as_json, as_text)?;
    context.log.line(&format!("use them with --registry {}", folder.display()));
    Ok(())
}
