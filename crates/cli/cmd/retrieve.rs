//! `toolkit retrieve`: which picture goes with a text, by a bridge after stage 1.

use crate::context::Context;
use crate::text::table;
use crate::trained::{Cell, cells, features, pictures, rows};
use anyhow::{anyhow, bail};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use clap::Args as Arguments;
use serde_json::json;
use std::path::{Path, PathBuf};
use toolkit_core::{AnyBridge, TextTower, noise};
use toolkit_eval::RetrievalTask;
use toolkit_registry::spanned::suggest;
use toolkit_registry::{Kind, Weights};
use toolkit_train::checkpoint::{Checkpoint, load_strict};
use toolkit_train::stage1::similarity;
use toolkit_train::text::{Side, index, pad};

/// Ranks pictures by texts with a bridge after stage 1, without any language model
///
/// ITC is the cosine of the text with the most similar query, ITM the matching head's logit; pictures are ranked by the
/// sum, as in the evaluation.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit retrieve --run runs/ablate_stage1 --images photos --text 'a red apple' --text 'two cats'
  toolkit retrieve --run runs/ablate_stage1 a.png b.png --text 'a red apple' --json")]
pub struct Args {
    /// Folder of a run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Stage-1 run: a folder of DIR/stage1 [default: the first one]
    #[arg(long, value_name = "KEY")]
    stage1: Option<String>,
    /// Folder with pictures
    #[arg(long, value_name = "DIR", conflicts_with = "files", required_unless_present = "files")]
    images: Option<PathBuf>,
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
    let files = files(args)?;
    let (key, cell) = stage1(context, args)?;
    let pictures = pictures(&files)?;
    let device = context.device()?;
    let bridge = bridge(context, &args.run.join("stage1").join(&key), &cell, &device)?;
    let tower = bridge.text_tower().ok_or_else(|| {
        anyhow!("bridge `{}` has no text tower; hint: retrieval needs a Q-Former", cell.spec.model.bridge)
    })?;
    let task = RetrievalTask::from_card(&context.registry.card(Kind::Task, &cell.spec.eval.retrieve)?)?;
    let (tokenizer, marks) = cell.resolved.text_marks()?;
    let texts: Vec<Vec<u32>> = args
        .text
        .iter()
        .map(|text| {
            let kept = tokenizer.encode(text).into_iter().take(task.config.max_tokens.saturating_sub(2).max(1));
            std::iter::once(marks.cls).chain(kept).chain([marks.sep]).collect()
        })
        .collect();
    let encoder = cell.resolved.encoder(&context.registry, &device)?;
    let features = features(&encoder, &cell.resolved, &pictures, &device);
    let (itc, itm) = noise::off(|| score(tower, features, &texts, marks.pad, &device));
    let ranked = |text: usize| {
        let mut order: Vec<usize> = (0..files.len()).collect();
        let both = |image: usize| itc[image][text] + itm[image][text];
        order.sort_by(|&a, &b| both(b).total_cmp(&both(a)));
        order
    };
    let as_json = || {
        (0..texts.len()).map(|text| {
        let images = ranked(text).into_iter().map(|i| json!({"image": files[i], "score": itc[i][text] + itm[i][text], "itc": itc[i][text], "itm": itm[i][text]}));
        json!({"text": args.text[text], "ids": texts[text], "stage1": key, "ranks": images.collect::<Vec<_>>()})
    }).collect()
    };
    let as_text = || {
        (0..texts.len())
            .map(|text| {
                let rows: Vec<Vec<String>> = ranked(text)
                    .into_iter()
                    .enumerate()
                    .map(|(rank, i)| {
                        vec![
                            (rank + 1).to_string(),
                            format!("{:.3}", itc[i][text]),
                            format!("{:.3}", itm[i][text]),
                            files[i].display().to_string(),
                        ]
                    })
                    .collect();
                format!("{}\n{}", args.text[text], table(&["rank", "itc", "itm", "image"], &rows))
            })
            .collect::<Vec<_>>()
            .join("\n")
    };
    context.print(as_json, as_text)
}

