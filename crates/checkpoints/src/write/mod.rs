//! Writing of models in published forms.

mod companions;
mod configs;
mod failing;
mod hugging_face;
mod lavis;
mod shards;
mod target;
mod torch;

pub use hugging_face::hugging_face;
pub use lavis::lavis;
use target::{Fetch, Target, targets};

use crate::config::{LanguageConfig, VisionConfig};
use toolkit_core::LanguageSpecialTokens;
use toolkit_core::params::Info;
use toolkit_core::published::PublishedNames;
use toolkit_data::Preprocess;
use toolkit_models::bridge::qformer::QFormerConfig;
use toolkit_models::weights::StoredDtype;
use toolkit_vlm::TextSideSettings;

/// A model to be written.
pub struct Written<'a> {
    /// The encoder.
    pub vision: Option<VisionConfig>,
    /// The bridge.
    pub qformer: QFormerConfig,
    /// The language model.
    pub language: Option<LanguageConfig>,
    /// Special ids of the language model.
    pub special_tokens: LanguageSpecialTokens,
    /// Id that stands for a query.
    pub image_token: Option<u32>,
    /// Settings of stage 1.
    pub stage1: TextSideSettings,
    /// Preparation of pixels.
    pub preprocess: Option<Preprocess>,
    /// A `tokenizer.json`.
    pub tokenizer: Option<String>,
    /// A folder whose tokenizer files are copied.
    pub folder: Option<std::path::PathBuf>,
    /// Parameters, each with the published names of its part.
    pub parameters: Vec<(PublishedNames, Info)>,
    /// Function that reads the values of a parameter.
    pub values: Box<Fetch<'a>>,
}

/// Settings of writing.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Type that floats are stored as.
    pub dtype: StoredDtype,
    /// Most bytes of one weight file.
    pub shard: u64,
}

impl Default for Form {
    fn default() -> Self {
        Self { dtype: StoredDtype::F32, shard: 5_000_000_000 }
    }
}

/// The outcome of writing.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Summary {
    /// Weight files.
    pub files: Vec<std::path::PathBuf>,
    /// Tensors in them.
    pub tensors: usize,
    /// Parameters that the form has no place for, by our names.
    pub left_out: Vec<String>,
    /// Remark to log about where the image processor is from.
    #[serde(skip)]
    pub note: Option<String>,
}
