//! `toolkit reproduce`: runs a finished run again and compares the results.

use crate::cmd::run::args::command_line;
use crate::cmd::{diff, run};
use crate::context::Context;
use crate::fail::Different;
use clap::Args as Arguments;
use serde_json::json;
use std::path::{Path, PathBuf};
use toolkit_lab::LabError;
use toolkit_lab::compare::diff::{diff as compare, made_of};
use toolkit_lab::run::manifest::Manifest;
use toolkit_lab::run::sealed;
use toolkit_lab::run::{Run, RunOptions};
use toolkit_system::problem::Problem;

/// Repeats a finished run from the experiment in its folder, and compares logs, scores and samples
///
/// The same build gives the same results to the last bit on every x86-64 machine with AVX2: exit
/// code 0. Exit code 1 is a difference. Exit code 2, before anything is trained, is a run that is
/// not finished or is damaged, cards, weights or data that have changed, or a machine of another
/// class. Give the `--registry` folders of the first run.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit reproduce runs/ablate_stage1
  toolkit reproduce runs/ablate_stage1 --out /data/again --jobs 2")]
pub struct Args {
    /// Folder of a finished run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Folder of the repetition, which is resumed if it is there [default: RUN-again]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Jobs at a time; does not change a result
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

/// Runs the command.
///
/// # Errors
/// If the run is not finished, its inputs have changed, it cannot be run, or its results differ.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    // 1. Read what the run was made of.
    let manifest = Manifest::load(&args.run)?;
    check(&args.run, &manifest)?;
    // 2. Plan it again, and check that its inputs are still the same.
    let options = options(context, args);
    let source = context.source(&args.run.join("spec.toml"))?;
    let again = Run::prepare(source, &context.registry, &options)?;
    check_inputs(&args.run, &manifest, &again, &options)?;
    // 3. Run it again.
    let out = again.out.clone();
    run::carry_out(context, &again, &options)?;
    // 4. Compare.
    let found = compare(&args.run, &out)?;
    diff::note_unlisted(context, &found);
    let same = found.same_results();
    context.print(
        || json!({"same_results": same, "again": crate::out::path(&out), "diff": found}),
        || diff::text(&found),
    )?;
    if same {
        return Ok(());
    }
    let hint = format!(
        "`toolkit diff {} {}` says where it parts; another build is the usual reason",
        args.run.display(),
        out.display()
    );
    let problem = Problem::new("the repetition came out otherwise").at(out.display()).hint(hint);
    Err(Different(Some(problem)).into())
}

fn options(context: &Context, args: &Args) -> RunOptions {
    let name =
        args.run.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let again = args.run.with_file_name(format!("{name}-again"));
    RunOptions {
        out: Some(args.out.clone().unwrap_or(again)),
        jobs: args.jobs.map(usize::from),
        command: command_line(),
        device_name: context.device_name.clone(),
        ..RunOptions::default()
    }
}

/// Checks that cards, weights, data, seeds and device are those of the first run.
fn check_inputs(
    run: &Path,
    manifest: &Manifest,
    again: &Run,
    options: &RunOptions,
) -> anyhow::Result<()> {
    let planned = Manifest::new(&again.plan, &options.device_name, &options.command, Vec::new());
    let changed = made_of(manifest, &planned)?;
    let Some(first) = changed.first() else { return Ok(()) };
    let what = format!(
        "{} of what the run was made of is not what is here, the first is `{}`: was {}, is {}",
        changed.len(),
        first.at,
        first.a,
        first.b
    );
    let revision = if manifest.git.is_empty() { "of the manifest" } else { &manifest.git };
    let hint = if first.at == "arithmetic" {
        "only machines of one class compute the same bits: `docs/bits.md` has the classes"
            .to_owned()
    } else {
        format!("check out the revision {revision} and give the same `--registry` and `--device`")
    };
    Err(Problem::new(what).at(run.display()).hint(hint).into())
}

/// Checks that the run is finished and its results are as it wrote them: no other run can be
/// repeated.
fn check(run: &Path, manifest: &Manifest) -> Result<(), LabError> {
    sealed::check_finished(run, &manifest.cells)?;
    match sealed::damage(run)?.iter().find(|damage| !damage.is_needless()) {
        Some(damage) => {
            let hint = format!("{}; a damaged run says nothing about a repetition", damage.hint());
            Err(Problem::new(damage).hint(hint).into())
        }
        None => Ok(()),
    }
}
