//! The keys of an experiment file, before anything is looked up.

pub use crate::experiment::data_spec::{DataSpec, FeatureMode, MaxDamaged};
pub use crate::experiment::train_data::TrainData;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toolkit_data::{Augment, DataName};
use toolkit_models::bridge::QFormerInit;
use toolkit_train::fit::Saves;
use toolkit_train::optim::OptimConfig;
use toolkit_train::schedule::Schedule;
use toolkit_train::stage1::{GatherGrad, LossWeights};

/// Kind of an experiment.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ExperimentKind {
    /// Stage 1, stage 2, evaluation, over a sweep.
    #[default]
    Ablation,
    /// Stage 1, stage 2 or both; evaluation only as far as the file asks for it.
    Train,
    /// Pre-training of backbones ([`crate::work::pretrain`]).
    Pretrain,
}

/// An ablation or a training.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Name of the run folder.
    pub name: String,
    /// [`ExperimentKind::Ablation`] or [`ExperimentKind::Train`].
    #[serde(default)]
    pub kind: ExperimentKind,
    /// Question that the experiment asks; the report opens with it.
    #[serde(default)]
    pub question: String,
    /// Seeds; every cell runs once for each. An ablation must name them.
    #[serde(default = "one_seed")]
    pub seeds: Vec<u64>,
    /// The three parts.
    pub model: ModelSpec,
    /// Data, each `card:split` or `folder:PATH`.
    pub data: DataSpec,
    /// Representation learning. An ablation must have it; a training may have only stage 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage1: Option<Stage1Spec>,
    /// Generative learning. An ablation must have it; a training may have only stage 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage2: Option<Stage2Spec>,
    /// Evaluation.
    #[serde(default)]
    pub eval: EvalSpec,
    /// Use of the machine. Not part of a cell's identity.
    #[serde(default)]
    pub compute: ComputeSpec,
    /// Axes: a dotted key of this file and its values. Cells are all combinations.
    #[serde(default)]
    pub sweep: BTreeMap<String, Vec<toml::Value>>,
    /// Names of the axes in the report.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The row others are compared with: a value for each axis that is compared.
    #[serde(default)]
    pub baseline: BTreeMap<String, toml::Value>,
    /// Dotted keys and values that `--smoke` sets.
    #[serde(default)]
    pub smoke: BTreeMap<String, toml::Value>,
}

/// Cards of the three parts.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Frozen.
    pub vision: String,
    /// Trained.
    pub bridge: String,
    /// Frozen. Stage 1 alone has no use for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Initialisation of a Q-Former. Other bridges follow BERT's rule.
    #[serde(default = "random")]
    pub init: QFormerInit,
    /// Checkpoint that the first stage starts from, instead of from `init` alone: the folder of a
    /// run, a Hugging Face folder, a LAVIS `.pth`, or the name of a model card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Cell of the run, if it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_cell: Option<String>,
    /// Stage of the run that the weights are of: 1, where it has one, or 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_stage: Option<u8>,
}

fn random() -> QFormerInit {
    QFormerInit::Random
}

/// Stage 1.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Stage1Spec {
    /// Off: stage 2 starts from the initialisation.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Optimiser steps.
    pub steps: u64,
    /// Images a step: also the number of candidates of the contrastive loss.
    pub batch: usize,
    /// Random changes of the pictures, such as "blip2_image_train".
    #[serde(default, skip_serializing_if = "Augment::is_none")]
    pub augment: Augment,
    /// Micro-batches a step.
    #[serde(default = "one")]
    pub accumulate: usize,
    /// Learning rate.
    pub schedule: Schedule,
    /// Optimiser.
    #[serde(default)]
    pub optim: OptimConfig,
    /// Weights of the losses.
    #[serde(default)]
    pub losses: LossWeights,
    /// Label smoothing of ITC and ITG.
    #[serde(default = "smoothing")]
    pub smoothing: f64,
    /// `detached`: no gradient of ITC through the candidates, as LAVIS trains on several devices.
    #[serde(default, skip_serializing_if = "GatherGrad::is_full")]
    pub itc_gather_grad: GatherGrad,
}

/// Stage 2.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Stage2Spec {
    /// Optimiser steps.
    pub steps: u64,
    /// Images a step.
    pub batch: usize,
    /// Random changes of the pictures, as in stage 1.
    #[serde(default, skip_serializing_if = "Augment::is_none")]
    pub augment: Augment,
    /// Micro-batches a step.
    #[serde(default = "one")]
    pub accumulate: usize,
    /// Learning rate.
    pub schedule: Schedule,
    /// Optimiser.
    #[serde(default)]
    pub optim: OptimConfig,
    /// LAVIS trains with the frozen language model's dropout on; here it is off unless asked for.
    /// Without effect on a model whose card has no `dropout`, such as those of the nano tier.
    #[serde(default)]
    pub language_dropout: bool,
    /// Run the language model's blocks again in the backward pass instead of keeping their
    /// activations: less memory, a tenth to a half more time, the same numbers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recompute: bool,
}

