//! A research toolkit for BLIP-2-style vision-language pre-training: a bridge between a frozen
//! image encoder and a frozen language model, trained, ablated, evaluated and used.
//!
//! ```
//! use burn::tensor::Device;
//! use toolkit::{Decoding, Loading, open};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hub-opt");
//! let vlm = open(folder, Loading::on(&Device::flex()))?;
//! let picture = vlm.picture(format!("{folder}/small.png"))?;
//! let captions = vlm.caption(&[picture], "a photo of", &Decoding::published_caption())?;
//! assert_eq!(captions.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! | module or name | purpose |
//! |---|---|
//! | [`core`] | the traits of an encoder, a bridge and a language model |
//! | [`Registry`] | families and cards: models, data sets, tasks |
//! | [`Vlm`], [`open`] | one model in memory; a published checkpoint opened as one |
//! | [`lab`] | experiments: plan, run, results; `lab::run::TrainedRun` opens the models of a run |
//! | [`run`] | the command line |
//! | [`prelude`] | one `use` for a crate that adds models, data sets, losses or tasks |
//!
//! A plug-in is a binary of its own. Its `main` has `use toolkit::prelude::*` and calls [`run`]
//! with more families: `toolkit::run(Registry::builtin().vision::<MyVit>("my-vit"))`.
//!
//! Standard output is data, standard error is log and progress. An error is one line that begins
//! with `error: `, and the exit code is 2. Where two runs were compared and differ, it is 1.

mod cmd;
mod context;
mod decoding;
mod device;
mod fail;
mod interrupt;
mod memory;
mod meteor;
mod model_args;
mod numbers;
mod out;
mod pictures;
pub mod prelude;
mod progress;
mod text;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use context::{Context, Global};
use std::process::ExitCode;

pub use toolkit_checkpoints::{Loading, open};
pub use toolkit_core as core;
pub use toolkit_lab as lab;
pub use toolkit_registry::Registry;
pub use toolkit_vlm::{Decoding, Vlm};

/// Vision-language pre-training in the manner of BLIP-2: a bridge between a frozen image encoder
/// and a frozen language model, trained, ablated, evaluated and used.
#[derive(Parser)]
#[command(name = "toolkit", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  toolkit doctor                                         is everything in order?
  toolkit list                                           which models, data and tasks there are
  toolkit data preview scenes --out scenes.png           what the built-in data looks like
  toolkit run experiments/ablate_stage1.toml --plan      what an experiment would do and cost
  toolkit run experiments/ablate_stage1.toml --smoke     try it in under a minute
  toolkit run experiments/ablate_stage1.toml             run it; the same command resumes it
  toolkit caption runs/ablate_stage1 photo.png           use what it trained
  toolkit eval blip2-opt-2.7b --tasks vqav2              measure it, beside what was published
  toolkit score captions --annotations A --results R     anyone's results by the official metrics
  toolkit reproduce runs/ablate_stage1                   does the same come out again?
  toolkit verify blip2-opt-2.7b/ --reference FILE        does it compute what its source does?

Results go to standard output (`--json` for machines), progress to standard error. Errors end with \
exit code 2.";

#[derive(Subcommand)]
enum Command {
    Run(cmd::run::Args),
    Plan(cmd::plan::Args),
    List(cmd::list::Args),
    Inspect(cmd::inspect::Args),
    Data(cmd::data::Args),
    Caption(cmd::caption::Args),
    Vqa(cmd::vqa::Args),
    Chat(cmd::chat::Args),
    Match(cmd::matching::Args),
    Attend(cmd::attend::Args),
    Embed(cmd::embed::Args),
    Retrieve(cmd::retrieve::Args),
    Eval(cmd::eval::Args),
    Score(cmd::score::Args),
    Verify(cmd::verify::Args),
    Convert(cmd::convert::Args),
    Report(cmd::report::Args),
    Diff(cmd::diff::Args),
    Reproduce(cmd::reproduce::Args),
    Bench(cmd::bench::Args),
    Doctor(cmd::doctor::Args),
}

/// Parses the command line, runs the command with the families and cards of `registry`, and returns
/// the exit code.
#[must_use]
pub fn run(registry: Registry) -> ExitCode {
    memory::ask_for_huge_pages();
    memory::keep_freed();
    interrupt::let_size_limits_be_errors();
    let parsed = command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return fail::usage(&error),
    };
    match Context::new(registry, cli.global).and_then(|context| dispatch(&context, &cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail::report(&error),
    }
}

fn dispatch(context: &Context, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Run(args) => cmd::run::run(context, args),
        Command::Plan(args) => cmd::plan::run(context, args),
        Command::List(args) => cmd::list::run(context, args),
        Command::Inspect(args) => cmd::inspect::run(context, args),
        Command::Data(args) => cmd::data::run(context, args),
        Command::Caption(args) => cmd::caption::run(context, args),
        Command::Vqa(args) => cmd::vqa::run(context, args),
        Command::Chat(args) => cmd::chat::run(context, args),
        Command::Match(args) => cmd::matching::run(context, args),
        Command::Attend(args) => cmd::attend::run(context, args),
        Command::Embed(args) => cmd::embed::run(context, args),
        Command::Convert(args) => cmd::convert::run(context, args),
        Command::Eval(args) => cmd::eval::run(context, args),
        Command::Score(args) => cmd::score::run(context, args),
        Command::Verify(args) => cmd::verify::run(context, args),
        Command::Retrieve(args) => cmd::retrieve::run(context, args),
        Command::Diff(args) => cmd::diff::run(context, args),
        Command::Reproduce(args) => cmd::reproduce::run(context, args),
        Command::Report(args) => cmd::report::run(context, args),
        Command::Bench(args) => cmd::bench::run(context, args),
        Command::Doctor(args) => cmd::doctor::run(context, args),
    }
}

/// Returns the definition of the command line, for documentation and tests.
#[must_use]
pub fn command() -> clap::Command {
    numbers::take_negative(Cli::command())
}
