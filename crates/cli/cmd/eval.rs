//! `toolkit eval`: one task on one data set, for any model.

use crate::context::Context;
use crate::opened::{Opened, Purpose, Which};
use crate::text::table;
use anyhow::{anyhow, bail};
use burn::tensor::Tensor;
use clap::Args as Arguments;
use image::RgbImage;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use toolkit_core::noise;
use toolkit_data::Dataset;
use toolkit_eval::{
    Speaker, Task, caption, captioned_items, question_pairs, retrieve, unique_captions, vqa, write_samples,
};
use toolkit_lab::parts::open_data;
use toolkit_registry::{Card, Kind, Origin};
use toolkit_train::stage1::TextMarks;
use toolkit_train::{Progress, TrainError};

/// Measures a run, a published checkpoint or a model card by a task: questions, captions or retrieval
///
/// The task card says what is measured and how text is searched for, the data set is any with what the task needs. Nothing
/// is trained. `toolkit run` measures its cells by the tasks of the experiment itself; this is for other data.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit eval runs/ablate_stage1_small --task small-vqa --data easy-vqa:test --limit 1000
  toolkit eval blip2-opt-2.7b/ --task small-caption --data small:test --samples captions.jsonl
  toolkit eval blip2-itm-vit-g/ --task small-retrieval --data folder:my-photos --json")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Task card
    #[arg(long, value_name = "NAME")]
    task: String,
    /// CARD:SPLIT or folder:PATH
    #[arg(long, value_name = "DATA")]
    data: String,
    /// At most so many questions or pictures, drawn once and for all
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Prompt of a published model, with {} for a question [default: the paper's]
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Write each answer or caption to a JSON Lines file
    #[arg(long, value_name = "FILE")]
    samples: Option<PathBuf>,
    /// Samples evaluated together
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch: usize,
}

/// Runs the command.
///
/// # Errors
/// If the model, the task or the data cannot be used.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let card = context.registry.card(Kind::Task, &args.task)?;
    let data = open_data(&context.registry, &args.data)?;
    let purpose = if card.family == "retrieval" { Purpose::Compare } else { Purpose::Speak };
    let opened = args.which.open(context, purpose)?;
    let speaks = prompts(&opened, args.prompt.as_deref())?;
    let task = Task::from_card(&card, &[&speaks])?;
    let scores = match task {
        Task::Vqa(task) => {
            let questions = question_pairs(&*data, args.limit.or(task.limit));
            let progress = context.log.task("pictures");
            Progress::start(&progress, 0, questions.len() as u64);
            let prefixes = |items: &[usize]| prefix(&opened, &*data, items, &progress);
            let answers = vqa(&speaker(&opened)?, Some(&prefixes), &*data, &questions, &task, args.batch)?;
            save(args, |path| write_samples(path, &answers.rows))?;
            let mut scores = Map::from_iter([("vqa".to_owned(), json!(answers.overall))]);
            for (kind, score) in answers.per_kind.iter().chain(&answers.per_group) {
                scores.insert(format!("vqa {kind}"), json!(score));
            }
            scores.insert("questions".to_owned(), json!(questions.len()));
            scores
        }
        Task::Caption(task) => {
            let items = captioned_items(&*data, args.limit.or(task.limit));
            let progress = context.log.task("pictures");
            Progress::start(&progress, 0, items.len() as u64);
            let prefixes = |items: &[usize]| prefix(&opened, &*data, items, &progress);
            let captions = caption(&speaker(&opened)?, Some(&prefixes), &*data, &items, &task, args.batch)?;
            save(args, |path| write_samples(path, &captions.rows))?;
            let s = captions.overall;
            let scores = json!({"cider": s.cider, "bleu1": 100.0 * s.bleu1, "bleu4": 100.0 * s.bleu4, "rouge_l": 100.0 * s.rouge_l, "pictures": items.len()});
            scores.as_object().cloned().unwrap_or_default()
        }
        Task::Retrieval(task) => {
            let (tower, words) = (opened.model.tower()?, opened.model.words()?);
            let t = &words.tokenizer;
            let (Some(cls), Some(sep)) = (t.cls, t.sep) else {
                bail!(
                    "the tokenizer has no `[CLS]` and `[SEP]` --> {}; hint: give the checkpoint's own",
                    opened.model.name
                )
            };
            let marks =
                TextMarks { pad: t.pad.unwrap_or(opened.model.stage1.pad), cls, sep, dec: opened.model.stage1.dec };
            let pool = unique_captions(&*data, &captioned_items(&*data, args.limit.or(task.limit)));
            let (items, texts): (Vec<usize>, Vec<Vec<Vec<u32>>>) =
                pool.into_iter().map(|(item, text)| (item, vec![t.encode(&text)])).unzip();
            let progress = context.log.task("pictures");
            Progress::start(&progress, 0, 2 * items.len() as u64);
            let features = |items: &[usize]| features(&opened, &*data, items, &progress);
            let found = noise::off(|| retrieve(tower, &features, &items, &texts, marks, task.config))?;
            let mut scores = Map::new();
            for (name, recall) in [("itc", Some(found.itc)), ("itm", found.itm)] {
                if let Some(recall) = recall {
                    scores.insert(name.to_owned(), serde_json::to_value(recall)?);
                }
            }
            scores.insert("chance_r1".to_owned(), json!(found.chance_r1));
            scores.insert("pictures".to_owned(), json!(items.len()));
            scores
        }
    };
    context.print(
        || json!({"model": opened.model.name, "of": opened.of, "task": args.task, "data": args.data, "scores": scores}),
        || table(&["score", "value"], &lines(&scores, "")),
    )
}

