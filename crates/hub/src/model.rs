//! A BLIP-2, or as much of one as a checkpoint holds.

use crate::HubError;
use crate::config::{Config, LanguageConfig, Stage1, VisionConfig};
use crate::names::Part;
use crate::processor;
use crate::reader::Reader;
use crate::tokens::Words;
use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use std::path::{Path, PathBuf};
use toolkit_core::{
    AnyBridge, AnyLanguage, AnyVision, Bridge, LanguageKind, LanguageShape, TextTower, VisionShape, params,
};
use toolkit_data::Preprocess;
use toolkit_eval::Writer;
use toolkit_formats::Tensors;
use toolkit_models::bridge::qformer::{QFormer, QFormerConfig};
use toolkit_models::layers::Linear;
use toolkit_train::Progress;
use toolkit_train::stage2::LanguageMarks;

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
    pub marks: LanguageMarks,
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
    pub words: Option<Words>,
    /// How pixels are made.
    pub preprocess: Option<Preprocess>,
    /// Special ids and label smoothing of stage 1.
    pub stage1: Stage1,
    /// The id that stands for a query in token ids.
    pub image_token: Option<u32>,
}

/// How a model is loaded.
#[derive(Clone, Copy)]
pub struct Loading<'a> {
    /// Where the bridge and the language model go; may record gradients.
    pub device: &'a Device,
    /// How the matrices of the frozen parts are kept. The bridge is always `f32`.
    pub dtype: DType,
    /// Whether the encoder and the language model are frozen; otherwise they are on `device` and get gradients too.
    pub frozen: bool,
    /// Told of parameters as they are read.
    pub progress: &'a dyn Progress,
}

/// The weight file and the configuration of a checkpoint at `path`: a Hugging Face folder, or a LAVIS `.pth` with a
/// `config.json` beside it (or its folder).
///
/// # Errors
/// If it is neither.
pub fn files(path: &Path) -> Result<(PathBuf, PathBuf), HubError> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) };
    let config = folder.join("config.json");
    if !path.exists() {
        return Err(HubError::new(
            "there is no such checkpoint",
            path.display().to_string(),
            "give a folder with `config.json` and weights, or a LAVIS `.pth`",
        ));
    }
    if !config.is_file() {
        let hint = "a checkpoint has a `config.json`: that of transformers, or for LAVIS one with the Q-Former's sizes";
        return Err(HubError::new("there is no `config.json`", folder.display().to_string(), hint));
    }
    if path.is_file() && path != config {
        return Ok((path.to_owned(), config));
    }
    let known =
        ["model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin"];
    if known.iter().any(|file| folder.join(file).is_file()) {
        return Ok((folder.to_owned(), config));
    }
    let entries = std::fs::read_dir(folder).map_err(|error| HubError::io("read", folder, error))?;
    let mut pth: Vec<PathBuf> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "pth" || e == "pt"))
        .collect();
    pth.sort();
    match &pth[..] {
        [one] => Ok((one.clone(), config)),
        [] => Err(HubError::new(
            "there are no weights",
            folder.display().to_string(),
            "wanted: `model.safetensors`, shards with their index, `pytorch_model.bin` or one `.pth`",
        )),
        _ => Err(HubError::new(
            format!("there are {} `.pth` files", pth.len()),
            folder.display().to_string(),
            "name the one that is meant",
        )),
    }
}

