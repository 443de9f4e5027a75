//! `toolkit data preview`: a contact sheet and a few samples.

use crate::context::Context;
use clap::Args as Arguments;
use image::ImageEncoder;
use serde_json::json;
use std::path::{Path, PathBuf};
use toolkit_data::{DataName, Dataset, Item, contact_sheet};
use toolkit_system::files::write_bytes;
use toolkit_system::problem::Problem;

/// Writes a contact sheet and prints a few samples
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit data preview scenes --out scenes.png
  toolkit data preview scenes:test --count 64
  toolkit data preview folder:my-photos --json")]
pub struct Args {
    /// Card, CARD:SPLIT (train, val, test) or folder:PATH
    data: String,
    /// Picture to write [default: DATA.png]
    #[arg(long, value_name = "FILE.png")]
    out: Option<PathBuf>,
    /// Pictures on the sheet
    #[arg(
        long,
        default_value_t = 24,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=400)
    )]
    count: u16,
}

/// Samples that are printed.
const PRINTED: usize = 4;

/// Runs the command.
///
/// # Errors
/// If the data cannot be opened or read, or the sheet cannot be written.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let name =
        if args.data.contains(':') { args.data.clone() } else { format!("{}:train", args.data) };
    let data = context.registry.open_data(&name)?;
    let path = sheet_path(args, &*data)?;
    if let DataName::Folder(folder) = DataName::parse(&name) {
        crate::out::keep_inputs(&path, &[folder])?;
    }
    write_sheet(&path, &*data, usize::from(args.count))?;
    let shown = PRINTED.min(data.len());
    let items: Vec<_> = (0..shown).map(|at| data.item(at * data.len() / shown)).collect();
    let notes = data.notes();
    context.print(
        || {
            json!({
                "data": data.name(), "items": data.len(), "sheet": crate::out::path(&path),
                "samples": items, "notes": notes,
            })
        },
        || items.iter().map(|item| sample(item)).collect(),
    )?;
    notes.iter().for_each(|note| context.log.line(note));
    context.log.line(&path.display().to_string());
    Ok(())
}

/// Returns the path of the sheet, with the folder that it is in.
fn sheet_path(args: &Args, data: &dyn Dataset) -> anyhow::Result<PathBuf> {
    let default = || PathBuf::from(format!("{}.png", data.name().replace([':', '/'], "-")));
    let path = args.out.clone().unwrap_or_else(default);
    let path = if path.parent().is_some_and(|dir| dir.as_os_str().is_empty()) {
        Path::new(".").join(path)
    } else {
        path
    };
    // Renaming a file onto a device or a folder would replace it or fail late.
    if path.exists() && !path.is_file() {
        return Err(Problem::new("cannot write the contact sheet: it is no ordinary file")
            .at(path.display())
            .hint("give a file name with `--out`")
            .into());
    }
    Ok(path)
}

fn write_sheet(path: &Path, data: &dyn Dataset, count: usize) -> anyhow::Result<()> {
    let sheet = contact_sheet(data, count)?;
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png)
        .write_image(&sheet, sheet.width(), sheet.height(), image::ExtendedColorType::Rgb8)
        .map_err(|error| {
            Problem::new(format_args!("cannot encode the contact sheet: {error}"))
                .hint("choose a smaller `--count`")
        })?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| {
            Problem::new(format_args!("cannot make the folder: {error}"))
                .at(folder.display())
                .hint("choose another place with `--out`")
        })?;
    }
    Ok(write_bytes(path, &png)?)
}

fn sample(item: &Item) -> String {
    let captions = item.captions.iter().map(|caption| format!("  {caption}\n"));
    let question = |q: &toolkit_data::Question| format!("  {} {}\n", q.text, q.answers.join(" | "));
    let texts: String = captions.chain(item.questions.iter().map(question)).collect();
    format!("{} ({})\n{texts}", item.id, item.group)
}
