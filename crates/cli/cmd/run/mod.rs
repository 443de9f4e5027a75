//! `toolkit run`: carries out an experiment file.

pub mod args;
pub mod pretrain;

use self::args::ExperimentArgs;
use crate::cmd::plan;
use crate::context::Context;
use crate::interrupt;
use clap::Args as Arguments;
use toolkit_lab::experiment::kind::{Experiment, kind};
use toolkit_lab::plan::splits::Splits;
use toolkit_lab::report::{Results, summary, table};
use toolkit_lab::run::folder::{RunFolder, SCORES_FILE};
use toolkit_lab::run::{Run, RunOptions};

/// Runs an experiment: an ablation, or the pre-training of backbones
///
/// All output goes to one folder. The same command skips finished jobs and resumes interrupted
/// ones, so a kill costs seconds. Files are compared with the hashes that were stored with them.
/// Damaged files are computed again, or named if only training can make them. The table of results
/// goes to standard output.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit run experiments/ablate_stage1.toml --plan
  toolkit run experiments/ablate_stage1.toml --smoke
  toolkit run experiments/ablate_stage1.toml --out /data/ablation --jobs 2
  toolkit run experiments/ablate_stage1.toml --set stage2.steps=300 --set 'seeds=[1,2]'
  toolkit run experiments/pretrain_nano.toml --out runs/nano     then: --registry runs/nano/registry")]
pub struct Args {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Print the jobs and their cost, and stop
    #[arg(long)]
    pub plan: bool,
}

/// Runs the command.
///
/// # Errors
/// If the file is wrong, or training, evaluation or the report fails.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    if args.plan {
        return plan::show(context, &args.experiment);
    }
    let source = context.source(&args.experiment.file)?;
    let options = args.experiment.options(context);
    if let Experiment::Pretrain(_) = kind(&source)? {
        return pretrain::run(context, &source, &options);
    }
    let run = Run::prepare(source, &context.registry, &options)?;
    run.plan.splits.iter().flat_map(Splits::notes).for_each(|note| context.log.line(&note));
    run.plan.notes.iter().for_each(|note| context.log.line(&format!("note: {note}")));
    let results = carry_out(context, &run, &options)?;
    context.print(|| serde_json::json!(summary(&results)), || table(&results))?;
    for file in ["report.html", "report.md"] {
        context.log.line(&format!("{}", run.out.join(file).display()));
    }
    Ok(())
}

/// Carries out a planned run, with progress.
///
/// # Errors
/// If training, evaluation or the report fails.
pub fn carry_out(context: &Context, run: &Run, options: &RunOptions) -> anyhow::Result<Results> {
    let device = context.device()?;
    run.check(&context.registry, &device)?;
    let folder = RunFolder::new(&run.out);
    let stages = run.plan.stage1.iter().map(|stage| folder.stage1(&stage.key));
    let cells = run.plan.cells.iter().map(|cell| folder.cell(&cell.cell.id));
    interrupt::say_how_to_go_on(&context.log, &run.out);
    let _watch = context
        .log
        .watch(&run.spec.name, stages.chain(cells).map(|dir| dir.join(SCORES_FILE)).collect());
    Ok(run.carry_out(&context.registry, &device, &context.log, options)?)
}