impl Model {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// If files are missing or broken, or tensors do not fit: all that do not are named at once.
    pub fn open(path: &Path, loading: Loading<'_>) -> Result<Self, HubError> {
        let (weights, config_file) = files(path)?;
        let config = Config::read(&config_file)?;
        let folder = config_file.parent().unwrap_or(Path::new(".")).to_owned();
        let mut main = Reader::new(Tensors::open(&weights)?);
        let place = config_file.display().to_string();
        let shape = |error: toolkit_core::ShapeError| HubError::new(error.what, place.clone(), error.hint);

        // 1. Modules, nothing read.
        let plain = loading.device.clone().without_autodiff();
        let vision_device = if loading.frozen { &plain } else { loading.device };
        let vision_shape = config.vision.as_ref().map(VisionConfig::describe).transpose().map_err(shape)?;
        let vision = config.vision.as_ref().map(|c| (c.clone(), c.build(vision_device)));
        let seen_width = vision_shape.as_ref().map(|s| s.width).or(width_of(main.tensors()));
        let Some(width) = seen_width else {
            let what = "neither the configuration nor the weights say how wide the image features are";
            return Err(HubError::new(what, place, "give `vision_config`"));
        };
        // A checkpoint without an encoder has features of any number of tokens.
        let behind = vision_shape.clone().unwrap_or(VisionShape {
            image: [0; 2],
            tokens: 1,
            width,
            cost: toolkit_core::Cost::default(),
        });
        QFormer::describe(&config.qformer, &behind).map_err(shape)?;
        let bridge = QFormer::build(&config.qformer, &behind, loading.device);
        let language_shape = config.language.as_ref().map(LanguageConfig::describe).transpose().map_err(shape)?;
        let language = config.language.as_ref().map(|c| (c.clone(), c.build(loading.device)));
        let projection = language_shape.as_ref().map(|s| {
            let width = projected_width(main.tensors()).unwrap_or(s.width);
            Linear::new(config.qformer.hidden_size, width, loading.device)
        });

        // 2. Where every parameter comes from.
        let mut vision_file = match (&config.vision_weights, &config.vision) {
            (Some(file), Some(c)) => Some(Reader::of_part(Tensors::open(file)?, Part::Vision, c.family(), blocks(c))),
            _ => None,
        };
        let mut language_file = match (&config.language_weights, &config.language) {
            (Some(file), Some(c)) => Some(Reader::of_part(Tensors::open(file)?, Part::Language, c.family(), 0)),
            _ => None,
        };
        let vision_plan = vision.as_ref().map(|(c, model)| {
            let reader = vision_file.as_mut().unwrap_or(&mut main);
            reader.plan(Part::Vision, c.family(), &params::list(model), Some(c.corners()))
        });
        let bridge_plan = main.plan(Part::Bridge, "qformer", &params::list(&bridge), None);
        let family = config.language.as_ref().map_or("", LanguageConfig::family);
        let projection_plan = projection.as_ref().map(|p| main.plan(Part::Projection, family, &params::list(p), None));
        let language_plan = language.as_ref().map(|(c, model)| {
            let reader = language_file.as_mut().unwrap_or(&mut main);
            reader.plan(Part::Language, c.family(), &params::list(model), None)
        });
        if let (Some(shape), Some(width)) = (&language_shape, projected_width(main.tensors()))
            && width != shape.width
            && !matches!(&config.language, Some(LanguageConfig::Opt(c)) if c.hidden_size == width)
        {
            let what = format!("the projection is {width} wide, the language model's embeddings {}", shape.width);
            return Err(HubError::new(what, place, "give the `text_config` that the checkpoint was trained with"));
        }
        main.check()?;
        vision_file.as_mut().map(Reader::check).transpose()?;
        language_file.as_mut().map(Reader::check).transpose()?;

        // 3. One tensor at a time.
        let total: u64 = [vision_shape.as_ref().map(|s| s.cost.params), language_shape.as_ref().map(|s| s.cost.params)]
            .into_iter()
            .flatten()
            .sum();
        loading.progress.start(0, total);
        let seen = |info: &params::Info| loading.progress.advance(info.shape.iter().product::<usize>() as u64);
        let vision = match (vision, vision_shape, &vision_plan) {
            (Some((config, model)), Some(shape), Some(plan)) => {
                let model = vision_file.as_ref().unwrap_or(&main).load(model, plan, loading.dtype, seen)?;
                let model = if loading.frozen { model.no_grad() } else { model };
                Some(VisionPart { model, shape, config: Some(config) })
            }
            _ => None,
        };
        let text = bridge_plan.has("text_proj.weight");
        let caption = bridge_plan.has("temp");
        let bridge = main.load(bridge, &bridge_plan, DType::F32, |_| {})?;
        let language = match (language, language_shape, projection, &language_plan, &projection_plan) {
            (Some((config_l, model)), Some(shape), Some(projection), Some(plan), Some(projection_plan)) => {
                let reader = language_file.as_ref().unwrap_or(&main);
                let model = reader.load(model, plan, loading.dtype, seen)?;
                let model = if loading.frozen { model.no_grad() } else { model };
                let projection = main.load(projection, projection_plan, DType::F32, |_| {})?;
                Some(LanguagePart { model, shape, marks: config.marks, projection, config: Some(config_l) })
            }
            _ => None,
        };
        let preprocess = vision.as_ref().map(|v| processor::read(&folder, v.shape.image[0])).transpose()?;
        Ok(Self {
            name: path.display().to_string(),
            vision,
            bridge: BridgePart::QFormer { model: Box::new(bridge), config: config.qformer, text, caption },
            language,
            words: Words::read(&folder, config.marks)?,
            preprocess,
            stage1: config.stage1,
            image_token: config.image_token,
        })
    }

