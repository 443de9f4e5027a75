//! `toolkit diff`: why two runs differ.

use crate::context::Context;
use crate::fail::Different;
use crate::text::{decimals, table};
use clap::Args as Arguments;
use serde_json::{Value, json};
use std::path::PathBuf;
use toolkit_lab::compare::diff::{RunDiff, diff};
use toolkit_lab::compare::outcome::{Paired, compare, is_evaluation, tasks_alone};
use toolkit_lab::compare::training::Parting;
use toolkit_lab::compare::values::Difference;
use toolkit_lab::run::damage::Damage;
use toolkit_system::problem::Problem;

/// Explains why two runs differ: inputs, the first step that differs, samples that changed
///
/// Cells are paired by the values of the axes and the seed. Numbers are compared to the last bit:
/// the same run gives the same bytes on every x86-64 machine with AVX2. Files that changed since the
/// run wrote them are named. The exit code is 0 if the results are the same and 1 if they differ. Changed
/// files that hold only times, or the state of an optimiser that has finished, are named but do not
/// count.
///
/// Two folders of `toolkit eval --out` are compared sample by sample: the difference with its 95 %
/// bootstrap interval, and a paired permutation test, both over pictures, Holm-corrected over
/// tasks. Scores may differ there. The exit code is 0 if both measured the same tasks on the same
/// data. It is 1 if a task or a sample is in one only, or the task card or the data differ. It is 2
/// if samples are not those that `scores.json` was made from.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit diff runs/ablate_stage1 runs/ablate_stage1_again
  toolkit diff runs/a runs/b --json
  toolkit diff scores/opt-2.7b scores/flan-t5-xl")]
pub struct Args {
    /// Folder of a run, or of an evaluation
    #[arg(value_name = "RUN_A")]
    a: PathBuf,
    /// Folder of the run, or of the evaluation, to compare with
    #[arg(value_name = "RUN_B")]
    b: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// If one of the folders is no finished run.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    if is_evaluation(&args.a) && is_evaluation(&args.b) {
        return evaluations(context, args);
    }
    for (one, other) in [(&args.a, &args.b), (&args.b, &args.a)] {
        if is_evaluation(one) && !is_evaluation(other) {
            let what = format!(
                "{} is an evaluation, this is none, or none that is finished",
                one.display()
            );
            return Err(Problem::new(what)
                .at(other.display())
                .hint("compare two evaluations or two runs")
                .into());
        }
    }
    let found = diff(&args.a, &args.b)?;
    note_unlisted(context, &found);
    context
        .print(|| json!({"same_results": found.same_results(), "diff": found}), || text(&found))?;
    if found.same_results() { Ok(()) } else { Err(Different(None).into()) }
}

/// Compares two evaluations. Other scores are no error, but other things that were measured are a
/// difference.
fn evaluations(context: &Context, args: &Args) -> anyhow::Result<()> {
    let (found, alone) = (compare(&args.a, &args.b)?, tasks_alone(&args.a, &args.b));
    for file in found.iter().flat_map(|paired| &paired.unlisted) {
        context.log.line(&format!(
            "{}: `scores.json` has no hash of it, so damage cannot be told",
            file.display()
        ));
    }
    for task in &alone {
        context.log.line(&format!("{task}: only one of the two has this task"));
    }
    context.print(|| json!(found), || paired(&found))?;
    let same = alone.is_empty() && found.iter().all(Paired::same_measurement);
    if same { Ok(()) } else { Err(Different(None).into()) }
}

/// Notes the runs that have no hashes to find damage by.
pub fn note_unlisted(context: &Context, found: &RunDiff) {
    for run in &found.unlisted {
        let again = "the same `toolkit run` command writes it";
        context
            .log
            .line(&format!("{}: no done.json, so damage cannot be told; {again}", run.display()));
    }
}

