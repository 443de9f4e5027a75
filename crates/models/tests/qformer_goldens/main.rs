//! The bridges against the reference's numbers (LAVIS 1.0.2) and against themselves by another way.
#![allow(clippy::unwrap_used, reason = "tests")]

mod contract;

use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::collections::BTreeMap;
use std::path::PathBuf;
use toolkit_core::conform::{assert_close, sample};
use toolkit_core::params::{self, Init, Values, floats};
use toolkit_core::{Bridge, Cost, ImagePass, Pair, Stream, TextTower, VisionShape, noise};
use toolkit_models::bridge::{QFormer, QFormerConfig};
use toolkit_models::layers::{causal_mask, mask_bias};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

fn vision(tokens: usize, width: usize) -> VisionShape {
    VisionShape { image: [8, 8], tokens, width, cost: Cost::default() }
}

fn tiny() -> QFormerConfig {
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

/// Weights large enough that a wrong mask shows.
fn drawn(config: &QFormerConfig, vision: &VisionShape, device: &Device) -> QFormer {
    let rule = |info: &params::Info| match params::bert_rule(info) {
        Init::Normal(_) => Init::Normal(0.3),
        constant if info.name != "temp" => constant,
        _ => Init::Constant(0.07),
    };
    params::initialise(QFormer::build(config, vision, device), 3, rule)
}

fn ids<const N: usize, const T: usize>(rows: [[i32; T]; N]) -> Tensor<2, Int> {
    Tensor::from_data(rows, &Device::default())
}

fn mask<const N: usize, const T: usize>(rows: [[f32; T]; N]) -> Tensor<2> {
    Tensor::from_data(rows, &Device::default())
}

/// Largest difference relative to the largest magnitude.
fn check(what: &str, ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len(), "{what}: lengths differ");
    let scale = theirs.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    let worst = ours.iter().zip(theirs).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(worst <= tolerance * scale, "{what}: differs by {worst}, largest magnitude {scale}");
}

/// Mean over rows with weight 1 of the cross-entropy with label smoothing, by PyTorch's convention.
fn cross_entropy(logits: Tensor<2>, targets: &[i32], weights: &[f32], smoothing: f32) -> Tensor<1> {
    let [rows, classes] = logits.dims();
    let device = logits.device();
    let log = log_softmax(logits, 1);
    let targets =
        Tensor::<2, Int>::from_data(TensorData::new(targets.to_vec(), [rows, 1]), &device);
    let hit = log.clone().gather(1, targets) * (1.0 - smoothing);
    let each = hit + log.sum_dim(1) * (smoothing / classes as f32);
    let total: f32 = weights.iter().sum();
    (each * Tensor::<2>::from_data(TensorData::new(weights.to_vec(), [rows, 1]), &device)).sum()
        / -total
}

/// BLIP-2's captioning loss from logits `[batch, text, vocab]`: each token predicts the next one.
fn caption_loss(logits: Tensor<3>, ids: &[Vec<i32>]) -> Tensor<1> {
    let [batch, length, vocab] = logits.dims();
    let logits = logits.narrow(1, 0, length - 1).reshape([batch * (length - 1), vocab]);
    let targets: Vec<i32> = ids.iter().flat_map(|row| row[1..].to_vec()).collect();
    let weights: Vec<f32> = targets.iter().map(|&id| if id == 0 { 0.0 } else { 1.0 }).collect();
    cross_entropy(logits, &targets, &weights, 0.1)
}

/// LAVIS's name of a parameter as ours.
fn ours(name: &str) -> String {
    let name = name.strip_prefix("Qformer.").unwrap_or(name);
    let name = name.strip_prefix("bert.").unwrap_or(name);
    name.replace(".self.", ".")
        .replace("LayerNorm", "layer_norm")
        .replace("cls.predictions.", "cls.")
}

