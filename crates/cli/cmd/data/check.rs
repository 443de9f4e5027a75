//! `toolkit data check` of a built-in data set: every picture is decoded, every text counted.

use super::looked::{Counts, Looked, worst_shards, worst_table};
use super::published;
use super::summary::{Majority, counts, findings};
use crate::context::Context;
use anyhow::anyhow;
use clap::Args as Arguments;
use serde_json::{Value, json};
use toolkit_data::{CheckOptions, DataError, DataName, Dataset, Findings};
use toolkit_registry::Kind;
use toolkit_system::problem::Problem;

/// Lists missing and damaged data, with counts
///
/// For built-in data, folders and shards it counts items and texts, decodes every picture on all
/// cores and scores the commonest answer. For shards it counts what is damaged, cut off, repeated or
/// incomplete, and lists the worst shards first. For folders and published data sets (COCO, VQAv2 and others, in their original
/// files) it finds missing and unreadable pictures, rows without text, rows that cannot be read and
/// files that are passed over. For published data sets it also finds annotations without a picture,
/// repeated ids, questions without answers, and counts and digests other than published. Data are
/// called whole, and the exit code is 0, only if every row has a picture and a text.
///
/// A folder may have sub-folders. Captions are in a .txt file called as the picture, or in
/// `captions` or `metadata` as .jsonl, .json, .csv or .tsv.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit data check scenes
  toolkit data check scenes:val --json
  toolkit data check vqav2 --decode
  toolkit data check folder:my-photos
  toolkit data check 'shards:cc3m/{00000..00331}.tar'")]
pub struct Args {
    /// Card (all its splits), CARD:SPLIT, folder:PATH or shards:GLOB
    data: String,
    /// Decode every picture of a published data set [default: read headers only]
    #[arg(long)]
    decode: bool,
    /// Examples of each finding
    #[arg(long, value_name = "N", default_value_t = 5)]
    examples: usize,
}

/// Result of the check of one split.
struct CheckedSplit {
    name: String,
    report: Value,
    text: String,
    unreadable: Vec<DataError>,
    left_out: Findings,
}

/// Runs the command.
///
/// # Errors
/// If the data cannot be opened, or anything is wrong with it.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let options = CheckOptions { examples: args.examples, decode: args.decode };
    let (name, split) = match DataName::parse(&args.data) {
        DataName::Folder(path) => return published::folder(context, path, options),
        DataName::Shards(_) | DataName::Parquet(_) | DataName::Table(_) => {
            return opened(context, args);
        }
        DataName::Split { card, split } => (card, Some(split)),
        DataName::Card(card) => (card, None),
    };
    let card = context.registry.card(Kind::Dataset, name)?;
    let source = context.registry.dataset_of(&card)?;
    if let Some(files) = source.user_files()?
        && published::run(context, &card, files, split, options)?
    {
        return Ok(());
    }
    let has_train = source.splits()?.iter().any(|split| split == "train");
    let splits = split.map_or_else(|| source.splits(), |split| Ok(vec![split.to_owned()]))?;
    let mut all = Vec::new();
    for split in &splits {
        let data = source.open(split)?;
        let train =
            if has_train && split != "train" { source.open("train")? } else { data.clone() };
        all.push(check_split(context, &*data, &*train, args.examples));
    }
    tell(context, &all)
}

/// Checks data that have one split and no card.
fn opened(context: &Context, args: &Args) -> anyhow::Result<()> {
    let data = context.registry.open_data(&args.data)?;
    tell(context, &[check_split(context, &*data, &*data, args.examples)])
}

/// Prints the results.
///
/// # Errors
/// If anything is wrong with the data.
fn tell(context: &Context, all: &[CheckedSplit]) -> anyhow::Result<()> {
    context.print(
        || all.iter().map(|one| one.report.clone()).collect(),
        || all.iter().map(|one| one.text.as_str()).collect(),
    )?;
    let unreadable: Vec<&DataError> = all.iter().flat_map(|one| &one.unreadable).collect();
    match unreadable.as_slice() {
        [] => {}
        [only] => return Err(anyhow!("{only}")),
        [first, rest @ ..] => {
            return Err(anyhow!(
                "{} pictures cannot be read, this and {} more: {first}",
                rest.len() + 1,
                rest.len()
            ));
        }
    }
    let faulty = all.iter().find_map(|one| Some((one, one.left_out.values().next()?)));
    let Some((one, finding)) = faulty else { return Ok(()) };
    let first = finding.examples.first().map(|first| first.clone().without_hint());
    let first = first.unwrap_or_default();
    Err(Problem::new("the data are not whole")
        .at(&one.name)
        .hint(format_args!("the first finding is: {first}"))
        .into())
}

/// Decodes the pictures of a split on all cores and counts its texts.
fn check_split(
    context: &Context,
    data: &dyn Dataset,
    train: &dyn Dataset,
    examples: usize,
) -> CheckedSplit {
    let looked = Looked::at(context, data);
    let count = |of: fn(&Counts) -> u64| of(&looked.counts);
    let majority = Majority::of(train, data);
    let left_out = data.left_out();
    let worst = worst_shards(data, &looked);
    let shards = data.shards().len();
    let mut report = json!({
        "data": data.name(), "items": data.len(), "captions": count(|c| c.captions),
        "items_without_caption": count(|c| c.bare), "questions": count(|c| c.questions),
        "unreadable": looked.unreadable.iter().map(|(_, e)| e.to_string()).collect::<Vec<_>>(),
        "majority": majority.json(), "fingerprint": data.fingerprint(),
    });
    let mut counted = vec![
        ("pictures", data.len() as u64),
        ("unreadable", looked.unreadable.len() as u64),
        ("captions", count(|c| c.captions)),
        ("without caption", count(|c| c.bare)),
        ("questions", count(|c| c.questions)),
    ];
    if shards > 0 {
        report["shards"] = json!(shards);
        report["findings"] = json!(left_out);
        report["worst_shards"] = json!(worst);
        report["notes"] = json!(data.remarks());
        counted.insert(0, ("shards", shards as u64));
    }
    let text = [
        format!("{}\n", data.name()),
        counts(&counted),
        majority.text(),
        findings(&left_out, &data.remarks()),
        worst_table(&worst, examples),
    ];
    CheckedSplit {
        name: data.name().to_owned(),
        report,
        text: text.concat(),
        unreadable: looked.unreadable.into_iter().map(|(_, error)| error).collect(),
        left_out,
    }
}
