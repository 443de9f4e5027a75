//! Many picture files, a few at a time: memory does not grow with their number.

use crate::context::Context;
use anyhow::bail;
use clap::Args;
use image::RgbImage;
use rayon::prelude::*;
use std::path::PathBuf;
use toolkit_data::DataError;
use toolkit_system::problem::{Problem, has_hint};
use toolkit_system::progress::Progress;
use toolkit_vlm::{BATCH, Vlm};

/// Treatment of unreadable pictures.
#[derive(Args, Clone, Copy)]
pub struct Unreadable {
    /// Leave out pictures that cannot be read, and name them on standard error [default: the first
    /// one is an error]
    #[arg(long)]
    pub skip_unreadable: bool,
}

/// Decodes `files` and gives them to `work` in batches: the places of those that were read, and
/// their pixels.
///
/// Pictures that are left out are reported as they are met, and counted at the end.
///
/// # Errors
/// If a picture cannot be read and those are not left out, if none can be read, or if `work` fails.
pub fn in_batches(
    context: &Context,
    vlm: &Vlm,
    files: &[PathBuf],
    unreadable: Unreadable,
    mut work: impl FnMut(&[usize], &[RgbImage]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (task, processor) = (context.log.task("pictures"), vlm.processor()?);
    Progress::start(&task, 0, files.len() as u64);
    let mut skipped = 0;
    for (batch, chunk) in files.chunks(BATCH).enumerate() {
        let decoded: Vec<Result<RgbImage, DataError>> =
            chunk.par_iter().map(|path| processor.picture(path)).collect();
        let (mut places, mut pictures) = (Vec::new(), Vec::new());
        for (at, picture) in decoded.into_iter().enumerate() {
            let at = batch * BATCH + at;
            match picture {
                Ok(picture) => {
                    places.push(at);
                    pictures.push(picture);
                }
                Err(error) if unreadable.skip_unreadable && error.is_unreadable() => {
                    context.log.line(&format!("left out: {error}"));
                    skipped += 1;
                }
                Err(error) if error.is_unreadable() && files.len() > 1 => {
                    bail!("{}", with_option(&error.to_string()))
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !pictures.is_empty() {
            work(&places, &pictures)?;
        }
        Progress::advance(&task, chunk.len() as u64);
    }
    Progress::finish(&task);
    if !files.is_empty() && skipped == files.len() {
        let what = format!("none of {} pictures can be read", files.len());
        bail!(Problem::new(what).hint("`toolkit data check folder:DIR` says why"));
    }
    if skipped > 0 {
        context.log.line(&format!(
            "{skipped} of {} pictures were left out: they cannot be read",
            files.len()
        ));
    }
    Ok(())
}

/// Adds the option to the hint of an error about one picture of many.
#[must_use]
pub fn with_option(error: &str) -> String {
    let option = "`--skip-unreadable` leaves such pictures out";
    if has_hint(error) {
        format!("{error}, or {option}")
    } else {
        Problem::new(error).hint(option).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::with_option;

    #[test]
    fn the_option_joins_the_hint_that_is_there() {
        let option = "`--skip-unreadable` leaves such pictures out";
        assert_eq!(with_option("a; hint: b"), format!("a; hint: b, or {option}"));
        assert_eq!(with_option("a"), format!("a; hint: {option}"));
    }
}
