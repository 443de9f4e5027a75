//! The one evaluator: one function measures one task of one model on one data set.
//!
//! Experiments, `toolkit eval` and other crates call [`measure`]. They differ in where the parts of
//! the model come from: [`ModelParts`] takes features from a cache or from the encoder.

use crate::meteor::MeteorTables;
use crate::texts::{Sample, generate_texts};
use crate::{Batches, EvalError, Task, derangement};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use toolkit_core::{TextSpecialTokens, TextTower, noise};
use toolkit_data::Dataset;
use toolkit_metrics::{Interval, bootstrap};
use toolkit_system::problem::Problem;
use toolkit_system::progress::{Progress, Silent};
use toolkit_tokenizer::TextTokenizer;
use toolkit_vlm::{Decoding, Generator};

/// Draws of a bootstrap interval.
const RESAMPLES: usize = 1000;

/// Source of the features `[items, tokens, width]` of a data set's pictures: a cache, or the
/// encoder. They are on a plain device, one row an item, in the order given.
pub type FeatureSource<'a> = dyn Fn(&[usize]) -> Result<Tensor<3>, EvalError> + 'a;

/// Bridge and projection: features `[items, tokens, width]` to soft prefixes
/// `[items, queries, embedding width]`.
pub type Connect<'a> = dyn Fn(Tensor<3>) -> Result<Tensor<3>, EvalError> + 'a;

/// Parts of a model that tasks use. A kind of task says by [`Needs`](crate::Needs) which.
#[derive(Clone, Copy)]
pub struct ModelParts<'a> {
    /// Source of features.
    pub features: &'a FeatureSource<'a>,
    /// Parts that generate text behind a picture.
    pub language: Option<LanguageParts<'a>>,
    /// Parts that compare pictures with texts.
    pub text: Option<TextParts<'a>>,
}

/// Parts that generate text behind a picture.
#[derive(Clone, Copy)]
pub struct LanguageParts<'a> {
    /// Bridge and projection.
    pub connect: &'a Connect<'a>,
    /// Language model.
    pub generator: Generator<'a>,
}

/// Parts that compare pictures with texts: the bridge's text side.
#[derive(Clone, Copy)]
pub struct TextParts<'a> {
    /// Text tower.
    pub tower: &'a dyn TextTower,
    /// Its tokenizer.
    pub tokenizer: &'a TextTokenizer,
    /// Its special ids.
    pub special_tokens: TextSpecialTokens,
    /// Longest text in tokens; `usize::MAX` for no limit.
    pub positions: usize,
    /// `true` if the contrastive loss was trained, so that similarities rank.
    pub contrast: bool,
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

/// Result of a measurement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Scores by name, in the units of [`toolkit_metrics::scores`].
    pub scores: BTreeMap<String, f64>,
    /// 95 % bootstrap intervals over pictures, of scores that are means over samples.
    pub intervals: BTreeMap<String, Interval>,
    /// One JSON object for each sample.
    pub rows: Vec<Value>,
    /// Item of each row.
    pub items: Vec<usize>,
    /// Reasons for scores that surprise.
    pub notes: Vec<String>,
}

impl Measured {
    /// Creates a result of `rows`, each about the item of the same place.
    ///
    /// # Errors
    /// If a row is no JSON object.
    pub fn of<T: Serialize>(rows: &[T], items: Vec<usize>) -> Result<Self, EvalError> {
        let rows = rows.iter().map(serde_json::to_value).collect::<Result<_, _>>();
        let rows = rows.map_err(Problem::defect)?;
        Ok(Self { rows, items, ..Self::default() })
    }

    /// Adds the bootstrap interval of the mean of `each`. Values of one cluster are drawn together.
    pub fn add_interval(&mut self, name: &str, each: &[f64], clusters: Option<&[u64]>) {
        let interval = bootstrap(each, clusters, RESAMPLES, 0);
        self.intervals.extend(interval.map(|interval| (name.to_owned(), interval)));
    }
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
