//! An opened source of a mixture.

use super::config::{MixtureSource, NaturalShare};
use super::limit::limited;
use crate::{DataError, Dataset, Item, Processed};
use std::sync::Arc;
use toolkit_seed::key;

/// A source with its place among the items of the mixture.
pub(super) struct OpenSource {
    pub name: String,
    /// Index in the mixture of its first item.
    pub first: usize,
    pub data: Arc<dyn Dataset>,
    /// Rows of the data that are used, sorted; all if there is no limit.
    rows: Option<Vec<usize>>,
    /// Number of large files.
    pub shards: usize,
    prompt: String,
    pub ratio: Option<f64>,
    pub repeat: u32,
}

impl OpenSource {
    /// Puts a source behind the first `first` items.
    ///
    /// # Errors
    /// If it has no items.
    pub fn new(
        config: &MixtureSource,
        first: usize,
        data: Arc<dyn Dataset>,
    ) -> Result<Self, DataError> {
        if data.is_empty() {
            let what = format!("the source `{}` has no pictures", config.name());
            return Err(DataError::new(what, "take it out of the mixture"));
        }
        let data = match &config.text_processor {
            Some(processor) => Arc::new(Processed::new(data, processor.clone())),
            None => data,
        };
        let limit = config.limit.filter(|&limit| limit < data.len());
        let rows = limit.map(|limit| limited(data.len(), limit, data.is_sequential()));
        Ok(Self {
            name: config.name().to_owned(),
            first,
            shards: data.shards().len(),
            data,
            rows,
            prompt: config.prompt.clone(),
            ratio: config.ratio,
            repeat: config.repeat.unwrap_or(1),
        })
    }

    /// Returns the number of items that are used.
    pub fn len(&self) -> usize {
        self.rows.as_ref().map_or_else(|| self.data.len(), Vec::len)
    }

    /// Returns the row in the data of an item.
    pub fn row(&self, item: usize) -> usize {
        self.rows.as_ref().map_or(item, |rows| rows[item])
    }

    /// Returns the number of items before a row of the data.
    pub fn items_before(&self, row: usize) -> usize {
        self.rows.as_ref().map_or(row, |rows| rows.partition_point(|&chosen| chosen < row))
    }

    /// Returns an item, its ids and what it depicts with the name of the source before them.
    pub fn item(&self, item: usize) -> Item {
        let mut found = self.data.item(self.row(item)).into_owned();
        found.id = format!("{}/{}", self.name, found.id);
        found.depicts = format!("{}/{}", self.name, found.depicts);
        for question in &mut found.questions {
            question.id = key(format!("{}/{}", self.name, question.id).as_bytes());
        }
        found
    }

    /// Returns the training captions of an item, with the prompt.
    pub fn training_captions(&self, item: usize) -> Vec<String> {
        let mut captions = self.data.training_captions(self.row(item));
        if !self.prompt.is_empty() {
            captions.iter_mut().for_each(|caption| caption.insert_str(0, &self.prompt));
        }
        captions
    }

    /// Returns the number of captions of the items that are used; of a part of the data in
    /// proportion.
    pub fn caption_count(&self) -> u64 {
        let all = u128::from(self.data.caption_count());
        (all * self.len() as u128 / self.data.len() as u128) as u64
    }

    /// Returns the share without a ratio.
    pub fn natural_weight(&self, by: NaturalShare) -> f64 {
        let once = match by {
            NaturalShare::Picture => self.len() as f64,
            NaturalShare::Row => self.caption_count() as f64,
        };
        once * f64::from(self.repeat)
    }

    /// Returns the text that names pictures and texts in fingerprints.
    pub fn key(&self) -> String {
        let Self { name, rows, .. } = self;
        format!("{name:?} {} {:?}", self.data.fingerprint(), rows.as_ref().map(Vec::len))
    }

    /// Returns the text that names training samples in fingerprints.
    pub fn training_key(&self) -> String {
        let Self { prompt, .. } = self;
        format!("{} {} {prompt:?}", self.key(), self.data.training_fingerprint())
    }
}
