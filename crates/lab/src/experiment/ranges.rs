//! Ranges in which the numbers of an experiment file mean something.
//!
//! Types let a negative learning rate pass, and training then climbs the loss without a word. Each
//! number has one line here; the file's own check names the first that is out of its range.

use toolkit_train::optim::OptimConfig;
use toolkit_train::schedule::{Schedule, ScheduleKind};

/// Most optimiser steps of a stage; the paper's stage 1 takes 250,000.
const MOST_STEPS: u64 = 1 << 40;

/// Most images of a step; the paper's largest batch has 2,320.
pub const MOST_IMAGES: usize = 1 << 20;

/// A number of an experiment file that is out of its range.
pub struct OutOfRange {
    /// Dotted key.
    pub key: String,
    /// The number and the range.
    pub what: String,
    /// A value that makes sense.
    pub hint: &'static str,
}

/// Returns an error with `value` unless `holds`.
fn within(
    key: String,
    value: impl std::fmt::Display,
    holds: bool,
    range: &str,
    hint: &'static str,
) -> Result<(), OutOfRange> {
    if holds {
        return Ok(());
    }
    Err(OutOfRange { what: format!("`{key}` = {value} is not {range}"), key, hint })
}

/// Checks the learning rates of `table`, such as `stage1.schedule`.
///
/// # Errors
/// The first rate that cannot train.
pub fn schedule(table: &str, schedule: &Schedule) -> Result<(), OutOfRange> {
    let Schedule { kind, peak, floor, warmup, warmup_start, steps_per_epoch } = *schedule;
    let key = |name: &str| format!("{table}.{name}");
    within(
        key("peak"),
        peak,
        peak > 0.0 && peak.is_finite(),
        "above 0",
        "a rate such as 1e-4; a negative one climbs the loss",
    )?;
    let range = format!("from 0 to `peak` = {peak}");
    within(
        key("floor"),
        floor,
        (0.0..=peak).contains(&floor),
        &range,
        "the rate falls from `peak` to `floor`; 0 is the default",
    )?;
    within(
        key("warmup"),
        warmup,
        warmup <= MOST_STEPS,
        "a number of steps",
        "give the steps of the warm-up",
    )?;
    let epochs = kind == ScheduleKind::LavisEpoch;
    let only = "only `kind = \"lavis_epoch\"` has it; leave it out of a cosine per step";
    let (range, hint) =
        if epochs { (&*range, "1e-6 is that of LAVIS's recipes") } else { ("0", only) };
    within(
        key("warmup_start"),
        warmup_start,
        if epochs { (0.0..=peak).contains(&warmup_start) } else { warmup_start == 0.0 },
        range,
        hint,
    )?;
    let (range, hint) = if epochs {
        ("1 or more", "give the steps of one pass over the data")
    } else {
        ("0", only)
    };
    let valid =
        if epochs { (1..=MOST_STEPS).contains(&steps_per_epoch) } else { steps_per_epoch == 0 };
    within(key("steps_per_epoch"), steps_per_epoch, valid, range, hint)
}

/// Checks the optimiser's settings in `table`, such as `stage1.optim`.
///
/// # Errors
/// The first setting that AdamW is not defined for.
pub fn optim(table: &str, optim: &OptimConfig) -> Result<(), OutOfRange> {
    let key = |name: &str| format!("{table}.{name}");
    for beta in optim.betas {
        within(
            key("betas"),
            beta,
            (0.0..1.0).contains(&beta),
            "from 0 to below 1",
            "the paper's are [0.9, 0.98]",
        )?;
    }
    within(
        key("eps"),
        optim.eps,
        optim.eps > 0.0 && optim.eps.is_finite(),
        "above 0",
        "1e-8 is the default",
    )?;
    for (name, value) in [("weight_decay", optim.weight_decay), ("clip", optim.clip)] {
        within(key(name), value, value >= 0.0 && value.is_finite(), "0 or more", "0 turns it off")?;
    }
    Ok(())
}

/// Checks a share of probability that is spread, such as label smoothing.
///
/// # Errors
/// If it is not from 0 to below 1.
pub fn share(key: &str, value: f64) -> Result<(), OutOfRange> {
    within(
        key.to_owned(),
        value,
        (0.0..1.0).contains(&value),
        "from 0 to below 1",
        "0.1 is the paper's; 0 turns it off",
    )
}

