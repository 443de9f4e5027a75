//! `toolkit eval`: tasks on their data, for any model.

mod measure;

use crate::context::Context;
use crate::meteor;
use crate::opened::{Opened, Purpose, Which};
use crate::text::{decimals, table};
use anyhow::{anyhow, bail};
use clap::Args as Arguments;
use measure::Measured;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use toolkit_eval::{CaptionTask, Compared, PAPER, Task, VqaTask, compare, published};
use toolkit_lab::parts::{card_hash, open_data};
use toolkit_metrics::{Interval, Meteor};
use toolkit_registry::{Card, Kind, Origin, sha256_hex};
use toolkit_train::checkpoint::write_atomic;

/// Measures a run, a published checkpoint or a model card by tasks: questions, captions, retrieval
///
/// A task card says what is measured, on which data and how text is searched for. Nothing is trained. Main scores have a 95 %
/// bootstrap interval over pictures, and stand beside the published one where the task card knows it of this model and nothing of
/// the task was changed. A
/// folder given by `--out` gets `TASK/samples.jsonl` and `TASK/scores.json` of each task.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit eval runs/ablate_stage1 --tasks scenes-vqa,scenes-caption,scenes-retrieval --out scores
  toolkit eval blip2-opt-2.7b --tasks vqav2,nocaps --preset lavis --json
  toolkit eval blip2-opt-2.7b/ --tasks small-caption --data folder:my-photos --limit 100")]
pub struct Args {
    #[command(flatten)]
    which: Which,
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
    /// Prompt, with {} for a question [default: that of the task, the preset or the model; the paper's]
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Folder for the samples and scores of each task
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Samples evaluated together
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch: usize,
}

/// `scores.json`: all that is needed to know what was measured. No time is in here but `seconds`.
#[derive(Serialize)]
struct Report {
    task: String,
    version: u32,
    kind: String,
    preset: String,
    data: String,
    samples: usize,
    /// By name; in percent but for captions, where they are as the official tools print them.
    scores: BTreeMap<String, f64>,
    /// 95 % percentile bootstrap over pictures.
    intervals: BTreeMap<String, Interval>,
    published: Vec<Compared>,
    /// Why scores are as they are, where the rules surprise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// Of what determines the scores.
    hashes: BTreeMap<&'static str, String>,
    seconds: f64,
}

