//! `toolkit score captions`.

use crate::context::Context;
use crate::meteor;
use crate::text::{decimals, table};
use clap::Args as Arguments;
use serde_json::json;
use std::path::PathBuf;
use toolkit_eval::official::CaptionFiles;
use toolkit_eval::write_samples;
use toolkit_system::progress::Progress;

/// Scores captions as pycocoevalcap does: BLEU-1 to 4, METEOR, ROUGE-L and CIDEr-D over PTB tokens
///
/// Keys and units are those of the official tool: shares from 0 to 1, and CIDEr from 0 to 10.
/// `toolkit eval` and runs have the same scores in percent, but for CIDEr. CIDEr counts documents
/// among the references that are scored, so scores of a part of a split are not comparable with
/// those of the whole.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit score captions --annotations coco_karpathy_test_gt.json --results mine.json
  toolkit score captions --annotations captions_val2014.json --results mine.json --partial --json
  toolkit score captions --annotations gt.json --results mine.json --samples each.jsonl")]
pub struct Args {
    /// References in COCO's form: {"images": [{"id"}], "annotations": [{"id", "image_id",
    /// "caption"}]}
    #[arg(long, value_name = "FILE")]
    annotations: PathBuf,
    /// Captions: [{"image_id", "caption"}], one for each image
    #[arg(long, value_name = "FILE")]
    results: PathBuf,
    /// Folder of pycocoevalcap with METEOR's tables [default: what `toolkit data fetch meteor` got]
    #[arg(long, value_name = "DIR")]
    meteor: Option<PathBuf>,
    /// Leave out images without a result
    #[arg(long)]
    partial: bool,
    /// Write tokens and scores of each image to a JSON Lines file
    #[arg(long, value_name = "FILE")]
    samples: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// If a file cannot be read, is malformed, or does not go with the other.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let files = CaptionFiles::read(&args.annotations, &args.results, args.partial)?;
    context.log.line(&format!("{} images", files.len()));
    let (meteor, missing) = meteor::tables(context, args.meteor.as_deref())?;
    let task = context.log.task("scoring captions");
    let scored = files.score(&meteor, &task)?;
    task.finish();
    if let Some(path) = &args.samples {
        write_samples(path, scored.each(&files))?;
    }
    let partial = args.partial.then(|| {
        format!(
            "CIDEr is that of these {} images: it depends on which images are scored together.",
            files.len()
        )
    });
    let notes: Vec<String> = scored.notes.into_iter().chain(partial).chain(missing).collect();
    let number = |value: &Option<f64>| decimals(value.unwrap_or(f64::NAN), 4);
    let rows: Vec<Vec<String>> =
        scored.scores.iter().map(|(name, value)| vec![(*name).to_owned(), number(value)]).collect();
    super::print(context, json!(scored.scores), &notes, || table(&["metric", "score"], &rows))
}
