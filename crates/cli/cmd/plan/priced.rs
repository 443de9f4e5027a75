//! `toolkit plan --on DEVICE`: the price of a plan, by a data sheet and an assumption.

use crate::context::Context;
use crate::text::{bytes, count, table};
use clap::Args as Arguments;
use toolkit_lab::plan::devices::device;
use toolkit_lab::plan::estimate::Estimate;
use toolkit_lab::plan::price::{ASSUMED_SHARE, Price, price};
use toolkit_system::problem::Problem;

/// Options of a price.
#[derive(Arguments)]
pub struct PriceArgs {
    /// Price the plan on a device, by its data sheet: v100-16, v100-32, t4, a100-40, a100-80, a10,
    /// rtx-3090, rtx-4090, l4, l40s, h100 or h200
    #[arg(long, value_name = "DEVICE")]
    on: Option<String>,
    /// Devices among which the work is divided evenly
    #[arg(long, value_name = "N", default_value_t = 1, requires = "on",
        value_parser = clap::value_parser!(u64).range(1..=100_000))]
    devices: u64,
    /// Share of the peak that a training is assumed to reach, above 0 and at most 1
    #[arg(long, value_name = "SHARE", default_value_t = ASSUMED_SHARE, requires = "on")]
    share: f64,
}

impl PriceArgs {
    /// Refuses to price a pre-training of backbones, whose operations are not counted by device.
    ///
    /// # Errors
    /// If a device is named.
    pub fn refuse(&self) -> Result<(), Problem> {
        match &self.on {
            None => Ok(()),
            Some(name) => Err(Problem::new("a pre-training of backbones has no price")
                .at(format_args!("--on {name}"))
                .hint("leave `--on` out; it prices stage 1 and stage 2")),
        }
    }

    /// Prices a plan, if a device is named. Logs that nothing of it was measured.
    ///
    /// # Errors
    /// If the device is unknown or the share is out of its range.
    pub fn price(&self, context: &Context, estimate: &Estimate) -> Result<Option<Price>, Problem> {
        let Some(name) = &self.on else { return Ok(None) };
        if !(self.share > 0.0 && self.share <= 1.0) {
            return Err(Problem::new(format_args!("`--share {}` is no share", self.share))
                .at("--share")
                .hint("write a number above 0 and at most 1, such as 0.3"));
        }
        context.log.line(
            "note: nothing was measured on such a device: peaks and memory are those of the data \
            sheet, the share of the peak is an assumption, bytes are counted for the order of work \
            on the CPU",
        );
        Ok(Some(price(estimate, device(name)?, self.devices, self.share)))
    }
}

/// Renders a price.
pub fn text(price: &Price) -> String {
    let devices = match price.devices {
        1 => String::new(),
        n => format!("{n} x "),
    };
    let head = format!(
        "\nOn {devices}{} ({}, {}/s), if {:.0} % of the peak is reached:\n",
        price.device.title,
        bytes(price.device.bytes),
        bytes(price.device.bandwidth as u64),
        100.0 * price.assumed_share,
    );
    let rows = price.precisions.iter().map(|one| {
        let fits = if one.fits { "yes" } else { "no" };
        vec![
            one.name.to_owned(),
            format!("{}FLOP/s", count(one.peak_flops)),
            hours(one.hours),
            bytes(one.bytes),
            fits.to_owned(),
        ]
    });
    let columns = ["precision", "peak", "time", "memory", "fits"];
    head + &table(&columns, &rows.collect::<Vec<_>>())
}

/// Renders hours: minutes below one, days above a few.
fn hours(hours: f64) -> String {
    match hours {
        h if h < 1.0 => format!("{:.1} min", 60.0 * h),
        h if h < 72.0 => format!("{h:.1} h"),
        h => format!("{:.1} days", h / 24.0),
    }
}
