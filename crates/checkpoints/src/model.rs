//! A BLIP-2, or as much of one as a checkpoint holds.

use crate::CheckpointError;
use crate::config::{LanguageConfig, Stage1, VisionConfig};
use crate::layout::{LanguageLayout, Layout, Planned, VisionLayout};
use crate::processor::Processor;
use crate::tokens;
use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use std::path::Path;
use toolkit_core::{
    AnyBridge, AnyLanguage, AnyVision, Bridge, LanguageKind, LanguageShape, LanguageSpecialTokens,
    TextTower, VisionShape, params,
};
use toolkit_models::bridge::qformer::{QFormer, QFormerConfig};
use toolkit_models::layers::Linear;
use toolkit_system::progress::Progress;
use toolkit_tokenizer::TokenTable;
use toolkit_vlm::{Choice, Generator, ModelTokenizer};

/// The frozen encoder, on a plain device.
pub struct VisionPart {
    /// The encoder.
    pub model: AnyVision,
    /// Its shape.
    pub shape: VisionShape,
    /// What it was built from, where it was read from a published checkpoint.
    pub config: Option<VisionConfig>,
}

/// The bridge. A published one is a Q-Former; a run may have another.
pub enum BridgePart {
    /// A Q-Former, with what it was built from and which sides its checkpoint has.
    QFormer {
        /// The bridge.
        model: Box<QFormer>,
        /// Its sizes.
        config: QFormerConfig,
        /// Whether it reads text: embeddings, projections and the matching head are there.
        text: bool,
        /// Whether it writes captions and has a temperature.
        caption: bool,
    },
    /// Any other.
    Other(AnyBridge),
}

/// The frozen language model with the projection to it.
pub struct LanguagePart {
    /// The language model.
    pub model: AnyLanguage,
    /// Its shape.
    pub shape: LanguageShape,
    /// Its special ids.
    pub special_tokens: LanguageSpecialTokens,
    /// BLIP-2's `language_projection`.
    pub projection: Linear,
    /// What it was built from, where it was read from a published checkpoint.
    pub config: Option<LanguageConfig>,
}

/// A checkpoint in memory.
pub struct Model {
    /// What to call it.
    pub name: String,
    /// The encoder.
    pub vision: Option<VisionPart>,
    /// The bridge.
    pub bridge: BridgePart,
    /// The language model.
    pub language: Option<LanguagePart>,
    /// The language model's tokenizer, or that of the text side if there is no language model.
    pub words: Option<ModelTokenizer>,
    /// How pixels are made.
    pub processor: Option<Processor>,
    /// Special ids and label smoothing of stage 1.
    pub stage1: Stage1,
    /// The id that stands for a query in token ids.
    pub image_token: Option<u32>,
    /// Contents of the files that are not followed, one line each, to be logged.
    pub notes: Vec<String>,
}

/// How a model is loaded.
#[derive(Clone, Copy)]
pub struct Loading<'a> {
    /// Where the bridge and the language model go; may record gradients.
    pub device: &'a Device,
    /// How the matrices of the frozen parts are kept. The bridge is always `f32`.
    pub dtype: DType,
    /// Whether the encoder and the language model are frozen; otherwise they are on `device` and
    /// get gradients too.
    pub frozen: bool,
    /// Told of parameters as they are read.
    pub progress: &'a dyn Progress,
}

impl Model {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// If files are missing or broken, or tensors do not fit: all that do not are named at once.
    pub fn open(path: &Path, loading: Loading<'_>) -> Result<Self, CheckpointError> {
        let layout = Layout::read(path, loading.device, loading.frozen)?;
        let costs = [
            layout.vision.as_ref().map(|v| v.shape.cost),
            layout.language.as_ref().map(|l| l.shape.cost),
        ];
        loading.progress.start(0, costs.into_iter().flatten().map(|cost| cost.params).sum());
        let seen = |info: &params::Info| {
            loading.progress.advance(info.shape.iter().product::<usize>() as u64)
        };
        let side = layout.vision.as_ref().map(|vision| vision.shape.image[0]);
        let processor = side.map(|side| Processor::read(&layout.folder, side)).transpose()?;
        let table = match &layout.language {
            Some(language) => TokenTable::of_language(language.shape.vocab),
            None => TokenTable::of_text_side(layout.config.qformer.vocab_size),
        };
        let words = tokens::read(
            &layout.folder,
            layout.config.special_tokens,
            layout.config.image_token,
            table,
        )?;
        let past = words.as_ref().and_then(|words| words.tokenizer.past_table());
        let notes = layout.config.notes.iter().cloned().chain(past).collect();
        let vision = match layout.vision {
            Some(VisionLayout { config, shape, model, file }) => {
                let reader = file.as_ref().unwrap_or(&layout.main);
                let model = reader.load(model.module, &model.plan, loading.dtype, seen)?;
                let model = if loading.frozen { model.no_grad() } else { model };
                Some(VisionPart { model, shape, config: Some(config) })
            }
            None => None,
        };
        let Planned { module: bridge, plan } = layout.bridge;
        let (text, caption) = (plan.has("text_proj.weight"), plan.has("temp"));
        let bridge = layout.main.load(bridge, &plan, DType::F32, |_| {})?;
        let language = match layout.language {
            Some(LanguageLayout { config, shape, model, projection, file }) => {
                let reader = file.as_ref().unwrap_or(&layout.main);
                let model = reader.load(model.module, &model.plan, loading.dtype, seen)?;
                let model = if loading.frozen { model.no_grad() } else { model };
                let projection =
                    layout.main.load(projection.module, &projection.plan, DType::F32, |_| {})?;
                Some(LanguagePart {
                    model,
                    shape,
                    special_tokens: layout.config.special_tokens,
                    projection,
                    config: Some(config),
                })
            }
            None => None,
        };
        Ok(Self {
            name: path.display().to_string(),
            vision,
            bridge: BridgePart::QFormer {
                model: Box::new(bridge),
                config: layout.config.qformer,
                text,
                caption,
            },
            language,
            words,
            processor,
            stage1: layout.config.stage1,
            image_token: layout.config.image_token,
            notes,
        })
    }

