//! A step of stage 1: what is minimised, and that accumulation does not change it.

use super::{
    captions, gradients, noise_features, qformer, same_gradients, scalar, tiny_qformer, weights,
};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use std::collections::BTreeMap;
use std::sync::Arc;
use toolkit_core::params::{self, Values, floats};
use toolkit_core::{
    AnyBridge, Bridge, Pair, Side, Stream, TextSpecialTokens, noise, pad, similarity,
};
use toolkit_models::bridge::{LinearBridge, LinearConfig, QFormerConfig};
use toolkit_train::features::Features;
use toolkit_train::fit::Objective;
use toolkit_train::optim::{AdamW, OptimConfig};
use toolkit_train::order::Order;
use toolkit_train::source::{Cached, Sample, Source, Texts, encoded};
use toolkit_train::stage1::itg::unigram_loss;
use toolkit_train::stage1::itm::{Negatives, hard_negatives};
use toolkit_train::stage1::{
    Corpus, GatherGrad, LossValue, LossWeights, NamedLoss, Stage1, Stage1Loss, Stage1Pass,
    Stage1Settings, builtin, itc, itg, itm,
};

const MARKS: TextSpecialTokens = TextSpecialTokens { pad: 0, cls: 1, sep: 2, dec: 3 };
const IMAGES: usize = 9;
const SMOOTHING: f64 = 0.1;

fn weights_of(itc: f64, itm: f64, itg: f64) -> LossWeights {
    LossWeights::of(&[("itc", itc), ("itm", itm), ("itg", itg)])
}

fn all() -> LossWeights {
    LossWeights::default()
}

fn bridge(config: &QFormerConfig) -> AnyBridge {
    AnyBridge::new(qformer(config, &Device::default().autodiff()))
}

fn objective(
    features: &Arc<Features>,
    batch: usize,
    weights: &LossWeights,
    accumulate: usize,
) -> Stage1 {
    let images = features.rows();
    let captions = captions(images, 20, &[MARKS.cls], &[MARKS.sep]);
    let corpus = Corpus { captions: &captions, vocab: 20, smoothing: SMOOTHING, batch };
    Stage1 {
        losses: weights.select(builtin(), &corpus),
        source: source(features, batch, encoded(captions.clone())),
        settings: Stage1Settings {
            special_tokens: MARKS,
            smoothing: SMOOTHING,
            gather_grad: GatherGrad::Full,
        },
        accumulate,
        seed: 4,
        device: Device::default().autodiff(),
    }
}

fn source(features: &Arc<Features>, batch: usize, texts: Texts) -> Box<dyn Source> {
    let order = Order::new(4, "stage1/order", features.rows(), batch);
    Box::new(Cached::new(features.clone(), texts, order))
}

/// Captions of [`objective`].
fn own_captions(images: usize) -> Vec<Vec<Vec<u32>>> {
    (*captions(images, 20, &[MARKS.cls], &[MARKS.sep])).clone()
}

type Step = (BTreeMap<String, f64>, BTreeMap<String, Vec<f32>>);

fn run(mut objective: Stage1, model: &AnyBridge, step: u64) -> Step {
    let found = objective.step(model, step).unwrap();
    (found.metrics.into_iter().collect(), gradients(model, &found.grads))
}

fn same_parts(what: &str, ours: &BTreeMap<String, f64>, theirs: &BTreeMap<String, f64>) {
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{what}");
    for (name, value) in theirs {
        assert!(
            (ours[name] - value).abs() <= 1e-5 * value.abs().max(0.1),
            "{what}: {name} {} {value}",
            ours[name]
        );
    }
}

