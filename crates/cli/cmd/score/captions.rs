//! `toolkit score captions`.

use crate::context::Context;
use crate::meteor;
use crate::text::table;
use clap::Args as Arguments;
use serde_json::json;
use std::path::PathBuf;
use toolkit_eval::official::CaptionFiles;
use toolkit_eval::write_samples;
use toolkit_train::Progress;

/// Scores captions as pycocoevalcap does: BLEU-1 to 4, METEOR, ROUGE-L and CIDEr-D over PTB tokens
///
/// Keys and values are those of the official tool: shares, not percent (papers print 100 times that). CIDEr counts documents
/// among the references that are scored, so scores of a part of a split are not comparable with those of the whole.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit score captions --annotations coco_karpathy_test_gt.json --results mine.json
  toolkit score captions --annotations captions_val2014.json --results mine.json --partial --json
  toolkit score captions --annotations gt.json --results mine.json --samples each.jsonl")]
pub struct Args {
    /// References in COCO's form: {"images": [{"id"}], "annotations": [{"id", "image_id", "caption"}]}
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
    let task = context.log.task("captions: reading, scoring");
    task.start(0, 2);
    let files = CaptionFiles::read(&args.annotations, &args.results, args.partial)?;
    task.advance(1);
    let scored = files.score(&meteor::tables(context, args.meteor.as_deref())?)?;
    task.advance(1);
    task.finish();
    context.log.line(&format!("{} images", files.len()));
    if let Some(path) = &args.samples {
        write_samples(path, &scored.each)?;
    }
    let rows: Vec<Vec<String>> =
        scored.scores.iter().map(|(name, value)| vec![(*name).to_owned(), format!("{value:.4}")]).collect();
    context.print(|| json!(scored.scores), || table(&["metric", "score"], &rows))
}
