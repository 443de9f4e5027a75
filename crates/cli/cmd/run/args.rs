//! Arguments of `run` and `plan`.

use crate::context::Context;
use clap::Args as Arguments;
use std::path::PathBuf;
use toolkit_lab::run::RunOptions;

/// Arguments that `run` and `plan` share.
#[derive(Arguments)]
pub struct ExperimentArgs {
    /// Experiment file
    pub file: PathBuf,
    /// Use the values of the file's `[smoke]`: ends in under a minute, and shows only that the run
    /// works
    #[arg(long)]
    pub smoke: bool,
    /// Folder of the run [default: runs/NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Jobs at a time; does not change a result [default: that of the file, otherwise one for each
    /// core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Set a key of the file; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
}

impl ExperimentArgs {
    /// Returns the options of the run.
    #[must_use]
    pub fn options(&self, context: &Context) -> RunOptions {
        let mut command = command_line();
        if let Some(program) = command.first_mut() {
            let name = std::path::Path::new(program.as_str())
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            *program = name.unwrap_or_default();
        }
        RunOptions {
            cache: None,
            overrides: self.overrides.clone(),
            smoke: self.smoke,
            out: self.out.clone(),
            jobs: self.jobs.map(usize::from),
            command,
            device_name: context.device_name.clone(),
        }
    }
}

/// Returns the words of this call. Bytes that are not Unicode are replaced.
#[must_use]
pub fn command_line() -> Vec<String> {
    std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect()
}