/// Evaluation.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct EvalSpec {
    /// Stage-2 steps between points of the curves; 0 leaves the curves out. An ablation must say.
    #[serde(default)]
    pub every: u64,
    /// Questions of a point of a curve.
    #[serde(default = "three_hundred")]
    pub curve_questions: usize,
    /// Questions of the final score; 0 means all.
    #[serde(default)]
    pub questions: usize,
    /// Images captioned for the final score; 0 means all.
    #[serde(default)]
    pub captions: usize,
    /// Images of the retrieval pool; 0 means all.
    #[serde(default)]
    pub retrieval: usize,
    /// Task card of visual question answering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vqa: Option<String>,
    /// Task card of captioning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// Task card of retrieval, for bridges with a stage 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrieve: Option<String>,
    /// Other tasks on other data, measured at the end with the same model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<AlsoSpec>,
    /// Samples evaluated together. Scores do not depend on it but for rounding.
    #[serde(default = "sixty_four")]
    pub batch: usize,
}

impl Default for EvalSpec {
    fn default() -> Self {
        Self {
            every: 0,
            curve_questions: three_hundred(),
            questions: 0,
            captions: 0,
            retrieval: 0,
            vqa: None,
            caption: None,
            retrieve: None,
            also: Vec::new(),
            batch: sixty_four(),
        }
    }
}

impl EvalSpec {
    /// Returns `true` if answers are measured along stage 2.
    #[must_use]
    pub fn has_curve(&self) -> bool {
        self.every > 0 && self.vqa.is_some()
    }

    /// Returns the task cards in the order in which they are measured: questions, captions,
    /// further tasks, retrieval.
    pub fn tasks(&self) -> impl Iterator<Item = &String> {
        let also = self.also.iter().map(|also| &also.task);
        self.vqa.iter().chain(&self.caption).chain(also).chain(&self.retrieve)
    }
}

/// A further task at the end of each cell.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct AlsoSpec {
    /// Task card: questions or captions.
    pub task: String,
    /// Data, `card:split` or `folder:PATH`.
    pub data: String,
    /// At most so many questions or images, and no more than `questions` or `captions` of
    /// [`EvalSpec`]; 0 means all.
    #[serde(default)]
    pub limit: usize,
}

impl AlsoSpec {
    /// Returns the beginning of the names of its scores: the name of the data.
    #[must_use]
    pub fn name(&self) -> String {
        DataName::parse(&self.data).title().replace('.', "_")
    }
}

/// Use of the machine. Nothing here changes a digit of a result.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ComputeSpec {
    /// Threads of one job.
    pub threads: usize,
    /// Jobs at a time; 0 means as many as there are cores for.
    pub jobs: usize,
    /// Seconds between checkpoints: what a kill can cost. Without them the interval follows the
    /// time that a checkpoint takes to write ([`Saves`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save_seconds: Option<u64>,
    /// Number of the last checkpoints of a stage that stay on the disk.
    #[serde(skip_serializing_if = "is_one")]
    pub keep: usize,
    /// Score of the curve by which stage 2 keeps its best weights, too: its key, or the name of a
    /// task for `TASK.overall`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best: Option<String>,
    /// Number type of the matrices of frozen models.
    #[serde(skip_serializing_if = "FrozenPrecision::is_f32")]
    pub frozen: FrozenPrecision,
    /// Threads that decode pictures ahead; 0 means one for each core.
    #[serde(skip_serializing_if = "is_zero")]
    pub loaders: usize,
}

impl Default for ComputeSpec {
    fn default() -> Self {
        Self {
            threads: 1,
            jobs: 0,
            save_seconds: None,
            keep: 1,
            best: None,
            frozen: FrozenPrecision::F32,
            loaders: 0,
        }
    }
}

/// A number type of frozen matrices. What is trained, and all sums, are f32.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum FrozenPrecision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, eight of them for the exponent: half the memory.
    Bf16,
}

impl FrozenPrecision {
    /// Returns `true` for 32 bits.
    #[must_use]
    pub fn is_f32(&self) -> bool {
        *self == Self::F32
    }

    /// Adds it to what names a result; the default adds nothing, so earlier names stay.
    pub(crate) fn name_in(self, named: &mut serde_json::Value) {
        if !self.is_f32() {
            named["frozen"] = serde_json::json!(self);
        }
    }
}

impl ComputeSpec {
    /// Returns the saving of checkpoints.
    #[must_use]
    pub fn saves(&self) -> Saves {
        Saves { seconds: self.save_seconds, keep: self.keep }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}
fn one_seed() -> Vec<u64> {
    vec![1]
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_one(count: &usize) -> bool {
    *count == 1
}
fn yes() -> bool {
    true
}
fn one() -> usize {
    1
}
fn smoothing() -> f64 {
    0.1
}
fn three_hundred() -> usize {
    300
}
fn sixty_four() -> usize {
    64
}
