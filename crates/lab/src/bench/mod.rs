//! Speed of this machine, device and model: the pieces of work of a run, each timed by itself on
//! made-up data.
//!
//! Weights are drawn and not read, so that any card can be measured, published weights or not;
//! times do not depend on them. Only the writing of texts can take a card's own, in the form that
//! their file has. The code that runs is that of a run: the objectives of the two
//! stages with their optimiser, the encoder, the search for texts, the reader of pictures.

mod decode;
mod encode;
mod images;
mod machine;
mod shards;
mod train;

use crate::LabError;
use burn::module::Module;
use burn::tensor::Device;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;
use toolkit_core::Stream;
use toolkit_core::params::{self, Content, Init, Kept, Values, bert_rule};
use toolkit_data::Augment;
use toolkit_registry::Registry;

/// A piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BenchWork {
    /// A step of stage 1: features to ITC, ITM and ITG, backward, AdamW.
    Stage1,
    /// A step of stage 2: features to the language model's loss, backward, AdamW.
    Stage2,
    /// The frozen encoder over a batch of pictures.
    Encode,
    /// Text behind a soft prefix.
    Decode,
    /// Picture files to what an encoder takes.
    Data,
}

impl BenchWork {
    /// Every piece of work, in the order of a run.
    pub const ALL: [Self; 5] = [Self::Data, Self::Encode, Self::Stage1, Self::Stage2, Self::Decode];

    /// Returns the name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stage1 => "stage1",
            Self::Stage2 => "stage2",
            Self::Encode => "encode",
            Self::Decode => "decode",
            Self::Data => "data",
        }
    }
}

/// Cards and sizes that are measured.
pub struct BenchSetup<'a> {
    /// Families and cards.
    pub registry: &'a Registry,
    /// A device without autodiff.
    pub device: Device,
    /// Name of the encoder's card.
    pub vision: String,
    /// Name of the bridge's card.
    pub bridge: String,
    /// Name of the language model's card.
    pub language: String,
    /// Pictures of a batch.
    pub batch: usize,
    /// Shortest and longest caption of stage 1 in tokens, special ones included; stage 2 takes the
    /// longest.
    pub text: [usize; 2],
    /// `true` if the bridge's dropout is on, as in training.
    pub dropout: bool,
    /// `true` if stage 2 runs the language model's blocks again instead of keeping activations.
    pub recompute: bool,
    /// Vectors before the first written token.
    pub prompt: usize,
    /// Tokens that are written.
    pub new_tokens: usize,
    /// Texts that are written together.
    pub texts: usize,
    /// Beams.
    pub beams: usize,
    /// Form of the language model's matrices while it writes.
    pub kept: Kept,
    /// `true` if the language model that writes has its card's weights.
    pub real: bool,
    /// Picture files; made up where there is no folder.
    pub images: Option<PathBuf>,
    /// Tar files or folders of them, in the place of picture files: a pattern as of `shards:GLOB`.
    pub shards: Option<String>,
    /// Random changes of the pictures.
    pub augment: Augment,
    /// Side of the pictures an encoder takes, where no card says it.
    pub size: Option<u32>,
    /// Rounds that each piece is timed, after one that is not.
    pub rounds: usize,
}

/// Measurement of a piece of work.
#[derive(Clone, Debug, Serialize)]
pub struct Timing {
    /// Piece of work.
    pub work: BenchWork,
    /// Cards and sizes.
    pub of: String,
    /// Seconds of each round.
    pub seconds: Vec<f64>,
    /// Their median.
    pub median: f64,
    /// Number of items that a round handles.
    pub items: f64,
    /// Their name: images, steps, tokens.
    pub unit: &'static str,
    /// Largest resident memory since the work began, weights included; 0 where the system does not
    /// tell.
    pub peak_bytes: u64,
    /// The same as `toolkit plan` estimates it, for the works that it knows; 0 for others.
    pub planned_bytes: u64,
    /// Further measurements by name.
    pub facts: BTreeMap<String, f64>,
}

impl Timing {
    fn new(work: BenchWork, of: String, seconds: Vec<f64>, items: f64, unit: &'static str) -> Self {
        let median = median(&seconds);
        Self {
            work,
            of,
            seconds,
            median,
            items,
            unit,
            peak_bytes: machine::peak(),
            planned_bytes: 0,
            facts: BTreeMap::new(),
        }
    }

    fn planned(mut self, bytes: u64) -> Self {
        self.planned_bytes = bytes;
        self
    }

    fn fact(mut self, name: &str, value: f64) -> Self {
        self.facts.insert(name.to_owned(), value);
        self
    }
}

/// Measures one piece of work in the current rayon pool.
///
/// # Errors
/// If a card is unknown, parts do not fit, or pictures cannot be read.
pub fn measure(setup: &BenchSetup<'_>, work: BenchWork) -> Result<Timing, LabError> {
    machine::forget_peak();
    match work {
        BenchWork::Stage1 => train::stage1(setup),
        BenchWork::Stage2 => train::stage2(setup),
        BenchWork::Encode => encode::encode(setup),
        BenchWork::Decode => decode::decode(setup),
        BenchWork::Data => match &setup.shards {
            Some(shards) => shards::data(setup, shards),
            None => images::data(setup),
        },
    }
}

/// Calls `f` once and then times `rounds` calls.
fn time(rounds: usize, mut f: impl FnMut() -> Result<(), LabError>) -> Result<Vec<f64>, LabError> {
    f()?;
    let mut seconds = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let began = Instant::now();
        f()?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    Ok(seconds)
}

/// Returns the median; of an even number of values, the mean of the middle two.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    }
}

/// Draws weights of the sizes that BERT's rule gives, uniform instead of normal: what is measured
/// needs no better, and a language model of billions of parameters is drawn in seconds.
fn draw<M: Module>(module: M) -> M {
    draw_as(module, Kept::F32)
}

/// [`draw`], with the matrices in this form.
fn draw_as<M: Module>(module: M, kept: Kept) -> M {
    params::map_as(module, |info| {
        let count: usize = info.shape.iter().product();
        let data = match bert_rule(info) {
            Init::Constant(value) => vec![value; count],
            Init::Normal(std) => {
                let half = (3.0_f64.sqrt() * std) as f32;
                let mut stream = Stream::new(1, &info.name, 0);
                let mut data = Vec::with_capacity(count + 1);
                while data.len() < count {
                    let bits = stream.next_u64();
                    for half_bits in [bits as u32, (bits >> 32) as u32] {
                        data.push((half_bits as f32 / (1_u64 << 31) as f32 - 1.0) * half);
                    }
                }
                data.truncate(count);
                data
            }
        };
        Some(Content::Matrix(Values { shape: info.shape.clone(), data }, kept))
    })
}

/// Uniform values between -1 and 1.
fn values(label: &str, count: usize) -> Vec<f32> {
    let mut stream = Stream::new(1, label, 0);
    (0..count).map(|_| (stream.unit() * 2.0 - 1.0) as f32).collect()
}
