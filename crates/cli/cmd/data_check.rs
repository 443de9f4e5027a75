//! `toolkit data check` of a published data set: everything that is missing or damaged, counted.

use crate::context::Context;
use crate::text::table;
use anyhow::{anyhow, bail};
use serde_json::{Value, json};
use toolkit_data::{Check, CheckOptions, PublishedConfig, check};
use toolkit_registry::Card;
use toolkit_train::Progress;

/// Checks one split, or all of a card.
///
/// # Errors
/// If nothing says where the data set is, or anything is wrong with it.
pub fn run(context: &Context, card: &Card, split: Option<&str>, options: CheckOptions) -> anyhow::Result<()> {
    let config: PublishedConfig = card.config()?;
    let root = config.root(&card.name)?;
    if !root.is_dir() {
        bail!(
            "there is no folder of the data set `{}` --> {}; hint: get the files from {} and put them there",
            card.name,
            root.display(),
            config.home
        );
    }
    let splits: Vec<String> = split.map_or_else(|| config.splits.keys().cloned().collect(), |one| vec![one.to_owned()]);
    let mut reports = Vec::new();
    for split in &splits {
        let task = context.log.task(&format!("pictures of {}:{split}", card.name));
        let started = std::cell::Cell::new(false);
        let last = std::cell::Cell::new(0);
        let report = check(&config, &root, split, options, &|done, total| {
            if !started.replace(true) {
                task.start(0, total);
            }
            task.advance(done - last.replace(done).min(done));
        })?;
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
    match bad.first().and_then(|report| report.findings.values().find_map(|f| f.examples.first())) {
        None if bad.is_empty() => Ok(()),
        first => Err(anyhow!(
            "{} of {} splits are not whole --> {}; hint: the first finding is: {}",
            bad.len(),
            reports.len(),
            root.display(),
            first.map_or("a wrong count", |text| text.split("; hint: ").next().unwrap_or(text))
        )),
    }
}

fn text(name: &str, report: &Check) -> String {
    let mut lines = format!(
        "{name}:{}: {} pictures, {} captions, {} questions, {} answers; {} digests compared; {}\n",
        report.split,
        report.images,
        report.captions,
        report.questions,
        report.answers,
        report.sums_compared,
        if report.is_clean() { "whole" } else { "NOT whole" }
    );
    let rows: Vec<Vec<String>> = (report.findings.iter())
        .flat_map(|(fault, found)| {
            let kind = json!(fault).as_str().unwrap_or_default().to_owned();
            let first = found.examples.iter().enumerate().map(move |(at, example)| {
                let count = if at == 0 { found.count.to_string() } else { String::new() };
                vec![if at == 0 { kind.clone() } else { String::new() }, count, example.clone()]
            });
            first.collect::<Vec<_>>()
        })
        .collect();
    if !rows.is_empty() {
        lines += &table(&["finding", "count", "such as"], &rows);
    }
    lines
}
