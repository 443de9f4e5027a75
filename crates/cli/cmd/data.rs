//! `toolkit data`: looks at data before anything is trained on it.

use crate::context::Context;
use anyhow::{anyhow, bail};
use clap::{Args as Arguments, Subcommand};
use image::ImageEncoder;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toolkit_data::{CheckOptions, DataError, DataName, Dataset, contact_sheet};
use toolkit_eval::{majority_baseline, question_pairs};
use toolkit_registry::Kind;
use toolkit_system::progress::Progress;
use toolkit_train::checkpoint::write_atomic;

/// Gets data and weights, and looks at data before anything is trained on it
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit data preview scenes
  toolkit data fetch small --plan
  toolkit data check folder:my-photos")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Preview(Preview),
    Check(Check),
    Fetch(super::fetch::Args),
}

/// Writes a contact sheet and prints a few samples
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit data preview scenes --out scenes.png
  toolkit data preview scenes:test --count 64
  toolkit data preview folder:my-photos --json")]
struct Preview {
    /// Card, CARD:SPLIT (train, val, test) or folder:PATH
    data: String,
    /// The picture to write [default: DATA.png]
    #[arg(long, value_name = "FILE.png")]
    out: Option<PathBuf>,
    /// Pictures on the sheet
    #[arg(long, default_value_t = 24, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=400))]
    count: u16,
}

/// Says what is missing or damaged, with counts
///
/// Of built-in data and folders it counts items and texts, decodes every picture and says how far
/// the commonest answer gets. Of folders and published data sets (COCO, VQAv2 and others, in the
/// files people have) it finds missing and unreadable pictures, rows without text, rows that cannot
/// be read and files that are passed over; of published ones also annotations of nothing, ids that
/// come twice, questions without answers, and numbers and digests other than published. Data are
/// called whole, and the exit code is 0, only if every row gave a picture and a text.
///
/// A folder may have sub-folders. Captions are in a .txt file called as the picture, or in
/// `captions` or `metadata` as .jsonl, .json, .csv or .tsv.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit data check scenes
  toolkit data check scenes:val --json
  toolkit data check vqav2 --decode
  toolkit data check folder:my-photos")]
struct Check {
    /// Card (all its splits), CARD:SPLIT or folder:PATH
    data: String,
    /// Of a published data set: decode every picture, where otherwise only headers are read
    #[arg(long)]
    decode: bool,
    /// Examples of each finding
    #[arg(long, value_name = "N", default_value_t = 5)]
    examples: usize,
}

/// Runs the command.
///
/// # Errors
/// If the data cannot be opened or read.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Preview(args) => preview(context, args),
        Command::Check(args) => check(context, args),
        Command::Fetch(args) => super::fetch::run(context, args),
    }
}

/// Samples printed beside the sheet.
const PRINTED: usize = 4;

fn preview(context: &Context, args: &Preview) -> anyhow::Result<()> {
    let name =
        if args.data.contains(':') { args.data.clone() } else { format!("{}:train", args.data) };
    let data = context.registry.open_data(&name)?;
    let path = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{}.png", data.name().replace([':', '/'], "-"))));
    let path = if path.parent().is_some_and(|dir| dir.as_os_str().is_empty()) {
        Path::new(".").join(path)
    } else {
        path
    };
    // Renaming a file onto a device or a folder would replace it or fail late.
    if path.exists() && !path.is_file() {
        bail!(
            "cannot write the contact sheet: it is no ordinary file --> {}; hint: give a file name \
            with `--out`",
            path.display()
        );
    }
    if let DataName::Folder(folder) = DataName::parse(&name) {
        crate::out::keep_inputs(&path, &[folder])?;
    }
    let sheet = contact_sheet(&*data, usize::from(args.count))?;
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png)
        .write_image(&sheet, sheet.width(), sheet.height(), image::ExtendedColorType::Rgb8)
        .map_err(|error| {
            anyhow!("cannot encode the contact sheet: {error}; hint: choose a smaller `--count`")
        })?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| {
            anyhow!(
                "cannot make the folder: {error} --> {}; hint: choose another place with `--out`",
                folder.display()
            )
        })?;
    }
    write_atomic(&path, &png)?;
    let shown = PRINTED.min(data.len());
    let items: Vec<_> = (0..shown).map(|at| data.item(at * data.len() / shown)).collect();
    let notes = data.notes();
    let as_json = || json!({"data": data.name(), "items": data.len(), "sheet": crate::out::path(&path), "samples": items, "notes": notes});
    let as_text = || {
        let sample = |item: &&toolkit_data::Item| {
            let captions = item.captions.iter().map(|caption| format!("  {caption}\n"));
            let questions =
                item.questions.iter().map(|q| format!("  {} {}\n", q.text, q.answers.join(" | ")));
            format!(
                "{} ({})\n{}",
                item.id,
                item.group,
                captions.chain(questions).collect::<String>()
            )
        };
        items.iter().map(sample).collect()
    };
    context.print(as_json, as_text)?;
    notes.iter().for_each(|note| context.log.line(note));
    context.log.line(&path.display().to_string());
    Ok(())
}