/// The low-memory step against the definition, in one graph: each loss alone, weighted together,
/// with equal images and equal captions in a batch, in one and in several micro-batches.
#[test]
fn low_memory_is_the_definition() {
    let features = noise_features(IMAGES);
    let model = bridge(&tiny_qformer());
    let alone = [weights_of(1.0, 0.0, 0.0), weights_of(0.0, 1.0, 0.0), weights_of(0.0, 0.0, 1.0)];
    let together = [all(), weights_of(0.5, 2.0, 1.5), weights_of(0.0, 1.0, 1.0)];
    for (weights, twins) in alone
        .into_iter()
        .chain(together)
        .flat_map(|weights| [(weights.clone(), false), (weights, true)])
    {
        let build = |accumulate| {
            let mut objective = objective(&features, 5, &weights, accumulate);
            if twins {
                // Images 0 to 2 depict the same, and images 3 to 5 have the same caption.
                let mut captions = own_captions(IMAGES);
                captions[3].truncate(1);
                (captions[4], captions[5]) = (captions[3].clone(), captions[3].clone());
                let texts = move |row: usize| {
                    let depicts = if row < 3 { 0 } else { row as u64 };
                    Ok(Sample { row, captions: captions[row].clone(), depicts, source: None })
                };
                objective.source = source(&features, 5, Arc::new(texts));
            }
            objective
        };
        for step in 0..2 {
            let found = build(1).step_in_one_graph(&model, step).unwrap();
            let definition: Step =
                (found.metrics.into_iter().collect(), gradients(&model, &found.grads));
            for accumulate in [1, 2, 3] {
                let what = format!("{weights:?}, twins {twins}, step {step}, {accumulate}");
                let ours = run(build(accumulate), &model, step);
                assert!(ours.0.keys().eq(definition.0.keys()), "{what}");
                for (name, value) in &definition.0 {
                    let far = (ours.0[name] - value).abs();
                    assert!(far <= 1e-6 * value.abs().max(1.0), "{what}: {name} differs by {far}");
                }
                same_gradients(&what, &ours.1, &definition.1, 1e-5);
            }
        }
    }
}

/// Without a gradient through the candidates, micro-batches give the step of the whole batch, too,
/// and the losses are the same as with it.
#[test]
fn low_memory_leaves_the_candidates_out_as_the_definition_does() {
    let features = noise_features(IMAGES);
    let model = bridge(&tiny_qformer());
    let build = |gather_grad, accumulate| {
        let mut objective = objective(&features, 5, &all(), accumulate);
        objective.settings.gather_grad = gather_grad;
        objective
    };
    let one_graph = |gather_grad| {
        let found = build(gather_grad, 1).step_in_one_graph(&model, 1).unwrap();
        let metrics: BTreeMap<String, f64> = found.metrics.into_iter().collect();
        (metrics, gradients(&model, &found.grads))
    };
    let (full, detached) = (one_graph(GatherGrad::Full), one_graph(GatherGrad::Detached));
    same_parts("losses", &detached.0, &full.0);
    for accumulate in [1, 2, 3] {
        let what = format!("detached, accumulated over {accumulate}");
        let ours = run(build(GatherGrad::Detached, accumulate), &model, 1);
        same_parts(&what, &ours.0, &detached.0);
        same_gradients(&what, &ours.1, &detached.1, 1e-5);
    }
    // It is another gradient: that of the text projection alone, which ITC alone trains.
    let far = detached.1["text_proj.weight"].iter().zip(&full.1["text_proj.weight"]);
    assert!(far.fold(0.0_f32, |m, (a, b)| m.max((a - b).abs())) > 1e-2);
}

/// A loss of a plug-in: the squared norm of the query outputs.
#[derive(Default)]
struct Norm;

impl Stage1Loss for Norm {
    fn title(&self) -> &'static str {
        "norm"
    }
    fn compute(&self, pass: &Stage1Pass<'_>) -> LossValue {
        let queries = pass.images.queries.clone();
        LossValue { loss: (queries.clone() * queries).mean(), accuracies: Vec::new() }
    }
}

#[test]
fn a_loss_of_a_plug_in_is_added_to_the_others() {
    let features = noise_features(IMAGES);
    let model = bridge(&tiny_qformer());
    let build = |weights: LossWeights, accumulate| {
        let mut objective = objective(&features, 4, &weights, accumulate);
        let mut known = builtin();
        known.push(NamedLoss::new("norm", Norm));
        let captions = own_captions(IMAGES);
        let corpus = Corpus { captions: &captions, vocab: 20, smoothing: SMOOTHING, batch: 4 };
        objective.losses = weights.select(known, &corpus);
        objective
    };
    let mixed = LossWeights::of(&[("norm", 2.0), ("itg", 0.0)]);
    let both = run(build(mixed.clone(), 1), &model, 1);
    let plain = run(build(weights_of(1.0, 1.0, 0.0), 1), &model, 1);
    let norm = run(
        build(LossWeights::of(&[("norm", 2.0), ("itc", 0.0), ("itm", 0.0), ("itg", 0.0)]), 1),
        &model,
        1,
    );
    let sum = plain.0["loss"] + 2.0 * norm.0["loss_norm"];
    assert!((both.0["loss"] - sum).abs() < 1e-5 && both.0["loss_norm"] > 0.0);
    assert!(!both.0.contains_key("trivial_norm"), "it has no baseline");
    let mut added = plain.1.clone();
    for (name, values) in &norm.1 {
        let sum = added.entry(name.clone()).or_insert_with(|| vec![0.0; values.len()]);
        sum.iter_mut().zip(values).for_each(|(a, b)| *a += b);
    }
    same_gradients("both", &both.1, &added, 1e-5);
    let error = build(mixed, 2).step(&model, 1).err().unwrap().to_string();
    assert!(error.contains("stage1.accumulate") && error.contains("hint:"), "{error}");
}

