//! `toolkit retrieve`: which picture goes with a text.

use super::matching::{Scores, score};
use crate::context::Context;
use crate::model_args::{ModelArgs, Purpose};
use crate::out;
use crate::pictures::Unreadable;
use crate::text::{decimals, table};
use anyhow::bail;
use clap::Args as Arguments;
use serde_json::{Value, json};
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
    /// Text; may be given several times
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
    let task = loaded.cell.as_ref().and_then(|cell| cell.spec.eval.retrieve.as_ref());
    let most = match task {
        None => None,
        Some(task) => {
            let card = context.registry.card(Kind::Task, task)?;
            Some(RetrievalTask::from_card(&card)?.config.max_tokens)
        }
    };
    let found = score(context, &loaded.vlm, &files, args.unreadable, &args.text, most)?;
    let files: Vec<&PathBuf> = found.read.iter().map(|at| &files[*at]).collect();
    let ranking = Ranking { texts: &args.text, files, found: &found, of: &loaded.of };
    context.print(|| ranking.as_json(), || ranking.as_text())
}

/// Pictures ranked by texts.
struct Ranking<'a> {
    texts: &'a [String],
    /// Pictures that were read, in the order of `found.scores`.
    files: Vec<&'a PathBuf>,
    found: &'a Scores,
    /// Key of the stage-1 run, or id of the cell.
    of: &'a Option<String>,
}

impl Ranking<'_> {
    fn itc(&self, image: usize, text: usize) -> f32 {
        self.found.scores[image].itc[text]
    }

    fn itm(&self, image: usize, text: usize) -> f32 {
        self.found.scores[image].itm[text][1]
    }

    /// Returns the score that pictures are ranked by: the sum of ITC and ITM.
    fn score(&self, image: usize, text: usize) -> f32 {
        self.itc(image, text) + self.itm(image, text)
    }

    /// Returns the indices of the pictures, the best one for the text first.
    fn ranked(&self, text: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.files.len()).collect();
        order.sort_by(|&a, &b| self.score(b, text).total_cmp(&self.score(a, text)));
        order
    }

    fn as_json(&self) -> Value {
        let of_text = |text: usize| {
            let images = self.ranked(text).into_iter().map(|i| {
                json!({
                    "image": out::path(self.files[i]),
                    "score": self.score(i, text),
                    "itc": self.itc(i, text),
                    "itm": self.itm(i, text),
                })
            });
            json!({
                "text": self.texts[text],
                "ids": self.found.ids[text],
                "of": self.of,
                "ranks": images.collect::<Vec<_>>(),
            })
        };
        (0..self.texts.len()).map(of_text).collect()
    }

    fn as_text(&self) -> String {
        let of_text = |text: usize| {
            let row = |(rank, i): (usize, usize)| {
                vec![
                    (rank + 1).to_string(),
                    decimals(self.itc(i, text), 3),
                    decimals(self.itm(i, text), 3),
                    self.files[i].display().to_string(),
                ]
            };
            let rows: Vec<Vec<String>> =
                self.ranked(text).into_iter().enumerate().map(row).collect();
            let title = out::shown(&self.texts[text]);
            format!("{title}\n{}", table(&["rank", "itc", "itm", "image"], &rows))
        };
        (0..self.texts.len()).map(of_text).collect::<Vec<_>>().join("\n")
    }
}

/// Returns the picture files of the command line, or those of `folder:DIR`. The log names files
/// there that are passed over.
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
