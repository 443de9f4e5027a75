//! `toolkit convert`: a checkpoint in another published form.

use crate::context::Context;
use crate::model_args::{ModelArgs, Purpose};
use clap::builder::RangedU64ValueParser;
use clap::{Args as Arguments, ValueEnum};
use std::path::PathBuf;
use tokenizers::processors::template::TemplateProcessing;
use toolkit_checkpoints::config::{LanguageConfig, VisionConfig};
use toolkit_checkpoints::convert::{Configs, To, convert, export};
use toolkit_checkpoints::write::{Form, Summary};
use toolkit_lab::run::is_run;
use toolkit_models::weights::StoredDtype;
use toolkit_registry::Card;
use toolkit_system::problem::Problem;
use toolkit_tokenizer::TextTokenizer;

/// Writes a checkpoint in another published form
///
/// The source is a Hugging Face folder, a LAVIS .pth with a config.json next to it, or a run. `hf`
/// writes a folder that transformers loads: `Blip2ForConditionalGeneration` for a model with a
/// language model, `Blip2ForImageTextRetrieval` for one without. `lavis` writes a .pth with the
/// parts that LAVIS trains (`--all`: the frozen parts too). Settings that the other form has no
/// place for are named. Tensors are read and written one at a time. The output appears whole or not
/// at all; the next call removes the rest of a killed one.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit convert blip2_pretrained/checkpoint.pth converted/ --to hf
  toolkit convert runs/mine converted/ --to hf --store bf16
  toolkit convert blip2-opt-2.7b/ blip2.pth --to lavis --all")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Folder (hf) or .pth file (lavis) to write
    out: PathBuf,
    /// Form to write
    #[arg(long, value_name = "FORM")]
    to: Target,
    /// Convert the bridge of a run after stage 1, for retrieval
    #[arg(long)]
    stage1: bool,
    /// Write the frozen parts too (lavis)
    #[arg(long)]
    all: bool,
    /// Type of stored floats
    #[arg(long, value_name = "TYPE", default_value = "f32")]
    store: Stored,
    /// Most bytes of one weight file
    #[arg(long, value_name = "BYTES", default_value_t = 5_000_000_000, value_parser = shard())]
    shard: u64,
}

/// Returns the limits that a weight file may have. Below a megabyte there would be a file for every
/// tensor.
fn shard() -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(1_000_000..)
}

/// A published form.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Target {
    /// A Hugging Face folder
    Hf,
    /// A LAVIS .pth
    Lavis,
}

/// Type of stored floats.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Stored {
    /// Exact
    F32,
    /// Half the size
    Bf16,
    /// Half the size
    F16,
}

/// Runs the command.
///
/// # Errors
/// If the checkpoint cannot be read, or the other form has no place for it.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let to = match args.to {
        Target::Hf => To::HuggingFace,
        Target::Lavis => To::Lavis { all: args.all },
    };
    let dtype = match args.store {
        Stored::F32 => StoredDtype::F32,
        Stored::Bf16 => StoredDtype::Bf16,
        Stored::F16 => StoredDtype::F16,
    };
    let form = Form { dtype, shard: args.shard };
    let path = PathBuf::from(&args.model.model);
    let summary = if is_run(&path) {
        of_run(context, args, to, form)?
    } else {
        convert(&args.model.path(context)?, &args.out, to, form)?
    };
    summary.note.iter().for_each(|note| context.log.line(note));
    if !summary.left_out.is_empty() {
        let shown = summary.left_out.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
        let more = if summary.left_out.len() > 4 {
            format!(" and {} more", summary.left_out.len() - 4)
        } else {
            String::new()
        };
        context.log.line(&format!("no place for {shown}{more}"));
    }
    context.print(
        || serde_json::to_value(&summary).unwrap_or_default(),
        || summary.files.iter().map(|file| format!("{}\n", file.display())).collect(),
    )
}

fn of_run(context: &Context, args: &Args, to: To, form: Form) -> anyhow::Result<Summary> {
    let purpose = if args.stage1 { Purpose::Compare } else { Purpose::Generate };
    let loaded = args.model.open(context, purpose)?;
    let cell =
        loaded.cell.ok_or_else(|| Problem::new("this is no run").hint("give the folder of one"))?;
    let (vlm, model_plan) = (&loaded.vlm, &cell.model_plan);
    let card = &model_plan.vision.card;
    let vision = match card.family.as_str() {
        "eva" => VisionConfig::Eva(card.config()?),
        "vit" => VisionConfig::Clip(card.config()?),
        other => {
            return Err(Problem::new(format_args!(
                "no published form has an encoder of family `{other}`"
            ))
            .hint("`eva` and `vit` have one")
            .into());
        }
    };
    let qformer = vlm.bridge.qformer().map(|_| model_plan.bridge.card.config()).transpose()?;
    let language = vlm
        .language
        .as_ref()
        .and(model_plan.language.as_ref())
        .map(|part| language(&part.card))
        .transpose()?;
    let tokenizer = tokenizer(&vlm.tokenizer()?.tokenizer, language.as_ref())?;
    let configs = Configs { vision, qformer, language, tokenizer };
    Ok(export(vlm, configs, &args.out, to, form)?)
}

/// Returns the tokenizer with the special tokens that a published one puts around a text itself.
fn tokenizer(ours: &TextTokenizer, language: Option<&LanguageConfig>) -> anyhow::Result<String> {
    let (before, after) = match language {
        Some(LanguageConfig::Opt(_) | LanguageConfig::Llama(_)) => (ours.bos, None),
        Some(LanguageConfig::T5(_)) => (None, ours.eos.map(|ends| ends.first())),
        None => (ours.cls, ours.sep),
    };
    let token = |id: Option<u32>| id.and_then(|id| Some((ours.token(id)?, id)));
    let (before, after) = (token(before), token(after));
    let name = |token: &Option<(String, u32)>| token.as_ref().map(|(text, _)| text.clone());
    let template = [name(&before), Some("$A".to_owned()), name(&after)]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    let processor = TemplateProcessing::builder()
        .try_single(template.join(" "))
        .map_err(|error| {
            Problem::new(format_args!("cannot say how texts begin and end: {error}"))
                .hint("this is a defect, report it")
        })?
        .special_tokens([before, after].into_iter().flatten().collect::<Vec<_>>())
        .build()?;
    let mut inner = ours.inner().clone();
    inner.with_post_processor(Some(processor));
    Ok(serde_json::to_string_pretty(&inner)?)
}

fn language(card: &Card) -> anyhow::Result<LanguageConfig> {
    match card.family.as_str() {
        "opt" => Ok(LanguageConfig::Opt(card.config()?)),
        "t5" => Ok(LanguageConfig::T5(card.config()?)),
        other => Err(Problem::new(format_args!(
            "no published form has a language model of family `{other}`"
        ))
        .hint("`opt` and `t5` have one")
        .into()),
    }
}
