//! Measurements of an experiment: the content of `results.json`, from which reports are made.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything an experiment measured, and how.
///
/// Scores are named by dotted keys: `vqa.overall`, `vqa.kind.count`,
/// `vqa.group.new_thing`,
/// `caption.cider`, `retrieval.itc.txt_r1`. A control comes after the task: `vqa.shuffled.overall`,
/// `vqa.no_image.overall`, `vqa.majority.overall`. Chance in retrieval is `retrieval.chance.r1`.
/// All are percentages, except CIDEr.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Results {
    /// Name of the experiment.
    pub name: String,
    /// The question it asks, in a sentence.
    pub question: String,
    /// Day of the run, as an ISO date.
    pub created: String,
    /// The command that repeats it.
    pub command: String,
    /// Version of the toolkit.
    pub toolkit_version: String,
    /// Commit of the toolkit.
    pub git: String,
    /// Device the experiment ran on.
    pub device: String,
    /// Axes of the experiment. Figures give the first axis (the first that has a baseline value, if
    /// any has) a line per value, and every combination of the others a panel. `true` and `false`
    /// are written as on and off.
    pub axes: Vec<Axis>,
    /// Axis key to value, of the row others are compared with. An axis left out keeps the value of
    /// the row compared.
    pub baseline: BTreeMap<String, String>,
    /// Key of the score of the main figure and of the verdict.
    pub primary: String,
    /// Cells: one trained model each.
    pub cells: Vec<CellResult>,
    /// The training stages, with their losses.
    pub stages: Vec<StageRun>,
    /// Pictures with the answers and captions of the models.
    pub samples: Vec<SamplePicture>,
    /// Samples that a cell and its baseline judge differently.
    pub flips: Vec<Flips>,
    /// Time and memory.
    pub cost: RunCost,
    /// Conditions of trainings that somebody should look at. Older versions did not look for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<StageAlert>,
    /// Remarks for the reader, a sentence each.
    pub notes: Vec<String>,
    /// Parts that were not trained.
    pub frozen: Vec<FrozenPart>,
    /// Main scores that the data cannot give: key, and the reason. They
    /// are shown as `–`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub absent: BTreeMap<String, String>,
    /// Titles of losses by their key in the log, `loss_itc`. Results of older versions have none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub loss_titles: BTreeMap<String, String>,
}

/// An axis: a setting that was varied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Axis {
    /// Key of the configuration, `stage1.enabled`.
    pub key: String,
    /// Label for readers, `stage 1`.
    pub label: String,
    /// The values, in the order to show them.
    pub values: Vec<String>,
}

/// A trained model: a value for each axis, and a seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CellResult {
    /// Name of the cell.
    pub id: String,
    /// Seed of everything drawn. Rows are compared seed by seed.
    pub seed: u64,
    /// Axis key to value.
    pub axes: BTreeMap<String, String>,
    /// Scores in the course of training.
    pub curve: Vec<CurvePoint>,
    /// Final scores.
    pub scores: BTreeMap<String, f64>,
    /// Scores of the single questions (0 to 1, or percentages), in the same order in all cells.
    pub per_sample: BTreeMap<String, Vec<f64>>,
    /// Image of each question: questions about the same image are not independent.
    pub clusters: Vec<u64>,
    /// Time it took.
    pub seconds: f64,
    /// Parameters that were trained.
    pub trained_params: u64,
}

/// Scores after some steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CurvePoint {
    /// Steps done.
    pub step: u64,
    /// Scores by key.
    pub scores: BTreeMap<String, f64>,
}

/// A run of a training stage. Runs that differ only in their seed have the same name and label.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StageRun {
    /// `stage 1` or `stage 2`.
    pub name: String,
    /// Text that tells it from other runs of the stage.
    pub label: String,
    /// Seed.
    pub seed: u64,
    /// Steps done.
    pub steps: u64,
    /// Time it took.
    pub seconds: f64,
    /// Step and value by name: `loss_itc`, its `trivial_itc`, `accuracy_itm_hard_negatives`.
    pub losses: BTreeMap<String, Vec<(u64, f64)>>,
    /// Scores after the stage, by key.
    pub scores: BTreeMap<String, f64>,
}

/// A condition of a training that somebody should look at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StageAlert {
    /// `stage 1` or `stage 2`.
    pub stage: String,
    /// Text that tells the training from others of the stage.
    pub label: String,
    /// Seed.
    pub seed: u64,
    /// Name, such as `itm_trivial`.
    pub alert: String,
    /// Step at which it began.
    pub step: u64,
    /// Step at which it ended; nothing if it held to the end.
    pub ended: Option<u64>,
    /// The condition in a sentence.
    pub text: String,
}

/// A picture, a question about it, and the outputs of the models.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SamplePicture {
    /// The file's bytes; base64 in JSON.
    #[serde(with = "base64_bytes")]
    pub png: Vec<u8>,
    /// Id of the picture.
    pub id: String,
    /// `seen`, `new_combination` or `new_thing`.
    pub group: String,
    /// Reference captions.
    pub captions: Vec<String>,
    /// A question about it.
    pub question: String,
    /// The accepted answers.
    pub answers: Vec<String>,
    /// Answers and captions of the models.
    pub outputs: Vec<SampleOutput>,
}

/// Answer and caption of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SampleOutput {
    /// The model, `stage 1 on, opt-nano, seed 1`.
    pub cell: String,
    /// Answer.
    pub answer: String,
    /// Score of the answer, 0 to 1.
    pub correct: f64,
    /// Caption.
    pub caption: String,
}

/// Samples that account for the difference between two cells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flips {
    /// `questions` or `captions`.
    pub task: String,
    /// The cell.
    pub cell: String,
    /// The one that it is compared with.
    pub against: String,
    /// Samples that both have.
    pub compared: usize,
    /// Samples that only the first gets right (captions: that are nearer to the references by a
    /// CIDEr of 1 or more).
    pub gained: usize,
    /// Samples that only the second gets right.
    pub lost: usize,
    /// Some of those gained, spread over all.
    pub gains: Vec<SamplePicture>,
    /// Some of those lost.
    pub losses: Vec<SamplePicture>,
}

/// Time and memory that the experiment took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunCost {
    /// Time from start to end.
    pub wall_seconds: f64,
    /// Processor time over all threads.
    pub cpu_seconds: f64,
    /// Largest resident memory.
    pub peak_rss_bytes: u64,
    /// Name and seconds of the parts.
    pub parts: Vec<(String, f64)>,
}

/// A part whose weights stayed as they were.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FrozenPart {
    /// Role, such as `vision encoder`.
    pub role: String,
    /// Name of its card.
    pub name: String,
    /// Number of parameters.
    pub params: u64,
    /// Digest of its weights.
    pub sha256: String,
    /// Scores known from before the experiment.
    pub scores: BTreeMap<String, f64>,
}

mod base64_bytes {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(Error::custom)
    }
}
