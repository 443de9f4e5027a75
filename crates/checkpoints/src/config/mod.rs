//! `config.json` files of checkpoints: sparse, and of two forms.
//!
//! A BLIP-2 configuration of transformers has `vision_config`, `qformer_config` and `text_config`,
//! each with only the keys that differ from the library's defaults. A LAVIS `.pth` has the same
//! next to it, or a flat file with the Q-Former's sizes (the form of `tests/fixtures/stage1-tiny`).
//! LAVIS takes its frozen parts from other files. Two keys of ours name these, relative to the
//! configuration: `vision_weights` and `language_weights`.

mod generation;
mod language;
mod others;
mod qformer;
mod vision;

pub use language::LanguageConfig;
pub use vision::VisionConfig;

use crate::CheckpointError;
use crate::json::Json;
use std::path::{Path, PathBuf};
use toolkit_core::LanguageSpecialTokens;
use toolkit_models::bridge::qformer::QFormerConfig;
use toolkit_vlm::TextSideSettings;

/// The configuration of a checkpoint.
#[derive(Clone, Debug)]
pub struct Config {
    /// The encoder, where the configuration has one.
    pub vision: Option<VisionConfig>,
    /// The Q-Former.
    pub qformer: QFormerConfig,
    /// The language model, where the configuration has one.
    pub language: Option<LanguageConfig>,
    /// Special ids of the language model.
    pub special_tokens: LanguageSpecialTokens,
    /// Id that stands for a query in token ids (newer transformers); no text has it.
    pub image_token: Option<u32>,
    /// `true` for a model for retrieval, whose tokenizer is the Q-Former's.
    pub retrieval: bool,
    /// Special ids and label smoothing of stage 1.
    pub stage1: TextSideSettings,
    /// File of the encoder's weights, where they are not in the checkpoint.
    pub vision_weights: Option<PathBuf>,
    /// File of the language model's weights, where they are not in the checkpoint.
    pub language_weights: Option<PathBuf>,
    /// Settings that are not followed, to be logged.
    pub notes: Vec<String>,
}

impl Config {
    /// Compares the special ids of stage 1 with the rows of the text side.
    pub(crate) fn check_text_side(&self, place: &str) -> Result<(), CheckpointError> {
        let rows = self.qformer.vocab_size;
        let ids = [("decoder_start", self.stage1.dec), ("pad", self.stage1.pad)];
        let Some((name, id)) = ids.into_iter().find(|(_, id)| *id as usize >= rows) else {
            return Ok(());
        };
        let what = format!("`{name}_token_id` is {id}, but the Q-Former has {rows} tokens");
        Err(CheckpointError::new(what, place, "correct it, or `vocab_size` of the Q-Former"))
    }

    /// Reads a `config.json` and the `generation_config.json` next to it.
    ///
    /// # Errors
    /// If a file is broken, of another model, or asks for what is not built here.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let root = Json::read(path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let generation = Json::read_if_there(&folder.join("generation_config.json"))?;
        others::refuse(&root)?;
        let nested = is_nested(&root);
        if !nested && !root.has("num_query_tokens") {
            return Err(no_blip2(&root)?);
        }
        let class = class(&root);
        let retrieval = class.as_deref() == Some("Blip2ForImageTextRetrieval");
        let vision =
            nested.then(|| VisionConfig::read(&root.object("vision_config"))).transpose()?;
        let text = root.object("text_config");
        let language = (nested && !retrieval && (root.has("text_config") || class.is_some()))
            .then(|| LanguageConfig::read(&text))
            .transpose()?;
        let family = language.as_ref().map_or("opt", LanguageConfig::family);
        let special_tokens = language::special_tokens(family, &text, generation.as_ref())?;
        let qformer = qformer::read_of(&root)?;
        // transformers normalises the features with the encoder's epsilon, LAVIS with PyTorch's
        // default.
        let vision_layer_norm_eps = match (&vision, class.is_some()) {
            (Some(vision), true) => vision.layer_norm_eps(),
            _ => root.number("vision_layer_norm_eps")?.unwrap_or(1e-5),
        };
        let qformer = QFormerConfig { vision_layer_norm_eps, ..qformer };
        let relative =
            |key| Ok::<_, CheckpointError>(root.text(key)?.map(|file| folder.join(file)));
        Ok(Self {
            vision,
            stage1: stage1(&root, &qformer)?,
            qformer,
            language,
            special_tokens,
            image_token: root.token("image_token_index")?.or(root.token("image_token_id")?),
            retrieval,
            vision_weights: relative("vision_weights")?,
            language_weights: relative("language_weights")?,
            notes: generation.as_ref().and_then(generation::passed_over).into_iter().collect(),
        })
    }
}

/// Returns `true` for the form of transformers, with an object for each part.
fn is_nested(root: &Json) -> bool {
    ["qformer_config", "vision_config", "text_config"].iter().any(|key| root.has(key))
}

/// Reads the class that transformers saved the model as.
fn class(root: &Json) -> Option<String> {
    let architectures = root.object("architectures");
    architectures.value().get(0).and_then(|name| name.as_str().map(str::to_owned))
}

/// Creates the error of a configuration that is not of a BLIP-2.
fn no_blip2(root: &Json) -> Result<CheckpointError, CheckpointError> {
    let what = match root.text("model_type")? {
        Some(kind) => {
            format!("this configuration is not of a BLIP-2, its `model_type` is `{kind}`")
        }
        None => "this configuration is not of a BLIP-2".to_owned(),
    };
    let hint = "wanted: `qformer_config`, `vision_config` and `text_config`, or \
        `num_query_tokens` and sizes";
    Ok(CheckpointError::new(what, root.file(), hint))
}

/// Reads the settings of stage 1.
fn stage1(root: &Json, qformer: &QFormerConfig) -> Result<TextSideSettings, CheckpointError> {
    let last = qformer.vocab_size.saturating_sub(1) as u32;
    Ok(TextSideSettings {
        dec: root.token("decoder_start_token_id")?.unwrap_or(last),
        pad: root.token("pad_token_id")?.unwrap_or(0),
        label_smoothing: root.number("label_smoothing")?.unwrap_or(0.1),
    })
}
