//! Data that are not on this machine yet, as far as a plan needs them.
//!
//! A plan is wanted before hours of downloads, so it counts with the numbers that a card publishes,
//! and says so.

use image::RgbImage;
use std::borrow::Cow;
use std::sync::Arc;
use toolkit_data::{DataError, DataName, Dataset, Item, Question};
use toolkit_registry::{Card, Kind, Registry};
use toolkit_system::problem::Problem;

/// Pictures that are assumed where a card publishes no number: about a split of COCO.
const ASSUMED_IMAGES: usize = 100_000;

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

    fn item(&self, _: usize) -> Cow<'_, Item> {
        Cow::Borrowed(&self.item)
    }

    fn caption_count(&self) -> u64 {
        self.len as u64
    }

    fn is_sequential(&self) -> bool {
        // All items are the same one: nobody need look at a hundred million of them.
        true
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        Err(DataError::index(&self.name, index, 0))
    }

    fn fingerprint(&self) -> String {
        format!("not fetched: {}", self.name)
    }
}

/// Returns data of the size of `name` where its files are not here. A line about the assumption is
/// added to `notes`.
///
/// # Errors
/// With `error`, which opening ended with, if something else is wrong than files that are not here.
pub fn assume(
    registry: &Registry,
    name: &str,
    error: DataError,
    notes: &mut Vec<String>,
) -> Result<Arc<dyn Dataset>, DataError> {
    let DataName::Split { card, split } = DataName::parse(name) else { return Err(error) };
    let card = registry.card(Kind::Dataset, card)?;
    let Some((len, from)) = missing(registry, &card, split)? else { return Err(error) };
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

/// Returns the number of pictures of a split whose files are not here, and the origin of that
/// number.
fn missing(
    registry: &Registry,
    card: &Card,
    split: &str,
) -> Result<Option<(usize, &'static str)>, Problem> {
    let data = registry.dataset_of(card)?;
    let absent = match data.user_files()? {
        Some(files) => {
            let here = files.root.is_ok_and(|root| root.is_dir());
            !here && data.splits()?.iter().any(|known| known == split)
        }
        None => !card.not_here()?.is_empty(),
    };
    if !absent {
        return Ok(None);
    }
    let published = data.published_images(split)?;
    let guess = (ASSUMED_IMAGES, "a guess");
    Ok(Some(published.map_or(guess, |images| (images, "as its card publishes"))))
}
