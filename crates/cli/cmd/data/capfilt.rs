//! `toolkit data capfilt`: captions that a model draws, filtered by how well they match.

use crate::context::Context;
use crate::model_args::{ModelArgs, Precision, Purpose};
use crate::{interrupt, out};
use clap::{Args as Arguments, ValueEnum};
use serde_json::json;
use std::path::PathBuf;
use toolkit_data::DataName;
use toolkit_lab::capfilt::{CapFilt, CapFiltSettings, CapFiltSummary, RankBy};
use toolkit_lab::run::CheckpointChoice;

/// Draws captions for pictures, keeps the best ones beside the web text, and writes shards
///
/// As for BLIP-2: captions are drawn from a nucleus, ranked together with the picture's own texts,
/// and the best become its captions (`captions` in the .json of a sample). `web` has the own texts
/// and `candidates` all texts with their scores, so nothing is lost. Train on the folder as
/// `shards:DIR`: each visit of a picture takes one of its captions. After a kill the same command
/// goes on with the next shard.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit data capfilt folder:my-photos --captioner blip2-opt-2.7b-coco --matcher \
blip2-itm-vit-g-coco --out filtered
  toolkit data capfilt scenes:val --captioner runs/ablate_stage1 --out filtered --limit 100 --json")]
pub struct Args {
    /// CARD:SPLIT, folder:PATH or another name of data
    data: String,
    /// Model that draws captions: folder of a run, checkpoint or model card
    #[arg(long, value_name = "MODEL")]
    captioner: String,
    /// Cell of a run that draws captions [default: the first one with stage 1]
    #[arg(long, value_name = "ID")]
    captioner_cell: Option<String>,
    /// Model that ranks texts, with a text side [default: the captioner; of a run, after stage 1]
    #[arg(long, value_name = "MODEL")]
    matcher: Option<String>,
    /// Cell of a run that ranks texts [default: that of the captioner, or the first one with stage
    /// 1]
    #[arg(long, value_name = "ID")]
    matcher_cell: Option<String>,
    /// Type in which the matrices of encoders and language models are kept in memory
    #[arg(long, value_name = "TYPE", default_value = "f32")]
    dtype: Precision,
    /// Folder for the shards
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Captions that are drawn for each picture
    #[arg(long, value_name = "N", default_value_t = 10)]
    captions: usize,
    /// Texts that become captions of a picture
    #[arg(long, value_name = "N", default_value_t = 2)]
    keep: usize,
    /// Score by which texts are ranked
    #[arg(long, value_name = "SCORE", default_value = "itc")]
    rank_by: Rank,
    #[command(flatten)]
    sampling: Sampling,
    /// Take only the first so many pictures
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Pictures in a shard
    #[arg(long, value_name = "N", default_value_t = 1000)]
    shard_size: u64,
    /// Share of pictures that may be damaged; those are left out and named in damaged.jsonl
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    max_damaged: f64,
}

/// Score by which texts are ranked.
#[derive(Clone, Copy, ValueEnum)]
enum Rank {
    /// Contrast: the cosine of text and picture
    Itc,
    /// Matching: the probability that they belong together
    Itm,
}

/// Options of the draws.
#[derive(Arguments)]
struct Sampling {
    /// Prompt that captions continue; it is no part of them [default: that of a run's task card;
    /// none for published models]
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Draw from the most probable tokens that together reach this probability
    #[arg(long, value_name = "P", default_value_t = 0.9)]
    top_p: f64,
    /// Divide logits by this before drawing
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    temperature: f64,
    /// Most tokens of a caption [default: as `toolkit caption`]
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<usize>,
    /// Fewest tokens of a caption [default: as `toolkit caption`]
    #[arg(long, value_name = "N")]
    min_new_tokens: Option<usize>,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// Runs the command.
///
/// # Errors
/// If data or models cannot be used, the folder has other shards, or it cannot be written.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let (captioner_args, matcher_args) = models(args);
    if let DataName::Folder(folder) = DataName::parse(&args.data) {
        out::keep_inputs(&args.out, &[folder])?;
    }
    let data = context.registry.open_data(&args.data)?;
    data.notes().iter().for_each(|note| context.log.line(note));
    let captioner = captioner_args.open(context, Purpose::Generate)?;
    let matcher = matcher_args.open(context, Purpose::Compare)?;
    let (prompt, search) = captioner.caption_task(context)?;
    let settings = args.settings(prompt, &search);
    interrupt::say_how_to_go_on(&context.log, &args.out);
    let task = context.log.task("pictures captioned and ranked");
    let filter = CapFilt {
        captioner: &captioner.vlm,
        matcher: &matcher.vlm,
        stamps: [captioner_args.stamp(), matcher_args.stamp()],
        data: &*data,
        settings,
    };
    let summary = filter.write(&args.out, &task)?;
    for one in &summary.damaged {
        context.log.line(&format!("left out: {}: {}", out::shown(&one.id), one.reason));
    }
    context.print(
        || json!({ "out": out::path(&args.out), "summary": summary }),
        || text(args, &summary),
    )
}

/// Returns the options of both models. A matcher that is not named is the captioner.
fn models(args: &Args) -> (ModelArgs, ModelArgs) {
    let model = |model: &String, cell: &Option<String>| ModelArgs {
        model: model.clone(),
        cell: cell.clone(),
        checkpoint: CheckpointChoice::Latest,
        dtype: args.dtype,
    };
    let captioner = model(&args.captioner, &args.captioner_cell);
    let own = args.matcher.is_some() || args.matcher_cell.is_some();
    let cell = if own { &args.matcher_cell } else { &args.captioner_cell };
    let matcher = model(args.matcher.as_ref().unwrap_or(&args.captioner), cell);
    (captioner, matcher)
}

impl Args {
    fn settings(&self, prompt: String, search: &toolkit_vlm::Decoding) -> CapFiltSettings {
        let sampling = &self.sampling;
        let decoding = CapFiltSettings::nucleus(search, self.captions);
        let decoding = toolkit_vlm::Decoding {
            top_p: sampling.top_p,
            temperature: sampling.temperature,
            max_new_tokens: sampling.max_new_tokens.unwrap_or(decoding.max_new_tokens),
            min_new_tokens: sampling.min_new_tokens.unwrap_or(decoding.min_new_tokens),
            seed: sampling.seed,
            ..decoding
        };
        CapFiltSettings {
            decoding,
            prompt: sampling.prompt.clone().unwrap_or(prompt),
            rank_by: match self.rank_by {
                Rank::Itc => RankBy::Itc,
                Rank::Itm => RankBy::Itm,
            },
            keep: self.keep,
            limit: self.limit,
            shard_rows: self.shard_size,
            max_damaged: self.max_damaged,
        }
    }
}

fn text(args: &Args, summary: &CapFiltSummary) -> String {
    let CapFiltSummary { shards, rows, pictures, captions, web_captions, damaged } = summary;
    format!(
        "{}: {shards} shards, {pictures} of {rows} pictures, {captions} captions, of which \
        {web_captions} are the pictures' own; {} left out\n",
        out::shown(&args.out.display().to_string()),
        damaged.len()
    )
}
