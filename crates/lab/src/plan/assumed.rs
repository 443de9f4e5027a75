//! Data that is not on this machine yet, as far as a plan needs it.
//!
//! A plan is wanted before hours of downloads, so it counts with the numbers that a card publishes,
//! and says so.

use crate::LabError;
use crate::plan::parts::open_data;
use image::RgbImage;
use std::sync::Arc;
use toolkit_data::{DataError, Dataset, Item, PublishedConfig, Question, SplitConfig};
use toolkit_registry::{Card, Kind, Registry};

/// Pictures that are assumed where a card publishes no number: about a split of COCO.
const ASSUMED_IMAGES: usize = 100_000;

/// Captions of a picture, where only the number of captions is published: COCO's.
const CAPTIONS_PER_IMAGE: usize = 5;

/// A data set of which only the number of pictures is known.
struct Assumed {
    name: String,
    len: usize,
    item: Item,
}

impl Dataset for Assumed {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> usize {
        self.len
    }

    fn item(&self, _: usize) -> &Item {
        &self.item
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        Err(DataError::Index { dataset: self.name.clone(), len: 0, index })
    }

    fn fingerprint(&self) -> String {
        format!("not fetched: {}", self.name)
    }
}

/// Opens `card:split` or `folder:PATH`, or assumes it where its files are not here. What was
/// assumed is added to `notes`.
///
/// # Errors
/// If something is wrong with the name, the card, or files that are here.
pub fn open_or_assume(
    registry: &Registry,
    name: &str,
    notes: &mut Vec<String>,
) -> Result<Arc<dyn Dataset>, LabError> {
    let error = match open_data(registry, name) {
        Ok(data) => return Ok(data),
        Err(error) => error,
    };
    let Some((card, split)) = name.split_once(':').filter(|(card, _)| *card != "folder") else {
        return Err(error);
    };
    let card = registry.card(Kind::Dataset, card)?;
    let Some((len, from)) = missing(&card, split)? else { return Err(error) };
    let note = format!("`{name}` is not on this machine: {len} pictures are assumed, {from}");
    if !notes.contains(&note) {
        notes.push(note);
    }
    // Texts of each kind: that the data have none is found when they are here.
    let [id, caption, text, kind] = ["0", "a caption", "a question?", "other"].map(str::to_owned);
    let question = Question { id: 0, text, answers: vec![], answer_type: kind.clone(), kind };
    let item = Item {
        depicts: id.clone(),
        id,
        group: "all".to_owned(),
        captions: vec![caption],
        questions: vec![question],
    };
    Ok(Arc::new(Assumed { name: name.to_owned(), len, item }))
}

/// Returns the number of pictures of a split whose files are not here, and where the number is
/// from.
fn missing(card: &Card, split: &str) -> Result<Option<(usize, &'static str)>, LabError> {
    let unknown = (ASSUMED_IMAGES, "a guess");
    if card.family != "published" {
        return Ok((!card.not_here()?.is_empty()).then_some(unknown));
    }
    let config: PublishedConfig = card.config()?;
    if config.root(&card.name).is_ok_and(|root| root.is_dir()) {
        return Ok(None);
    }
    let Some(split) = config.splits.get(split) else { return Ok(None) };
    Ok(Some(published(&config, split).map_or(unknown, |images| (images, "as its card publishes"))))
}

/// Counts the pictures of a split by the numbers of its card; those of joined splits are added.
fn published(config: &PublishedConfig, split: &SplitConfig) -> Option<usize> {
    if !split.join.is_empty() {
        let parts = split
            .join
            .iter()
            .map(|name| config.splits.get(name).filter(|part| part.join.is_empty()));
        return parts.map(|part| published(config, part?)).sum();
    }
    let captions = split.captions.map(|captions| captions as usize / CAPTIONS_PER_IMAGE);
    split.images.map(|images| images as usize).or(captions)
}
