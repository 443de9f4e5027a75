//! The contract as checks that any author can call in a test.
//!
//! Each function builds the part, draws its weights and panics with the broken promise. Use a tiny
//! configuration.

use crate::{
    AnyBridge, AnyLanguage, AnyVision, Bridge, Cache, LanguageKind, LanguageModel, VisionEncoder,
    VisionShape, params, recompute,
};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use toolkit_seed::Stream;

/// Largest difference allowed between two ways to the same value, relative to the largest
/// magnitude.
const TOLERANCE: f32 = 1e-4;

/// Normal test input, the same on every device.
#[must_use]
pub fn sample<const D: usize>(label: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    let mut stream = Stream::new(0, label, 0);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| stream.normal() as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Panics unless `a` and `b` agree to 1e-4 of the largest magnitude.
pub fn assert_close<const D: usize>(what: &str, a: Tensor<D>, b: Tensor<D>) {
    assert_eq!(a.dims(), b.dims(), "{what}: shapes differ");
    let (a, b) = (params::floats(a), params::floats(b));
    let scale = a.iter().chain(&b).fold(1e-3_f32, |m, x| m.max(x.abs()));
    for (i, (x, y)) in a.iter().zip(&b).enumerate() {
        assert!(
            (x - y).abs() <= TOLERANCE * scale,
            "{what}: element {i} is {x} one way and {y} the other"
        );
    }
}

fn same_count<M: Module>(part: &M, described: u64) {
    assert_eq!(
        params::count(part),
        described,
        "`describe` must count the parameters that `build` makes"
    );
}

/// A built part exports and imports its parameters without loss.
fn round_trip<M: Module>(part: M) -> M {
    let before = params::export(&part);
    let Ok(after) = params::import(part, before.clone()) else {
        panic!("a part must import what it exports")
    };
    assert!(params::export(&after) == before, "exported and imported parameters differ");
    after
}

/// Checks a vision encoder: sizes and counts as described, images independent of each other,
/// gradients to every parameter, none once frozen, parameters saved and loaded through the erased
/// form.
pub fn vision<E: VisionEncoder>(config: &E::Config) {
    let device = Device::default().autodiff();
    let shape = E::describe(config).expect("the configuration under test must be valid");
    let encoder =
        params::initialise(AnyVision::new(E::build(config, &device)), 1, params::bert_rule);
    same_count(&encoder, shape.cost.params);
    let images = sample::<4>("conform/images", [3, 3, shape.image[0], shape.image[1]], &device);
    let features = encoder.encode(images.clone());
    assert_eq!(
        features.dims(),
        [3, shape.tokens, shape.width],
        "features must be [batch, tokens, width] as described"
    );
    let alone = encoder.encode(images.clone().narrow(0, 1, 1));
    assert_close("one image alone and in a batch", features.clone().narrow(0, 1, 1), alone);
    let encoder = round_trip(encoder);
    trained_then_frozen(encoder, |e| e.encode(images.clone()));
}

/// Every parameter gets a gradient from a random projection of the output; none does after
/// `no_grad`.
fn trained_then_frozen<M: Module, const D: usize>(part: M, run: impl Fn(&M) -> Tensor<D>) {
    let loss = |part: &M| {
        let out = run(part);
        let weights = sample::<D>("conform/loss", out.dims(), &out.device());
        (out * weights).sum()
    };
    let grads = burn::optim::GradientsParams::from_grads(loss(&part).backward(), &part);
    assert_eq!(grads.len(), params::list(&part).len(), "every parameter must get a gradient");
    let frozen = part.no_grad();
    assert!(
        params::list(&frozen).iter().all(|info| !info.trained),
        "`no_grad` must reach every parameter"
    );
}

/// Checks a bridge for features of the given encoder; the text tower has checks of its own in the
/// Q-Former's tests.
pub fn bridge<B: Bridge>(config: &B::Config, vision: &VisionShape) {
    let device = Device::default().autodiff();
    let shape = B::describe(config, vision).expect("the configuration under test must be valid");
    let bridge =
        params::initialise(AnyBridge::new(B::build(config, vision, &device)), 1, params::bert_rule);
    same_count(&bridge, shape.cost.params);
    assert_eq!(
        bridge.text_tower().is_some(),
        shape.text.is_some(),
        "`describe` must say whether there is a text tower"
    );
    let features = sample::<3>("conform/features", [3, vision.tokens, vision.width], &device);
    let queries = bridge.queries(features.clone());
    assert_eq!(
        queries.dims(),
        [3, shape.queries, shape.width],
        "queries must be [batch, queries, width] as described"
    );
    let alone = bridge.queries(features.narrow(0, 2, 1));
    assert_close("one image alone and in a batch", queries.narrow(0, 2, 1), alone);
    round_trip(bridge);
}

/// Checks a language model: sizes and counts, causality, padding that changes nothing wherever it
/// stands, cache equal to no cache, and gradients that reach the soft prefix.
pub fn language<L: LanguageModel>(config: &L::Config) {
    let device = Device::default().autodiff();
    let shape = L::describe(config).expect("the configuration under test must be valid");
    // Larger than BERT's rule, so that a wrong mask or position shows.
    let rule = |info: &params::Info| match params::bert_rule(info) {
        params::Init::Normal(_) => params::Init::Normal(0.2),
        constant => constant,
    };
    let model = params::initialise(AnyLanguage::new(L::build(config, &device)), 1, rule);
    same_count(&model, shape.cost.params);
    let ids: Vec<i32> = (0..6).map(|i| (i * 7 + 3) % shape.vocab as i32).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [1, 6]), &device);
    let embeds = model.embed(ids);
    assert_eq!(
        embeds.dims(),
        [1, 6, shape.width],
        "embeddings must be [batch, tokens, width] as described"
    );
    let ones = |n: usize| Tensor::<2>::ones([1, n], &device);
    let memory =
        (shape.kind == LanguageKind::EncoderDecoder).then(|| model.encode(embeds.clone(), ones(6)));
    let run = |embeds: Tensor<3>, mask: Tensor<2>, cache: Option<&mut Cache>| {
        model.logits(model.decode(embeds, mask, memory.as_ref(), cache))
    };
    let whole = run(embeds.clone(), ones(6), None);
    assert_eq!(
        whole.dims(),
        [1, 6, shape.vocab],
        "logits must be [batch, tokens, vocab] as described"
    );
    let prefix = run(embeds.clone().narrow(1, 0, 4), ones(4), None);
    assert_close(
        "causality: a prefix alone and before more text",
        whole.clone().narrow(1, 0, 4),
        prefix,
    );

    let mut cache = Cache::default();
    let first = run(embeds.clone().narrow(1, 0, 3), ones(3), Some(&mut cache));
    let mut steps = vec![first];
    for i in 3..6 {
        steps.push(run(embeds.clone().narrow(1, i, 1), ones(i + 1), Some(&mut cache)));
    }
    assert_close("cache and no cache", whole.clone(), Tensor::cat(steps, 1));

    for outputs in [1, 4] {
        let last = model.decode_last(embeds.clone(), ones(6), memory.as_ref(), None, outputs);
        assert_close(
            "the last tokens alone",
            whole.clone().narrow(1, 6 - outputs, outputs),
            model.logits(last),
        );
        let mut cache = Cache::default();
        run(embeds.clone().narrow(1, 0, 2), ones(2), Some(&mut cache));
        let rest = embeds.clone().narrow(1, 2, 4);
        let last = model.decode_last(rest, ones(6), memory.as_ref(), Some(&mut cache), outputs);
        assert_close(
            "the last tokens behind a cache",
            whole.clone().narrow(1, 6 - outputs, outputs),
            model.logits(last),
        );
    }

    // Two hidden positions between the third and the fourth token, as with left-padded text after a
    // soft prefix.
    let hole = sample::<3>("conform/hole", [1, 2, shape.width], &device);
    let parts = vec![embeds.clone().narrow(1, 0, 3), hole, embeds.clone().narrow(1, 3, 3)];
    let mask = Tensor::<2>::from_data([[1., 1., 1., 0., 0., 1., 1., 1.]], &device);
    let memory_mask = mask.clone();
    let padded = Tensor::cat(parts, 1);
    match shape.kind {
        LanguageKind::DecoderOnly => {
            let logits = run(padded.clone(), mask.clone(), None);
            assert_close(
                "hidden positions change nothing",
                whole.clone().narrow(1, 3, 3),
                logits.narrow(1, 5, 3),
            );
            let last = model.logits(model.decode_last(padded, mask, None, None, 2));
            assert_close(
                "hidden positions change nothing for the last tokens",
                whole.narrow(1, 4, 2),
                last,
            );
        }
        LanguageKind::EncoderDecoder => {
            // Relative positions count hidden positions too, so padding stands at the end, as
            // tokenizers put it.
            let tail = Tensor::cat(
                vec![embeds.clone(), sample::<3>("conform/hole", [1, 2, shape.width], &device)],
                1,
            );
            let mask =
                memory_mask.clone().select(1, Tensor::from_data([0, 1, 2, 5, 6, 7, 3, 4], &device));
            let memory = model.encode(tail, mask);
            let logits = model.logits(model.decode(embeds.clone(), ones(6), Some(&memory), None));
            assert_close("hidden encoder positions change nothing", whole, logits);
        }
    }

    let leaf = sample::<3>("conform/prefix", [1, 6, shape.width], &device.clone()).require_grad();
    let model = model.no_grad();
    let loss = || {
        let memory = (shape.kind == LanguageKind::EncoderDecoder)
            .then(|| model.encode(leaf.clone(), ones(6)));
        let input = if memory.is_some() { embeds.clone().detach() } else { leaf.clone() };
        let out = model.logits(model.decode(input, ones(6), memory.as_ref(), None));
        let weights = sample::<3>("conform/loss", out.dims(), &device);
        (out * weights).sum()
    };
    let grad = leaf.grad(&loss().backward()).expect("gradients must reach the soft prefix");
    assert!(
        params::floats(grad.clone()).iter().any(|g| g.abs() > 0.0),
        "gradients of the soft prefix must not be zero"
    );
    let (again, recorded) = recompute::scope(loss);
    let mut found = None;
    recorded.backward(&again, |gradients| found = found.take().or(leaf.grad(&gradients)));
    let found =
        found.expect("gradients must reach the soft prefix through blocks that are run again");
    assert_close("gradients of the soft prefix through blocks that are run again", grad, found);
    round_trip(model);
}
