//! `toolkit retrieve`: which picture goes with a text.

use super::matching::score;
use crate::context::Context;
use crate::model_args::{ModelArgs, Purpose};
use crate::out;
use crate::pictures::Unreadable;
use crate::text::{decimals, table};
use anyhow::bail;
use clap::Args as Arguments;
use serde_json::json;
use std::path::PathBuf;
use toolkit_data::pictures_below;
use toolkit_eval::RetrievalTask;
use toolkit_registry::Kind;
use toolkit_system::problem::Problem;

/// Ranks pictures by texts, without any language model
///
/// ITC is the cosine of the text with the most similar query, ITM the matching head's logit;
/// pictures are ranked by the sum, as in the evaluation. For a run, the bridge after stage 1 is
/// used.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit retrieve runs/ablate_stage1 --images photos --text 'a red apple' --text 'two cats'
  toolkit retrieve blip2-itm-vit-g/ a.png b.png --text 'a red apple' --json")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Stage-1 run: a folder of MODEL/stage1 [default: the first one]
    #[arg(long, value_name = "KEY", conflicts_with = "cell")]
    stage1: Option<String>,
    /// Folder with pictures, in it and its sub-folders
    #[arg(long, value_name = "DIR", conflicts_with = "files", required_unless_present = "files")]
    images: Option<PathBuf>,
    #[command(flatten)]
    unreadable: Unreadable,
    /// Picture files
    #[arg(value_name = "IMAGE")]
    files: Vec<PathBuf>,
    /// A text; may be given several times
    #[arg(long, required = true, value_name = "TEXT")]
    text: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// If pictures, weights or the checkpoint cannot be used.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let files = files(context, args)?;
    let loaded = match &args.stage1 {
        Some(key) => args.model.open_stage1(context, key)?,
        None => args.model.open(context, Purpose::Compare)?,
    };
    let most = match &loaded.cell {
        None => None,
        Some(cell) => {
            let card = context.registry.card(Kind::Task, &cell.spec.eval.retrieve)?;
            Some(RetrievalTask::from_card(&card)?.config.max_tokens)
        }
    };
    let found = score(context, &loaded.vlm, &files, args.unreadable, &args.text, most)?;
    let scores = &found.scores;
    let files: Vec<&PathBuf> = found.read.iter().map(|at| &files[*at]).collect();
    let itm = |image: usize, text: usize| scores[image].itm[text][1];
    let both = |image: usize, text: usize| scores[image].itc[text] + itm(image, text);
    let ranked = |text: usize| {
        let mut order: Vec<usize> = (0..files.len()).collect();
        order.sort_by(|&a, &b| both(b, text).total_cmp(&both(a, text)));
        order
    };
    let as_json = || {
        let one = |text: usize| {
            let images = ranked(text).into_iter().map(
                |i| json!({"image": out::path(files[i]), "score": both(i, text), "itc": scores[i].itc[text], "itm": itm(i, text)}),
            );
            json!({"text": args.text[text], "ids": found.ids[text], "of": loaded.of, "ranks": images.collect::<Vec<_>>()})
        };
        (0..args.text.len()).map(one).collect()
    };
    let as_text = || {
        let one = |text: usize| {
            let line = |(rank, i): (usize, usize)| {
                let numbers = [decimals(scores[i].itc[text], 3), decimals(itm(i, text), 3)];
                [
                    vec![(rank + 1).to_string()],
                    numbers.to_vec(),
                    vec![files[i].display().to_string()],
                ]
                .concat()
            };
            let lines: Vec<Vec<String>> = ranked(text).into_iter().enumerate().map(line).collect();
            format!(
                "{}\n{}",
                out::shown(&args.text[text]),
                table(&["rank", "itc", "itm", "image"], &lines)
            )
        };
        (0..args.text.len()).map(one).collect::<Vec<_>>().join("\n")
    };
    context.print(as_json, as_text)
}

/// Picture files of the command line, or those that `folder:DIR` has; the log says which are passed
/// over there.
fn files(context: &Context, args: &Args) -> anyhow::Result<Vec<PathBuf>> {
    let Some(dir) = &args.images else { return Ok(args.files.clone()) };
    let (files, notes) = pictures_below(dir)?;
    notes.iter().for_each(|note| context.log.line(note));
    if files.is_empty() {
        let shown = dir.display();
        let hint = format!("`toolkit data check folder:{shown}` says what it holds");
        bail!(Problem::new("there is no picture").at(shown).hint(hint));
    }
    Ok(files)
}
