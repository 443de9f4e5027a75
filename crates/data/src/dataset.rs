//! What every data set of image-text pairs offers: items with text in memory, pictures on demand.

use crate::{Alpha, DataError, Findings};
use image::RgbImage;
use serde::{Deserialize, Serialize};

/// A question about one picture, with the answers that count as right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Unique within a data set.
    pub id: u64,
    /// Lower case, ends with `?`; as published in a published data set.
    pub text: String,
    /// Right answers; more than one if several people answered, none if they are kept back.
    pub answers: Vec<String>,
    /// What is asked for: `what`, `exists`, `count`, `colour_background`, `colour_thing`,
    /// `relation`, `relation_yesno`, `how_many_things`; the published type in a published data set;
    /// `other` if unknown.
    pub kind: String,
    /// `yes/no`, `number` or `other`, as in VQAv2.
    pub answer_type: String,
}

/// The text of one picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Unique within a data set.
    pub id: String,
    /// What the picture shows. Two with the same are no negatives of each other, one of them is
    /// enough in a retrieval pool, and they are not independent in statistics. The path for a
    /// folder: every file is its own.
    pub depicts: String,
    /// `seen`, `new_combination` or `new_thing` for scenes; the domain for NoCaps; `all` for a
    /// folder.
    pub group: String,
    /// Captions of the picture; may be empty for a folder.
    pub captions: Vec<String>,
    /// Questions about the picture; may be empty.
    pub questions: Vec<Question>,
}

/// Pictures with captions and questions, addressed by index.
pub trait Dataset: Send + Sync {
    /// The name to show, such as `scenes:train`.
    fn name(&self) -> &str;
    /// Number of items.
    fn len(&self) -> usize;
    /// Whether there is no item.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The text of an item, held in memory. Panics if `index` is not below [`Dataset::len`].
    fn item(&self, index: usize) -> &Item;
    /// The picture of an item, rendered or decoded now.
    ///
    /// # Errors
    /// If the picture cannot be read or decoded, or there is no such item.
    fn image(&self, index: usize) -> Result<RgbImage, DataError>;
    /// The picture of an item for a model that takes transparency in its own way; rendered ones
    /// have none.
    ///
    /// # Errors
    /// As [`Dataset::image`].
    fn image_as(&self, index: usize, _alpha: Alpha) -> Result<RgbImage, DataError> {
        self.image(index)
    }
    /// Hex SHA-256 over everything that determines pictures and text, so that a cache can be keyed
    /// by it.
    fn fingerprint(&self) -> String;
    /// Faults of the files that did not stop the data set from being opened: what has them was left
    /// out.
    fn left_out(&self) -> Findings {
        Findings::new()
    }
    /// Things that were read in another way than they are written, or passed over without loss; one
    /// line each.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
    /// All that was left out or read in another way, one line each, to be shown to whoever uses the
    /// data.
    fn notes(&self) -> Vec<String> {
        let left_out = self.left_out();
        let lines = left_out.iter().map(|(fault, finding)| {
            let first = finding.examples.first().map_or("", |text| what_of(text));
            format!("{}: {}, such as: {first}", fault.name(), finding.count)
        });
        lines.chain(self.remarks()).collect()
    }
}

/// A message without its hint.
fn what_of(text: &str) -> &str {
    let end = ["; hint: ", " (hint: "].iter().filter_map(|hint| text.find(hint)).min();
    &text[..end.unwrap_or(text.len())]
}

/// The VQAv2 answer type that an answer belongs to.
#[must_use]
pub fn answer_type(answer: &str) -> &'static str {
    match answer {
        "yes" | "no" => "yes/no",
        _ if !answer.is_empty() && answer.bytes().all(|b| b.is_ascii_digit()) => "number",
        _ => "other",
    }
}

/// What belongs to item `index` of the data set `dataset`.
pub(crate) fn at<'a, T>(all: &'a [T], index: usize, dataset: &str) -> Result<&'a T, DataError> {
    all.get(index).ok_or_else(|| DataError::Index {
        dataset: dataset.to_owned(),
        index,
        len: all.len(),
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