/// Checks the weight of a loss.
///
/// # Errors
/// If it is negative or no number: training would climb that loss.
pub fn weight(key: &str, value: f64) -> Result<(), OutOfRange> {
    within(
        key.to_owned(),
        value,
        value >= 0.0 && value.is_finite(),
        "0 or more",
        "0 leaves the loss out",
    )
}

/// Checks a factor that must count for something.
///
/// # Errors
/// If it is 0, negative or no number.
pub fn positive(key: &str, value: f64) -> Result<(), OutOfRange> {
    within(key.to_owned(), value, value > 0.0 && value.is_finite(), "above 0", "1 is the default")
}

/// Checks the number of steps of a part that trains.
///
/// # Errors
/// If there are none, or more than any run takes.
pub fn steps(key: &str, value: u64) -> Result<(), OutOfRange> {
    let hint = match key {
        "stage1.steps" => {
            "no steps train nothing; to leave stage 1 out, set `stage1.enabled = false`"
        }
        "stage2.steps" => {
            "no steps train nothing; to train stage 1 alone, set `kind = \"train\"` and leave \
            `[stage2]` out"
        }
        _ => "no steps train nothing; to leave a part out, take its table out of the file",
    };
    within(
        key.to_owned(),
        value,
        (1..=MOST_STEPS).contains(&value),
        &format!("from 1 to {MOST_STEPS}"),
        hint,
    )
}

/// Checks a number of images or samples that are worked on together, of which there must be
/// `least`.
///
/// # Errors
/// If there are fewer, or more than any machine holds.
pub fn images(key: &str, value: usize, least: usize) -> Result<(), OutOfRange> {
    let hint = match key {
        "stage1.batch" => {
            "give the images of one step; stage 1 needs at least two images, or there is no \
            negative"
        }
        "eval.batch" => "give the samples that are evaluated together; 64 is the default",
        _ => "give the images of one step",
    };
    let range = format!("from {least} to {MOST_IMAGES}");
    within(key.to_owned(), value, (least..=MOST_IMAGES).contains(&value), &range, hint)
}

/// Returns a note if the rate of `table`, such as `stage1`, climbs until the last of `steps` and
/// never falls.
/// Smoke settings shorten steps and not the warm-up, so this is no error.
#[must_use]
pub fn warmup_note(table: &str, schedule: &Schedule, steps: u64) -> Option<String> {
    let Schedule { kind, peak, warmup, steps_per_epoch, .. } = *schedule;
    if kind == ScheduleKind::LavisEpoch && (steps_per_epoch..steps).contains(&warmup) {
        let last = schedule.rate(steps_per_epoch.saturating_sub(1), steps);
        return Some(format!(
            "`{table}.schedule.warmup` = {warmup} is cut at the first epoch of \
            {steps_per_epoch} steps, as in LAVIS: it ends at {last}, not at {peak}."
        ));
    }
    (warmup >= steps).then(|| {
        let end = match schedule.rate(steps.saturating_sub(1), steps) {
            _ if warmup == steps => format!(
                "reaches its peak {peak} at the last step and never \
                falls"
            ),
            last => format!("never reaches its peak {peak}, and is {last} at the last step"),
        };
        format!(
            "`{table}.schedule.warmup` = {warmup} of `{table}.steps` = {steps}: the learning \
            rate {end}."
        )
    })
}

/// Most threads of a job; more than any machine has cores only take turns.
const MOST_THREADS: usize = 1024;

/// Checks the threads of a job.
///
/// # Errors
/// If there are none, or more than any machine runs at once.
pub fn threads(key: &str, value: usize) -> Result<(), OutOfRange> {
    let range = format!("from 1 to {MOST_THREADS}");
    within(
        key.to_owned(),
        value,
        (1..=MOST_THREADS).contains(&value),
        &range,
        "1 is the default: results depend on it",
    )
}

/// Checks the number of checkpoints that stay.
///
/// # Errors
/// If there is none: a training goes on from the last one.
pub fn kept(key: &str, value: usize) -> Result<(), OutOfRange> {
    within(key.to_owned(), value, value > 0, "1 or more", "1, the default, keeps the last one")
}

/// Checks a number of micro-batches of a step of `batch` images.
///
/// # Errors
/// If there are none, or some would be empty.
pub fn micro_batches(key: &str, value: usize, batch: usize) -> Result<(), OutOfRange> {
    let range = format!("from 1 to the {batch} images of a step");
    within(key.to_owned(), value, (1..=batch).contains(&value), &range, "1 is the default")
}
