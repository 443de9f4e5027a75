//! `toolkit eval`: tasks on their data, for any model.

mod measure;

use crate::context::Context;
use crate::opened::Opened;
use crate::pictures::Unreadable;
use crate::text::{decimals, table};
use crate::which::{Purpose, Which};
use crate::{interrupt, meteor};
use anyhow::bail;
use clap::Args as Arguments;
use clap::builder::RangedU64ValueParser;
use measure::Measured;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use toolkit_data::Dataset;
use toolkit_eval::{Batches, CaptionTask, Compared, PAPER, Task, VqaTask, compare, published};
use toolkit_lab::compare::outcome::{OUTCOME, outcome_hash};
use toolkit_lab::plan::fingerprint::card_hash;
use toolkit_lab::work::readable::{leaving_out, unreadable};
use toolkit_lab::work::texts::{self, Texts};
use toolkit_metrics::scores::{self, Unit};
use toolkit_metrics::{Interval, Meteor};
use toolkit_registry::{Card, Kind, Origin};
use toolkit_system::digest::sha256_hex;
use toolkit_system::files::{FileError, sweep_temporaries};
use toolkit_system::input;
use toolkit_train::checkpoint::write_atomic;

/// Measures a run, a published checkpoint or a model card by tasks: questions, captions, retrieval
///
/// A task card says what is measured, on which data and how text is searched for. Nothing is
/// trained. Main scores have a 95 % bootstrap interval over pictures, and stand beside the
/// published one where the task card knows it of this model and nothing of the task was changed. A
/// folder given by `--out` gets `TASK/samples.jsonl` and `TASK/scores.json` of each task; killed,
/// the same command goes on there.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit eval runs/ablate_stage1 --tasks scenes-vqa,scenes-caption,scenes-retrieval --out scores
  toolkit eval blip2-opt-2.7b --tasks vqav2,nocaps --preset lavis --json
  toolkit eval blip2-opt-2.7b/ --tasks small-caption --data folder:my-photos --limit 100")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    unreadable: Unreadable,
    /// Task cards, separated by commas (`toolkit list tasks`)
    #[arg(long, alias = "task", value_name = "NAMES", required = true, value_delimiter = ',')]
    tasks: Vec<String>,
    /// CARD:SPLIT or folder:PATH, for all tasks [default: the data that each task card names]
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// Settings of a task card: `paper` or one of its [presets]
    #[arg(long, value_name = "NAME", default_value = PAPER)]
    preset: String,
    /// At most so many questions or pictures, drawn once and for all
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Prompt, with {} for a question [default: that of the task, the preset or the model; the
    /// paper's]
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Folder for the samples and scores of each task
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Samples evaluated together
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = together())]
    batch: usize,
}

/// `scores.json` of a task: the model and all that is needed to know what was measured.
#[derive(Serialize, Deserialize)]
struct Outcome {
    model: String,
    of: Option<String>,
    result: Report,
}

/// The scores of a task. No time is in here but `seconds`.
#[derive(Serialize, Deserialize)]
struct Report {
    task: String,
    version: u32,
    kind: String,
    preset: String,
    data: String,
    samples: usize,
    /// By name, in the units of [`toolkit_metrics::scores`].
    scores: BTreeMap<String, f64>,
    /// 95 % percentile bootstrap over pictures.
    intervals: BTreeMap<String, Interval>,
    published: Vec<Compared>,
    /// Why scores are as they are, where the rules surprise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// SHA-256 of what determines the scores, and of the samples.
    hashes: BTreeMap<String, String>,
    seconds: f64,
}

