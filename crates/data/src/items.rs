//! Items in memory with pictures on demand: the one implementation of [`Dataset`] of this crate.

use crate::{Alpha, DataError, Dataset, Findings, Item, PictureFile};
use image::RgbImage;
use std::borrow::Cow;
use std::sync::OnceLock;

/// The pictures of a data set, one for each item.
pub trait Pictures: Send + Sync {
    /// Decodes or renders the picture of item `index`.
    ///
    /// # Errors
    /// If the picture cannot be read or decoded.
    fn image(&self, index: usize, item: &Item, alpha: Alpha) -> Result<RgbImage, DataError>;

    /// Reads the file of the picture of item `index`; `None` if the picture has none of its own.
    ///
    /// # Errors
    /// If the file cannot be read.
    fn file(&self, _index: usize, _item: &Item) -> Result<Option<PictureFile>, DataError> {
        Ok(None)
    }

    /// Returns the hex SHA-256 over everything that determines pictures and texts. It is computed
    /// once. [`Item::digest_text`] is the part of a text.
    fn fingerprint(&self, name: &str, items: &[Item]) -> String;
}

/// A data set whose texts are in memory and whose pictures are decoded on demand.
pub struct Items<P> {
    name: String,
    items: Vec<Item>,
    pictures: P,
    left_out: Findings,
    remarks: Vec<String>,
    fingerprint: OnceLock<String>,
}

impl<P: Pictures> Items<P> {
    /// Creates the data set `name`. Item `index` has picture `index`.
    pub fn new(name: impl Into<String>, items: Vec<Item>, pictures: P) -> Self {
        Self {
            name: name.into(),
            items,
            pictures,
            left_out: Findings::new(),
            remarks: Vec::new(),
            fingerprint: OnceLock::new(),
        }
    }

    /// Adds what was left out of the files and what was read in another way than it is written.
    #[must_use]
    pub fn with_notes(self, left_out: Findings, remarks: Vec<String>) -> Self {
        Self { left_out, remarks, ..self }
    }

    /// Sets another name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Changes the pictures.
    #[must_use]
    pub(crate) fn with_pictures(self, change: impl FnOnce(P) -> P) -> Self {
        Self { pictures: change(self.pictures), ..self }
    }

    /// Returns the pictures.
    pub fn pictures(&self) -> &P {
        &self.pictures
    }

    fn get(&self, index: usize) -> Result<&Item, DataError> {
        let item = self.items.get(index);
        item.ok_or_else(|| DataError::index(&self.name, index, self.items.len()))
    }

    /// Returns all items.
    pub fn items(&self) -> &[Item] {
        &self.items
    }
}

impl<P: Pictures> Dataset for Items<P> {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn item(&self, index: usize) -> Cow<'_, Item> {
        Cow::Borrowed(&self.items[index])
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        self.image_as(index, Alpha::OnWhite)
    }

    fn image_as(&self, index: usize, alpha: Alpha) -> Result<RgbImage, DataError> {
        self.pictures.image(index, self.get(index)?, alpha)
    }

    fn picture_file(&self, index: usize) -> Result<Option<PictureFile>, DataError> {
        self.pictures.file(index, self.get(index)?)
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.get_or_init(|| self.pictures.fingerprint(&self.name, &self.items)).clone()
    }

    fn left_out(&self) -> Findings {
        self.left_out.clone()
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }
}
