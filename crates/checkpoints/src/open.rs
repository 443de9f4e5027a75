//! Published checkpoints as models in memory.

use crate::CheckpointError;
use crate::layout::{BridgeLayout, LanguageLayout, Layout, Planned, VisionLayout};
use crate::{processor, tokens};
use burn::module::Module;
use burn::tensor::Device;
use std::path::Path;
use toolkit_core::params::{Info, Kept};
use toolkit_core::{AnyBridge, BridgeShape, LanguageSpecialTokens};
use toolkit_models::weights::reader::Reader;
use toolkit_system::progress::{Progress, Silent};
use toolkit_tokenizer::TokenTable;
use toolkit_vlm::{BridgePart, LanguagePart, VisionPart, Vlm};

/// Settings of loading a model.
#[derive(Clone, Copy)]
pub struct Loading<'a> {
    /// Device of the bridge and the language model; may record gradients.
    pub device: &'a Device,
    /// Form of the matrices of the frozen parts. The bridge is always in `f32`.
    pub kept: Kept,
    /// `true` if the encoder and the language model are frozen. Otherwise they are on `device` and
    /// get gradients too.
    pub frozen: bool,
    /// Receives the number of parameters as they are read.
    pub progress: &'a dyn Progress,
}

impl<'a> Loading<'a> {
    /// Returns the settings of a model for use: frozen, in `f32`, without progress.
    #[must_use]
    pub fn on(device: &'a Device) -> Self {
        Self { device, kept: Kept::F32, frozen: true, progress: &Silent }
    }
}

/// Opens a published checkpoint: a Hugging Face folder, its folder in the Hub's cache, or a LAVIS
/// `.pth` with a `config.json` next to it.
///
/// ```
/// use burn::tensor::Device;
/// use toolkit_checkpoints::{Loading, open};
///
/// let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/hub-opt");
/// let vlm = open(folder, Loading::on(&Device::flex())).unwrap();
/// assert_eq!(vlm.bridge.shape.queries, 6);
/// ```
///
/// # Errors
/// If files are missing or broken, or tensors do not fit: all that do not are named at once.
pub fn open(path: impl AsRef<Path>, loading: Loading<'_>) -> Result<Vlm, CheckpointError> {
    let path = path.as_ref();
    let Layout { config, folder, main, vision, bridge, language } =
        Layout::read(path, loading.device, loading.frozen)?;
    let costs = [vision.as_ref().map(|v| v.shape.cost), language.as_ref().map(|l| l.shape.cost)];
    loading.progress.start(0, costs.into_iter().flatten().map(|cost| cost.params).sum());
    let side = vision.as_ref().map(|vision| vision.shape.image[0]);
    let processor = side.map(|side| processor::read(&folder, side)).transpose()?;
    let table = match &language {
        Some(language) => TokenTable::of_language(language.shape.vocab),
        None => TokenTable::of_text_side(config.qformer.vocab_size),
    };
    let tokenizer = tokens::read(&folder, config.special_tokens, config.image_token, table)?;
    let past = tokenizer.as_ref().and_then(|tokenizer| tokenizer.tokenizer.tokens_without_row());
    let notes = config.notes.iter().cloned().chain(past).collect();
    let vision = vision.map(|part| load_vision(part, &main, loading)).transpose()?;
    let bridge = load_bridge(bridge, &main)?;
    let language = language
        .map(|part| load_language(part, config.special_tokens, &main, loading))
        .transpose()?;
    Ok(Vlm {
        name: path.display().to_string(),
        vision,
        bridge,
        language,
        tokenizer: tokenizer.ok_or_else(|| tokens::none_in(path)),
        processor,
        stage1: config.stage1,
        image_token: config.image_token,
        half_features: false,
        notes,
    })
}

/// Loads the encoder from its own file, or from `main`.
fn load_vision(
    part: VisionLayout,
    main: &Reader,
    loading: Loading<'_>,
) -> Result<VisionPart, CheckpointError> {
    let VisionLayout { config, shape, model: Planned { module, plan }, file } = part;
    let reader = file.as_ref().unwrap_or(main);
    let model = reader.load(module, &plan, loading.kept, seen(loading))?;
    let model = if loading.frozen { model.no_grad() } else { model };
    Ok(VisionPart { model, shape, names: config.published() })
}

fn load_bridge(part: BridgeLayout, main: &Reader) -> Result<BridgePart, CheckpointError> {
    let BridgeLayout { shape, model: Planned { module, plan } } = part;
    // A stage-2 checkpoint has nothing of the text side.
    let text = shape.text.filter(|_| plan.has("text_proj.weight"));
    let module = main.load(module, &plan, Kept::F32, |_| {})?;
    Ok(BridgePart {
        model: AnyBridge::new(module),
        shape: BridgeShape { text, ..shape },
        captioning: plan.has("temp"),
    })
}

/// Loads the language model from its own file, or from `main`, and the projection from `main`.
fn load_language(
    part: LanguageLayout,
    special_tokens: LanguageSpecialTokens,
    main: &Reader,
    loading: Loading<'_>,
) -> Result<LanguagePart, CheckpointError> {
    let LanguageLayout { config, shape, model: Planned { module, plan }, projection, file } = part;
    let reader = file.as_ref().unwrap_or(main);
    let model = reader.load(module, &plan, loading.kept, seen(loading))?;
    let model = if loading.frozen { model.no_grad() } else { model };
    let projection = main.load(projection.module, &projection.plan, Kept::F32, |_| {})?;
    Ok(LanguagePart { model, shape, names: config.published(), special_tokens, projection })
}

/// Returns a function that counts the numbers of each parameter as progress.
fn seen(loading: Loading<'_>) -> impl FnMut(&Info) {
    move |info| loading.progress.advance(info.shape.iter().product::<usize>() as u64)
}
