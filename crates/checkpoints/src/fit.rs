//! A checkpoint whose every parameter has its place, nothing read yet.

use crate::CheckpointError;
use crate::config::{Config, LanguageConfig, VisionConfig};
use crate::folder::files;
use burn::tensor::Device;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toolkit_core::params::{self, Info, Values};
use toolkit_core::published::{Part, PublishedNames};
use toolkit_core::{
    AnyLanguage, AnyVision, Bridge, Cost, LanguageKind, LanguageShape, ShapeError, VisionShape,
};
use toolkit_formats::Tensors;
use toolkit_models::bridge::qformer::QFormer;
use toolkit_models::layers::Linear;
use toolkit_models::weights;
use toolkit_models::weights::reader::{Plan, Reader};

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
    /// Finds the place of everything; if not `frozen`, the encoder is made on `device` itself, else
    /// on its plain form.
    pub(crate) fn read(
        path: &Path,
        device: &Device,
        frozen: bool,
    ) -> Result<Self, CheckpointError> {
        let (weights, config_file) = files(path)?;
        let mut config = Config::read(&config_file)?;
        let folder = config_file.parent().unwrap_or(Path::new(".")).to_owned();
        let place = config_file.display().to_string();
        let shape = |error: ShapeError| CheckpointError::new(error.what, place.clone(), error.hint);
        let mut main = Reader::new(usable(&weights)?);
        let part_file = |file: &Option<PathBuf>,
                         names: PublishedNames|
         -> Result<Option<Reader>, CheckpointError> {
            let Some(file) = file else { return Ok(None) };
            Ok(Some(Reader::of_part(usable(file)?, names)))
        };

        // 1. The encoder.
        let plain = device.clone().without_autodiff();
        let (mut vision, mut vision_file) = (None, None);
        if let Some(c) = &config.vision {
            vision_file = part_file(&config.vision_weights, c.published())?;
            let described = c.describe().map_err(shape)?;
            let module = c.build(if frozen { &plain } else { device });
            let reader = vision_file.as_mut().unwrap_or(&mut main);
            let infos = params::list(&module);
            if !reader.has_any(&c.published(), &infos) {
                return Err(no_weights(reader, &c.published(), &infos));
            }
            let plan = reader.plan(&c.published(), &infos);
            vision = Some(FittedVision { config: c.clone(), shape: described, module, plan });
        }

        // 2. The bridge. Without an encoder, its own norm says how wide features are, and they have
        //    any number of tokens.
        let behind = match (&vision, width_of(main.tensors())) {
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
        QFormer::describe(&config.qformer, &behind).map_err(shape)?;
        let bridge = QFormer::build(&config.qformer, &behind, device);
        let bridge_plan = main.plan(&QFormer::published(), &params::list(&bridge));
        if bridge_plan.has("text_proj.weight") {
            config.check_text_side(&place)?;
        }

        // 3. The language model and the projection to it.
        let (mut language, mut language_file) = (None, None);
        if let Some(c) = &config.language {
            language_file = part_file(&config.language_weights, c.published())?;
            language = Some(fit_language(
                c,
                &config,
                (&mut main, language_file.as_mut()),
                device,
                &place,
            )?);
        }

        if let Some(error) = (language.is_none()).then(|| trained_only(main.tensors())).flatten() {
            return Err(error);
        }
        let past = language
            .as_ref()
            .and_then(|l: &FittedLanguage| image_token_past(&config, &l.shape, &place));
        config.notes.extend(past);
        config.language = language.as_ref().map(|l| l.config.clone());
        main.check()?;
        vision_file.as_mut().map(Reader::check).transpose()?;
        language_file.as_mut().map(Reader::check).transpose()?;
        Ok(Self {
            config,
            folder,
            main,
            vision_file,
            language_file,
            vision,
            bridge: (bridge, bridge_plan),
            language,
        })
    }

    /// Every parameter that there is, with the names it is published under.
    pub(crate) fn infos(&self) -> Vec<(PublishedNames, Info)> {
        let mut all = Vec::new();
        let mut put = |names: PublishedNames, infos: Vec<Info>, plan: &Plan| {
            let there = infos.into_iter().filter(|info| plan.has(&info.name));
            all.extend(there.map(|info| (names, info)));
        };
        if let Some(v) = &self.vision {
            put(v.config.published(), params::list(&v.module), &v.plan);
        }
        put(QFormer::published(), params::list(&self.bridge.0), &self.bridge.1);
        if let Some(l) = &self.language {
            put(l.config.published().projection(), params::list(&l.projection.0), &l.projection.1);
            put(l.config.published(), params::list(&l.module), &l.plan);
        }
        all
    }

    /// The values of one of them.
    pub(crate) fn values(&self, part: Part, info: &Info) -> Result<Values, CheckpointError> {
        let (reader, plan) = match (part, &self.vision, &self.language) {
            (Part::Vision, Some(v), _) => {
                (self.vision_file.as_ref().unwrap_or(&self.main), &v.plan)
            }
            (Part::Projection, _, Some(l)) => (&self.main, &l.projection.1),
            (Part::Language, _, Some(l)) => {
                (self.language_file.as_ref().unwrap_or(&self.main), &l.plan)
            }
            _ => (&self.main, &self.bridge.1),
        };
        let missing = || {
            CheckpointError::new(
                format!("there is no `{}`", info.name),
                self.folder.display().to_string(),
                "it was there when the checkpoint was opened",
            )
        };
        reader.value(plan, info)?.ok_or_else(missing)
    }
}

