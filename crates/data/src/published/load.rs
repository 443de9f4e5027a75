//! The files of a split, read in the format that the card names.

use super::builder::Builder;
use super::config::{AnnotationFormat, PublishedConfig, SplitConfig};
use super::pictures::{Part, PublishedPictures};
use super::{coco, genome, gqa, karpathy, lavis, vqa};
use crate::lists::fault::FaultSink;
use crate::lists::paths::moved;
use crate::{DataError, Item};
use std::path::Path;

/// The content of the files of a split.
pub(super) struct Loaded {
    pub items: Vec<Item>,
    pub pictures: PublishedPictures,
    /// Captions read, empty ones included.
    pub captions: u64,
    /// Things that were read in another way than they are written, one line each.
    pub remarks: Vec<String>,
}

/// Reads the split `name`. What is at fault and may be left out, as `faults` decides, is left out.
pub(super) fn load(
    config: &PublishedConfig,
    root: &Path,
    name: &str,
    faults: &mut dyn FaultSink,
) -> Result<Loaded, DataError> {
    let parts = config.parts(name)?;
    if !root.is_dir() {
        let files: Vec<String> =
            parts.iter().flat_map(|part| part.files.iter().chain(&part.answers)).cloned().collect();
        return Err(DataError::new(
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
    let mut pictures = PublishedPictures::default();
    for part in parts {
        let first = build.items.len();
        build.folders = part.folders(root);
        for file in &part.files {
            let hint = format!("put {} there{}", last(file), config.at_home());
            build.file(&root.join(file), &hint, |build, path| read(part, name, build, path))?;
        }
        for file in &part.answers {
            let hint = format!("put {} there{}", last(file), config.at_home());
            build.file(&root.join(file), &hint, |build, path| {
                vqa::answers(build, path, part.raw_answers)
            })?;
        }
        if needs_captions(part, &build, first) {
            build.need_captions(first)?;
        }
        let folders = part.folders(root);
        if let Some(place) =
            moved(build.items[first..].iter().map(|item| item.depicts.as_str()), &folders)
        {
            cut(&mut build.items[first..], &place);
            build.remarks.insert(format!(
                "paths begin with {place}, which is not here: they are read in the split's folders"
            ));
        }
        pictures.parts.push(Part { first, folders, skip_missing: part.skip_missing });
    }
    build.finish()?;
    Ok(Loaded {
        captions: build.captions,
        items: build.items,
        pictures,
        remarks: build.remarks.into_iter().collect(),
    })
}

/// Returns `true` if every picture of a part should have a caption. NoCaps does not publish those
/// of its test split.
fn needs_captions(part: &SplitConfig, build: &Builder, first: usize) -> bool {
    match part.format {
        Some(AnnotationFormat::CocoCaptions | AnnotationFormat::VisualGenomeRegions) => true,
        Some(AnnotationFormat::Nocaps) => {
            build.items[first..].iter().any(|item| !item.captions.is_empty())
        }
        _ => false,
    }
}

/// Takes the folder `place` off the paths that begin with it, and off ids that are paths.
fn cut(items: &mut [Item], place: &str) {
    for item in items {
        if let Some(rest) = item.depicts.strip_prefix(place).map(str::to_owned) {
            if item.id == item.depicts {
                item.id.clone_from(&rest);
            }
            item.depicts = rest;
        }
    }
}

fn last(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

fn read(
    split: &SplitConfig,
    name: &str,
    build: &mut Builder,
    path: &Path,
) -> Result<(), DataError> {
    // `PublishedConfig::check` has seen that both are there.
    let missing = || {
        DataError::new(format!("[config.splits.{name}] is not whole"), "add format and image_name")
    };
    let format = split.format.ok_or_else(missing)?;
    let image_name = split.image_name.as_ref();
    match format {
        AnnotationFormat::CocoCaptions => coco::read(build, path, false),
        AnnotationFormat::Nocaps => coco::read(build, path, true),
        AnnotationFormat::Karpathy => match split.select.as_slice() {
            [] => karpathy::read(build, path, &[name.to_owned()]),
            select => karpathy::read(build, path, select),
        },
        AnnotationFormat::LavisCaptions => lavis::captions(build, path, image_name),
        AnnotationFormat::LavisVqa => lavis::questions(build, path, image_name, false),
        AnnotationFormat::LavisGqa => lavis::questions(build, path, image_name, true),
        AnnotationFormat::Vqa => vqa::questions(build, path, image_name.ok_or_else(missing)?),
        AnnotationFormat::Gqa => gqa::read(build, path, image_name.ok_or_else(missing)?),
        AnnotationFormat::VisualGenomeRegions => {
            genome::regions(build, path, image_name.ok_or_else(missing)?)
        }
        AnnotationFormat::VisualGenomeQa => genome::questions(build, path, image_name),
    }
}
