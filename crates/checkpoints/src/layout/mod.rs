//! The layout of a checkpoint: the place of every parameter in a file. No values are read yet.
//!
//! [`Layout::read`] goes from part to part: the encoder, the bridge, the language model with the
//! projection to it. Then every file is checked: all tensors that do not fit are named at once.

mod files;
mod refusals;

use crate::CheckpointError;
use crate::config::{Config, LanguageConfig, VisionConfig};
use burn::module::Module;
use burn::tensor::Device;
use files::{features_width, of_part};
pub(crate) use files::{projected_width, usable};
use refusals::{check_special_tokens, image_token_past, no_weights, trained_only};
use std::path::{Path, PathBuf};
use toolkit_core::params::{self, Info, Values};
use toolkit_core::published::{Part, PublishedNames};
use toolkit_core::{
    AnyLanguage, AnyVision, Bridge, BridgeShape, Cost, LanguageShape, ShapeError, VisionShape,
};
use toolkit_models::bridge::qformer::QFormer;
use toolkit_models::layers::Linear;
use toolkit_models::weights::reader::{Plan, Reader};

/// A module with the plan of its parameters.
pub(crate) struct Planned<M> {
    pub(crate) module: M,
    pub(crate) plan: Plan,
}

/// The encoder of a checkpoint.
pub(crate) struct VisionLayout {
    pub(crate) config: VisionConfig,
    pub(crate) shape: VisionShape,
    pub(crate) model: Planned<AnyVision>,
    /// File of its own; the main one if there is none.
    pub(crate) file: Option<Reader>,
}

/// The bridge of a checkpoint.
pub(crate) struct BridgeLayout {
    pub(crate) shape: BridgeShape,
    pub(crate) model: Planned<QFormer>,
}

/// The language model of a checkpoint.
pub(crate) struct LanguageLayout {
    pub(crate) config: LanguageConfig,
    pub(crate) shape: LanguageShape,
    pub(crate) model: Planned<AnyLanguage>,
    pub(crate) projection: Planned<Linear>,
    /// File of its own; the main one if there is none.
    pub(crate) file: Option<Reader>,
}

/// A checkpoint that fits its configuration.
pub(crate) struct Layout {
    pub(crate) config: Config,
    /// Folder of the configuration.
    pub(crate) folder: PathBuf,
    pub(crate) main: Reader,
    pub(crate) vision: Option<VisionLayout>,
    pub(crate) bridge: BridgeLayout,
    pub(crate) language: Option<LanguageLayout>,
}

impl Layout {
    /// Finds the place of every parameter. The encoder is made on `device` if it is trained, on its
    /// plain form if it is `frozen`.
    pub(crate) fn read(
        path: &Path,
        device: &Device,
        frozen: bool,
    ) -> Result<Self, CheckpointError> {
        let (weights, config_file) = crate::folder::files(path)?;
        let mut config = Config::read(&config_file)?;
        let place = config_file.display().to_string();
        let mut main = Reader::new(usable(&weights)?);

        let plain = device.clone().without_autodiff();
        let vision_device = if frozen { &plain } else { device };
        let mut vision = lay_out_vision(&config, &mut main, vision_device, &place)?;
        let bridge = lay_out_bridge(&config, vision.as_ref(), &mut main, device, &place)?;
        let mut language = lay_out_language(&config, &mut main, device, &place)?;

        if let (None, Some(error)) = (&language, trained_only(main.tensors())) {
            return Err(error);
        }
        let unreachable =
            language.as_ref().and_then(|l| image_token_past(&config, &l.shape, &place));
        config.notes.extend(unreachable);
        config.language = language.as_ref().map(|l| l.config.clone());

        main.check()?;
        vision.as_mut().and_then(|v| v.file.as_mut()).map(Reader::check).transpose()?;
        language.as_mut().and_then(|l| l.file.as_mut()).map(Reader::check).transpose()?;
        let folder = config_file.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Self { config, folder, main, vision, bridge, language })
    }

    /// Lists every parameter that the checkpoint has, with the published names of its part.
    pub(crate) fn infos(&self) -> Vec<(PublishedNames, Info)> {
        let mut all = Vec::new();
        if let Some(v) = &self.vision {
            all.extend(v.model.infos(v.config.published()));
        }
        all.extend(self.bridge.model.infos(QFormer::published()));
        if let Some(l) = &self.language {
            let names = l.config.published();
            all.extend(l.projection.infos(names.projection()));
            all.extend(l.model.infos(names));
        }
        all
    }

    /// Reads the values of a parameter.
    pub(crate) fn values(&self, part: Part, info: &Info) -> Result<Values, CheckpointError> {
        let (own, plan) = match (part, &self.vision, &self.language) {
            (Part::Vision, Some(v), _) => (v.file.as_ref(), &v.model.plan),
            (Part::Projection, _, Some(l)) => (None, &l.projection.plan),
            (Part::Language, _, Some(l)) => (l.file.as_ref(), &l.model.plan),
            _ => (None, &self.bridge.model.plan),
        };
        own.unwrap_or(&self.main).value(plan, info)?.ok_or_else(|| {
            let what = format!("there is no `{}`", info.name);
            let hint = "it was there when the checkpoint was opened";
            CheckpointError::new(what, self.folder.display(), hint)
        })
    }
}

