//! Captions of a data set as token ids.

use crate::TrainError;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use toolkit_data::Dataset;
use toolkit_seed::key;
use toolkit_system::problem::Problem;

/// A sample of a step, without its picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Row of the data set.
    pub row: usize,
    /// Token ids of each caption.
    pub captions: Vec<Vec<u32>>,
    /// Number of the picture's content: samples of one number are positives of each other (LAVIS:
    /// equal `image_id`).
    pub depicts: u64,
    /// Name of the source that it comes from, in a mixture.
    pub source: Option<Arc<str>>,
}

/// Returns the number of samples of each source of a mixture, named for the log.
pub(crate) fn counts(samples: &[Sample]) -> Vec<(String, f64)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for source in samples.iter().filter_map(|sample| sample.source.as_deref()) {
        *counts.entry(source).or_default() += 1;
    }
    counts.into_iter().map(|(name, count)| (format!("samples_{name}"), count as f64)).collect()
}

/// The texts of each row of a data set.
pub type Texts = Arc<dyn Fn(usize) -> Result<Sample, TrainError> + Send + Sync>;

/// The token ids of a caption.
type Encode = dyn Fn(&str) -> Result<Vec<u32>, Problem> + Send + Sync;

/// Most rows whose token ids are kept. More are encoded again at each visit, by the loader threads.
const MOST_KEPT: usize = 1 << 17;

/// Most rows that statistics of all captions are made of.
const MOST_COUNTED: usize = 20_000;

/// Returns the training captions of `dataset`, encoded when a row is first visited.
pub fn tokenized(
    dataset: Arc<dyn Dataset>,
    encode: impl Fn(&str) -> Result<Vec<u32>, Problem> + Send + Sync + 'static,
) -> Texts {
    let encode: Box<Encode> = Box::new(encode);
    let kept = if dataset.len() <= MOST_KEPT { dataset.len() } else { 0 };
    let kept: Vec<OnceLock<Sample>> = (0..kept).map(|_| OnceLock::new()).collect();
    let sources: Vec<Arc<str>> =
        dataset.sources().iter().map(|one| one.name.as_str().into()).collect();
    Arc::new(move |row| {
        let keep = kept.get(row);
        if let Some(sample) = keep.and_then(OnceLock::get) {
            return Ok(sample.clone());
        }
        let depicts = key(dataset.item(row).depicts.as_bytes());
        let captions = dataset.training_captions(row);
        let captions: Result<_, Problem> = captions.iter().map(|text| encode(text)).collect();
        let source = (sources.len() > 1).then(|| sources[dataset.source_of(row)].clone());
        let sample = Sample { row, captions: captions?, depicts, source };
        Ok(keep.map_or(&sample, |keep| keep.get_or_init(|| sample.clone())).clone())
    })
}

/// Returns texts that are token ids already. Every row depicts something else.
#[must_use]
pub fn encoded(captions: Arc<Vec<Vec<Vec<u32>>>>) -> Texts {
    Arc::new(move |row| {
        let captions = captions.get(row).cloned().unwrap_or_default();
        Ok(Sample { row, captions, depicts: row as u64, source: None })
    })
}

/// Returns the captions that statistics of a corpus are made of: those of all rows, or of rows at
/// equal distances if there are many.
///
/// # Errors
/// If a text cannot be encoded.
pub fn corpus(texts: &Texts, rows: usize) -> Result<Vec<Vec<Vec<u32>>>, TrainError> {
    let counted = rows.min(MOST_COUNTED);
    let row = |at: usize| (at as u128 * rows as u128 / counted.max(1) as u128) as usize;
    (0..counted).map(|at| Ok(texts(row(at))?.captions)).collect()
}
