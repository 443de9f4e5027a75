//! `toolkit eval`: tasks on their data, for any model.

mod outcome;
mod task;
mod wanted;

use crate::context::Context;
use crate::interrupt;
use crate::model_args::{LoadedModel, ModelArgs, Purpose};
use crate::pictures::Unreadable;
use anyhow::bail;
use clap::Args as Arguments;
use clap::builder::RangedU64ValueParser;
use outcome::{Outcome, finished, key, lines};
use serde_json::json;
use std::path::{Path, PathBuf};
use task::measured;
use toolkit_eval::{MeteorTables, Needs, PAPER};
use toolkit_system::files::sweep_temporaries;
use toolkit_system::problem::Problem;
use wanted::{Wanted, wanted};

/// Measures a run, a published checkpoint or a model card by tasks: questions, captions, retrieval
///
/// A task card names the scores, the data and the search for text. Nothing is trained. Scores are
/// in percent; CIDEr is on the scale of the official tool, 0 to 10. Main scores have a 95 %
/// bootstrap interval over pictures. Beside them is the published score, if the task card has one
/// of this model and no option changes the task. A folder given by `--out` gets
/// `TASK/samples.jsonl` and `TASK/scores.json` of each task. After a kill, the same command goes
/// on there.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit eval runs/ablate_stage1 --tasks scenes-vqa,scenes-caption,scenes-retrieval --out scores
  toolkit eval blip2-opt-2.7b --tasks vqav2,nocaps --preset lavis --json
  toolkit eval blip2-opt-2.7b/ --tasks small-caption --data folder:my-photos --limit 100")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    unreadable: Unreadable,
    /// Task cards, separated by commas (`toolkit list tasks`)
    #[arg(long, alias = "task", value_name = "NAMES", required = true, value_delimiter = ',')]
    tasks: Vec<String>,
    /// CARD:SPLIT or folder:PATH, for all tasks [default: the data that each task card names]
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// Settings of a task card: `paper` or one of its [presets]
    #[arg(long, value_name = "NAME", default_value = PAPER)]
    preset: String,
    /// At most so many questions or pictures, drawn once and for all
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Prompt, with {} for a question [default: that of the task, the preset or the model; the
    /// paper's]
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Folder for the samples and scores of each task
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Samples evaluated together
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = together())]
    batch: usize,
}

/// Runs the command.
///
/// # Errors
/// If the model, a task or its data cannot be used.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    if let Some(out) = &args.out {
        interrupt::say_how_to_go_on(&context.log, out);
        for task in &args.tasks {
            // Half-written files of an earlier call that was killed.
            sweep_temporaries(&out.join(task));
        }
    }
    check(args)?;

    // 1. All cards and data, before a model is read.
    let all = wanted(context, args)?;

    // 2. Each task, with the model that it needs.
    let meteor = MeteorTables::new(&context.registry);
    let mut model = ModelInUse(None);
    let mut outcomes: Vec<Outcome> = Vec::new();
    for wanted in &all {
        let key = key(args, wanted);
        if let Some(done) = finished(args, wanted, &key) {
            context.log.line(&format!("{}: is done", wanted.card.name));
            outcomes.push(done);
            continue;
        }
        let opened = model.for_task(context, args, wanted)?;
        outcomes.push(measured(context, args, opened, wanted, &meteor, key)?);
    }

    // 3. The scores.
    context.print(|| json!(outcomes), || lines(&outcomes))
}

/// Checks the options that their types do not.
fn check(args: &Args) -> anyhow::Result<()> {
    if args.limit == Some(0) {
        bail!(
            Problem::new("`--limit 0` leaves nothing to measure")
                .at("--limit 0")
                .hint("leave it out for all samples")
        );
    }
    let twice = args.tasks.iter().enumerate().find(|(at, name)| args.tasks[..*at].contains(name));
    if let Some((_, name)) = twice {
        bail!(
            Problem::new(format_args!("task `{name}` is named twice"))
                .at("--tasks")
                .hint("name each once")
        );
    }
    Ok(())
}

/// Model that is open, with the needs that it was opened for.
struct ModelInUse(Option<(Needs, LoadedModel)>);

impl ModelInUse {
    /// Returns the model for a task. A run has two: the bridge after stage 2 generates text, the
    /// one after stage 1 compares.
    fn for_task(
        &mut self,
        context: &Context,
        args: &Args,
        wanted: &Wanted,
    ) -> anyhow::Result<&LoadedModel> {
        let needs = wanted.family.needs;
        let is_run = toolkit_lab::run::is_run(Path::new(&args.model.model));
        let (opened_for, opened) = match self.0.take() {
            Some((of, opened)) if of == needs || !is_run => (of, opened),
            other => {
                // Free the model before, so that there is room for the next.
                drop(other);
                let purpose = match needs {
                    Needs::Language => Purpose::Generate,
                    Needs::TextTower => Purpose::Compare,
                };
                (needs, args.model.open(context, purpose)?)
            }
        };
        Ok(&self.0.insert((opened_for, opened)).1)
    }
}

/// Returns the parser of a number of samples that are evaluated together.
fn together() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=65_536)
}
