//! The work of the loader threads: a sample with its pixels, or another in its place.

use super::{Sample, Texts};
use crate::TrainError;
use crate::features::is_unreadable;
use crate::order::Visit;
use std::sync::Arc;
use toolkit_core::Stream;
use toolkit_data::{Augment, Dataset, Preprocess};
use toolkit_system::problem::Problem;

/// Number of samples that are tried in the place of one that cannot be used.
const REPLACEMENTS: usize = 16;

/// A place in the sequence of all samples of a training.
#[derive(Clone, Copy)]
pub(super) struct Position {
    pub position: u64,
    pub visit: Visit,
}

/// A sample with its pixels, and those that it replaces with the reasons.
pub(super) struct Loaded {
    pub sample: Sample,
    pub pixels: Vec<f32>,
    pub damaged: Vec<(usize, String)>,
}

/// The work of the threads.
pub(super) struct Maker {
    pub dataset: Arc<dyn Dataset>,
    pub texts: Texts,
    pub preprocess: Preprocess,
    pub augment: Augment,
    pub seed: u64,
}

impl Maker {
    /// Prepares the sample of a position, or another one if it cannot be used.
    pub fn load(&self, Position { position, visit }: Position) -> Result<Loaded, TrainError> {
        let mut other = Stream::new(self.seed, "data/replacement", position);
        let (mut visit, mut damaged) = (visit, Vec::new());
        loop {
            match self.sample(visit)? {
                Ok((sample, pixels)) => return Ok(Loaded { sample, pixels, damaged }),
                Err(reason) if damaged.len() == REPLACEMENTS => {
                    let id = self.dataset.item(visit.row).id.clone();
                    let what = format!("{REPLACEMENTS} samples in turn cannot be used: {reason}");
                    let hint = "`toolkit data check` names all that is damaged";
                    return Err(Problem::new(what).at(id).hint(hint).into());
                }
                Err(reason) => damaged.push((visit.row, reason)),
            }
            visit = Visit { row: other.below(self.dataset.len()), pass: visit.pass };
        }
    }

    /// Prepares a sample; `Ok(Err(reason))` if it cannot be used.
    fn sample(&self, visit: Visit) -> Result<Result<(Sample, Vec<f32>), String>, TrainError> {
        let sample = match (self.texts)(visit.row) {
            Ok(sample) => sample,
            Err(TrainError::Problem(problem)) => {
                return Ok(Err(problem.without_hint().to_string()));
            }
            Err(error) => return Err(error),
        };
        if sample.captions.is_empty() {
            return Ok(Err("it has no caption".to_owned()));
        }
        let image = match self.dataset.image(visit.row) {
            Ok(image) => image,
            Err(error) if is_unreadable(&error) => {
                return Ok(Err(error.problem().without_hint().to_string()));
            }
            Err(error) => return Err(error.into()),
        };
        let mut draws = Augment::draws(self.seed, visit.row as u64, visit.pass);
        let pixels = self.preprocess.apply_augmented(&image, &self.augment, &mut draws);
        Ok(Ok((sample, pixels)))
    }
}
