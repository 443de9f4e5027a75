//! Writes a model in a published form.

mod beside;
mod failing;
mod hugging_face;
mod lavis;
mod shards;
mod torch;

pub use hugging_face::hugging_face;
pub use lavis::lavis;

use crate::CheckpointError;
use crate::config::{LanguageConfig, VisionConfig};
use toolkit_core::LanguageSpecialTokens;
use toolkit_core::params::{Info, Values};
use toolkit_core::published::{Part, Piece, PublishedNames, Scheme};
use toolkit_data::Preprocess;
use toolkit_models::bridge::qformer::QFormerConfig;
use toolkit_models::weights::StoredDtype;
use toolkit_vlm::TextSideSettings;

/// Values of one parameter, read when they are written.
pub(crate) type Fetch<'a> = dyn Fn(Part, &Info) -> Result<Values, CheckpointError> + 'a;

/// A model as it is to be written.
pub struct Written<'a> {
    /// The encoder.
    pub vision: Option<VisionConfig>,
    /// The bridge.
    pub qformer: QFormerConfig,
    /// The language model.
    pub language: Option<LanguageConfig>,
    /// Its special ids.
    pub special_tokens: LanguageSpecialTokens,
    /// The id that stands for a query.
    pub image_token: Option<u32>,
    /// What stage 1 needs.
    pub stage1: TextSideSettings,
    /// How pixels are made.
    pub preprocess: Option<Preprocess>,
    /// A `tokenizer.json`.
    pub tokenizer: Option<String>,
    /// A folder whose tokenizer files are copied.
    pub folder: Option<std::path::PathBuf>,
    /// Parameters, each with the published names of its part.
    pub parameters: Vec<(PublishedNames, Info)>,
    /// Their values.
    pub values: Box<Fetch<'a>>,
}

/// How it is written.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// How floats are stored.
    pub dtype: StoredDtype,
    /// Most bytes of one weight file.
    pub shard: u64,
}

impl Default for Form {
    fn default() -> Self {
        Self { dtype: StoredDtype::F32, shard: 5_000_000_000 }
    }
}

/// What was written and what was not.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Summary {
    /// Weight files.
    pub files: Vec<std::path::PathBuf>,
    /// Tensors in them.
    pub tensors: usize,
    /// What the form has no place for, parameters by our names.
    pub left_out: Vec<String>,
    /// Remark to log about where the image processor is from.
    #[serde(skip)]
    pub note: Option<String>,
}

/// Which part of a parameter a tensor of the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// All of it.
    Whole,
    /// The i-th third of its rows.
    Third(usize),
}

/// A tensor of the file: rows of parameters under each other.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    from: Vec<(Part, Info, Cut)>,
    /// A third of the parameter that must be zero, because the form has no place for it.
    zero: Option<usize>,
}

impl Target {
    pub(crate) fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// The values, row by row.
    pub(crate) fn read(&self, values: &Fetch<'_>) -> Result<Vec<f32>, CheckpointError> {
        let mut all = Vec::with_capacity(self.count());
        for (part, info, cut) in &self.from {
            let data = values(*part, info)?.data;
            let third = data.len() / 3;
            if let Some(at) = self.zero
                && data[at * third..(at + 1) * third].iter().any(|&x| x != 0.0)
            {
                let hint = "convert to a form that keeps all three biases, such as Hugging Face's";
                return Err(CheckpointError::new(
                    format!("the keys of `{}` have a bias", info.name),
                    self.name.clone(),
                    hint,
                ));
            }
            match cut {
                Cut::Whole => all.extend(data),
                Cut::Third(at) => all.extend_from_slice(&data[at * third..(at + 1) * third]),
            }
        }
        Ok(all)
    }
}

/// The tensors of a scheme's file, sorted by name, and what it has no place for.
fn targets(model: &Written<'_>, scheme: Scheme) -> (Vec<Target>, Vec<String>) {
    let mut all: Vec<Target> = Vec::new();
    let mut left_out = Vec::new();
    for (names, info) in &model.parameters {
        let part = names.part();
        let Some(recipe) = names.recipe(scheme, &info.name) else {
            left_out.push(info.name.clone());
            continue;
        };
        let third = |shape: &[usize]| {
            let mut shape = shape.to_vec();
            shape[0] /= 3;
            shape
        };
        match &recipe.0[..] {
            [Piece::Third(name, _)] => {
                // Query, key and value come in this order of parts, wherever the module has them.
                match all.iter_mut().find(|target| target.name == *name) {
                    Some(target) => target.from.push((part, info.clone(), Cut::Whole)),
                    None => {
                        let mut shape = info.shape.clone();
                        shape[0] *= 3;
                        let from = vec![(part, info.clone(), Cut::Whole)];
                        all.push(Target { name: name.clone(), shape, from, zero: None });
                    }
                }
            }
            [Piece::Whole(name)] => {
                // A temperature is a number by itself in LAVIS.
                let shape = if info.name == "temp" { Vec::new() } else { info.shape.clone() };
                let from = vec![(part, info.clone(), Cut::Whole)];
                all.push(Target { name: name.clone(), shape, from, zero: None });
            }
            pieces => {
                let zero = pieces.iter().position(|piece| *piece == Piece::Zeros);
                for (at, piece) in pieces.iter().enumerate() {
                    if let Piece::Whole(name) = piece {
                        let from = vec![(part, info.clone(), Cut::Third(at))];
                        all.push(Target {
                            name: name.clone(),
                            shape: third(&info.shape),
                            from,
                            zero,
                        });
                    }
                }
            }
        }
    }
    for target in &mut all {
        target.from.sort_by_key(|(_, info, _)| {
            ["q_proj", "k_proj", "v_proj"].iter().position(|m| info.name.contains(m))
        });
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    (all, left_out)
}