/// Finds the place of the language model, in a file of its own or the main one, and of the
/// projection, in the main one.
fn fit_language(
    c: &LanguageConfig,
    config: &Config,
    (main, mut own): (&mut Reader, Option<&mut Reader>),
    device: &Device,
    place: &str,
) -> Result<FittedLanguage, CheckpointError> {
    if let Some(own) = &mut own {
        own.take_off(&c.published(), &[c.table()]);
    }
    let c = c.clone().with_stored_head(own.as_deref().unwrap_or(main))?;
    let shape =
        c.describe().map_err(|error| CheckpointError::new(error.what, place, error.hint))?;
    check_marks(config, &shape, place)?;
    let width = projected_width(main.tensors()).unwrap_or(shape.width);
    // transformers projects to the hidden size, also where embeddings are narrower.
    if width != shape.width && !matches!(&c, LanguageConfig::Opt(c) if c.hidden_size == width) {
        let what = format!(
            "the projection is {width} wide, the language model's embeddings {}",
            shape.width
        );
        return Err(CheckpointError::new(
            what,
            place,
            "give the `text_config` that the checkpoint was trained with",
        ));
    }
    let projection = Linear::new(config.qformer.hidden_size, width, device);
    let projection_plan = main.plan(&c.published().projection(), &params::list(&projection));
    let module = c.build(device);
    let infos = params::list(&module);
    let reader = own.unwrap_or(main);
    if !reader.has_any(&c.published(), &infos) {
        return Err(no_weights(reader, &c.published(), &infos));
    }
    let plan = reader.plan(&c.published(), &infos);
    Ok(FittedLanguage { config: c, shape, module, plan, projection: (projection, projection_plan) })
}

/// The error that a file has nothing of a part, by what its names begin with instead.
fn no_weights(reader: &Reader, names: &PublishedNames, infos: &[Info]) -> CheckpointError {
    const SHOWN: usize = 6;
    if let Some(error) = reader.behind_a_level(names, infos) {
        return error.into();
    }
    let (noun, key) = match names.part() {
        Part::Vision => ("encoder", "vision_weights"),
        _ => ("language model", "language_weights"),
    };
    let stored = || reader.tensors().names();
    let hint = if stored().any(|name| name.starts_with("Qformer.")) {
        format!(
            "LAVIS keeps the {noun} in a file of its own: name it as `{key}` in the `config.json`"
        )
    } else {
        let first: BTreeSet<&str> =
            stored().filter_map(|name| name.split_inclusive('.').next()).collect();
        let shown: Vec<String> =
            first.iter().take(SHOWN).map(|level| format!("`{}`", level.escape_debug())).collect();
        let more = if first.len() > SHOWN { " .." } else { "" };
        let begin = format!("its names begin with {}{more}", shown.join(", "));
        format!(
            "{begin}; if the {noun} is in a file of its own, name that as `{key}` in the \
            `config.json`"
        )
    };
    CheckpointError::new(
        format!("there are no weights of the {noun}"),
        reader.tensors().path().display().to_string(),
        hint,
    )
}