#[test]
fn golden_vectors() {
    let golden: serde_json::Value =
        serde_json::from_slice(&std::fs::read(fixture("blip2_goldens.json")).unwrap()).unwrap();
    let golden = &golden["qformer_and_losses"];
    let numbers = |key: &str| -> Vec<f32> { serde_json::from_value(golden[key].clone()).unwrap() };
    let names: Vec<String> = serde_json::from_value(golden["param_names"].clone()).unwrap();
    let names: BTreeMap<String, String> =
        names.into_iter().map(|name| (ours(&name), name)).collect();
    let device = Device::default();
    let input = |shape: [usize; 3], phase: f64| {
        let count: usize = shape.iter().product();
        let data: Vec<f32> = (0..count).map(|i| libm::cos(0.3 * i as f64 + phase) as f32).collect();
        Values { shape: shape.to_vec(), data }
    };
    let config = QFormerConfig { num_hidden_layers: 2, ..tiny() };
    let mut filled = 0;
    let model = params::map(QFormer::build(&config, &vision(3, 6), &device), |info| {
        if info.name == "query_tokens" {
            return Some(input([1, 2, 8], 0.5));
        }
        let name = names.get(&info.name)?;
        filled += 1;
        let phase = (name.bytes().map(u64::from).sum::<u64>() % 97) as f64;
        let offset = if name.to_lowercase().ends_with("norm.weight") { 1.0 } else { 0.0 };
        let count = info.shape.iter().product();
        let data = (0..count)
            .map(|i: usize| (offset + 0.1 * libm::sin(0.7 * i as f64 + phase)) as f32)
            .collect();
        Some(Values { shape: info.shape.clone(), data })
    });
    assert_eq!(filled, names.len(), "every parameter of the reference has one of ours");
    let image = input([2, 3, 6], 1.0);
    let pass = model.query_pass(model.keys_values_normalised(&Tensor::from_data(
        TensorData::new(image.data, image.shape),
        &device,
    )));
    check(
        "query_only_last_hidden",
        &floats(pass.queries.clone()),
        &numbers("query_only_last_hidden"),
        1e-5,
    );

    let text = ids([[1, 5, 7, 2], [1, 9, 2, 0]]);
    let real = mask([[1., 1., 1., 1.], [1., 1., 1., 0.]]);
    let states = model.text_states(text.clone(), real.clone()).narrow(1, 0, 1);
    check("text_only_cls", &floats(states), &numbers("text_only_cls"), 1e-5);
    let states = model.multimodal_states(&pass.cross, &Pair::own(2), text, real.clone());
    check("multimodal_query_hidden", &floats(states), &numbers("multimodal_query_hidden"), 1e-5);

    let rows = [[19, 5, 7, 2], [19, 9, 2, 0]];
    let logits = model.caption_logits(&pass.cache, ids(rows), real);
    let first = floats(logits.clone().narrow(0, 0, 1).narrow(1, 0, 1));
    check("itg_logits_b0_t0", &first, &numbers("itg_logits_b0_t0"), 1e-5);
    let loss = caption_loss(logits, &rows.map(|row| row.to_vec())).into_scalar::<f32>();
    assert!((loss - 3.079_875).abs() < 1e-5, "captioning loss {loss}");
}

/// Float and integer tensors of a safetensors file, integers as floats.
fn tensors(path: &str) -> BTreeMap<String, Values> {
    let bytes = std::fs::read(fixture(path)).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let values = file.iter().map(|(name, view)| {
        let data: Vec<f32> = match view.dtype() {
            safetensors::Dtype::F32 => {
                view.data().chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
            }
            safetensors::Dtype::I64 => view
                .data()
                .chunks(8)
                .map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f32)
                .collect(),
            other => panic!("{name} is {other:?}"),
        };
        let shape = if view.shape().is_empty() { vec![1] } else { view.shape().to_vec() };
        (name.to_owned(), Values { shape, data })
    });
    values.collect()
}

fn tensor<const D: usize>(values: &Values, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.data.clone(), values.shape.clone()), device)
}

