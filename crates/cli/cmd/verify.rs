//! `toolkit verify`: a checkpoint against what its source computed.

use crate::context::Context;
use crate::model_args::{ModelArgs, Purpose};
use crate::text::table;
use burn::tensor::Device;
use clap::Args as Arguments;
use std::path::{Path, PathBuf};
use toolkit_checkpoints::CheckpointError;
use toolkit_checkpoints::verify::{Bound, Report, Row, Subject, verify};
use toolkit_lab::run::is_run;
use toolkit_system::problem::Problem;

/// Compares a checkpoint with a reference file: every tensor, loss, gradient, pixel and generated
/// text
///
/// Floats must agree to 1e-4 of the tensor's largest magnitude, losses to 1e-5 of themselves,
/// pixels to 1e-6, token ids exactly. For a folder with `expected.json`, its generations are
/// repeated too. The exit code is 0 only if everything agrees.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit verify blip2-opt-2.7b-converted/ --reference reference.safetensors
  toolkit verify tests/fixtures/blip2-opt-tiny
  toolkit verify tests/fixtures/stage1-tiny/checkpoint.pth --json")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Reference values of the original code [default: reference.safetensors next to the
    /// checkpoint]
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// If files are missing or broken, or anything differs.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let path = PathBuf::from(&args.model.model);
    let open = |device: &Device, frozen: bool| {
        let purpose = if args.stage1() { Purpose::Compare } else { Purpose::Generate };
        let loaded = args.model.open_on(context, purpose, device, frozen);
        loaded.map(|loaded| loaded.vlm).map_err(|error| CheckpointError::from(Problem::new(error)))
    };
    let folder = if is_run(&path) { path.clone() } else { Subject::folder_of(&path)? };
    let subject = Subject { folder, open: &open };
    let report = verify(&subject, args.reference.as_deref(), &context.device()?)?;
    report.notes.iter().for_each(|note| context.log.line(note));
    context.print(|| serde_json::to_value(&report).unwrap_or_default(), || text(&report))?;
    let wrong = report.tensors.iter().filter(|row| !row.ok).count()
        + report.generations.iter().filter(|g| !g.ok).count();
    let all = report.tensors.len() + report.generations.len();
    if report.holds() {
        return Ok(());
    }
    Err(Problem::new(format_args!("{wrong} of {all} outputs differ from the reference"))
        .at(&args.model.model)
        .hint("the first that differs in the order vision, qformer, language is where to look")
        .into())
}

impl Args {
    /// Returns `true` if the reference is one of stage 1: of a run, that is another checkpoint.
    fn stage1(&self) -> bool {
        let path = Path::new(&self.model.model);
        let file = self.reference.clone().unwrap_or_else(|| path.join("reference.safetensors"));
        is_run(path)
            && toolkit_checkpoints::verify::kind_of(&file).is_some_and(|kind| kind == "stage1")
    }
}

fn text(report: &Report) -> String {
    let mut parts = Vec::new();
    if !report.tensors.is_empty() {
        let lines: Vec<Vec<String>> = report.tensors.iter().map(line).collect();
        parts
            .push(table(&["output", "shape", "largest", "relative", "allowed", "verdict"], &lines));
    }
    if !report.generations.is_empty() {
        let lines: Vec<Vec<String>> = (report.generations.iter())
            .map(|g| {
                let verdict = if g.ok {
                    "ok".to_owned()
                } else {
                    format!("differs: expected {:?}", g.expected)
                };
                vec![
                    g.image.clone(),
                    format!("{:?}", g.prompt.as_deref().unwrap_or("")),
                    format!("{:?}", g.text),
                    verdict,
                ]
            })
            .collect();
        parts.push(table(&["image", "prompt", "text", "verdict"], &lines));
    }
    parts.join("\n")
}

fn line(row: &Row) -> Vec<String> {
    let number = |n: Option<f64>| n.map_or("-".to_owned(), |n| format!("{n:.2e}"));
    let allowed = match row.bound {
        Bound::OfLargest(share) => format!("{share:.0e} of the largest"),
        Bound::OfValue(share) => format!("{share:.0e} of the value"),
        Bound::Absolute(limit) => format!("{limit:.0e}"),
        Bound::Exact => "exact".to_owned(),
    };
    let verdict = match (&row.note, row.ok) {
        (Some(note), _) => format!("not compared: {note}"),
        (None, true) => "ok".to_owned(),
        (None, false) => "differs".to_owned(),
    };
    let shape = format!("{:?}", row.shape);
    vec![
        row.name.clone(),
        shape,
        number(row.largest_difference),
        number(row.relative_difference),
        allowed,
        verdict,
    ]
}
