//! A data set whose training captions go through a text processor.

use crate::{
    Alpha, DataError, Dataset, Findings, Item, PictureFile, ShardInfo, SourceRows, TextProcessor,
};
use image::RgbImage;
use std::borrow::Cow;
use std::sync::Arc;
use toolkit_system::digest::sha256_hex;

/// A data set whose training captions are processed. [`Item::captions`], which outputs are compared
/// with, stay as they are.
pub struct Processed {
    data: Arc<dyn Dataset>,
    processor: TextProcessor,
}

impl Processed {
    /// Puts a processor between a data set and its training.
    #[must_use]
    pub fn new(data: Arc<dyn Dataset>, processor: TextProcessor) -> Self {
        Self { data, processor }
    }
}

impl Dataset for Processed {
    fn name(&self) -> &str {
        self.data.name()
    }

    fn len(&self) -> usize {
        self.data.len()
    }

    fn item(&self, index: usize) -> Cow<'_, Item> {
        self.data.item(index)
    }

    fn training_captions(&self, index: usize) -> Vec<String> {
        let captions = self.data.training_captions(index);
        captions.iter().map(|caption| self.processor.apply(caption)).collect()
    }

    fn caption_count(&self) -> u64 {
        self.data.caption_count()
    }

    fn is_sequential(&self) -> bool {
        self.data.is_sequential()
    }

    fn sources(&self) -> Vec<SourceRows> {
        self.data.sources()
    }

    fn source_of(&self, index: usize) -> usize {
        self.data.source_of(index)
    }

    fn shards(&self) -> Vec<ShardInfo> {
        self.data.shards()
    }

    fn shard_of(&self, index: usize) -> Option<usize> {
        self.data.shard_of(index)
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        self.data.image(index)
    }

    fn image_as(&self, index: usize, alpha: Alpha) -> Result<RgbImage, DataError> {
        self.data.image_as(index, alpha)
    }

    fn picture_file(&self, index: usize) -> Result<Option<PictureFile>, DataError> {
        self.data.picture_file(index)
    }

    fn fingerprint(&self) -> String {
        self.data.fingerprint()
    }

    fn training_fingerprint(&self) -> String {
        let data = self.data.training_fingerprint();
        sha256_hex(format!("{data} {}", self.processor.key()).as_bytes())
    }

    fn left_out(&self) -> Findings {
        self.data.left_out()
    }

    fn remarks(&self) -> Vec<String> {
        self.data.remarks()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;
    use crate::{Scenes, ScenesConfig, TextRules};

    #[test]
    fn only_training_captions_and_their_fingerprint_change() {
        let config = ScenesConfig { train: 3, ..ScenesConfig::default() };
        let plain: Arc<dyn Dataset> = Arc::new(Scenes::open(&config, "train").unwrap());
        let with = |processor| Processed::new(plain.clone(), processor);
        let caption = TextProcessor::new(TextRules::BlipCaption);
        let prompted = TextProcessor { prompt: "A photo: ".to_owned(), ..caption.clone() };
        let data = with(prompted.clone());
        for index in 0..plain.len() {
            let captions = &plain.item(index).captions;
            assert_eq!(data.item(index), plain.item(index));
            let wanted: Vec<String> =
                captions.iter().map(|text| format!("A photo: {text}")).collect();
            assert_eq!(data.training_captions(index), wanted);
            assert_eq!(plain.training_captions(index), *captions);
        }
        let prints = [
            plain.training_fingerprint(),
            with(caption).training_fingerprint(),
            data.training_fingerprint(),
            with(TextProcessor::new(TextRules::BlipQuestion)).training_fingerprint(),
        ];
        assert_eq!(prints.iter().collect::<std::collections::BTreeSet<_>>().len(), prints.len());
        // Caches of features and scores on the data stay what they are.
        assert_eq!(data.fingerprint(), plain.fingerprint());
        assert_eq!(data.training_fingerprint(), with(prompted).training_fingerprint());
    }
}