/// Runs the command.
///
/// # Errors
/// If the model, a task or its data cannot be used.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    // 1. All cards and data, before a model is read.
    if args.limit == Some(0) {
        bail!("`--limit 0` leaves nothing to measure --> --limit 0; hint: leave it out for all samples");
    }
    let mut wanted = Vec::new();
    for name in &args.tasks {
        let card = context.registry.card(Kind::Task, name)?;
        let Some(data) = args.data.clone().map_or_else(|| Task::data(&card), |data| Ok(Some(data)))? else {
            bail!(
                "task `{name}` names no data; hint: say which with `--data CARD:SPLIT`, or add `data = ..` to its `[config]`"
            );
        };
        let opened = open_data(&context.registry, &data)?;
        Task::check_data(&card, &*opened)?;
        wanted.push((card, data, opened));
    }

    let (meteor, missing) = match wanted.iter().any(|(card, ..)| card.family == "caption") {
        true => meteor::tables(context, None)?,
        false => (Meteor::without_tables(), None),
    };

    // 2. The model: of a run the bridge after stage 2 speaks, the one after stage 1 compares.
    let purpose = |card: &Card| if card.family == "retrieval" { Purpose::Compare } else { Purpose::Speak };
    let one =
        |at: &Card, other: &Card| purpose(at) == purpose(other) || !crate::opened::is_run(Path::new(&args.which.model));
    let mut held: Option<(&Card, Opened)> = None;
    let mut reports = Vec::new();
    for (card, name, data) in &wanted {
        if !held.as_ref().is_some_and(|(of, _)| one(of, card)) {
            // The other one first goes, so that there is room.
            drop(held.take());
            held = Some((card, args.which.open(context, purpose(card))?));
        }
        let Some((_, opened)) = &held else { continue };

        // 3. The task.
        let began = Instant::now();
        let mut task = Task::with_preset(card, &[&prompts(opened)?], Some(&args.preset))?;
        if let Some(asked) = &args.prompt {
            set_prompt(&mut task, asked)?;
        }
        let progress = context.log.task(&card.name);
        let measured = measure::measure(opened, &task, &**data, args.limit, args.batch, &meteor, &progress)?;
        toolkit_train::Progress::finish(&progress);
        let Measured { scores, intervals, samples, rows, mut notes } = measured;
        notes.extend(missing.clone().filter(|_| card.family == "caption"));
        notes.iter().for_each(|note| context.log.line(&format!("{}: {note}", card.name)));
        // Only what was measured as published is comparable.
        let as_published = args.data.is_none() && args.limit.is_none() && args.prompt.is_none();
        let published = if as_published { published(card)? } else { Vec::new() };
        let report = Report {
            task: card.name.clone(),
            version: card.version,
            kind: card.family.clone(),
            preset: args.preset.clone(),
            data: name.clone(),
            samples,
            published: compare(&published, &known_as(&args.which.model), &args.preset, &scores),
            scores,
            intervals,
            notes,
            hashes: BTreeMap::from([
                ("task", card_hash(card)),
                ("data", data.fingerprint()),
                ("samples", sha256_hex(&rows)),
            ]),
            seconds: began.elapsed().as_secs_f64(),
        };
        if let Some(out) = &args.out {
            let dir = out.join(&card.name);
            std::fs::create_dir_all(&dir).map_err(|error| {
                anyhow!("cannot make the folder: {error} --> {}; hint: choose another with `--out`", dir.display())
            })?;
            write_atomic(&dir.join("samples.jsonl"), &rows)?;
            let model = json!({"model": opened.model.name, "of": opened.of, "result": report});
            write_atomic(&dir.join("scores.json"), &serde_json::to_vec_pretty(&model)?)?;
        }
        reports.push((opened.model.name.clone(), opened.of.clone(), report));
    }

    // 4. What came out.
    let value = || {
        let one = |(model, of, report): &(String, Option<String>, Report)| json!({"model": model, "of": of, "result": report});
        json!(reports.iter().map(one).collect::<Vec<_>>())
    };
    context.print(value, || lines(&reports))
}

/// What a published score would call the model: the name of its card, which is also that of its folder.
fn known_as(model: &str) -> String {
    Path::new(model).file_name().map_or_else(|| model.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn lines(reports: &[(String, Option<String>, Report)]) -> String {
    let mut rows = Vec::new();
    for (_, _, report) in reports {
        for (name, value) in &report.scores {
            let number =
                |value: f64| decimals(value, if report.kind == "caption" { 4 } else { 2 });
            let interval = report.intervals.get(name);
            let interval = interval.map_or(String::new(), |i| format!("[{}, {}]", number(i.low), number(i.high)));
            let known = report.published.iter().find(|c| c.published.score == *name);
            let known = known.map_or(String::new(), |c| {
                let verdict = if c.holds { "within" } else { "OUTSIDE" };
                format!("{} ± {}: {verdict}", number(c.published.value), number(c.published.tolerance))
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
                "the prompt has no `{{}}` for the question --> --prompt {asked:?}; hint: write \"Question: {{}} Answer:\""
            )
        }
        Task::Vqa(VqaTask { prompt, .. }) | Task::Caption(CaptionTask { prompt, .. }) => asked.clone_into(prompt),
        Task::Retrieval(_) => {}
    }
    Ok(())
}

/// A card with the prompts for tasks that have none: of a run that of its language model, of a published model the paper's.
fn prompts(opened: &Opened) -> anyhow::Result<Card> {
    if let Some(cell) = opened.cell() {
        return Ok(cell.resolved.language.0.clone());
    }
    let short = opened.model.language.as_ref().is_some_and(toolkit_hub::LanguagePart::encoder_decoder);
    let question = if short { "Question: {} Short answer:" } else { "Question: {} Answer:" };
    let text = format!("family = \"opt\"\n[prompt]\nvqa = {}\ncaption = \"\"\n", json!(question));
    Ok(Card::parse(Kind::Language, "published", Origin::Embedded, &text)?)
}
