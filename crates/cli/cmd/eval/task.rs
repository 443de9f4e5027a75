//! A task of `toolkit eval`: its measurement and its files.

use super::Args;
use super::outcome::{Outcome, Report, known_as};
use super::wanted::Wanted;
use crate::context::Context;
use crate::model_args::LoadedModel;
use crate::pictures::with_option;
use anyhow::{anyhow, bail};
use serde_json::json;
use std::fs::File;
use std::path::Path;
use std::time::Instant;
use toolkit_eval::{
    Batches, EvalError, MeasureOptions, Measured, MeteorTables, Task, TaskSettings, compare,
    measure_vlm, published,
};
use toolkit_lab::plan::fingerprint::card_hash;
use toolkit_lab::work::texts::{self, Texts};
use toolkit_registry::{Card, Kind, Origin};
use toolkit_system::digest::sha256_hex;
use toolkit_system::files::{FileError, write_bytes};
use toolkit_system::problem::Problem;
use toolkit_system::progress::Progress;

/// Measures one task and writes its files. With `--out`, texts are stored as they come, so that a
/// kill costs one batch.
///
/// # Errors
/// If the model lacks a part, a picture cannot be read, or files cannot be written.
pub fn measured(
    context: &Context,
    args: &Args,
    opened: &LoadedModel,
    wanted: &Wanted,
    meteor: &MeteorTables<'_>,
    key: String,
) -> anyhow::Result<Outcome> {
    let (began, card) = (Instant::now(), &wanted.card);
    let task = open_task(context, args, opened, wanted)?;
    let dir = args.out.as_ref().map(|out| out.join(&card.name));
    let lock = dir.as_ref().map(|dir| claim(context, dir)).transpose()?;
    let store = |dir: &std::path::PathBuf| Texts::open(dir, &key[..16], 0, args.batch);
    let mut texts = dir.as_ref().map(store).transpose()?;
    let progress = context.log.task(&card.name);
    let options = MeasureOptions {
        limit: args.limit,
        batches: match &mut texts {
            Some(texts) => Batches::stored(args.batch, texts),
            None => args.batch.into(),
        },
        control: None,
        meteor,
        progress: &progress,
    };
    let (vlm, needs) = (&opened.vlm, wanted.family.needs);
    let mut found = measure_vlm(vlm, &*task, needs, &*wanted.data, options).map_err(with_way)?;
    progress.finish();
    let rows = found.lines()?;
    found.notes.extend(wanted.notes.iter().cloned());
    found.notes.iter().for_each(|note| context.log.line(&format!("{}: {note}", card.name)));
    let mut result = report(args, wanted, found, &rows)?;
    result.hashes.insert("measurement".to_owned(), key);
    result.seconds = began.elapsed().as_secs_f64();
    let outcome =
        Outcome { model: opened.vlm.name.clone(), of: opened.of.clone(), result }.sealed();
    if let Some(dir) = dir {
        write_bytes(&dir.join("samples.jsonl"), &rows)?;
        write_bytes(&dir.join("scores.json"), &serde_json::to_vec_pretty(&outcome)?)?;
        texts::remove(&dir)?;
        let _ = std::fs::remove_file(dir.join(LOCK));
    }
    drop(lock);
    Ok(outcome)
}

/// Adds the option that leaves pictures out to an error about one that cannot be read.
fn with_way(error: EvalError) -> anyhow::Error {
    match error {
        EvalError::Data(error) if error.is_unreadable() => {
            anyhow!(with_option(&error.to_string()))
        }
        other => other.into(),
    }
}

/// Opens the task of a card with the options and the prompts of the model.
fn open_task(
    context: &Context,
    args: &Args,
    opened: &LoadedModel,
    wanted: &Wanted,
) -> anyhow::Result<Box<dyn Task>> {
    let prompts = prompts(opened)?;
    let settings = TaskSettings {
        prompts: &[&prompts],
        preset: Some(&args.preset),
        prompt: args.prompt.as_deref(),
    };
    let task = wanted.family.open(&wanted.card, &settings)?;
    if let Some(prompt) = task.prompt() {
        let data = &wanted.data;
        let questions = (0..data.len())
            .flat_map(|item| data.item(item).into_owned().questions)
            .map(|asked| asked.text);
        let read: Vec<String> = questions.chain([prompt.to_owned()]).collect();
        opened.note_special_tokens(context, &read)?;
    }
    Ok(task)
}

/// Makes the report of a measurement, without its key and its seconds.
fn report(args: &Args, wanted: &Wanted, found: Measured, rows: &[u8]) -> anyhow::Result<Report> {
    let card = &wanted.card;
    // A published score is of the whole task as the card has it.
    let as_published = args.data.is_none()
        && args.limit.is_none()
        && args.prompt.is_none()
        && wanted.notes.is_empty();
    let published = if as_published { published(card)? } else { Vec::new() };
    let hashes = [
        ("task", card_hash(card)),
        ("data", wanted.data.fingerprint()),
        ("samples", sha256_hex(rows)),
    ];
    let model = known_as(&args.model.model);
    Ok(Report {
        task: card.name.clone(),
        version: card.version,
        kind: card.family.clone(),
        preset: args.preset.clone(),
        data: wanted.name.clone(),
        samples: found.rows.len(),
        published: compare(&published, &model, &args.preset, &found.scores),
        scores: found.scores,
        intervals: found.intervals,
        notes: found.notes,
        hashes: hashes.map(|(name, hash)| (name.to_owned(), hash)).into(),
        seconds: 0.0,
    })
}

/// File that is locked in the folder of a task while it is measured.
const LOCK: &str = ".lock";

/// Locks the folder of a task for this process. A log line says that results of another measurement
/// are there.
fn claim(context: &Context, dir: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(dir).map_err(|error| FileError::new(dir, error))?;
    let lock = File::create(dir.join(LOCK)).map_err(|error| FileError::new(dir, error))?;
    if lock.try_lock().is_err() {
        bail!(
            Problem::new("another `eval` is writing here")
                .at(dir.display())
                .hint("wait for it, or give another `--out`")
        );
    }
    if dir.join("scores.json").exists() {
        context.log.line(&format!("{}: replaces another or damaged measurement", dir.display()));
    }
    Ok(lock)
}

/// Returns a card with the prompts of tasks that have none. A run has those of its language model.
/// A published model, and a run of stage 1 alone, have those of the paper.
fn prompts(opened: &LoadedModel) -> anyhow::Result<Card> {
    let trained = opened.cell.as_ref().and_then(|cell| cell.model_plan.language.as_ref());
    if let Some(language) = trained {
        return Ok(language.card.clone());
    }
    let question = opened.vlm.published_question_prompt();
    let text = format!("family = \"opt\"\n[prompt]\nvqa = {}\ncaption = \"\"\n", json!(question));
    Ok(Card::parse(Kind::Language, "published", Origin::Embedded, &text)?)
}
