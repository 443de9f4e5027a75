//! The files of a split, read in the format that the card names.

use super::builder::Builder;
use super::config::{Format, PublishedConfig, SplitConfig};
use super::fault::Faults;
use super::pictures::{Part, Pictures};
use super::{coco, genome, gqa, karpathy, lavis, vqa};
use crate::{DataError, Item};
use std::path::Path;

/// What the files of a split say.
pub(super) struct Loaded {
    pub items: Vec<Item>,
    pub pictures: Pictures,
    /// Captions read, empty ones included.
    pub captions: u64,
}

/// Reads the split `name`. What is at fault and may be left out, as `faults` decides, is left out.
pub(super) fn load(
    config: &PublishedConfig,
    root: &Path,
    name: &str,
    faults: &mut dyn Faults,
) -> Result<Loaded, DataError> {
    let parts = config.parts(name)?;
    if !root.is_dir() {
        let files: Vec<String> =
            parts.iter().flat_map(|part| part.files.iter().chain(&part.answers)).cloned().collect();
        return Err(DataError::published(
            format!("there is no folder {}", root.display()),
            format!(
                "make it, put {} there{} and the pictures into {}",
                files.join(", "),
                config.at_home(),
                parts[0].folders(root)[0].display()
            ),
        ));
    }
    let mut build = Builder::new(faults);
    let mut pictures = Pictures::default();
    for part in parts {
        let first = build.items.len();
        for file in &part.files {
            let hint = format!("put {} there{}", last(file), config.at_home());
            build.file(&root.join(file), &hint, |build, path| read(part, name, build, path))?;
        }
        for file in &part.answers {
            let hint = format!("put {} there{}", last(file), config.at_home());
            build.file(&root.join(file), &hint, |build, path| vqa::answers(build, path, part.raw_answers))?;
        }
        pictures.parts.push(Part { first, folders: part.folders(root), skip_missing: part.skip_missing });
    }
    build.finish()?;
    Ok(Loaded { captions: build.captions, items: build.items, pictures })
}

fn last(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

fn read(split: &SplitConfig, name: &str, build: &mut Builder, path: &Path) -> Result<(), DataError> {
    // `PublishedConfig::check` has seen that both are there.
    let missing = || DataError::published(format!("[config.splits.{name}] is not whole"), "add format and image_name");
    let format = split.format.ok_or_else(missing)?;
    let image_name = split.image_name.as_ref();
    match format {
        Format::CocoCaptions => coco::read(build, path, false),
        Format::Nocaps => coco::read(build, path, true),
        Format::Karpathy => match split.select.as_slice() {
            [] => karpathy::read(build, path, &[name.to_owned()]),
            select => karpathy::read(build, path, select),
        },
        Format::LavisCaptions => lavis::captions(build, path),
        Format::LavisVqa => lavis::questions(build, path, false),
        Format::LavisGqa => lavis::questions(build, path, true),
        Format::Vqa => vqa::questions(build, path, image_name.ok_or_else(missing)?),
        Format::Gqa => gqa::read(build, path, image_name.ok_or_else(missing)?),
        Format::VisualGenomeRegions => genome::regions(build, path, image_name.ok_or_else(missing)?),
        Format::VisualGenomeQa => genome::questions(build, path, image_name),
    }
}
