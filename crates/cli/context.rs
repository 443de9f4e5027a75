//! Registry, device and log of every command.

use crate::progress::Log;
use crate::{device, out};
use burn::tensor::Device;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toolkit_data::Opening;
use toolkit_registry::{Registry, Source};
use toolkit_system::problem::Problem;

/// Options of every command.
#[derive(Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Folder of cards that win over the built-in ones of the same name; may be given several
    /// times, the last wins
    #[arg(long, global = true, value_name = "DIR")]
    pub registry: Vec<PathBuf>,
    /// Device of the tensors: flex (CPU, in every build), cuda, cuda:N, wgpu, libtorch (if built
    /// with that feature)
    #[arg(long, global = true, value_name = "NAME", default_value = "flex")]
    pub device: String,
    /// Write the result as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Most pixels of a picture; larger ones are not read [default: TOOLKIT_MOST_PIXELS, otherwise
    /// 200 million]
    #[arg(
        long,
        global = true,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub most_pixels: Option<u64>,
    /// Log errors only, and show no progress
    #[arg(long, global = true)]
    pub quiet: bool,
}

/// Cards, device and output of a command.
pub struct Context {
    /// Families and cards, overlays included.
    pub registry: Registry,
    /// `--device`.
    pub device_name: String,
    /// `--json`.
    pub json: bool,
    /// Progress and log.
    pub log: Log,
}

impl Context {
    /// Checks the global options.
    ///
    /// # Errors
    /// If an overlay is no folder, the device is not in this build, or the processor lacks the
    /// instructions of `TOOLKIT_ISA`.
    pub fn new(registry: Registry, global: Global) -> anyhow::Result<Self> {
        let registry = global.registry.into_iter().try_fold(registry, Registry::overlay)?;
        device::check(&global.device)?;
        device::check_instructions()?;
        if let Some(most) = global.most_pixels {
            toolkit_data::set_most_pixels(most);
        }
        toolkit_data::check_most_pixels()?;
        let log = Log::new(global.quiet);
        let opening = Opening { reporter: Arc::new(log.clone()), ..registry.opening() };
        let registry = registry.opening_data(opening);
        Ok(Self { registry, device_name: global.device, json: global.json, log })
    }

    /// Opens the device and tries it out.
    ///
    /// # Errors
    /// If it does not open.
    pub fn device(&self) -> anyhow::Result<Device> {
        device::open(&self.device_name)
    }

    /// Reads a TOML file.
    ///
    /// # Errors
    /// If it is not there, not text, or not TOML.
    pub fn source(&self, file: &Path) -> anyhow::Result<Source> {
        let text = toolkit_system::input::read_to_string(file).map_err(|error| {
            Problem::new(format_args!("cannot read the file: {error}"))
                .at(file.display())
                .hint("give a TOML file, such as experiments/ablate_stage1.toml")
        })?;
        Ok(Source::new(file.display().to_string(), text)?)
    }

    /// Prints `value` as JSON if that was asked for, otherwise the text.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn print(
        &self,
        value: impl FnOnce() -> serde_json::Value,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        if self.json { out::json(&value()) } else { out::out(&text()) }
    }
}
