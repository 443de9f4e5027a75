//! `toolkit data`: gets data, and looks at it before anything is trained on it.

mod capfilt;
mod check;
pub mod fetch;
mod looked;
mod pack;
mod preview;
mod published;
mod summary;

use crate::context::Context;
use clap::{Args as Arguments, Subcommand};

/// Gets data and weights, and looks at data before anything is trained on it
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit data preview scenes
  toolkit data fetch small --plan
  toolkit data check folder:my-photos
  toolkit data pack scenes:train --out scenes-shards")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Preview(preview::Args),
    Check(check::Args),
    Pack(pack::Args),
    Capfilt(capfilt::Args),
    Fetch(fetch::Args),
}

/// Runs the command.
///
/// # Errors
/// If the data cannot be opened or read.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Preview(args) => preview::run(context, args),
        Command::Check(args) => check::run(context, args),
        Command::Pack(args) => pack::run(context, args),
        Command::Capfilt(args) => capfilt::run(context, args),
        Command::Fetch(args) => fetch::run(context, args),
    }
}