#[test]
fn accumulation_changes_nothing() {
    let features = noise_features(IMAGES);
    let model = bridge(&tiny_qformer());
    let weighted = weights_of(0.5, 2.0, 1.5);
    for (batch, weights) in [(4, &all()), (4, &weighted), (5, &all())] {
        for step in 0..3 {
            let whole = run(objective(&features, batch, weights, 1), &model, step);
            assert_eq!(whole.1.len(), params::list(&model).len(), "every parameter has a gradient");
            // 3 of 4 makes two pairs, 2 of 5 unequal micro-batches, 9 of 5 single images.
            for accumulate in [2, 3, 4, 9] {
                let what = format!("batch {batch}, step {step}, accumulated over {accumulate}");
                let parts = run(objective(&features, batch, weights, accumulate), &model, step);
                same_parts(&what, &parts.0, &whole.0);
                same_gradients(&what, &parts.1, &whole.1, 1e-4);
            }
        }
    }
}

/// A batch so large that matching goes in five pieces and captioning in two, against micro-batches
/// of one piece each.
#[test]
fn pieces_change_nothing() {
    let features = noise_features(130);
    let model = bridge(&tiny_qformer());
    for weights in [all(), weights_of(0.0, 1.0, 1.0), weights_of(1.0, 2.0, 0.0)] {
        let whole = run(objective(&features, 120, &weights, 1), &model, 1);
        let parts = run(objective(&features, 120, &weights, 12), &model, 1);
        same_parts("losses", &parts.0, &whole.0);
        same_gradients("gradients", &parts.1, &whole.1, 2e-4);
    }
}

#[test]
fn accumulated_training_gives_the_same_weights() {
    let features = noise_features(IMAGES);
    // Keys have no gradient in theory (softmax ignores their bias); with 1e-8 Adam would make steps
    // of their rounding.
    let config = OptimConfig { eps: 1e-3, ..OptimConfig::default() };
    let train = |accumulate| {
        let mut model = bridge(&tiny_qformer());
        let mut optim = AdamW::new(config.clone(), &model);
        let mut objective = objective(&features, 4, &all(), accumulate);
        for step in 0..3 {
            let grads = objective.step(&model, step).unwrap().grads;
            model = optim.step(model, grads, 0.01).0;
        }
        weights(&model)
    };
    let (start, whole) = (weights(&bridge(&tiny_qformer())), train(1));
    for accumulate in [2, 4] {
        for (name, values) in train(accumulate) {
            assert_ne!(values, start[&name], "{name} was not trained");
            let far = values
                .data
                .iter()
                .zip(&whole[&name].data)
                .fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
            assert!(far < 2e-4, "{name} differs by {far} when accumulated over {accumulate}");
        }
    }
}

