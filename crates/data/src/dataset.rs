//! The contract of a data set: items with text in memory, pictures on demand.

use crate::{Alpha, DataError, Findings, SourceRows};
use image::RgbImage;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::Path;

/// A question about one picture, with the answers that count as right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Unique within a data set.
    pub id: u64,
    /// Text in lower case that ends with `?`; of a published data set the text as published.
    pub text: String,
    /// Right answers: more than one if several people answered, none if they are not published.
    pub answers: Vec<String>,
    /// Type of the question: `what`, `exists`, `count`, `colour_background`, `colour_thing`,
    /// `relation`, `relation_yesno`, `how_many_things`. Of a published data set the published
    /// type, `other` if unknown.
    pub kind: String,
    /// `yes/no`, `number` or `other`, as in VQAv2.
    pub answer_type: String,
}

/// The text of one picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Unique within a data set.
    pub id: String,
    /// Name of the content of the picture. Two items of one name are no negatives of each other,
    /// one of them is enough in a retrieval pool, and they are not independent in statistics. For
    /// a folder it is the path: every file is its own.
    pub depicts: String,
    /// `seen`, `new_combination` or `new_thing` for scenes; the domain for NoCaps; `all` for a
    /// folder.
    pub group: String,
    /// Captions of the picture; may be empty for a folder.
    pub captions: Vec<String>,
    /// Questions about the picture; may be empty.
    pub questions: Vec<Question>,
}

impl Item {
    /// Returns the text of an item for fingerprints.
    ///
    /// The form is fixed, older names of fields included: caches of features are named by it.
    #[must_use]
    pub fn digest_text(&self) -> String {
        let Self { id, depicts, group, captions, questions } = self;
        format!(
            "Item {{ id: {id:?}, shows: {depicts:?}, group: {group:?}, captions: {captions:?}, \
             questions: {questions:?} }}"
        )
    }
}

/// The file of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureFile {
    /// Content.
    pub bytes: Vec<u8>,
    /// Ending of its name without the dot, in small letters.
    pub ending: String,
}

impl PictureFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let bytes = toolkit_system::input::read(path)
            .map_err(|source| DataError::Read { path: path.to_owned(), source })?;
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        Ok(Self { bytes, ending })
    }
}

/// A large file with many items, for manifests and reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardInfo {
    /// Path from the folder that all shards of the data set have in common.
    pub name: String,
    /// Bytes; 0 for a folder.
    pub bytes: u64,
    /// SHA-256 of the shard when it was indexed; of a folder, of its files.
    pub sha256: String,
    /// Number of its samples, those that are left out included.
    pub samples: u64,
}

/// Pictures with captions and questions, addressed by index.
///
/// [`crate::Items`] implements it for texts in memory: a format only adds the pictures.
pub trait Dataset: Send + Sync {
    /// Returns the name to show, such as `scenes:train`.
    fn name(&self) -> &str;
    /// Returns the number of items.
    fn len(&self) -> usize;
    /// Returns `true` if there is no item.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Returns the text of an item, borrowed if the data set has its texts in memory.
    ///
    /// # Panics
    /// If `index` is not below [`Dataset::len`].
    fn item(&self, index: usize) -> Cow<'_, Item>;
    /// Returns the captions of an item as a model is trained on them: chosen, cleaned and prompted
    /// as the card says. [`Item::captions`] are those that outputs are compared with.
    ///
    /// # Panics
    /// As [`Dataset::item`].
    fn training_captions(&self, index: usize) -> Vec<String> {
        self.item(index).into_owned().captions
    }
    /// Returns the number of training captions of all items. A data set that counts them when it is
    /// opened says so without reading them again.
    fn caption_count(&self) -> u64 {
        (0..self.len()).map(|index| self.training_captions(index).len() as u64).sum()
    }
    /// Returns `true` if neighbouring items lie next to each other in large files, which are best
    /// read block by block.
    fn is_sequential(&self) -> bool {
        false
    }
    /// Returns the sources that the items come from, in order and without gaps. A data set that is
    /// no mixture is its own source.
    fn sources(&self) -> Vec<SourceRows> {
        let (name, rows) = (self.name().to_owned(), 0..self.len());
        vec![SourceRows { name, rows, weight: None, is_sequential: self.is_sequential() }]
    }
    /// Returns the index in [`Dataset::sources`] of the source of an item.
    fn source_of(&self, _index: usize) -> usize {
        0
    }
    /// Lists the large files that the items lie in; a data set of other files has none.
    fn shards(&self) -> Vec<ShardInfo> {
        Vec::new()
    }
    /// Returns the number in [`Dataset::shards`] of the file that has an item.
    fn shard_of(&self, _index: usize) -> Option<usize> {
        None
    }
    /// Renders or decodes the picture of an item, on white where it is transparent.
    ///
    /// # Errors
    /// If the picture cannot be read or decoded, or there is no such item.
    fn image(&self, index: usize) -> Result<RgbImage, DataError>;
    /// Renders or decodes the picture of an item for a model with its own treatment of
    /// transparency. Rendered pictures have none.
    ///
    /// # Errors
    /// As [`Dataset::image`].
    fn image_as(&self, index: usize, _alpha: Alpha) -> Result<RgbImage, DataError> {
        self.image(index)
    }
    /// Reads the file of a picture as it lies in the data set; `None` if the picture has none of its
    /// own, because it is rendered or cut out.
    ///
    /// # Errors
    /// If the file cannot be read, or there is no such item.
    fn picture_file(&self, _index: usize) -> Result<Option<PictureFile>, DataError> {
        Ok(None)
    }
    /// Returns the hex SHA-256 over everything that determines pictures and texts. Caches of
    /// features are named by it.
    fn fingerprint(&self) -> String;
    /// Returns the hex SHA-256 over everything that determines the samples of a training: pictures,
    /// texts, prompts, and shares of sources.
    fn training_fingerprint(&self) -> String {
        self.fingerprint()
    }
    /// Returns the faults of the files that did not stop the data set from being opened. Rows and
    /// files with such a fault were left out.
    fn left_out(&self) -> Findings {
        Findings::new()
    }
    /// Returns, one line each, things that were read in another way than they are written, or
    /// passed over without loss.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
    /// Returns everything that was left out or read in another way, one line each, for the users
    /// of the data.
    fn notes(&self) -> Vec<String> {
        let left_out = self.left_out();
        let lines = left_out.iter().map(|(fault, finding)| {
            let first = finding.examples.first().cloned().unwrap_or_default();
            format!("{}: {}, such as: {}", fault.name(), finding.count, first.without_hint())
        });
        lines.chain(self.remarks()).collect()
    }
}

/// Returns the VQAv2 answer type that an answer belongs to.
#[must_use]
pub fn answer_type(answer: &str) -> &'static str {
    match answer {
        "yes" | "no" => "yes/no",
        _ if !answer.is_empty() && answer.bytes().all(|b| b.is_ascii_digit()) => "number",
        _ => "other",
    }
}

/// Writes bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