struct Checked {
    report: Value,
    text: String,
    unreadable: Vec<DataError>,
}

fn check(context: &Context, args: &Check) -> anyhow::Result<()> {
    let options = CheckOptions { examples: args.examples, decode: args.decode };
    let (name, split) = match DataName::parse(&args.data) {
        DataName::Folder(path) => return super::data_check::folder(context, path, options),
        DataName::Split { card, split } => (card, Some(split)),
        DataName::Card(card) => (card, None),
    };
    let card = context.registry.card(Kind::Dataset, name)?;
    let source = context.registry.dataset_of(&card)?;
    if let Some(files) = source.user_files()? {
        return super::data_check::run(context, &card, files, split, options);
    }
    let has_train = source.splits()?.iter().any(|split| split == "train");
    let splits = split.map_or_else(|| source.splits(), |split| Ok(vec![split.to_owned()]))?;
    let mut all = Vec::new();
    for split in &splits {
        let data = source.open(split)?;
        let train =
            if has_train && split != "train" { source.open("train")? } else { data.clone() };
        all.push(check_one(context, &data, &*train));
    }
    context.print(
        || all.iter().map(|one| one.report.clone()).collect(),
        || all.iter().map(|one| one.text.as_str()).collect(),
    )?;
    let unreadable: Vec<&DataError> = all.iter().flat_map(|one| &one.unreadable).collect();
    match unreadable.as_slice() {
        [] => Ok(()),
        [only] => Err(anyhow!("{only}")),
        [first, rest @ ..] => Err(anyhow!(
            "{} pictures cannot be read, this and {} more: {first}",
            rest.len() + 1,
            rest.len()
        )),
    }
}

fn check_one(context: &Context, data: &Arc<dyn Dataset>, train: &dyn Dataset) -> Checked {
    let task = context.log.task(&format!("decoding {}", data.name()));
    task.start(0, data.len() as u64);
    let mut unreadable = Vec::new();
    for index in 0..data.len() {
        unreadable.extend(data.image(index).err());
        task.advance(1);
    }
    task.finish();
    let items = || (0..data.len()).map(|index| data.item(index));
    let captions: usize = items().map(|item| item.captions.len()).sum();
    let bare = items().filter(|item| item.captions.is_empty()).count();
    let pairs = question_pairs(&**data, None);
    // Without training questions there is no commonest answer.
    let majority = majority_baseline(train, &**data, &pairs).ok().filter(|_| !pairs.is_empty());
    let majority_json = majority
        .as_ref()
        .map(|found| json!({"overall": found.overall, "per_kind": found.per_kind, "per_group": found.per_group}));
    let report = json!({
        "data": data.name(), "items": data.len(), "captions": captions, "items_without_caption": bare, "questions": pairs.len(),
        "unreadable": unreadable.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "majority": majority_json, "fingerprint": data.fingerprint(),
    });
    let mut text = format!("{}\n", data.name());
    for (what, number) in [
        ("pictures", data.len()),
        ("unreadable", unreadable.len()),
        ("captions", captions),
        ("without caption", bare),
        ("questions", pairs.len()),
    ] {
        text.push_str(&format!("  {what:<24}{number}\n"));
    }
    if let Some((found, overall)) =
        majority.and_then(|found| found.overall.map(|overall| (found, overall)))
    {
        text.push_str(&format!("  {:<24}{overall:.2} %\n", "commonest answer"));
        for (kind, score) in &found.per_kind {
            text.push_str(&format!("    {kind:<22}{score:.2} %\n"));
        }
    }
    Checked { report, text, unreadable }
}