/// Losses and gradients of a step in pieces are those of one graph that burn goes through at once.
#[test]
fn a_step_is_the_losses_of_the_batch() {
    let features = noise_features(IMAGES);
    let model = bridge(&tiny_qformer());
    let (batch, step) = (4, 2);
    let (parts, found) = run(objective(&features, batch, &all(), 1), &model, step);
    let captions = own_captions(IMAGES);
    let drawn = Order::new(4, "stage1/order", features.rows(), batch).batch(step);
    let mut choice = Stream::new(4, "stage1/caption", step);
    let mut drawn: Vec<(usize, Vec<u32>)> =
        drawn.into_iter().map(|i| (i, choice.choose(&captions[i]).clone())).collect();
    drawn.sort_by_key(|(_, caption)| caption.len());
    let (samples, rows): (Vec<usize>, Vec<Vec<u32>>) = drawn.into_iter().unzip();
    let tower = model.text_tower().unwrap();
    let device = Device::default().autodiff();
    let text = pad(&rows, MARKS.pad, Side::Right, &device);
    let pass = tower.image_pass(features.batch(&samples, &device).unwrap());
    let text_embeds = tower.text_embeds(text.ids.clone(), text.mask.clone());
    let sim = similarity(tower.image_embeds(pass.queries.clone()), text_embeds)
        / tower.temperature().unsqueeze();
    let host = floats(sim.clone().inner());
    let Negatives { image_of_text, text_of_image } = hard_negatives(
        &host,
        batch,
        |a, b| rows[a] == rows[b],
        &mut Stream::new(4, "stage1/negatives", step),
    );
    let own: Vec<usize> = (0..batch).collect();
    let images = [own.clone(), image_of_text, own.clone()].concat();
    let texts = [own.clone(), own.clone(), text_of_image].concat();
    let pairs: Vec<Pair> =
        texts.into_iter().zip(images).map(|(text, image)| Pair { text, image }).collect();
    let labels: Vec<usize> = (0..12).map(|i| usize::from(i < 4)).collect();
    let (ids, mask) = (text.ids.clone(), text.mask.clone());
    let matched = itm::loss_sum(tower, &pass.cross, &pairs, ids, mask, &labels);
    let (right, right_negatives) = (matched.right, matched.right_negatives);
    let scored: usize = rows.iter().map(|row| row.len() - 1).sum();
    let sum = itg::loss_sum(tower, &pass.cache, text.ids, text.mask, MARKS.dec, SMOOTHING);
    let itg = sum / scored as f64;
    let itc = itc::loss(sim, SMOOTHING, |a, b| rows[a] == rows[b]);
    let itm = matched.loss / 12.0;
    let whole = (itc.clone() + itm.clone() + itg.clone()).backward();
    same_gradients(
        "one graph",
        &found,
        &gradients(&model, &GradientsParams::from_grads(whole, &model)),
        1e-4,
    );
    let [itc, itm, itg] = [itc, itm, itg].map(scalar);
    let hits = own
        .iter()
        .filter(|&&i| own.iter().all(|&j| host[i * batch + j] <= host[i * batch + i]))
        .count();
    let expected = [
        ("loss", itc + itm + itg),
        ("loss_itc", itc),
        ("loss_itm", itm),
        ("loss_itg", itg),
        ("trivial_itc", libm::logf(4.0)),
        ("trivial_itm", 0.636_514_2),
        ("trivial_itg", unigram_loss(&captions, 20, SMOOTHING) as f32),
        ("accuracy_itc", hits as f32 / 4.0),
        ("accuracy_itm", right as f32 / 12.0),
        ("accuracy_itm_hard_negatives", right_negatives as f32 / 8.0),
        ("temperature", 0.3),
    ];
    let expected =
        expected.into_iter().map(|(name, value)| (name.to_owned(), f64::from(value))).collect();
    same_parts("by hand", &parts, &expected);
}

#[test]
fn a_weight_of_zero_leaves_a_loss_out() {
    let features = noise_features(IMAGES);
    let model = bridge(&tiny_qformer());
    for accumulate in [1, 2] {
        let one =
            |weights: LossWeights| run(objective(&features, 4, &weights, accumulate), &model, 1);
        let losses = [
            (
                "itc",
                one(weights_of(1.0, 0.0, 0.0)),
                ["vision_proj", "text_proj", "temp"].as_slice(),
            ),
            ("itm", one(weights_of(0.0, 1.0, 0.0)), &["itm_head"]),
            ("itg", one(weights_of(0.0, 0.0, 1.0)), &["cls."]),
        ];
        for (name, (parts, grads), heads) in &losses {
            assert_eq!(parts["loss"], parts[&format!("loss_{name}")]);
            for (other, _, foreign) in losses.iter().filter(|(other, ..)| other != name) {
                assert!(parts.keys().all(|part| !part.contains(other)), "{name}: {parts:?}");
                let found = grads.keys().find(|g| foreign.iter().any(|head| g.starts_with(head)));
                assert_eq!(found, None, "{name} alone trains a head of {other}");
            }
            assert!(heads.iter().all(|head| grads.keys().any(|g| g.starts_with(head))));
        }
        // Gradients of the weighted sum are the weighted sum of gradients: nothing counts twice or
        // leaks.
        let (parts, whole) = one(weights_of(0.5, 2.0, 1.5));
        let mut sum: BTreeMap<String, Vec<f32>> = BTreeMap::new();
        let mut loss = 0.0;
        // Matching needs ITC's embeddings for its hard negatives, so it is taken together with ITC,
        // which is taken off again.
        let both = one(weights_of(1.0, 1.0, 0.0));
        let terms = [(&losses[0].1, -1.5_f32), (&both, 2.0), (&losses[2].1, 1.5)];
        for ((parts, grads), weight) in terms {
            loss += parts["loss"] * f64::from(weight);
            for (name, values) in grads {
                let held = sum.entry(name.clone()).or_insert_with(|| vec![0.0; values.len()]);
                held.iter_mut().zip(values).for_each(|(a, b)| *a += b * weight);
            }
        }
        assert!((loss - parts["loss"]).abs() < 1e-4);
        same_gradients("the weighted sum", &whole, &sum, 1e-4);
    }
}