fn lines(scores: &Map<String, Value>, before: &str) -> Vec<Vec<String>> {
    let line = |(name, value): (&String, &Value)| match value {
        Value::Object(inner) => lines(inner, &format!("{before}{name} ")),
        Value::Number(n) if n.is_f64() => {
            vec![vec![format!("{before}{name}"), format!("{:.2}", n.as_f64().unwrap_or(0.0))]]
        }
        other => vec![vec![format!("{before}{name}"), other.to_string()]],
    };
    scores.iter().flat_map(line).collect()
}

fn save<E: Into<anyhow::Error>>(
    args: &Args,
    write: impl FnOnce(&std::path::Path) -> Result<(), E>,
) -> anyhow::Result<()> {
    args.samples.as_deref().map_or(Ok(()), |path| write(path).map_err(Into::into))
}

fn speaker(opened: &Opened) -> anyhow::Result<Speaker<'_>> {
    let (language, words) = (opened.model.language()?, opened.model.words()?);
    Ok(Speaker {
        language: &language.model,
        shape: &language.shape,
        tokenizer: &words.tokenizer,
        marks: language.marks,
    })
}

/// A card with the prompts: of a run that of its language model, of a published model the paper's.
fn prompts(opened: &Opened, asked: Option<&str>) -> anyhow::Result<Card> {
    if let Some(cell) = opened.cell() {
        return Ok(cell.resolved.language.0.clone());
    }
    let short = opened.model.language.as_ref().is_some_and(toolkit_hub::LanguagePart::encoder_decoder);
    let question = asked.unwrap_or(if short { "Question: {} Short answer:" } else { "Question: {} Answer:" });
    let caption = asked.unwrap_or("");
    let text = format!("family = \"opt\"\n[prompt]\nvqa = {}\ncaption = {}\n", json!(question), json!(caption));
    Ok(Card::parse(Kind::Language, "published", Origin::Embedded, &text)?)
}

fn pictures(data: &dyn Dataset, items: &[usize]) -> Result<Vec<RgbImage>, TrainError> {
    items.iter().map(|&item| data.image(item).map_err(|error| TrainError::Other(error.to_string()))).collect()
}

fn features(
    opened: &Opened,
    data: &dyn Dataset,
    items: &[usize],
    progress: &dyn Progress,
) -> Result<Tensor<3>, TrainError> {
    let features = opened.features(&pictures(data, items)?);
    progress.advance(items.len() as u64);
    features.map_err(|error| TrainError::Other(error.to_string()))
}

fn prefix(
    opened: &Opened,
    data: &dyn Dataset,
    items: &[usize],
    progress: &dyn Progress,
) -> Result<Tensor<3>, TrainError> {
    let features = features(opened, data, items, progress)?;
    let language = opened.model.language().map_err(|error| TrainError::Other(anyhow!(error).to_string()))?;
    Ok(noise::off(|| language.prefix(opened.model.queries(features))))
}
