//! `toolkit data check` of a published data set or a folder: everything that is missing or damaged,
//! counted.

use super::summary::{Majority, counts, findings};
use crate::context::Context;
use serde_json::{Value, json};
use std::path::Path;
use toolkit_data::{Check, CheckOptions, Dataset, Fault, FolderCheck, UserFiles, check_folder};
use toolkit_registry::Card;
use toolkit_system::problem::Problem;
use toolkit_system::progress::Progress;

/// Checks one split, or all of a card. Returns `false` if the format has no check of its own.
///
/// # Errors
/// If no card or variable names the folder of the data set, or anything is wrong with it.
pub fn run(
    context: &Context,
    card: &Card,
    files: UserFiles,
    split: Option<&str>,
    options: CheckOptions,
) -> anyhow::Result<bool> {
    let root = files.root?;
    if !root.is_dir() {
        return Err(Problem::new(format_args!(
            "there is no folder of the data set `{}`",
            card.name
        ))
        .at(root.display())
        .hint(format_args!("get the files from {} and put them there", files.home))
        .into());
    }
    let source = context.registry.dataset_of(card)?;
    let splits = split.map_or_else(|| source.splits(), |one| Ok(vec![one.to_owned()]))?;
    let mut reports = Vec::new();
    for split in &splits {
        let task = context.log.task(&format!("pictures of {}:{split}", card.name));
        let started = std::cell::Cell::new(false);
        let last = std::cell::Cell::new(0);
        let report = source.check_files(split, options, &|done, total| {
            if !started.replace(true) {
                task.start(0, total);
            }
            task.advance(done - last.replace(done).min(done));
        })?;
        let Some(report) = report else { return Ok(false) };
        task.finish();
        reports.push(report);
    }
    let value = || -> Value {
        let one = |report: &Check| {
            let mut value = json!(report);
            value["data"] = json!(format!("{}:{}", card.name, report.split));
            value["clean"] = json!(report.is_clean());
            value
        };
        reports.iter().map(one).collect()
    };
    context.print(value, || reports.iter().map(|report| text(&card.name, report)).collect())?;
    let bad: Vec<&Check> = reports.iter().filter(|report| !report.is_clean()).collect();
    match bad.iter().find_map(|report| first(report)) {
        None => Ok(true),
        Some(first) => Err(Problem::new(format_args!(
            "{} of {} splits are not whole",
            bad.len(),
            reports.len()
        ))
        .at(root.display())
        .hint(format_args!("the first finding is: {first}"))
        .into()),
    }
}

/// Checks a folder.
///
/// # Errors
/// If it cannot be read, or anything is wrong with it.
pub fn folder(context: &Context, path: &Path, options: CheckOptions) -> anyhow::Result<()> {
    let task = context.log.task(&format!("decoding {}", path.display()));
    let last = std::cell::Cell::new(0);
    let FolderCheck { data, report, unreadable } =
        check_folder(path, options, &|done, total| match done {
            0 => task.start(0, total),
            _ => task.advance(done - last.replace(done)),
        })?;
    task.finish();
    let bare = (0..data.len()).filter(|&index| data.item(index).captions.is_empty()).count();
    let majority = Majority::of(&data, &data);
    let value = || {
        let mut value = json!(report);
        value["data"] = json!(data.name());
        value["clean"] = json!(report.is_clean());
        value["items"] = json!(data.len());
        value["items_without_caption"] = json!(bare);
        value["unreadable"] = json!(unreadable.iter().map(ToString::to_string).collect::<Vec<_>>());
        value["majority"] = majority.json();
        value["fingerprint"] = json!(data.fingerprint());
        json!([value])
    };
    let lines = || {
        let counted = counts(&[
            ("pictures", report.images),
            ("unreadable", report.count(Fault::UnreadableImage)),
            ("passed over", report.count(Fault::UnreadFormat)),
            ("captions", report.captions),
            ("without caption", bare as u64),
            ("questions", report.questions),
        ]);
        let head = format!("{}: {}\n", data.name(), status(&report));
        head + &counted + &majority.text() + &findings(&report.findings, &report.notes)
    };
    context.print(value, lines)?;
    match first(&report) {
        None => Ok(()),
        Some(first) => Err(Problem::new("the folder is not whole")
            .at(path.display())
            .hint(format_args!("the first finding is: {first}"))
            .into()),
    }
}

/// Returns the first finding without its hint; its kind and count where it has no example.
fn first(report: &Check) -> Option<String> {
    let (fault, found) = report.findings.first_key_value()?;
    Some(match found.examples.first() {
        None => format!("{}, {} times", fault.name(), found.count),
        Some(problem) => problem.clone().without_hint().to_string(),
    })
}

/// Describes in words if data can be used as they are.
fn status(report: &Check) -> &'static str {
    match (report.is_clean(), report.has_text()) {
        (false, _) => "NOT whole",
        (true, true) => "whole",
        (true, false) => "pictures only, no text",
    }
}

fn text(name: &str, report: &Check) -> String {
    let headers = if report.decoded {
        ""
    } else {
        " (by the headers of pictures; `--decode` reads all of them)"
    };
    let empty = match report.count(Fault::EmptyCaption) {
        0 => String::new(),
        empty => format!(" ({empty} of them empty)"),
    };
    let lines = format!(
        "{name}:{}: {} pictures, {} captions{empty}, {} questions, {} answers; {} digests \
        compared; {}{headers}\n",
        report.split,
        report.images,
        report.captions,
        report.questions,
        report.answers,
        report.sums_compared,
        status(report)
    );
    lines + &findings(&report.findings, &report.notes)
}