fn files(args: &Args) -> anyhow::Result<Vec<PathBuf>> {
    let Some(dir) = &args.images else { return Ok(args.files.clone()) };
    let shown = dir.display();
    let entries = std::fs::read_dir(dir)
        .map_err(|error| anyhow!("cannot read the folder: {error} --> {shown}; hint: give a folder with pictures"))?;
    let picture = |path: &PathBuf| {
        let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        path.is_file() && ending.is_some_and(|e| ["png", "jpg", "jpeg", "webp"].contains(&e.as_str()))
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(picture).collect();
    files.sort();
    if files.is_empty() {
        bail!("there is no picture --> {shown}; hint: png, jpg, jpeg and webp files are read");
    }
    Ok(files)
}

/// The stage-1 run that is meant, with a cell that started from it: that one's spec says what model it is of.
fn stage1(context: &Context, args: &Args) -> anyhow::Result<(String, Cell)> {
    let with_text = |cell: &Cell| cell.spec.stage1.enabled && cell.resolved.bridge.1.text.is_some();
    let mut cells: Vec<Cell> = cells(context, &args.run)?.into_iter().filter(with_text).collect();
    let known = trained_keys(&args.run);
    if cells.is_empty() || known.is_empty() {
        bail!(
            "this run has no stage 1 --> {}; hint: give the folder of a run with `stage1.enabled = true`",
            args.run.join("stage1").display()
        );
    }
    if let Some(wanted) = args.stage1.as_ref().filter(|wanted| !known.contains(wanted)) {
        let hint = suggest(wanted, &known.iter().map(String::as_str).collect::<Vec<_>>());
        bail!("there is no stage-1 run `{wanted}` --> {}; hint: {hint}", args.run.join("stage1").display());
    }
    // The cells are in the order of the plan, so the first is a baseline of most ablations.
    let manifest = std::fs::read(args.run.join("manifest.json")).unwrap_or_default();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap_or_default();
    let started = |cell: &Cell| manifest["stage1"][&cell.id].as_str().filter(|key| known.iter().any(|k| k == key));
    let meant = |cell: &Cell| args.stage1.as_deref().map_or(started(cell).is_some(), |key| started(cell) == Some(key));
    let Some(at) = cells.iter().position(meant) else {
        bail!(
            "no cell of this run starts from that stage-1 run --> {}; hint: type the command of the run again, which goes on with it",
            args.run.display()
        );
    };
    let key = started(&cells[at]).unwrap_or_default().to_owned();
    say(context, args, &key);
    Ok((key, cells.swap_remove(at)))
}

fn say(context: &Context, args: &Args, key: &str) {
    if args.stage1.is_none() {
        context.log.line(&format!("stage 1 {key}"));
    }
}

fn trained_keys(run: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(run.join("stage1")).into_iter().flatten().flatten();
    let trained = entries.filter(|entry| entry.path().join("latest.json").is_file());
    let mut keys: Vec<String> = trained.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    keys.sort();
    keys
}

fn bridge(context: &Context, dir: &Path, cell: &Cell, device: &Device) -> anyhow::Result<AnyBridge> {
    let (card, vision) = (&cell.resolved.bridge.0, &cell.resolved.vision.1);
    let saved = Checkpoint::load(dir)?
        .ok_or_else(|| anyhow!("no checkpoint --> {}; hint: finish the run first", dir.display()))?;
    let bridge = context.registry.build_bridge(card, vision, device, Weights::None)?;
    Ok(load_strict(bridge, saved.weights(dir)?, &dir.join(&saved.model))?.no_grad())
}

/// ITC and ITM of every picture and text: `[picture][text]`.
fn score(
    tower: &dyn TextTower,
    features: Tensor<3>,
    texts: &[Vec<u32>],
    padding: u32,
    device: &Device,
) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let text = pad(texts, padding, Side::Right, device);
    let embeds = tower.text_embeds(text.ids.clone(), text.mask.clone());
    let (mut itc, mut itm) = (Vec::new(), Vec::new());
    for at in 0..features.dims()[0] {
        let pass = tower.image_pass(features.clone().narrow(0, at, 1));
        let same = index(&vec![0; texts.len()], device);
        let cross: Vec<_> = pass
            .cross
            .iter()
            .map(|(k, v)| (k.clone().select(0, same.clone()), v.clone().select(0, same.clone())))
            .collect();
        itc.extend(rows(similarity(tower.image_embeds(pass.queries), embeds.clone())));
        itm.push(
            rows(tower.match_logits(&cross, text.ids.clone(), text.mask.clone()))
                .into_iter()
                .map(|logits| logits[1])
                .collect(),
        );
    }
    (itc, itm)
}
