//! Training against hand computation, the reference's numbers, and itself by another way.
#![allow(clippy::unwrap_used, reason = "tests")]

mod alerts;
mod cache_bench;
mod damage;
mod data;
mod features;
mod fit;
mod gather_grad;
mod kept;
mod live;
mod losses;
mod optim;
mod order;
mod pretrain;
mod stage1;
mod stage2;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use toolkit_core::params::{self, Init, Values, floats};
use toolkit_core::{AnyVision, Cost, Stream, VisionEncoder, VisionShape};
use toolkit_data::{DataError, Dataset, Item, Preprocess};
use toolkit_models::bridge::{QFormer, QFormerConfig};
use toolkit_models::vision::vit::{Vit, VitConfig};
use toolkit_system::progress::Silent;
use toolkit_train::features::{Features, Recipe};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

fn goldens() -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(fixture("blip2_goldens.json")).unwrap()).unwrap()
}

/// The goldens' inputs: `cos(0.3 i + phase)`.
fn input<const D: usize>(shape: [usize; D], phase: f64, device: &Device) -> Tensor<D> {
    let values =
        (0..shape.iter().product()).map(|i: usize| libm::cos(0.3 * i as f64 + phase) as f32);
    Tensor::from_data(TensorData::new(values.collect::<Vec<_>>(), shape), device)
}

fn scalar(tensor: Tensor<1>) -> f32 {
    tensor.into_scalar::<f32>()
}

/// Largest difference relative to the largest magnitude.
fn check(what: &str, ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len(), "{what}: lengths differ");
    let scale = theirs.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    let worst = ours.iter().zip(theirs).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(worst <= tolerance * scale, "{what}: differs by {worst}, largest magnitude {scale}");
}

/// Weights large enough that a wrong mask or a lost gradient shows.
fn wide(info: &params::Info) -> Init {
    match params::bert_rule(info) {
        _ if info.name == "temp" => Init::Constant(0.3),
        Init::Normal(_) => Init::Normal(0.3),
        constant => constant,
    }
}

fn vision(tokens: usize, width: usize) -> VisionShape {
    VisionShape { image: [8, 8], tokens, width, cost: Cost::default() }
}

fn tiny_qformer() -> QFormerConfig {
    QFormerConfig {
        hidden_size: 8,
        num_hidden_layers: 3,
        num_attention_heads: 2,
        intermediate_size: 16,
        num_query_tokens: 2,
        vocab_size: 20,
        max_position_embeddings: 12,
        image_text_hidden_size: 4,
        dropout: 0.0,
        ..QFormerConfig::default()
    }
}

fn qformer(config: &QFormerConfig, device: &Device) -> QFormer {
    use toolkit_core::Bridge;
    params::initialise(QFormer::build(config, &vision(5, 6), device), 3, wide)
}

struct Collect<'a>(&'a GradientsParams, Vec<Option<Vec<f32>>>);
impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, p: &Param<Tensor<D>>) {
        self.1.push(self.0.get::<D>(p.id).map(floats));
    }
}

/// Gradients by checkpoint name, in the layout of memory.
fn gradients<M: Module>(module: &M, grads: &GradientsParams) -> BTreeMap<String, Vec<f32>> {
    let mut collect = Collect(grads, Vec::new());
    module.visit(&mut collect);
    let names = params::list(module).into_iter().map(|info| info.name);
    names.zip(collect.1).filter_map(|(name, grad)| Some((name, grad?))).collect()
}

/// The same names, and values within `tolerance` of the largest of all.
fn same_gradients(
    what: &str,
    ours: &BTreeMap<String, Vec<f32>>,
    theirs: &BTreeMap<String, Vec<f32>>,
    tolerance: f32,
) {
    let names = |g: &BTreeMap<String, Vec<f32>>| g.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(ours), names(theirs), "{what}");
    let flat = |g: &BTreeMap<String, Vec<f32>>| g.values().flatten().copied().collect::<Vec<_>>();
    for (name, theirs) in theirs {
        let largest = theirs.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
        if largest > 1e-3 {
            check(&format!("{what}: {name}"), &ours[name], theirs, tolerance);
        }
    }
    check(what, &flat(ours), &flat(theirs), tolerance);
}