/// A task with its data.
struct Wanted {
    card: Card,
    name: String,
    data: Arc<dyn Dataset>,
    /// Pictures that were left out, and why.
    notes: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// If the model, a task or its data cannot be used.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    if let Some(out) = &args.out {
        interrupt::say_how_to_go_on(&context.log, out);
        for task in &args.tasks {
            // Half-written files of an earlier call that was killed.
            sweep_temporaries(&out.join(task));
        }
    }
    // 1. All cards and data, before a model is read.
    if args.limit == Some(0) {
        bail!(
            "`--limit 0` leaves nothing to measure --> --limit 0; hint: leave it out for all \
            samples"
        );
    }
    if let Some((_, name)) =
        args.tasks.iter().enumerate().find(|(at, name)| args.tasks[..*at].contains(name))
    {
        bail!("task `{name}` is named twice --> --tasks; hint: name each once");
    }
    let all = args
        .tasks
        .iter()
        .map(|name| wanted(context, args, name))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let (meteor, missing) = match all.iter().any(|wanted| wanted.card.family == "caption") {
        true => meteor::tables(context, None)?,
        false => (Meteor::without_tables(), None),
    };

    // 2. The model: of a run the bridge after stage 2 speaks, the one after stage 1 compares.
    let purpose =
        |card: &Card| if card.family == "retrieval" { Purpose::Compare } else { Purpose::Speak };
    let one = |at: &Card, other: &Card| {
        purpose(at) == purpose(other) || !crate::which::is_run(Path::new(&args.which.model))
    };
    let mut held: Option<(&Card, Opened)> = None;
    let mut outcomes = Vec::new();
    for wanted in &all {
        let key = key(args, wanted);
        if let Some(done) = finished(args, wanted, &key) {
            context.log.line(&format!("{}: is done", wanted.card.name));
            outcomes.push(done);
            continue;
        }
        if !held.as_ref().is_some_and(|(of, _)| one(of, &wanted.card)) {
            // Free the model before, so that there is room for the next.
            drop(held.take());
            held = Some((&wanted.card, args.which.open(context, purpose(&wanted.card))?));
        }
        let Some((_, opened)) = &held else { continue };

        // 3. The task.
        outcomes.push(one_task(context, args, opened, wanted, (&meteor, missing.as_ref()), key)?);
    }

    // 4. The scores.
    context.print(|| json!(outcomes), || lines(&outcomes))
}

/// Samples that can be evaluated together.
fn together() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=65_536)
}

/// Opens a task's card and its data.
fn wanted(context: &Context, args: &Args, name: &str) -> anyhow::Result<Wanted> {
    let card = context.registry.card(Kind::Task, name)?;
    let Some(name) = args.data.clone().map_or_else(|| Task::data(&card), |data| Ok(Some(data)))?
    else {
        bail!(
            "task `{name}` names no data; hint: say which with `--data CARD:SPLIT`, or add `data = \
            ..` to its `[config]`"
        );
    };
    let mut data = context.registry.open_data(&name)?;
    data.notes().iter().for_each(|note| context.log.line(&format!("{name}: {note}")));
    let mut notes = Vec::new();
    if args.unreadable.skip_unreadable {
        let progress = context.log.task(&format!("pictures of {name}"));
        toolkit_system::progress::Progress::start(&progress, 0, data.len() as u64);
        let unreadable =
            unreadable(&*data, &|| toolkit_system::progress::Progress::advance(&progress, 1));
        toolkit_system::progress::Progress::finish(&progress);
        unreadable.iter().for_each(|(_, error)| context.log.line(&format!("left out: {error}")));
        if !unreadable.is_empty() {
            notes.push(format!(
                "{} of {} pictures could not be read and are left out",
                unreadable.len(),
                data.len()
            ));
        }
        let items: Vec<usize> = unreadable.into_iter().map(|(item, _)| item).collect();
        data = leaving_out(&data, &items)?;
    }
    Task::check_data(&card, &*data)?;
    Ok(Wanted { card, name, data, notes })
}

/// Version of the names and units of scores. Results of another version are measured again.
const UNITS: u32 = 2;