#[test]
fn stage1_losses_and_gradients() {
    let device = Device::default().autodiff();
    let mut card: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&std::fs::read(fixture("stage1-tiny/config.json")).unwrap())
            .unwrap();
    let decoder_start = card["decoder_start_token_id"].as_i64().unwrap() as i32;
    for key in ["decoder_start_token_id", "pad_token_id", "label_smoothing"] {
        card.remove(key);
    }
    let config: QFormerConfig = serde_json::from_value(card.into()).unwrap();
    let reference = tensors("stage1-tiny/reference.safetensors");
    let features: Tensor<3> = tensor(&reference["input/image_embeds"], &device);
    let [batch, tokens, width] = features.dims();
    let not_parameters =
        ["position_ids", "cls.predictions.decoder.weight", "cls.predictions.decoder.bias"];
    let checkpoint = tensors("stage1-tiny/checkpoint.safetensors").into_iter();
    let checkpoint =
        checkpoint.filter(|(name, _)| !not_parameters.iter().any(|end| name.ends_with(end)));
    let checkpoint = checkpoint.map(|(name, values)| (ours(&name), values)).collect();
    let model = QFormer::build(&config, &vision(tokens, width), &device);
    let model = params::import(model, checkpoint).unwrap_or_else(|(_, wrong)| panic!("{wrong:?}"));

    let whole =
        |name: &str| -> Vec<i32> { reference[name].data.iter().map(|&x| x as i32).collect() };
    let mut rows: Vec<Vec<i32>> =
        whole("input/input_ids").chunks(12).map(<[i32]>::to_vec).collect();
    let to_ids = |rows: &[Vec<i32>]| {
        Tensor::<2, Int>::from_data(
            TensorData::new(rows.concat(), [rows.len(), rows[0].len()]),
            &device,
        )
    };
    let text = to_ids(&rows);
    let real: Tensor<2> = tensor(&reference["input/attention_mask"], &device);
    let own: Vec<i32> = (0..batch as i32).collect();

    let ImagePass { queries, cross, cache } = model.image_pass(features);
    let embeds = model.image_embeds(queries);
    let [_, count, shared] = embeds.dims();
    let texts = model.text_embeds(text.clone(), real.clone());
    let scores = embeds
        .reshape([batch * count, shared])
        .matmul(texts.transpose())
        .reshape([batch, count, batch]);
    let scores = scores.max_dim(1).squeeze_dim::<2>(1) / model.temperature().unsqueeze();
    let ones = vec![1.0; batch];
    let i2t = cross_entropy(scores.clone(), &own, &ones, 0.1);
    let itc = (i2t + cross_entropy(scores.transpose(), &own, &ones, 0.1)) / 2.0;

    let chosen = [own.clone(), own.clone(), whole("input/itm.negative_text")].concat();
    let images = [own.clone(), whole("input/itm.negative_image"), own.clone()].concat();
    let pair = |(text, image): (i32, i32)| Pair { text: text as usize, image: image as usize };
    let triplets: Vec<Pair> = chosen.into_iter().zip(images).map(pair).collect();
    let matches = model.match_logits(&cross, &triplets, text, real.clone());
    let labels: Vec<i32> = (0..3 * batch).map(|i| i32::from(i < batch)).collect();
    let itm = cross_entropy(matches, &labels, &vec![1.0; 3 * batch], 0.0);

    for row in &mut rows {
        row[0] = decoder_start;
    }
    let itg = caption_loss(model.caption_logits(&cache, to_ids(&rows), real), &rows);

    for (name, loss) in [("itc", &itc), ("itm", &itm), ("itg", &itg)] {
        check(
            name,
            &floats(loss.clone()),
            &reference[&format!("output/stage1.loss_{name}")].data,
            1e-5,
        );
    }
    let grads = GradientsParams::from_grads((itc + itm + itg).backward(), &model);
    let mut compared = 0;
    for info in params::list(&model) {
        let expected = reference.iter().find_map(|(name, values)| {
            name.strip_prefix("output/stage1.grad.")
                .filter(|name| ours(name) == info.name)
                .map(|_| values)
        });
        let gradient = match info.shape.len() {
            1 => grads.get::<1>(info.id).map(floats),
            2 if info.name.contains("embeddings") => grads.get::<2>(info.id).map(floats),
            2 => grads.get::<2>(info.id).map(|g| floats(g.transpose())),
            _ => grads.get::<3>(info.id).map(floats),
        };
        let gradient = gradient.unwrap_or_else(|| panic!("{} has no gradient", info.name));
        if let Some(expected) = expected {
            check(&info.name, &gradient, &expected.data, 1e-4);
            compared += 1;
        }
    }
    assert_eq!(compared, 11);
}

