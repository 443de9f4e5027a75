//! The images and captions of one step.

use super::Stage1Settings;
use crate::TrainError;
use crate::source::{Sample, counts};
use crate::text::draw_caption;
use burn::tensor::Device;
use toolkit_core::{Side, Stream, TextBatch, pad};

/// Images of a step with one caption each, shortest caption first.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Rows of the training split.
    pub samples: Vec<usize>,
    /// Place of each in the order in which the step's samples are drawn.
    pub places: Vec<usize>,
    /// Token ids of one caption of each image, `[CLS]` to `[SEP]`.
    pub captions: Vec<Vec<u32>>,
    /// Number of each image's content: images with the same number are positives of each other.
    pub depicts: Vec<u64>,
    /// Number of samples of each source of a mixture, named for the log.
    pub sources: Vec<(String, f64)>,
    /// Seed of the run.
    pub seed: u64,
    /// Step, from 0.
    pub step: u64,
}

impl Batch {
    /// Draws a caption for each of the samples of a step.
    ///
    /// # Errors
    /// If an image has no caption.
    pub fn draw(samples: &[Sample], seed: u64, step: u64) -> Result<Self, TrainError> {
        let mut choice = Stream::new(seed, "stage1/caption", step);
        let mut drawn = Vec::with_capacity(samples.len());
        for (place, sample) in samples.iter().enumerate() {
            drawn.push((place, draw_caption(sample, &mut choice)?.to_vec()));
        }
        drawn.sort_by_key(|(_, caption)| caption.len());
        let (places, captions): (Vec<usize>, Vec<Vec<u32>>) = drawn.into_iter().unzip();
        let depicts = places.iter().map(|&place| samples[place].depicts).collect();
        let rows = places.iter().map(|&place| samples[place].row).collect();
        Ok(Self { samples: rows, places, captions, depicts, sources: counts(samples), seed, step })
    }

    /// Returns the number of images.
    #[must_use]
    pub fn size(&self) -> usize {
        self.samples.len()
    }

    /// Returns `true` if rows `a` and `b` are no negatives of each other: their images depict the
    /// same, or their captions are equal.
    #[must_use]
    pub fn same_content(&self, a: usize, b: usize) -> bool {
        self.depicts[a] == self.depicts[b] || self.captions[a] == self.captions[b]
    }

    /// Returns the number of text tokens, padding left out.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.captions.iter().map(Vec::len).sum()
    }

    /// Returns the number of tokens that captioning is scored on: all but the first of each.
    #[must_use]
    pub fn scored_tokens(&self) -> usize {
        self.captions.iter().map(|caption| caption.len() - 1).sum()
    }

    /// Pads the captions of `rows`.
    #[must_use]
    pub fn text(&self, rows: &[usize], settings: Stage1Settings, device: &Device) -> TextBatch {
        let captions: Vec<Vec<u32>> = rows.iter().map(|&row| self.captions[row].clone()).collect();
        pad(&captions, settings.special_tokens.pad, Side::Right, device)
    }

    /// Returns the stream of random numbers that `label` names, one for each step.
    #[must_use]
    pub fn stream(&self, label: &str) -> Stream {
        Stream::new(self.seed, label, self.step)
    }
}