fn paired(found: &[Paired]) -> String {
    let p = |p: f64| if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") };
    let rows = found.iter().map(|f| {
        let digits = if f.score == "cider" { 3 } else { 2 };
        let number = |value: f64| decimals(value, digits);
        let interval = f
            .difference
            .map_or(String::new(), |d| format!("[{}, {}]", number(d.low), number(d.high)));
        let mut samples = f.shared.to_string();
        if f.alone > 0 {
            samples += &format!(", {} in one only", f.alone);
        }
        if !f.unlike.is_empty() {
            samples += &format!("; NOT the same {}", f.unlike.join(" and "));
        }
        let difference = format!("{} {interval}", number(f.a - f.b));
        vec![
            f.task.clone(),
            f.score.clone(),
            number(f.a),
            number(f.b),
            difference,
            p(f.p),
            p(f.p_holm),
            samples,
        ]
    });
    let head = ["task", "score", "first", "second", "difference", "p", "p, Holm", "samples"];
    table(&head, &rows.collect::<Vec<_>>())
}

/// Renders the differences as tables.
#[must_use]
pub fn text(found: &RunDiff) -> String {
    let mut parts = Vec::new();
    let mut section = |title: &str, head: &[&str], rows: Vec<Vec<String>>| {
        if !rows.is_empty() {
            parts.push(format!("{title}\n{}", table(head, &rows)));
        }
    };
    let different = |all: &[Difference]| {
        all.iter().map(|d| vec![d.at.clone(), short(&d.a), short(&d.b)]).collect()
    };
    section("Made of", &["what", "first", "second"], different(&found.made_of));
    section("Experiment", &["key", "first", "second"], different(&found.experiment));
    section("Only in one", &["cell"], found.alone.iter().map(|cell| vec![cell.clone()]).collect());
    let damaged = |d: &Damage| {
        let found = d.found.clone().unwrap_or_else(|| "it is gone".to_owned());
        vec![d.file.display().to_string(), short(&d.written.clone().into()), short(&found.into())]
    };
    let head = ["file", "as it was written", "now"];
    section("Damaged", &head, found.damaged.iter().map(damaged).collect());
    section(
        "Damaged, but no result depends on it",
        &head,
        found.needless.iter().map(damaged).collect(),
    );
    let apart = found.training.iter().filter(|p| !p.same()).map(parting).collect();
    section(
        "Training parts",
        &["stage", "from step", "of", "most in", "relative", "steps in one only", "weights"],
        apart,
    );
    section("Scores", &["score", "first", "second"], different(&found.scores));
    let samples = found.samples.iter().filter(|s| s.texts + s.scores + s.alone > 0);
    let samples = samples.map(|s| {
        [s.shared, s.texts, s.scores, s.alone].iter().map(ToString::to_string).fold(
            vec![s.file.clone()],
            |mut row, n| {
                row.push(n);
                row
            },
        )
    });
    section(
        "Samples",
        &["file", "shared", "other text", "other score", "in one only"],
        samples.collect(),
    );
    let steps: usize = found.training.iter().map(|p| p.shared).sum();
    let rows: usize = found.samples.iter().map(|s| s.shared).sum();
    parts.push(match found.same_results() {
        true => format!(
            "The results are the same: {steps} logged steps and {rows} samples, to the last bit.\n"
        ),
        false => {
            format!("The results differ; {steps} logged steps and {rows} samples were compared.\n")
        }
    });
    parts.join("\n")
}

fn parting(p: &Parting) -> Vec<String> {
    let (name, relative) = p.most.clone().unwrap_or_default();
    let step = p.step.map_or_else(String::new, |step| step.to_string());
    let relative = if p.step.is_some() { format!("{relative:.1e}") } else { String::new() };
    let weights = if p.weights.is_some() { "differ" } else { "the same" };
    vec![
        p.stage.clone(),
        step,
        p.shared.to_string(),
        name,
        relative,
        p.alone.to_string(),
        weights.to_owned(),
    ]
}

/// Renders a value on a line; long ones, such as hashes, by their start.
fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
