//! The one evaluator: one function measures one task of one model on one data set.
//!
//! Experiments, `toolkit eval` and other crates call [`measure`]. They differ in where the parts of
//! the model come from: [`ModelParts`] takes features from a cache or from the encoder.

use crate::meteor::MeteorTables;
use crate::texts::{Sample, generate_texts};
use crate::{Batches, EvalError, LanguageParts, Measured, ModelParts, TextParts, derangement};
use std::collections::BTreeSet;
use std::fmt::Debug;
use toolkit_core::noise;
use toolkit_data::Dataset;
use toolkit_system::problem::Problem;
use toolkit_system::progress::{Progress, Silent};
use toolkit_vlm::Decoding;

/// A task: a task card in typed form.
pub trait Task: Debug + Send + Sync {
    /// Measures the model on the data.
    ///
    /// # Errors
    /// If the model lacks a part, the data lack what is scored, or a picture cannot be read.
    fn measure(&self, on: Measurement<'_, '_>) -> Result<Measured, EvalError>;

    /// Returns the prompt, if the task has one.
    fn prompt(&self) -> Option<&str> {
        None
    }

    /// Returns `true` if answers may be guessed without the picture, so that the controls of
    /// [`Control`] say something.
    fn has_controls(&self) -> bool {
        false
    }
}

/// Settings of a measurement.
pub struct MeasureOptions<'a> {
    /// At most so many samples, in place of the task's own limit.
    pub limit: Option<usize>,
    /// Size of batches, and a store of their texts that outlives the process.
    pub batches: Batches<'a>,
    /// Control under which the task is measured.
    pub control: Option<Control<'a>>,
    /// METEOR for captions.
    pub meteor: &'a MeteorTables<'a>,
    /// Receiver of progress, counted in pictures.
    pub progress: &'a dyn Progress,
}

impl<'a> MeasureOptions<'a> {
    /// Creates the settings of a measurement without a limit and without a control.
    #[must_use]
    pub fn new(batches: impl Into<Batches<'a>>, meteor: &'a MeteorTables<'a>) -> Self {
        Self { limit: None, batches: batches.into(), control: None, meteor, progress: &Silent }
    }
}

/// A control: the score that remains without the right picture.
#[derive(Clone, Copy)]
pub enum Control<'a> {
    /// The picture of another sample, drawn by [`derangement`]. Any accuracy that remains does not
    /// come from the picture.
    Shuffled {
        /// Names the draw.
        seed: u64,
    },
    /// No picture: the accuracy that remains is guessed from the words.
    NoImage,
    /// No model: the commonest answer of this training data to questions of the same kind.
    Majority(&'a dyn Dataset),
}

/// Measures `model` by `task` on `data`.
///
/// # Errors
/// If the model lacks a part, the data lack what the task scores, or a picture cannot be read.
pub fn measure(
    model: &ModelParts<'_>,
    task: &dyn Task,
    data: &dyn Dataset,
    options: MeasureOptions<'_>,
) -> Result<Measured, EvalError> {
    noise::off(|| task.measure(Measurement { model, data, options }))
}

/// A measurement as a task sees it.
pub struct Measurement<'a, 'o> {
    /// Model.
    pub model: &'a ModelParts<'a>,
    /// Data.
    pub data: &'a dyn Dataset,
    /// Settings.
    pub options: MeasureOptions<'o>,
}

impl<'a> Measurement<'a, '_> {
    /// Generates a text for each of `samples`, behind the pictures that the control allows.
    ///
    /// # Errors
    /// If the model cannot generate text, or a picture cannot be read.
    pub fn generate(
        &mut self,
        samples: &[Sample],
        decoding: &Decoding,
    ) -> Result<Vec<String>, EvalError> {
        let language = self.language()?;
        let other = match self.options.control {
            Some(Control::Shuffled { seed }) => Some(derangement(self.data.len(), seed)),
            _ => None,
        };
        let features = self.model.features;
        let source = |items: &[usize]| match &other {
            None => (language.connect)(features(items)?),
            Some(other) => {
                let others: Vec<usize> = items.iter().map(|&item| other[item]).collect();
                (language.connect)(features(&others)?)
            }
        };
        let blind = matches!(self.options.control, Some(Control::NoImage));
        generate_texts(
            &language.generator,
            (!blind).then_some(&source),
            samples,
            decoding,
            &mut self.options.batches,
        )
    }

    /// Starts progress of as many pictures as `samples` have.
    pub fn start(&self, samples: &[Sample]) {
        let pictures: BTreeSet<usize> = samples.iter().map(|sample| sample.item).collect();
        self.options.progress.start(0, pictures.len() as u64);
    }

    /// Returns the parts that generate text.
    ///
    /// # Errors
    /// If the model has none.
    pub fn language(&self) -> Result<LanguageParts<'a>, EvalError> {
        let missing = || {
            Problem::new("the model has no language model")
                .hint("take a model that generates text, or a task of retrieval")
        };
        Ok(self.model.language.ok_or_else(missing)?)
    }

    /// Returns the parts that compare pictures with texts.
    ///
    /// # Errors
    /// If the model has none.
    pub fn text(&self) -> Result<TextParts<'a>, EvalError> {
        let missing = || Problem::new("this bridge has no text tower").hint("retrieval needs one");
        Ok(self.model.text.ok_or_else(missing)?)
    }

    /// Returns the number of samples that are measured at most; `own` is the limit of the task.
    #[must_use]
    pub fn limit(&self, own: Option<usize>) -> Option<usize> {
        self.options.limit.or(own)
    }
}
