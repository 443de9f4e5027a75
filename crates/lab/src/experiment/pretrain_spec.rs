//! The experiment file of a pre-training, before anything is looked up.

use crate::LabError;
use crate::experiment::ranges::{self, OutOfRange};
use serde::{Deserialize, Serialize};
use toolkit_registry::Kind;
use toolkit_system::problem::Problem;
use toolkit_train::optim::OptimConfig;
use toolkit_train::pretrain::vision::Target;
use toolkit_train::schedule::Schedule;

/// Content of the experiment file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainSpec {
    /// Name of the run folder.
    pub name: String,
    /// `pretrain`.
    pub kind: String,
    /// Question that the experiment asks.
    #[serde(default)]
    pub question: String,
    /// Seed of all random draws.
    pub seed: u64,
    /// Card of a `scenes` data set.
    pub data: String,
    /// Parts to train.
    pub part: Vec<PartSpec>,
}

/// A backbone to train.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PartSpec {
    /// `vision`, `language` or `bert` (the text side of a Q-Former).
    pub kind: PartKind,
    /// The card, without weights or with the ones that are to be replaced.
    pub card: String,
    /// Vision: labels that the heads predict.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// Optimiser steps.
    pub steps: u64,
    /// Samples a step.
    pub batch: usize,
    /// Learning rate.
    pub schedule: Schedule,
    /// Optimiser.
    #[serde(default)]
    pub optim: OptimConfig,
    /// Language: weight of an answer's token, relative to a caption's.
    #[serde(default = "one")]
    pub answer_weight: f32,
}

fn one() -> f32 {
    1.0
}

impl PretrainSpec {
    /// Returns a line for each setting that is allowed and may still not be meant.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let part = |(at, part): (usize, &PartSpec)| {
            ranges::warmup_note(&format!("part.{at}"), &part.schedule, part.steps)
        };
        self.part.iter().enumerate().filter_map(part).collect()
    }

    /// Checks values that types cannot.
    ///
    /// # Errors
    /// At the first value that makes no sense, naming its part.
    pub fn check(&self) -> Result<(), LabError> {
        if self.part.is_empty() {
            return Err(Problem::new("there is no `[[part]]`")
                .hint("name at least one backbone that is trained")
                .into());
        }
        for (at, part) in self.part.iter().enumerate() {
            part.ranges(at).map_err(|error| {
                Problem::new(format_args!("{} (`{}`)", error.what, part.card)).hint(error.hint)
            })?;
        }
        Ok(())
    }
}

impl PartSpec {
    /// Checks every number of the part at place `at` of the file.
    fn ranges(&self, at: usize) -> Result<(), OutOfRange> {
        let key = |name: &str| format!("part.{at}.{name}");
        ranges::steps(&key("steps"), self.steps)?;
        ranges::images(&key("batch"), self.batch, 1)?;
        ranges::schedule(&key("schedule"), &self.schedule)?;
        ranges::optim(&key("optim"), &self.optim)?;
        ranges::positive(&key("answer_weight"), f64::from(self.answer_weight))
    }
}

/// Kind of part that is trained.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum PartKind {
    /// A vision encoder on labels of single pictures.
    Vision,
    /// A language model on text.
    Language,
    /// A Q-Former's text side on masked words.
    Bert,
}

impl PartKind {
    /// Returns the kind of card that describes the part.
    #[must_use]
    pub fn card_kind(self) -> Kind {
        match self {
            Self::Vision => Kind::Vision,
            Self::Language => Kind::Language,
            Self::Bert => Kind::Bridge,
        }
    }
}