/// Hashes all that determines the scores of a task.
fn key(args: &Args, wanted: &Wanted) -> String {
    let asked = json!([
        UNITS,
        args.which.stamp(),
        card_hash(&wanted.card),
        wanted.data.fingerprint(),
        wanted.data.len(),
        args.preset,
        args.limit,
        args.prompt,
        args.batch,
    ]);
    sha256_hex(asked.to_string().as_bytes())
}

/// Reads what an earlier call of the same command wrote for a task, if its samples are as they
/// were.
fn finished(args: &Args, wanted: &Wanted, key: &str) -> Option<Outcome> {
    let dir = args.out.as_ref()?.join(&wanted.card.name);
    let done: Outcome =
        serde_json::from_slice(&input::read(&dir.join("scores.json")).ok()?).ok()?;
    let outcome = outcome_hash(&json!(done));
    let is = |name: &str, hash: &str| done.result.hashes.get(name).is_some_and(|held| held == hash);
    let samples = input::read(&dir.join("samples.jsonl")).ok()?;
    (is("measurement", key) && is(OUTCOME, &outcome) && is("samples", &sha256_hex(&samples)))
        .then_some(done)
}

/// Measures one task and writes its files. With `--out`, texts are kept as they come: a kill costs
/// one batch.
fn one_task(
    context: &Context,
    args: &Args,
    opened: &Opened,
    wanted: &Wanted,
    (meteor, missing): (&Meteor, Option<&String>),
    key: String,
) -> anyhow::Result<Outcome> {
    let (began, card) = (Instant::now(), &wanted.card);
    let mut task = Task::with_preset(card, &[&prompts(opened)?], Some(&args.preset))?;
    if let Some(asked) = &args.prompt {
        set_prompt(&mut task, asked)?;
    }
    if let Task::Vqa(VqaTask { prompt, .. }) | Task::Caption(CaptionTask { prompt, .. }) = &task {
        let data = &wanted.data;
        let questions = (0..data.len())
            .flat_map(|item| data.item(item).questions.iter().map(|asked| asked.text.clone()));
        opened
            .note_special_tokens(context, &questions.chain([prompt.clone()]).collect::<Vec<_>>())?;
    }
    let dir = args.out.as_ref().map(|out| out.join(&card.name));
    let lock = dir.as_ref().map(|dir| claim(context, dir)).transpose()?;
    let mut texts =
        dir.as_ref().map(|dir| Texts::open(dir, &key[..16], 0, args.batch)).transpose()?;
    let batches = match &mut texts {
        Some(texts) => Batches::kept(args.batch, texts),
        None => args.batch.into(),
    };
    let progress = context.log.task(&card.name);
    let measured =
        measure::measure(opened, &task, &*wanted.data, args.limit, batches, meteor, &progress)?;
    toolkit_system::progress::Progress::finish(&progress);
    let Measured { scores, intervals, samples, rows, mut notes } = measured;
    notes.extend(wanted.notes.iter().cloned());
    notes.extend(missing.filter(|_| card.family == "caption").cloned());
    notes.iter().for_each(|note| context.log.line(&format!("{}: {note}", card.name)));
    // Only what was measured as published is comparable.
    let as_published = args.data.is_none()
        && args.limit.is_none()
        && args.prompt.is_none()
        && wanted.notes.is_empty();
    let published = if as_published { published(card)? } else { Vec::new() };
    let hashes = [
        ("task", card_hash(card)),
        ("data", wanted.data.fingerprint()),
        ("measurement", key),
        ("samples", sha256_hex(&rows)),
    ];
    let result = Report {
        task: card.name.clone(),
        version: card.version,
        kind: card.family.clone(),
        preset: args.preset.clone(),
        data: wanted.name.clone(),
        samples,
        published: compare(&published, &known_as(&args.which.model), &args.preset, &scores),
        scores,
        intervals,
        notes,
        hashes: hashes.map(|(name, hash)| (name.to_owned(), hash)).into(),
        seconds: began.elapsed().as_secs_f64(),
    };
    let mut outcome = Outcome { model: opened.model.name.clone(), of: opened.of.clone(), result };
    let hash = outcome_hash(&json!(outcome));
    outcome.result.hashes.insert(OUTCOME.to_owned(), hash);
    if let Some(dir) = dir {
        write_atomic(&dir.join("samples.jsonl"), &rows)?;
        write_atomic(&dir.join("scores.json"), &serde_json::to_vec_pretty(&outcome)?)?;
        texts::remove(&dir)?;
        let _ = std::fs::remove_file(dir.join(LOCK));
    }
    drop(lock);
    Ok(outcome)
}

