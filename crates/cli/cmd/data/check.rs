//! `toolkit data check` of a built-in data set: every picture is decoded, every text counted.

use super::published;
use super::summary::{Majority, counts};
use crate::context::Context;
use anyhow::anyhow;
use clap::Args as Arguments;
use serde_json::{Value, json};
use std::sync::Arc;
use toolkit_data::{CheckOptions, DataError, DataName, Dataset};
use toolkit_eval::question_pairs;
use toolkit_registry::Kind;
use toolkit_system::progress::Progress;

/// Lists missing and damaged data, with counts
///
/// For built-in data and folders it counts items and texts, decodes every picture and scores the
/// commonest answer. For folders and published data sets (COCO, VQAv2 and others, in their original
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
  toolkit data check folder:my-photos")]
pub struct Args {
    /// Card (all its splits), CARD:SPLIT or folder:PATH
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
    report: Value,
    text: String,
    unreadable: Vec<DataError>,
}

/// Runs the command.
///
/// # Errors
/// If the data cannot be opened, or anything is wrong with it.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let options = CheckOptions { examples: args.examples, decode: args.decode };
    let (name, split) = match DataName::parse(&args.data) {
        DataName::Folder(path) => return published::folder(context, path, options),
        DataName::Split { card, split } => (card, Some(split)),
        DataName::Card(card) => (card, None),
    };
    let card = context.registry.card(Kind::Dataset, name)?;
    let source = context.registry.dataset_of(&card)?;
    if let Some(files) = source.user_files()? {
        return published::run(context, &card, files, split, options);
    }
    let has_train = source.splits()?.iter().any(|split| split == "train");
    let splits = split.map_or_else(|| source.splits(), |split| Ok(vec![split.to_owned()]))?;
    let mut all = Vec::new();
    for split in &splits {
        let data = source.open(split)?;
        let train =
            if has_train && split != "train" { source.open("train")? } else { data.clone() };
        all.push(check_split(context, &data, &*train));
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

fn check_split(context: &Context, data: &Arc<dyn Dataset>, train: &dyn Dataset) -> CheckedSplit {
    let progress = context.log.task(&format!("decoding {}", data.name()));
    progress.start(0, data.len() as u64);
    let mut unreadable = Vec::new();
    for index in 0..data.len() {
        unreadable.extend(data.image(index).err());
        progress.advance(1);
    }
    progress.finish();
    let items = || (0..data.len()).map(|index| data.item(index));
    let captions: usize = items().map(|item| item.captions.len()).sum();
    let bare = items().filter(|item| item.captions.is_empty()).count();
    let questions = question_pairs(&**data, None).len();
    let majority = Majority::of(train, &**data);
    let report = json!({
        "data": data.name(), "items": data.len(), "captions": captions,
        "items_without_caption": bare, "questions": questions,
        "unreadable": unreadable.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "majority": majority.json(), "fingerprint": data.fingerprint(),
    });
    let counted = counts(&[
        ("pictures", data.len() as u64),
        ("unreadable", unreadable.len() as u64),
        ("captions", captions as u64),
        ("without caption", bare as u64),
        ("questions", questions as u64),
    ]);
    let text = format!("{}\n{counted}{}", data.name(), majority.text());
    CheckedSplit { report, text, unreadable }
}
