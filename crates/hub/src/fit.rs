//! A checkpoint whose every parameter has its place, nothing read yet.

use crate::HubError;
use crate::config::{Config, LanguageConfig, VisionConfig};
use burn::tensor::Device;
use std::path::{Path, PathBuf};
use toolkit_core::params::{self, Info, Values};
use toolkit_core::{AnyLanguage, AnyVision, Bridge, Cost, LanguageKind, LanguageShape, ShapeError, VisionShape};
use toolkit_formats::Tensors;
use toolkit_models::bridge::qformer::QFormer;
use toolkit_models::layers::Linear;
use toolkit_registry::names::{self, Part};
use toolkit_registry::reader::{Plan, Reader};

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

/// An encoder that is not read yet.
pub(crate) struct FittedVision {
    pub(crate) config: VisionConfig,
    pub(crate) shape: VisionShape,
    pub(crate) module: AnyVision,
    pub(crate) plan: Plan,
}

/// A language model that is not read yet.
pub(crate) struct FittedLanguage {
    pub(crate) config: LanguageConfig,
    pub(crate) shape: LanguageShape,
    pub(crate) module: AnyLanguage,
    pub(crate) plan: Plan,
    pub(crate) projection: (Linear, Plan),
}

/// A checkpoint that fits its configuration.
pub(crate) struct Fitted {
    pub(crate) config: Config,
    /// Where the configuration is.
    pub(crate) folder: PathBuf,
    pub(crate) main: Reader,
    pub(crate) vision_file: Option<Reader>,
    pub(crate) language_file: Option<Reader>,
    pub(crate) vision: Option<FittedVision>,
    pub(crate) bridge: (QFormer, Plan),
    pub(crate) language: Option<FittedLanguage>,
}

