//! `toolkit bench`: how fast this machine, device and model are.

use crate::context::Context;
use crate::model_args::Precision;
use crate::text::{bytes, count, table};
use clap::{Args as Arguments, ValueEnum};
use serde_json::json;
use std::path::PathBuf;
use toolkit_data::Augment;
use toolkit_lab::bench::{BenchSetup, BenchWork, Timing, measure};
use toolkit_lab::run::provenance;
use toolkit_registry::Kind;
use toolkit_system::problem::Problem;
use toolkit_system::progress::Progress;

/// Times the pieces of a run on this machine: reading pictures, encoding, a step of each stage,
/// generating text
///
/// Weights are random and data synthetic, so any card can be measured, with or without its
/// weights. With `--weights real`, generation takes those of the card. Each piece is timed several times after one warm-up; the table has medians. Run it on a
/// quiet machine: other processes slow it down.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit bench
  toolkit bench stage1 stage2 --model blip2-opt-2.7b --batch 8 --rounds 3
  toolkit bench decode --language opt-1.3b --beams 5 --json
  toolkit bench decode --language smollm2-135m --weights real --dtype file --prompt 128
  toolkit bench data --images photos --vision vit-l
  toolkit bench data --shards 'cc3m/{00000..00331}.tar' --size 224 --threads 2")]
pub struct Args {
    /// Pieces to time [default: all]
    #[arg(value_name = "WORK")]
    works: Vec<WorkName>,
    /// Model card whose parts are measured
    #[arg(long, value_name = "NAME", conflicts_with_all = ["vision", "bridge", "language"])]
    model: Option<String>,
    /// Encoder
    #[arg(long, value_name = "NAME", default_value = "vit-nano")]
    vision: String,
    /// Bridge
    #[arg(long, value_name = "NAME", default_value = "qformer-nano")]
    bridge: String,
    /// Language model
    #[arg(long, value_name = "NAME", default_value = "opt-nano")]
    language: String,
    /// Pictures of a batch
    #[arg(
        long,
        value_name = "N",
        default_value_t = 16,
        value_parser = clap::value_parser!(u64).range(1..=65536)
    )]
    batch: u64,
    /// Longest caption in tokens; stage 1 draws from 8 (or it, if that is less) to it
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        value_parser = clap::value_parser!(u64).range(3..=512)
    )]
    text: u64,
    /// Switch off the dropout of the bridge's card
    #[arg(long)]
    no_dropout: bool,
    /// Run the language model's blocks again in the backward pass of stage 2 instead of keeping
    /// their activations
    #[arg(long)]
    recompute: bool,
    /// Tokens before the generated ones, soft prefix included
    #[arg(
        long,
        value_name = "N",
        default_value_t = 33,
        value_parser = clap::value_parser!(u64).range(2..=2048)
    )]
    prompt: u64,
    /// Tokens to generate
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        value_parser = clap::value_parser!(u64).range(1..=1024)
    )]
    new_tokens: u64,
    /// Texts that are generated together
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(1..=4096)
    )]
    texts: u64,
    /// Beams; 1 is greedy search
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(1..=64)
    )]
    beams: u64,
    /// Type in which the language model's matrices are kept during generation
    #[arg(long, value_name = "TYPE", default_value = "f32")]
    dtype: Precision,
    /// Weights of the language model during generation
    #[arg(long, value_name = "KIND", default_value = "random")]
    weights: WeightsKind,
    /// Folder with pictures [default: 32 synthetic ones of 640 x 480]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Tar files, or folders of them, instead of picture files: every pass reads all samples
    #[arg(long, value_name = "GLOB", conflicts_with = "images")]
    shards: Option<String>,
    /// Augmentation of pictures, as in an experiment [default: blip2_image_train with `--shards`,
    /// none otherwise]
    #[arg(long, value_name = "NAME", value_parser = augment)]
    augment: Option<Augment>,
    /// Side of the encoder's input in pixels [default: that of the encoder]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..=4096))]
    size: Option<u32>,
    /// Measurements of each piece
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5,
        value_parser = clap::value_parser!(u64).range(1..=10_000)
    )]
    rounds: u64,
    /// Threads [default: the cores of this machine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum WeightsKind {
    /// Drawn
    Random,
    /// Those of the card, after `toolkit data fetch`
    Real,
}

#[derive(Clone, Copy, ValueEnum)]
enum WorkName {
    /// Decoding and preprocessing of picture files
    Data,
    /// The frozen encoder on a batch
    Encode,
    /// A step of stage 1 with its backward pass and AdamW
    Stage1,
    /// A step of stage 2 with its backward pass and AdamW
    Stage2,
    /// Generation of text after a soft prefix
    Decode,
}