/// The error that a file has what stage 2 trained and not the frozen parts, where the configuration
/// names none either.
fn trained_only(tensors: &Tensors) -> Option<CheckpointError> {
    const FROZEN: [&str; 7] = [
        "visual_encoder.",
        "vision_model.",
        "opt_model.",
        "t5_model.",
        "llm_model.",
        "language_model.",
        "language.",
    ];
    projected_width(tensors)?;
    if tensors.names().any(|name| FROZEN.iter().any(|part| name.starts_with(part))) {
        return None;
    }
    let what = "this file has only what was trained: the frozen parts (encoder, language model) \
        are not in it";
    let hint = "`toolkit convert RUN NEW.pth --to lavis --all` writes them too; or describe them in `config.json` \
        (`vision_config`, `text_config`) and name their files (`vision_weights`, `language_weights`)";
    Some(CheckpointError::new(what, tensors.path().display().to_string(), hint))
}

/// Says that no text can hold the placeholder of a picture, which stands for a query in the
/// language model's ids.
fn image_token_past(config: &Config, language: &LanguageShape, place: &str) -> Option<String> {
    let id = config.image_token.filter(|id| *id as usize >= language.vocab)?;
    let what = format!(
        "`image_token_index` is {id}, but the language model has {} tokens",
        language.vocab
    );
    Some(format!(
        "{what}: pictures are put before prompts all the same, but transformers cannot use it --> \
        {place}"
    ))
}

/// Compares the special ids with the rows of the language model.
fn check_marks(
    config: &Config,
    language: &LanguageShape,
    place: &str,
) -> Result<(), CheckpointError> {
    let special_tokens = config.special_tokens;
    let start = Some(special_tokens.decoder_start)
        .filter(|_| language.kind == LanguageKind::EncoderDecoder);
    let ids =
        [("bos", special_tokens.bos), ("pad", Some(special_tokens.pad)), ("decoder_start", start)];
    let ends = special_tokens.eos.ids().iter().map(|end| ("eos", Some(*end)));
    let wrong = |(name, id): (&'static str, Option<u32>)| {
        Some((name, id.filter(|&id| id as usize >= language.vocab)?))
    };
    let Some((name, id)) = ids.into_iter().chain(ends).find_map(wrong) else { return Ok(()) };
    let what =
        format!("`{name}_token_id` is {id}, but the language model has {} tokens", language.vocab);
    Err(CheckpointError::new(what, place, "correct it here or in `generation_config.json`"))
}

/// The tensors of a file, unless they are adapters or quantised.
fn usable(file: &Path) -> Result<Tensors, CheckpointError> {
    let tensors = Tensors::open(file)?;
    let all = tensors.names().chain(tensors.skipped().map(|(name, _)| name));
    match weights::unusable(all) {
        Some((what, hint)) => Err(CheckpointError::new(what, file.display().to_string(), hint)),
        None => Ok(tensors),
    }
}

/// How wide the projection of a file is.
fn projected_width(tensors: &Tensors) -> Option<usize> {
    let names = ["language_projection.bias", "opt_proj.bias", "t5_proj.bias"];
    names.iter().find_map(|name| tensors.info(name)).and_then(|info| info.shape.first().copied())
}

/// How wide the features are that the bridge of a file reads.
fn width_of(tensors: &Tensors) -> Option<usize> {
    let names =
        ["ln_vision.weight", "vision_model.post_layernorm.weight", "bridge.ln_vision.weight"];
    names.iter().find_map(|name| tensors.info(name)).and_then(|info| info.shape.first().copied())
}