    /// The text side of the bridge.
    ///
    /// # Errors
    /// If the checkpoint has none.
    pub fn tower(&self) -> Result<&dyn TextTower, CheckpointError> {
        let tower = match &self.bridge {
            BridgePart::QFormer { model, text: true, .. } => model.text_tower(),
            BridgePart::QFormer { .. } => None,
            BridgePart::Other(bridge) => bridge.text_tower(),
        };
        tower.ok_or_else(|| {
            let hint =
                "matching, retrieval and text features need a stage-1 or retrieval checkpoint, \
                such as blip2-itm-vit-g";
            CheckpointError::new("this checkpoint has no text side", self.name.clone(), hint)
        })
    }

    /// The language model.
    ///
    /// # Errors
    /// If the checkpoint has none.
    pub fn language(&self) -> Result<&LanguagePart, CheckpointError> {
        self.language.as_ref().ok_or_else(|| {
            let hint = "captions and answers need a stage-2 checkpoint with its language model, such as blip2-opt-2.7b";
            CheckpointError::new("this checkpoint has no language model", self.name.clone(), hint)
        })
    }

    /// The encoder.
    ///
    /// # Errors
    /// If the checkpoint has none.
    pub fn vision(&self) -> Result<&VisionPart, CheckpointError> {
        self.vision.as_ref().ok_or_else(|| {
            let hint =
                "a LAVIS `.pth` has none: name its file as `vision_weights` in the `config.json`, \
                with `vision_config`";
            CheckpointError::new("this checkpoint has no encoder", self.name.clone(), hint)
        })
    }

    /// The image processor.
    ///
    /// # Errors
    /// If the checkpoint has no encoder to make pixels for.
    pub fn processor(&self) -> Result<&Processor, CheckpointError> {
        let hint = "name the encoder as `vision_config` in the `config.json`";
        let missing = || {
            CheckpointError::new("this checkpoint has no image processor", self.name.clone(), hint)
        };
        self.processor.as_ref().ok_or_else(missing)
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// If the checkpoint has none.
    pub fn words(&self) -> Result<&ModelTokenizer, CheckpointError> {
        self.words.as_ref().ok_or_else(|| tokens::none_in(Path::new(&self.name)))
    }

    /// Features `[batch, tokens, width]` to queries `[batch, queries, width]`.
    #[must_use]
    pub fn queries(&self, features: Tensor<3>) -> Tensor<3> {
        match &self.bridge {
            BridgePart::QFormer { model, .. } => model.queries(features),
            BridgePart::Other(bridge) => bridge.queries(features),
        }
    }
}

impl LanguagePart {
    /// Queries `[batch, queries, width]` to the soft prefix `[batch, queries, embedding width]`.
    ///
    /// Trap: transformers projects to the hidden size even where embeddings are narrower
    /// (OPT-350m), and then scatters the numbers over the prefix one after another, across queries
    /// and samples, leaving the rest out. Checkpoints trained so are only right if that is done
    /// here too. Ours project to the embedding width, where nothing is left out.
    #[must_use]
    pub fn prefix(&self, queries: Tensor<3>) -> Tensor<3> {
        let projected = self.projection.forward(queries);
        let [batch, tokens, width] = projected.dims();
        if width <= self.shape.width {
            return projected;
        }
        let kept = batch * tokens * self.shape.width;
        projected.reshape([batch * tokens * width]).narrow(0, 0, kept).reshape([
            batch,
            tokens,
            self.shape.width,
        ])
    }

    /// Returns how probable each of `candidates` is, in the order given. They stand behind a prompt
    /// and the soft `prefix [1, queries, width]` of a picture.
    ///
    /// # Errors
    /// If the prompt or a candidate cannot be encoded, is empty, or does not fit the model's
    /// positions.
    pub fn choices(
        &self,
        words: &ModelTokenizer,
        prefix: Tensor<3>,
        prompt: &str,
        candidates: &[String],
    ) -> Result<Vec<Choice>, CheckpointError> {
        let (special_tokens, kind) = (self.special_tokens, self.shape.kind);
        // The space before a candidate is the candidate's.
        let prompt = prompt.trim_end();
        let ids = candidates
            .iter()
            .map(|candidate| words.candidate(prompt, candidate, special_tokens, kind));
        let ids = ids.collect::<Result<Vec<Vec<u32>>, _>>()?;
        let prompt = words.prompt(prompt, special_tokens, kind)?;
        Ok(self
            .generator(None)
            .choices(Some(prefix), &[prompt], &[ids])?
            .into_iter()
            .flatten()
            .collect())
    }

    /// Returns the language model with what it needs to generate text.
    #[must_use]
    pub fn generator<'a>(&'a self, tokenizer: Option<&'a ModelTokenizer>) -> Generator<'a> {
        Generator {
            language: &self.model,
            shape: &self.shape,
            special_tokens: self.special_tokens,
            tokenizer,
        }
    }

    /// Whether an encoder reads the prompt.
    #[must_use]
    pub fn encoder_decoder(&self) -> bool {
        self.shape.kind == LanguageKind::EncoderDecoder
    }
}