#[test]
fn captions_through_the_cache_equal_a_joint_pass() {
    let device = Device::default();
    let model = drawn(&tiny(), &vision(5, 6), &device);
    let pass = model.image_pass(sample("features", [2, 5, 6], &device));
    let (text, real) =
        (ids([[19, 5, 7, 2], [19, 9, 2, 0]]), mask([[1., 1., 1., 1.], [1., 1., 1., 0.]]));
    // UniLM: queries see queries; text sees queries and what stands before it (figure 2 of BLIP-2,
    // right).
    let columns =
        Tensor::cat(vec![Tensor::ones([2, 2], &device), real.clone()], 1).unsqueeze_dim::<3>(1);
    let above =
        Tensor::cat(vec![Tensor::<2>::ones([2, 2], &device), Tensor::zeros([2, 4], &device)], 1);
    let causal = Tensor::cat(vec![above, causal_mask(2, 4, &device)], 0).unsqueeze::<3>();
    let bias = mask_bias(columns * causal).unsqueeze_dim::<4>(1);
    let (queries, states) =
        model.joint_states(&pass.cross, &Pair::own(2), text.clone(), &bias, true);
    assert_close("queries", queries, pass.queries);
    let joint = model.language_logits(states.unwrap());
    assert_close("captions", joint, model.caption_logits(&pass.cache, text, real));
}

#[test]
fn the_last_layer_leaves_out_only_what_is_not_read() {
    let device = Device::default();
    let model = drawn(&tiny(), &vision(5, 6), &device);
    let cross = model.image_pass(sample("features", [2, 5, 6], &device)).cross;
    let (text, real) =
        (ids([[1, 5, 7, 2], [1, 9, 2, 0]]), mask([[1., 1., 1., 1.], [1., 1., 1., 0.]]));
    let columns = Tensor::cat(vec![Tensor::ones([2, 2], &device), real.clone()], 1);
    let (own, bias) = (Pair::own(2), mask_bias(columns).unsqueeze_dims(&[1, 1]));
    let (whole, _) = model.joint_states(&cross, &own, text.clone(), &bias, true);
    assert_close(
        "queries",
        whole,
        model.multimodal_states(&cross, &own, text.clone(), real.clone()),
    );

    // The text projection by hand on all rows of the whole pass.
    let states = model.text_states(text.clone(), real.clone());
    let exported = params::export(&model);
    let weight: Tensor<2> = tensor(&exported["text_proj.weight"], &device);
    let shared = states.narrow(1, 0, 1).squeeze_dim::<2>(1).matmul(weight.transpose());
    let shared = shared.clone() / (shared.clone() * shared).sum_dim(1).sqrt();
    assert_close("first token", shared, model.text_embeds(text, real));
}

#[test]
fn padding_and_neighbours_change_nothing() {
    let device = Device::default();
    let model = drawn(&tiny(), &vision(5, 6), &device);
    let features: Tensor<3> = sample("features", [2, 5, 6], &device);
    let pass = model.image_pass(features.clone());
    let (text, real) =
        (ids([[1, 5, 7, 2], [1, 9, 2, 0]]), mask([[1., 1., 1., 1.], [1., 1., 1., 0.]]));
    // Hidden positions hold some other token, so that only the mask can hide them.
    let (long, long_real) = (
        ids([[1, 5, 7, 2, 4, 4], [1, 9, 2, 8, 8, 8]]),
        mask([[1., 1., 1., 1., 0., 0.], [1., 1., 1., 0., 0., 0.]]),
    );
    let everything = |pass: &ImagePass, text: &Tensor<2, Int>, real: &Tensor<2>| {
        (
            model.text_embeds(text.clone(), real.clone()),
            model.match_logits(&pass.cross, &Pair::own(text.dims()[0]), text.clone(), real.clone()),
            model.caption_logits(&pass.cache, text.clone(), real.clone()).narrow(1, 0, 3),
            model.masked_logits(text.clone(), real.clone()).narrow(1, 0, 3),
        )
    };
    let short = everything(&pass, &text, &real);
    let padded = everything(&pass, &long, &long_real);
    assert_close("padded text", short.0.clone(), padded.0);
    assert_close("padded match", short.1.clone(), padded.1);
    assert_close("padded caption", short.2.clone(), padded.2);
    assert_close("padded masked", short.3.clone(), padded.3);

    let (one, one_real) = (text.clone().narrow(0, 1, 1), real.clone().narrow(0, 1, 1));
    let alone = everything(&model.image_pass(features.clone().narrow(0, 1, 1)), &one, &one_real);
    assert_close("text alone", short.0.narrow(0, 1, 1), alone.0);
    assert_close("match alone", short.1.clone().narrow(0, 1, 1), alone.1);
    assert_close("caption alone", short.2.clone().narrow(0, 1, 1), alone.2);
    assert_close("masked alone", short.3.narrow(0, 1, 1), alone.3);

    // Another first image changes the first sample and not the second.
    let other = Tensor::cat(vec![sample("other", [1, 5, 6], &device), features.narrow(0, 1, 1)], 0);
    let other = everything(&model.image_pass(other), &text, &real);
    let differs = |a: Tensor<1>, b: Tensor<1>| floats(a - b).iter().any(|d| d.abs() > 1e-3);
    assert!(differs(
        short.1.clone().narrow(0, 0, 1).flatten(0, 1),
        other.1.clone().narrow(0, 0, 1).flatten(0, 1)
    ));
    assert!(differs(
        short.2.clone().narrow(0, 0, 1).flatten(0, 2),
        other.2.clone().narrow(0, 0, 1).flatten(0, 2)
    ));
    assert_close("image of a neighbour, match", short.1.narrow(0, 1, 1), other.1.narrow(0, 1, 1));
    assert_close(
        "image of a neighbour, caption",
        short.2.clone().narrow(0, 1, 1),
        other.2.narrow(0, 1, 1),
    );

    // A later token changes no earlier caption logits.
    let later =
        model.caption_logits(&pass.cache, ids([[1, 5, 3, 9], [1, 9, 4, 0]]), real).narrow(1, 0, 2);
    assert_close("causality", short.2.narrow(1, 0, 2), later);
}