    /// The text side of the bridge.
    ///
    /// # Errors
    /// If the checkpoint has none.
    pub fn tower(&self) -> Result<&dyn TextTower, HubError> {
        let tower = match &self.bridge {
            BridgePart::QFormer { model, text: true, .. } => model.text_tower(),
            BridgePart::QFormer { .. } => None,
            BridgePart::Other(bridge) => bridge.text_tower(),
        };
        tower.ok_or_else(|| {
            let hint =
                "matching, retrieval and text features need a stage-1 or retrieval checkpoint, such as blip2-itm-vit-g";
            HubError::new("this checkpoint has no text side", self.name.clone(), hint)
        })
    }

    /// The language model.
    ///
    /// # Errors
    /// If the checkpoint has none.
    pub fn language(&self) -> Result<&LanguagePart, HubError> {
        self.language.as_ref().ok_or_else(|| {
            let hint = "captions and answers need a stage-2 checkpoint with its language model, such as blip2-opt-2.7b";
            HubError::new("this checkpoint has no language model", self.name.clone(), hint)
        })
    }

    /// The encoder.
    ///
    /// # Errors
    /// If the checkpoint has none.
    pub fn vision(&self) -> Result<&VisionPart, HubError> {
        self.vision.as_ref().ok_or_else(|| {
            let hint =
                "a LAVIS `.pth` has none: name its file as `vision_weights` in the `config.json`, with `vision_config`";
            HubError::new("this checkpoint has no encoder", self.name.clone(), hint)
        })
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// If the checkpoint has none.
    pub fn words(&self) -> Result<&Words, HubError> {
        let hint = "put its `tokenizer.json` beside the weights";
        self.words.as_ref().ok_or_else(|| HubError::new("this checkpoint has no tokenizer", self.name.clone(), hint))
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
    /// Trap: transformers projects to the hidden size even where embeddings are narrower (OPT-350m), and then scatters the
    /// numbers over the prefix one after another, across queries and samples, leaving the rest out. Checkpoints trained
    /// so are only right if that is done here too. Ours project to the embedding width, where nothing is left out.
    #[must_use]
    pub fn prefix(&self, queries: Tensor<3>) -> Tensor<3> {
        let projected = self.projection.forward(queries);
        let [batch, tokens, width] = projected.dims();
        if width <= self.shape.width {
            return projected;
        }
        let kept = batch * tokens * self.shape.width;
        projected.reshape([batch * tokens * width]).narrow(0, 0, kept).reshape([batch, tokens, self.shape.width])
    }

    /// The language model ready to write.
    #[must_use]
    pub fn writer(&self) -> Writer<'_> {
        Writer { language: &self.model, shape: &self.shape, marks: self.marks }
    }

    /// Whether an encoder reads the prompt.
    #[must_use]
    pub fn encoder_decoder(&self) -> bool {
        self.shape.kind == LanguageKind::EncoderDecoder
    }
}

fn blocks(config: &VisionConfig) -> usize {
    match config {
        VisionConfig::Eva(c) => c.num_hidden_layers,
        VisionConfig::Clip(c) => c.num_hidden_layers,
    }
}

/// How wide the projection of a file is.
fn projected_width(tensors: &Tensors) -> Option<usize> {
    let names = ["language_projection.bias", "opt_proj.bias", "t5_proj.bias"];
    names.iter().find_map(|name| tensors.info(name)).and_then(|info| info.shape.first().copied())
}

/// How wide the features are that the bridge of a file reads.
fn width_of(tensors: &Tensors) -> Option<usize> {
    let names = ["ln_vision.weight", "vision_model.post_layernorm.weight", "bridge.ln_vision.weight"];
    names.iter().find_map(|name| tensors.info(name)).and_then(|info| info.shape.first().copied())
}
