//! `toolkit data pack`: shards from any data set.

use crate::context::Context;
use crate::text::{bytes, count};
use clap::Args as Arguments;
use rayon::prelude::*;
use serde_json::json;
use std::cell::RefCell;
use std::path::PathBuf;
use toolkit_data::{DataError, Dataset, PackedSample, ShardSize, ShardStats, ShardWriter};
use toolkit_system::problem::Problem;
use toolkit_system::progress::Progress;
use toolkit_system::size::parse_size;

/// Pictures that are read at a time, on all cores.
const TOGETHER: usize = 128;
/// Unreadable pictures that are named.
const NAMED: usize = 5;

/// Writes a data set as shards: tar files in the form of webdataset
///
/// A sample is a picture, a .json with its captions and, if it has one caption, a .txt. The .json
/// also has what webdataset has no name for, so that training from the shards gives the numbers of
/// the data set itself. Picture files are copied; rendered pictures are written as PNG. A shard
/// appears whole, and the same command goes on after a kill. Unreadable pictures are left out,
/// counted and named.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit data pack scenes:train --out scenes-shards
  toolkit data pack coco:train --out coco-shards --shard-size 500MB
  toolkit data pack folder:my-photos --out my-shards --limit 1000 --json")]
pub struct Args {
    /// CARD:SPLIT, folder:PATH or shards:GLOB
    data: String,
    /// Folder of the shards: a new one, or one that this command began
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Most items to write [default: all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Samples of a shard, or its bytes, as in 500MB
    #[arg(long, value_name = "SIZE", default_value = "10000", value_parser = shard_size)]
    shard_size: ShardSize,
}

fn shard_size(text: &str) -> Result<ShardSize, String> {
    match text.parse::<u64>() {
        Ok(samples) if samples > 0 => Ok(ShardSize::Samples(samples)),
        Ok(_) => Err("a shard has at least one sample".to_owned()),
        Err(_) => parse_size(text)
            .map(ShardSize::Bytes)
            .ok_or_else(|| "write a number of samples, or bytes such as 500MB".to_owned()),
    }
}

/// Runs the command.
///
/// # Errors
/// If the data cannot be opened, no picture can be read, or a shard cannot be written.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let data = context.registry.open_data(&args.data)?;
    let total = args.limit.map_or(data.len(), |limit| limit.min(data.len()));
    let size = match args.shard_size {
        ShardSize::Samples(samples) => json!({ "samples": samples }),
        ShardSize::Bytes(bytes) => json!({ "bytes": bytes }),
    };
    let about = json!({
        "data": data.name(), "fingerprint": data.fingerprint(), "items": total, "shard": size,
    });
    let writer = ShardWriter::open(&args.out, args.shard_size, &about)?;
    let first = usize::try_from(writer.taken()).unwrap_or(total).min(total);
    let progress = context.log.task(&format!("packing {}", data.name()));
    progress.start(first as u64, total as u64);
    let unreadable = RefCell::new(Unreadable::default());
    let blocks = (first..total).step_by(TOGETHER).flat_map(|start| {
        let block = read(&*data, start..total.min(start + TOGETHER));
        progress.advance(block.len() as u64);
        block
    });
    let samples = blocks.map(|sample| match sample {
        Ok(sample) => Ok(Some(sample)),
        Err(error) if error.is_unreadable() => {
            unreadable.borrow_mut().add(context, &error);
            Ok(None)
        }
        Err(error) => Err(error),
    });
    let shards = writer.write(samples)?;
    progress.finish();
    tell(context, args, &*data, &shards, unreadable.into_inner())
}

/// Reads neighbouring items on all cores.
fn read(data: &dyn Dataset, items: std::ops::Range<usize>) -> Vec<Result<PackedSample, DataError>> {
    items.into_par_iter().map(|index| PackedSample::of(data, index)).collect()
}

/// Pictures that could not be read.
#[derive(Default)]
struct Unreadable {
    count: usize,
    first: Option<Problem>,
}

impl Unreadable {
    /// Counts a picture, and names it if it is one of the first.
    fn add(&mut self, context: &Context, error: &DataError) {
        self.count += 1;
        if self.count <= NAMED {
            context.log.line(&format!("left out: {}", error.problem().without_hint()));
        }
        self.first.get_or_insert_with(|| error.problem());
    }
}

/// Prints the numbers of all shards of the folder.
fn tell(
    context: &Context,
    args: &Args,
    data: &dyn Dataset,
    shards: &[ShardStats],
    unreadable: Unreadable,
) -> anyhow::Result<()> {
    let sum = |of: fn(&ShardStats) -> u64| shards.iter().map(of).sum::<u64>();
    let (samples, captions) = (sum(|one| one.successes), sum(|one| one.captions));
    let (size, left_out) = (sum(|one| one.bytes), sum(|one| one.count - one.successes));
    context.print(
        || {
            json!({
                "data": data.name(), "out": crate::out::path(&args.out), "shards": shards.len(),
                "samples": samples, "captions": captions, "left_out": left_out, "bytes": size,
            })
        },
        || {
            let numbers = format!(
                "{} pictures, {} captions in {} shards of {}",
                count(samples as f64),
                count(captions as f64),
                shards.len(),
                bytes(size)
            );
            let left = if left_out > 0 { format!("; {left_out} left out") } else { String::new() };
            format!("{numbers}{left}\n")
        },
    )?;
    match unreadable.first {
        Some(first) if samples == 0 => Err(first.into()),
        _ => Ok(()),
    }
}