/// Work that the pairs of a text share is done once, and changes nothing; dropout is each pair's
/// own, and each image's.
#[test]
fn pairs_of_a_text_share_what_they_may() {
    let device = Device::default();
    let features: Tensor<3> = sample("features", [2, 5, 6], &device);
    let (text, real) =
        (ids([[1, 5, 7, 2], [1, 9, 2, 0]]), mask([[1., 1., 1., 1.], [1., 1., 1., 0.]]));
    let pairs = [(1, 0), (0, 1), (0, 0), (0, 1)].map(|(text, image)| Pair { text, image });
    let apart = pairs
        .iter()
        .enumerate()
        .map(|(i, pair)| Pair { text: i, image: pair.image })
        .collect::<Vec<_>>();
    let chosen = Tensor::<1, Int>::from_data([1, 0, 0, 0], &device);
    for num_hidden_layers in [1, 3] {
        let config = QFormerConfig { dropout: 0.3, num_hidden_layers, ..tiny() };
        let model = drawn(&config, &vision(5, 6), &device);
        let cross = model.keys_values(features.clone());
        let shared = || model.match_logits(&cross, &pairs, text.clone(), real.clone());
        let alone = || {
            let (text, real) =
                (text.clone().select(0, chosen.clone()), real.clone().select(0, chosen.clone()));
            model.match_logits(&cross, &apart, text, real)
        };
        assert_close("pairs of texts of their own", shared(), alone());
        let stream = || Stream::new(1, "dropout", 0);
        let (shared, alone) = (noise::scope(stream(), shared), noise::scope(stream(), alone));
        assert_eq!(
            floats(shared),
            floats(alone),
            "dropout of shared texts is that of texts of their own"
        );

        let keys = || model.image_pass(features.clone()).cache[0].0.clone();
        let same =
            |keys: Tensor<4>| floats(keys.clone().narrow(0, 0, 1)) == floats(keys.narrow(0, 1, 1));
        assert!(same(keys()), "nothing tells images apart before they are read");
        assert!(!same(noise::scope(stream(), keys)), "each image has dropout of its own");
    }
}

#[test]
fn dropout_acts_in_a_scope_and_repeats() {
    let device = Device::default();
    let model = drawn(&QFormerConfig { dropout: 0.3, ..tiny() }, &vision(5, 6), &device);
    let features: Tensor<3> = sample("features", [2, 5, 6], &device);
    let run = |step| {
        noise::scope(Stream::new(1, "dropout", step), || floats(model.queries(features.clone())))
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    assert_ne!(run(1), floats(model.queries(features.clone())));
}