#[test]
fn the_temperature_has_the_gradient_of_differences() {
    let features = noise_features(IMAGES);
    let at = |temp: f32| {
        params::map(bridge(&tiny_qformer()), |info| {
            (info.name == "temp").then(|| Values { shape: vec![1], data: vec![temp] })
        })
    };
    let only = weights_of(1.0, 0.0, 0.0);
    for accumulate in [1, 2, 4] {
        let loss = |temp| run(objective(&features, 4, &only, accumulate), &at(temp), 0).0["loss"];
        let slope = (loss(0.31) - loss(0.29)) / 0.02;
        let gradient =
            f64::from(run(objective(&features, 4, &only, accumulate), &at(0.3), 0).1["temp"][0]);
        assert!(
            (gradient - slope).abs() < 0.02 * slope.abs(),
            "{gradient}, differences say {slope}"
        );
    }
}

#[test]
fn dropout_is_that_of_the_step() {
    let features = noise_features(IMAGES);
    let model = bridge(&QFormerConfig { dropout: 0.2, ..tiny_qformer() });
    let plain = bridge(&tiny_qformer());
    let in_scope = |accumulate, step: u64, model: &AnyBridge| {
        noise::scope(Stream::new(1, "dropout", step), || {
            run(objective(&features, 4, &all(), accumulate), model, 0)
        })
    };
    for accumulate in [1, 2] {
        let once = in_scope(accumulate, 7, &model);
        assert_eq!(once, in_scope(accumulate, 7, &model), "the same step draws the same masks");
        assert_ne!(once.0, in_scope(accumulate, 7, &plain).0, "dropout is on");
    }
    // The scope of the step is given back: what follows still draws.
    let x = Tensor::<1>::ones([1000], &Device::default());
    let after = noise::scope(Stream::new(1, "dropout", 0), || {
        run(objective(&features, 4, &all(), 2), &model, 0);
        noise::dropout(x.clone(), 0.5)
    });
    assert_ne!(floats(after), floats(x));
}

/// With dropout, the embeddings that a micro-batch is contrasted with are those that its own pass
/// trains.
#[test]
fn micro_batches_agree_on_their_masks() {
    let features = noise_features(IMAGES);
    let model = bridge(&QFormerConfig { dropout: 0.2, ..tiny_qformer() });
    let only = weights_of(1.0, 0.0, 0.0);
    // The loss is reported by the first micro-batch and differentiated in all: differences along
    // the text projection's bias, which moves every text, see a micro-batch that was embedded with
    // other masks.
    let moved = |by: f32| {
        params::map(model.clone(), |info| {
            let values = params::export(&model)[&info.name].clone();
            (info.name == "text_proj.bias")
                .then(|| Values { data: values.data.iter().map(|x| x + by).collect(), ..values })
        })
    };
    let loss = |by| run(objective(&features, 4, &only, 4), &moved(by), 0).0["loss"];
    let slope = (loss(0.005) - loss(-0.005)) / 0.01;
    let gradient: f32 =
        run(objective(&features, 4, &only, 4), &model, 0).1["text_proj.bias"].iter().sum();
    assert!(
        (f64::from(gradient) - slope).abs() < 0.03 * slope.abs(),
        "{gradient}, differences say {slope}"
    );
}

#[test]
fn errors_are_worded() {
    let features = noise_features(IMAGES);
    let config =
        LinearConfig { width: 7, drop_class_token: false, pool: 1, vision_layer_norm_eps: 1e-5 };
    let device = Device::default().autodiff();
    let linear = AnyBridge::new(LinearBridge::build(&config, &super::vision(5, 6), &device));
    let error = objective(&features, 4, &all(), 1).step(&linear, 0).err().unwrap().to_string();
    assert!(error.contains("no text tower") && error.contains("hint:"), "{error}");
    let mut bare = objective(&features, 4, &all(), 1);
    let mut captions = own_captions(IMAGES);
    captions[6].clear();
    bare.source = source(&features, 4, encoded(Arc::new(captions)));
    let model = bridge(&tiny_qformer());
    let error = (0..3).find_map(|step| bare.step(&model, step).err()).unwrap().to_string();
    assert!(error.contains("sample 6") && error.contains("hint:"), "{error}");
}
