//! The tasks of `toolkit eval`, with their data.

use super::Args;
use crate::context::Context;
use anyhow::bail;
use std::collections::BTreeMap;
use std::sync::Arc;
use toolkit_data::Dataset;
use toolkit_eval::{TaskFamily, task_data};
use toolkit_lab::work::readable::{leaving_out, unreadable};
use toolkit_registry::{Card, Kind};
use toolkit_system::problem::Problem;
use toolkit_system::progress::Progress;

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
    /// Notes on pictures that were left out.
    pub notes: Vec<String>,
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