impl<M: Module> Planned<M> {
    /// Lists the parameters that the file has.
    fn infos(&self, names: PublishedNames) -> impl Iterator<Item = (PublishedNames, Info)> {
        let infos = params::list(&self.module).into_iter();
        infos.filter(|info| self.plan.has(&info.name)).map(move |info| (names, info))
    }
}

/// Lays out the encoder, in a file of its own or the main one.
fn lay_out_vision(
    config: &Config,
    main: &mut Reader,
    device: &Device,
    place: &str,
) -> Result<Option<VisionLayout>, CheckpointError> {
    let Some(c) = &config.vision else { return Ok(None) };
    let names = c.published();
    let mut file = of_part(config.vision_weights.as_deref(), names)?;
    let shape = c.describe().map_err(|error| wrong_shape(error, place))?;
    let module = c.build(device);
    let infos = params::list(&module);
    let reader = file.as_mut().unwrap_or(main);
    if !reader.has_any(&names, &infos) {
        return Err(no_weights(reader, &names, &infos));
    }
    let plan = reader.plan(&names, &infos);
    Ok(Some(VisionLayout { config: c.clone(), shape, model: Planned { module, plan }, file }))
}

/// Lays out the bridge, which is in the main file. Without an encoder, the bridge's own norm states
/// the width of the features, and there may be any number of them.
fn lay_out_bridge(
    config: &Config,
    vision: Option<&VisionLayout>,
    main: &mut Reader,
    device: &Device,
    place: &str,
) -> Result<BridgeLayout, CheckpointError> {
    let features = match (vision, features_width(main.tensors())) {
        (Some(vision), _) => vision.shape.clone(),
        (None, Some(width)) => {
            VisionShape { image: [0; 2], tokens: 1, width, cost: Cost::default() }
        }
        (None, None) => {
            let what =
                "neither the configuration nor the weights say how wide the image features are";
            return Err(CheckpointError::new(what, place, "give `vision_config`"));
        }
    };
    let shape =
        QFormer::describe(&config.qformer, &features).map_err(|error| wrong_shape(error, place))?;
    let module = QFormer::build(&config.qformer, &features, device);
    let plan = main.plan(&QFormer::published(), &params::list(&module));
    if plan.has("text_proj.weight") {
        config.check_text_side(place)?;
    }
    Ok(BridgeLayout { shape, model: Planned { module, plan } })
}

/// Lays out the language model, in a file of its own or the main one, and the projection, in the
/// main one.
fn lay_out_language(
    config: &Config,
    main: &mut Reader,
    device: &Device,
    place: &str,
) -> Result<Option<LanguageLayout>, CheckpointError> {
    let Some(stated) = &config.language else { return Ok(None) };
    let names = stated.published();
    let mut file = of_part(config.language_weights.as_deref(), names)?;
    if let Some(file) = &mut file {
        file.take_off(&names, &[stated.table()]);
    }
    let c = stated.clone().with_stored_head(file.as_ref().unwrap_or(main))?;
    let shape = c.describe().map_err(|error| wrong_shape(error, place))?;
    check_special_tokens(config, &shape, place)?;
    let width = projected_width(main.tensors()).unwrap_or(shape.width);
    // transformers projects to the hidden size, also where embeddings are narrower.
    if width != shape.width && !matches!(&c, LanguageConfig::Opt(c) if c.hidden_size == width) {
        let what = format!(
            "the projection is {width} wide, the language model's embeddings {}",
            shape.width
        );
        let hint = "give the `text_config` that the checkpoint was trained with";
        return Err(CheckpointError::new(what, place, hint));
    }
    let projection = Linear::new(config.qformer.hidden_size, width, device);
    let plan = main.plan(&names.projection(), &params::list(&projection));
    let projection = Planned { module: projection, plan };

    let module = c.build(device);
    let infos = params::list(&module);
    let reader = file.as_mut().unwrap_or(main);
    if !reader.has_any(&names, &infos) {
        return Err(no_weights(reader, &names, &infos));
    }
    let plan = reader.plan(&names, &infos);
    Ok(Some(LanguageLayout { config: c, shape, model: Planned { module, plan }, projection, file }))
}

fn wrong_shape(error: ShapeError, place: &str) -> CheckpointError {
    CheckpointError::new(error.what, place, error.hint)
}