impl From<WorkName> for BenchWork {
    fn from(name: WorkName) -> Self {
        match name {
            WorkName::Data => Self::Data,
            WorkName::Encode => Self::Encode,
            WorkName::Stage1 => Self::Stage1,
            WorkName::Stage2 => Self::Stage2,
            WorkName::Decode => Self::Decode,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// If a card is unknown, parts do not fit, or a picture cannot be read.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let works: Vec<BenchWork> = match args.works.as_slice() {
        [] => BenchWork::ALL.to_vec(),
        named => named.iter().map(|&name| name.into()).collect(),
    };
    let setup = setup(context, args, &works)?;
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.map_or_else(cores, |threads| threads as usize);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| {
        Problem::new(format_args!("{threads} threads cannot be started: {e}"))
            .hint("give fewer `--threads`")
    })?;
    let progress = context.log.task("bench");
    let mut all = Vec::with_capacity(works.len());
    progress.start(0, works.len() as u64);
    for work in works {
        all.push(pool.install(|| measure(&setup, work))?);
        progress.advance(1);
    }
    progress.finish();
    let (machine, device) = (provenance::machine(), &context.device_name);
    context.print(
        || {
            let toolkit = format!("{} {}", env!("CARGO_PKG_VERSION"), provenance::git_revision());
            json!({
                "machine": machine, "device": device, "threads": threads, "toolkit": toolkit,
                "works": all,
            })
        },
        || format!("{machine}, {threads} threads, {device}\n\n{}", listing(&all)),
    )
}

/// Reads the name of an augmentation.
fn augment(name: &str) -> Result<Augment, String> {
    let known = || format!("the names are {}", Augment::presets().join(", "));
    Augment::preset(name).ok_or_else(known)
}

/// Returns the sizes and cards that are measured.
fn setup<'a>(
    context: &'a Context,
    args: &Args,
    works: &[BenchWork],
) -> anyhow::Result<BenchSetup<'a>> {
    let [vision, bridge, language] = match &args.model {
        Some(model) => parts(context, model, works)?,
        None => [args.vision.clone(), args.bridge.clone(), args.language.clone()],
    };
    Ok(BenchSetup {
        registry: &context.registry,
        device: context.device()?,
        vision,
        bridge,
        language,
        batch: args.batch as usize,
        text: [args.text.min(8) as usize, args.text as usize],
        dropout: !args.no_dropout,
        recompute: args.recompute,
        prompt: args.prompt as usize,
        new_tokens: args.new_tokens as usize,
        texts: args.texts as usize,
        beams: args.beams as usize,
        kept: args.dtype.into(),
        real: args.weights == WeightsKind::Real,
        images: args.images.clone(),
        shards: args.shards.clone(),
        augment: args.augment.clone().unwrap_or_else(|| match args.shards {
            Some(_) => Augment::preset("blip2_image_train").unwrap_or_default(),
            None => Augment::default(),
        }),
        size: args.size,
        rounds: args.rounds as usize,
    })
}

/// Returns the encoder, bridge and language model of a model card.
fn parts(context: &Context, model: &str, works: &[BenchWork]) -> anyhow::Result<[String; 3]> {
    let card = context.registry.card(Kind::Model, model)?;
    let parts = card.parts.ok_or_else(|| {
        Problem::new(format_args!("model `{model}` names no parts"))
            .hint("add `vision` and `bridge`")
    })?;
    let writes = works.iter().any(|work| matches!(work, BenchWork::Stage2 | BenchWork::Decode));
    if writes && parts.language.is_none() {
        return Err(Problem::new(format_args!("model `{model}` has no language model"))
            .hint("name the works that need none: data encode stage1")
            .into());
    }
    Ok([parts.vision, parts.bridge, parts.language.unwrap_or_default()])
}

fn listing(all: &[Timing]) -> String {
    let row = |m: &Timing| {
        let fastest = m.seconds.iter().copied().fold(f64::INFINITY, f64::min);
        let slowest = m.seconds.iter().copied().fold(0.0, f64::max);
        let memory = |held: u64| if held > 0 { bytes(held) } else { "–".to_owned() };
        vec![
            m.work.name().to_owned(),
            duration(m.median),
            format!("{} to {}", duration(fastest), duration(slowest)),
            format!("{} {}/s", count(m.items / m.median), m.unit),
            memory(m.peak_bytes),
            memory(m.planned_bytes),
            m.of.clone(),
        ]
    };
    let mut text = table(
        &["work", "median", "range", "rate", "memory", "planned", "of"],
        &all.iter().map(row).collect::<Vec<_>>(),
    );
    for m in all {
        let fact = |name: &str| m.facts.get(name).copied();
        if let (Some(rate), Some(bandwidth)) = (fact("bytes_per_second"), fact("memory_bandwidth"))
        {
            text.push_str(&format!(
                "\ndecode reads {} of weights a step, {}/s; memory gives {}/s\n",
                bytes(fact("bytes_per_step").unwrap_or(0.0) as u64),
                bytes(rate as u64),
                bytes(bandwidth as u64)
            ));
        }
        if let (Some(prompt), Some(decode)) =
            (fact("prompt_tokens_per_second"), fact("decode_tokens_per_second"))
        {
            let line = format!("\nprompt {prompt:.1} tokens/s, decode {decode:.1} tokens/s\n");
            text.push_str(&line);
        }
        if let Some(rate) = fact("flops_per_second") {
            text.push_str(&format!("\n{} does {}FLOP/s\n", m.work.name(), count(rate)));
        }
    }
    text
}

/// Renders a time, such as `12.3 ms`.
fn duration(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}
