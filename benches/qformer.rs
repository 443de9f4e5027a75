//! A stage-1 step of the nano Q-Former: forward, backward, AdamW. `cargo bench --profile dev
//! --bench qformer` (with `--profile dev` nothing is compiled anew: that profile is an optimised
//! one)

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use criterion::{Criterion, criterion_group, criterion_main};
use toolkit_core::{Stream, conform, params, similarity};
use toolkit_models::bridge::{QFormerInit, initialise};
use toolkit_registry::{Kind, Registry, Weights};
use toolkit_train::optim::{AdamW, OptimConfig};
use toolkit_train::stage1::itm::hard_negatives;
use toolkit_train::stage1::{itc, itg, itm};

const BATCH: usize = 32;
const TEXT: usize = 12;

fn step(c: &mut Criterion) {
    let device = Device::flex().autodiff();
    let registry = Registry::builtin();
    let vision = registry
        .card(Kind::Vision, "vit-nano")
        .and_then(|card| registry.describe_vision(&card))
        .expect("embedded card");
    let card = registry.card(Kind::Bridge, "qformer-nano").expect("embedded card");
    let bridge =
        registry.build_bridge(&card, &vision, &device, Weights::None).expect("embedded card");
    let bridge = initialise(bridge, 1, QFormerInit::Random, None).expect("random needs no weights");
    let features = conform::sample::<3>("bench", [BATCH, vision.tokens, vision.width], &device);
    let mut draw = Stream::new(1, "bench", 0);
    let ids: Vec<i32> = (0..BATCH * TEXT).map(|_| draw.between(5, 150) as i32).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [BATCH, TEXT]), &device);
    let mask = Tensor::<2>::ones([BATCH, TEXT], &device);
    let loss = |bridge: &toolkit_core::AnyBridge, draw: &mut Stream| {
        let tower = bridge.text_tower().expect("a Q-Former has one");
        let pass = tower.image_pass(features.clone());
        let text = tower.text_embeds(ids.clone(), mask.clone());
        let sim = similarity(tower.image_embeds(pass.queries.clone()), text)
            / tower.temperature().unsqueeze();
        let logits = params::floats(sim.clone().inner());
        let negatives = hard_negatives(&logits, BATCH, |_, _| false, draw);
        let (pairs, labels) = negatives.triplets();
        let matched = itm::loss_sum(tower, &pass.cross, &pairs, ids.clone(), mask.clone(), &labels);
        let itg = itg::loss_sum(tower, &pass.cache, ids.clone(), mask.clone(), 3, 0.1);
        itc::loss(sim, 0.1, |_, _| false)
            + matched.loss / (3 * BATCH) as f64
            + itg / (BATCH * (TEXT - 1)) as f64
    };
    // One thread, as a job of a run has. Fails only if a pool is there already, and nothing before
    // this line makes one.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
    let mut group = c.benchmark_group("qformer-nano");
    group.sample_size(10);
    group.bench_function("forward, no tape", |b| {
        let plain = bridge.valid();
        let features = features.clone().inner();
        b.iter(|| plain.queries(features.clone()).into_data());
    });
    group.bench_function("stage-1 step", |b| {
        let mut optim = AdamW::new(OptimConfig::default(), &bridge);
        let mut model = Some(bridge.clone());
        b.iter(|| {
            let bridge = model.take().expect("put back below");
            let grads = GradientsParams::from_grads(loss(&bridge, &mut draw).backward(), &bridge);
            model = Some(optim.step(bridge, grads, 1e-3).0);
        });
    });
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