/// Pictures of noise, without text.
#[derive(Clone)]
struct Noise {
    len: usize,
    seed: u64,
    broken: Option<usize>,
    /// Pictures that no decoder reads.
    damaged: Vec<usize>,
    read: Arc<AtomicUsize>,
}

impl Noise {
    fn new(len: usize) -> Self {
        Self { len, seed: 1, broken: None, damaged: Vec::new(), read: Arc::default() }
    }
}

impl Dataset for Noise {
    fn name(&self) -> &str {
        "noise"
    }
    fn len(&self) -> usize {
        self.len
    }
    fn item(&self, index: usize) -> Cow<'_, Item> {
        let none = String::new;
        let (captions, questions) = (Vec::new(), Vec::new());
        Cow::Owned(Item {
            id: index.to_string(),
            depicts: none(),
            group: none(),
            captions,
            questions,
        })
    }
    fn image(&self, index: usize) -> Result<image::RgbImage, DataError> {
        self.read.fetch_add(1, Ordering::Relaxed);
        if self.broken == Some(index) {
            return Err(DataError::index("noise", index, self.len));
        }
        if self.damaged.contains(&index) {
            let (path, reason) = (format!("{index}.png").into(), "it is damaged".to_owned());
            return Err(DataError::Decode { path, reason, hint: "replace it".to_owned() });
        }
        let mut draw = Stream::new(self.seed, "noise", index as u64);
        let bytes = (0..8 * 8 * 3).map(|_| draw.next_u64() as u8).collect();
        Ok(image::RgbImage::from_raw(8, 8, bytes).unwrap())
    }
    fn fingerprint(&self) -> String {
        format!("noise {} {}", self.len, self.seed)
    }
}

const PREPROCESS: Preprocess = Preprocess::square(8, [0.5; 3], [0.25; 3]);

/// Four patches and a class token, each of width 6.
fn encoder() -> AnyVision {
    encoder_of(4, 6)
}

/// An encoder with `(8 / patch)^2 + 1` tokens.
fn encoder_of(patch: usize, width: usize) -> AnyVision {
    let config = serde_json::json!({"image_size": 8, "patch_size": patch, "hidden_size": width, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 12, "hidden_act": "gelu"});
    let config: VitConfig = serde_json::from_value(config).unwrap();
    AnyVision::new(params::initialise(Vit::build(&config, &Device::default()), 5, wide))
}

/// Features of `images` random pictures, `[5, 6]` each.
fn noise_features(images: usize) -> Arc<Features> {
    let dir = tempfile::tempdir().unwrap();
    let build = || Ok(encoder());
    let data: Arc<dyn Dataset> = Arc::new(Noise::new(images));
    let device = Device::default();
    let shape = vision(5, 6);
    // The file is held open; its name may go.
    let (encoder, preprocess) = (&build, &PREPROCESS);
    let recipe = Recipe {
        key: "f",
        encoder,
        shape: &shape,
        preprocess,
        dataset: &data,
        device: &device,
        max_damaged: 0,
    };
    Arc::new(Features::open(dir.path(), &recipe, &Silent, &|_| ()).unwrap())
}

/// Captions of 3 to 7 tokens between `first` and `last`, two for each image, ids of 5 to `vocab`.
fn captions(images: usize, vocab: usize, first: &[u32], last: &[u32]) -> Arc<Vec<Vec<Vec<u32>>>> {
    let mut draw = Stream::new(8, "captions", 0);
    let mut one = || {
        let words: Vec<u32> =
            (0..draw.between(3, 7)).map(|_| draw.between(5, vocab - 1) as u32).collect();
        [first, &words, last].concat()
    };
    Arc::new((0..images).map(|_| vec![one(), one()]).collect())
}

/// Every parameter by name.
fn weights<M: Module>(module: &M) -> BTreeMap<String, Values> {
    params::export(module)
}
