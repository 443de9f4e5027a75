//! `toolkit report`: the report of a run, made anew from its results.

use crate::context::Context;
use clap::Args as Arguments;
use std::path::PathBuf;
use toolkit_lab::report::{FIGURE_FILE, Results, figure_svg, html, markdown, summary, table};
use toolkit_lab::run::folder::AGAIN;
use toolkit_lab::{run::done, run::sealed};
use toolkit_system::files::write_bytes;
use toolkit_system::problem::Problem;

/// Writes report.html, report.md and the figure of a run again from its results.json, and prints
/// the table
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit report runs/ablate_stage1
  toolkit report runs/ablate_stage1 --json | jq .verdict")]
pub struct Args {
    /// Folder of the run
    dir: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// If there are no results, they are damaged, or the report cannot be written.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let path = args.dir.join("results.json");
    done::check(&args.dir, &["results.json"], AGAIN)?;
    let bytes = toolkit_system::input::read(&path).map_err(|error| {
        Problem::new(format_args!("cannot read the results: {error}")).at(path.display()).hint(
            "give the folder of a run that has ended; `toolkit run` resumes one that has \
not",
        )
    })?;
    let results: Results = serde_json::from_slice(&bytes).map_err(|error| {
        Problem::new(format_args!("these are no results of a run: {error}"))
            .at(path.display())
            .hint("the same `toolkit run` command writes them again")
    })?;
    for (file, text) in [
        ("report.html", html(&results)),
        ("report.md", markdown(&results)),
        (FIGURE_FILE, figure_svg(&results)),
    ] {
        write_bytes(&args.dir.join(file), text.as_bytes())?;
    }
    sealed::seal_report(&args.dir)?;
    context.print(|| serde_json::json!(summary(&results)), || table(&results))?;
    context.log.line(&args.dir.join("report.html").display().to_string());
    Ok(())
}
