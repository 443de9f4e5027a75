//! One task of `toolkit eval`: its card and data, its measurement, its files.

use super::Args;
use super::live::Live;
use super::outcome::{Outcome, Report, known_as};
use crate::context::Context;
use crate::model_args::LoadedModel;
use anyhow::bail;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use toolkit_data::Dataset;
use toolkit_eval::{
    Batches, MeasureOptions, Measured, MeteorTables, Task, TaskFamily, TaskSettings, compare,
    published, task_data,
};
use toolkit_lab::plan::fingerprint::card_hash;
use toolkit_lab::work::readable::{leaving_out, unreadable};
use toolkit_lab::work::texts::{self, Texts};
use toolkit_registry::{Card, Kind, Origin};
use toolkit_system::digest::sha256_hex;
use toolkit_system::files::FileError;
use toolkit_system::problem::Problem;
use toolkit_system::progress::Progress;
use toolkit_train::checkpoint::write_atomic;

/// A task with its data.
pub struct Wanted {
    /// Task card.
    pub card: Card,
    /// Kind of task.
    pub family: TaskFamily,
    /// Name of the data.
    pub name: String,
    /// Data.
    pub data: Arc<dyn Dataset>,
    /// Pictures that were left out, and why.
    notes: Vec<String>,
}

/// Data with notes on pictures that were left out.
type Readable = (Arc<dyn Dataset>, Vec<String>);

/// Opens the cards and the data of all tasks. Data that several tasks share are opened once.
///
/// # Errors
/// If a card or its data cannot be used.
pub fn wanted(context: &Context, args: &Args) -> anyhow::Result<Vec<Wanted>> {
    let mut opened: BTreeMap<String, Readable> = BTreeMap::new();
    let mut all = Vec::new();
    for task in &args.tasks {
        let card = context.registry.card(Kind::Task, task)?;
        let family = TaskFamily::of_card(&context.registry, &card)?;
        let named = args.data.clone().map_or_else(|| task_data(&card), |data| Ok(Some(data)))?;
        let Some(name) = named else {
            let problem = Problem::new(format_args!("task `{task}` names no data"));
            bail!(
                problem.hint(
                    "say which with `--data CARD:SPLIT`, or add `data = ..` to its `[config]`"
                )
            );
        };
        if !opened.contains_key(&name) {
            opened.insert(name.clone(), open(context, args, &name)?);
        }
        let (data, notes) = opened[&name].clone();
        family.check_data(&card, &*data)?;
        all.push(Wanted { card, family, name, data, notes });
    }
    Ok(all)
}

/// Opens data, without unreadable pictures if that was asked for.
fn open(context: &Context, args: &Args, name: &str) -> anyhow::Result<Readable> {
    let data = context.registry.open_data(name)?;
    data.notes().iter().for_each(|note| context.log.line(&format!("{name}: {note}")));
    if !args.unreadable.skip_unreadable {
        return Ok((data, Vec::new()));
    }
    let progress = context.log.task(&format!("pictures of {name}"));
    progress.start(0, data.len() as u64);
    let unreadable = unreadable(&*data, &|| progress.advance(1));
    progress.finish();
    unreadable.iter().for_each(|(_, error)| context.log.line(&format!("left out: {error}")));
    let note = (!unreadable.is_empty()).then(|| {
        let (left_out, all) = (unreadable.len(), data.len());
        format!("{left_out} of {all} pictures could not be read and are left out")
    });
    let items: Vec<usize> = unreadable.iter().map(|(item, _)| *item).collect();
    Ok((leaving_out(&data, &items)?, note.into_iter().collect()))
}

/// Measures one task and writes its files. With `--out`, texts are stored as they come: a kill costs
/// one batch.
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
    let live = Live::new(&opened.vlm, &*wanted.data, &progress)?;
    let mut found = live.measure(&*task, wanted.family.needs, options)?;
    let rows = live.lines(&found)?;
    progress.finish();
    found.notes.extend(wanted.notes.iter().cloned());
    found.notes.iter().for_each(|note| context.log.line(&format!("{}: {note}", card.name)));
    let mut result = report(args, wanted, found, &rows)?;
    result.hashes.insert("measurement".to_owned(), key);
    result.seconds = began.elapsed().as_secs_f64();
    let outcome =
        Outcome { model: opened.vlm.name.clone(), of: opened.of.clone(), result }.sealed();
    if let Some(dir) = dir {
        write_atomic(&dir.join("samples.jsonl"), &rows)?;
        write_atomic(&dir.join("scores.json"), &serde_json::to_vec_pretty(&outcome)?)?;
        texts::remove(&dir)?;
        let _ = std::fs::remove_file(dir.join(LOCK));
    }
    drop(lock);
    Ok(outcome)
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
            .flat_map(|item| data.item(item).questions.iter().map(|asked| asked.text.clone()));
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

/// Takes the folder of a task for this process, and logs if it has results of another
/// measurement.
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

/// Returns a card with the prompts of tasks that have none: a run's are its language model's, a
/// published model's are the paper's.
fn prompts(opened: &LoadedModel) -> anyhow::Result<Card> {
    if let Some(cell) = &opened.cell {
        return Ok(cell.resolved.language.0.clone());
    }
    let question = opened.vlm.published_question_prompt();
    let text = format!("family = \"opt\"\n[prompt]\nvqa = {}\ncaption = \"\"\n", json!(question));
    Ok(Card::parse(Kind::Language, "published", Origin::Embedded, &text)?)
}