/// The file that an evaluation holds locked in the folder of a task.
const LOCK: &str = ".lock";

/// Takes the folder of a task for this process; says so if the results of another measurement are
/// there.
fn claim(context: &Context, dir: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(dir).map_err(|error| FileError::new(dir, error))?;
    let lock = File::create(dir.join(LOCK)).map_err(|error| FileError::new(dir, error))?;
    if lock.try_lock().is_err() {
        bail!(
            "another `eval` is writing here --> {}; hint: wait for it, or give another `--out`",
            dir.display()
        );
    }
    if dir.join("scores.json").exists() {
        context.log.line(&format!("{}: replaces another or damaged measurement", dir.display()));
    }
    Ok(lock)
}

/// What a published score would call the model: the name of its card, which is also that of its
/// folder.
fn known_as(model: &str) -> String {
    Path::new(model)
        .file_name()
        .map_or_else(|| model.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn lines(outcomes: &[Outcome]) -> String {
    let mut rows = Vec::new();
    for report in outcomes.iter().map(|outcome| &outcome.result) {
        for (name, value) in &report.scores {
            let places = if scores::unit(name) == Unit::Cider { 4 } else { 2 };
            let number = |value: f64| decimals(value, places);
            let interval = report.intervals.get(name);
            let interval = interval
                .map_or(String::new(), |i| format!("[{}, {}]", number(i.low), number(i.high)));
            let known = report.published.iter().find(|c| c.published.score == *name);
            let known = known.map_or(String::new(), |c| {
                let verdict = if c.holds { "within" } else { "OUTSIDE" };
                format!(
                    "{} ± {}: {verdict}",
                    number(c.published.value),
                    number(c.published.tolerance)
                )
            });
            rows.push(vec![report.task.clone(), name.clone(), number(*value), interval, known]);
        }
    }
    table(&["task", "score", "value", "95 % interval", "published"], &rows)
}

/// Another prompt than all cards say.
fn set_prompt(task: &mut Task, asked: &str) -> anyhow::Result<()> {
    match task {
        Task::Vqa(_) if !asked.contains("{}") => {
            bail!(
                "the prompt has no `{{}}` for the question --> --prompt {asked:?}; hint: write \
                \"Question: {{}} Answer:\""
            )
        }
        Task::Caption(_) if asked.contains("{}") => {
            bail!(
                "`{{}}` stands for a question, and a caption has none --> --prompt {asked:?}; \
                hint: leave it out"
            )
        }
        Task::Vqa(VqaTask { prompt, .. }) | Task::Caption(CaptionTask { prompt, .. }) => {
            asked.clone_into(prompt)
        }
        Task::Retrieval(_) => {}
    }
    Ok(())
}

/// A card with the prompts for tasks that have none: of a run that of its language model, of a
/// published model the paper's.
fn prompts(opened: &Opened) -> anyhow::Result<Card> {
    if let Some(cell) = opened.cell() {
        return Ok(cell.resolved.language.0.clone());
    }
    let short = opened
        .model
        .language
        .as_ref()
        .is_some_and(toolkit_checkpoints::LanguagePart::encoder_decoder);
    let question = if short { "Question: {} Short answer:" } else { "Question: {} Answer:" };
    let text = format!("family = \"opt\"\n[prompt]\nvqa = {}\ncaption = \"\"\n", json!(question));
    Ok(Card::parse(Kind::Language, "published", Origin::Embedded, &text)?)
}