impl Fitted {
    /// Finds the place of everything; if not `frozen`, the encoder is made on `device` itself, else on its plain form.
    pub(crate) fn read(path: &Path, device: &Device, frozen: bool) -> Result<Self, HubError> {
        let (weights, config_file) = files(path)?;
        let config = Config::read(&config_file)?;
        let folder = config_file.parent().unwrap_or(Path::new(".")).to_owned();
        let place = config_file.display().to_string();
        let shape = |error: ShapeError| HubError::new(error.what, place.clone(), error.hint);
        let mut main = Reader::new(Tensors::open(&weights)?);
        let part_file = |file: &Option<PathBuf>, part: Part, family: &str| -> Result<Option<Reader>, HubError> {
            let Some(file) = file else { return Ok(None) };
            Ok(Some(Reader::of_part(Tensors::open(file)?, part, family)))
        };

        // 1. The encoder.
        let plain = device.clone().without_autodiff();
        let (mut vision, mut vision_file) = (None, None);
        if let Some(c) = &config.vision {
            vision_file = part_file(&config.vision_weights, Part::Vision, c.family())?;
            let described = c.describe().map_err(shape)?;
            let module = c.build(if frozen { &plain } else { device });
            let reader = vision_file.as_mut().unwrap_or(&mut main);
            let infos = params::list(&module);
            if !reader.has_any(Part::Vision, c.family(), &infos) {
                let hint =
                    "LAVIS keeps the encoder in a file of its own: name it as `vision_weights` in the `config.json`";
                return Err(HubError::new("there are no weights of the encoder", weights.display().to_string(), hint));
            }
            let plan = reader.plan(Part::Vision, c.family(), &infos, names::corners(c.family()));
            vision = Some(FittedVision { config: c.clone(), shape: described, module, plan });
        }

        // 2. The bridge. Without an encoder, its own norm says how wide features are, and they have any number of tokens.
        let behind = match (&vision, width_of(main.tensors())) {
            (Some(vision), _) => vision.shape.clone(),
            (None, Some(width)) => VisionShape { image: [0; 2], tokens: 1, width, cost: Cost::default() },
            (None, None) => {
                let what = "neither the configuration nor the weights say how wide the image features are";
                return Err(HubError::new(what, place, "give `vision_config`"));
            }
        };
        QFormer::describe(&config.qformer, &behind).map_err(shape)?;
        let bridge = QFormer::build(&config.qformer, &behind, device);
        let bridge_plan = main.plan(Part::Bridge, "qformer", &params::list(&bridge), None);

        // 3. The language model and the projection to it.
        let (mut language, mut language_file) = (None, None);
        if let Some(c) = &config.language {
            let described = c.describe().map_err(shape)?;
            let marks = config.marks;
            let ids = [("bos", marks.bos), ("eos", Some(marks.eos)), ("pad", Some(marks.pad))];
            let start =
                ("decoder_start", Some(marks.decoder_start).filter(|_| described.kind == LanguageKind::EncoderDecoder));
            for (name, id) in ids.into_iter().chain([start]) {
                if let Some(id) = id.filter(|&id| id as usize >= described.vocab) {
                    let what =
                        format!("`{name}_token_id` is {id}, but the language model has {} tokens", described.vocab);
                    return Err(HubError::new(what, place, "correct it here or in `generation_config.json`"));
                }
            }
            let width = projected_width(main.tensors()).unwrap_or(described.width);
            // transformers projects to the hidden size, also where embeddings are narrower.
            if width != described.width && !matches!(c, LanguageConfig::Opt(c) if c.hidden_size == width) {
                let what =
                    format!("the projection is {width} wide, the language model's embeddings {}", described.width);
                return Err(HubError::new(what, place, "give the `text_config` that the checkpoint was trained with"));
            }
            let projection = Linear::new(config.qformer.hidden_size, width, device);
            let projection_plan = main.plan(Part::Projection, c.family(), &params::list(&projection), None);
            language_file = part_file(&config.language_weights, Part::Language, c.family())?;
            let module = c.build(device);
            let reader = language_file.as_mut().unwrap_or(&mut main);
            let infos = params::list(&module);
            if !reader.has_any(Part::Language, c.family(), &infos) {
                let hint = "LAVIS never has it: name its file or folder as `language_weights` in the `config.json`";
                return Err(HubError::new(
                    "there are no weights of the language model",
                    weights.display().to_string(),
                    hint,
                ));
            }
            let plan = reader.plan(Part::Language, c.family(), &infos, None);
            let projection = (projection, projection_plan);
            language = Some(FittedLanguage { config: c.clone(), shape: described, module, plan, projection });
        }

        main.check()?;
        vision_file.as_mut().map(Reader::check).transpose()?;
        language_file.as_mut().map(Reader::check).transpose()?;
        Ok(Self { config, folder, main, vision_file, language_file, vision, bridge: (bridge, bridge_plan), language })
    }

    /// Every parameter that there is, with its part and the family of that part.
    pub(crate) fn infos(&self) -> Vec<(Part, String, Info)> {
        let mut all = Vec::new();
        let mut put = |part, family: &str, infos: Vec<Info>, plan: &Plan| {
            let there = infos.into_iter().filter(|info| plan.has(&info.name));
            all.extend(there.map(|info| (part, family.to_owned(), info)));
        };
        if let Some(v) = &self.vision {
            put(Part::Vision, v.config.family(), params::list(&v.module), &v.plan);
        }
        put(Part::Bridge, "qformer", params::list(&self.bridge.0), &self.bridge.1);
        if let Some(l) = &self.language {
            put(Part::Projection, l.config.family(), params::list(&l.projection.0), &l.projection.1);
            put(Part::Language, l.config.family(), params::list(&l.module), &l.plan);
        }
        all
    }

    /// The values of one of them.
    pub(crate) fn values(&self, part: Part, info: &Info) -> Result<Values, HubError> {
        let (reader, plan) = match (part, &self.vision, &self.language) {
            (Part::Vision, Some(v), _) => (self.vision_file.as_ref().unwrap_or(&self.main), &v.plan),
            (Part::Projection, _, Some(l)) => (&self.main, &l.projection.1),
            (Part::Language, _, Some(l)) => (self.language_file.as_ref().unwrap_or(&self.main), &l.plan),
            _ => (&self.main, &self.bridge.1),
        };
        let missing = || {
            HubError::new(
                format!("there is no `{}`", info.name),
                self.folder.display().to_string(),
                "it was there when the checkpoint was opened",
            )
        };
        reader.value(plan, info)?.ok_or_else(missing)
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
