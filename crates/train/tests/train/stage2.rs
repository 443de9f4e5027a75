//! Stage 2 against transformers' numbers, and what it must leave alone.

use super::{
    captions, check, goldens, gradients, input, noise_features, qformer, same_gradients, scalar,
    tiny_qformer, weights,
};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use std::collections::BTreeMap;
use std::sync::Arc;
use toolkit_core::params::{self, Values, floats};
use toolkit_core::{
    AnyBridge, AnyLanguage, Ends, LanguageKind, LanguageModel, LanguageSpecialTokens, Side, Stream,
    conform, noise, pad,
};
use toolkit_models::connector::Connector;
use toolkit_models::language::opt::{Opt, OptConfig};
use toolkit_models::language::t5::{T5, T5Config};
use toolkit_train::features::Features;
use toolkit_train::fit::Objective;
use toolkit_train::losses::{next_token_loss_sum, token_loss_sum};
use toolkit_train::optim::{AdamW, OptimConfig};
use toolkit_train::order::Order;
use toolkit_train::source::{Cached, encoded};
use toolkit_train::stage2::{Stage2, decoder_only_loss_sum, encoder_decoder_loss_sum};

const OPT_MARKS: LanguageSpecialTokens =
    LanguageSpecialTokens { bos: Some(2), eos: Ends::one(3), pad: 1, decoder_start: 0 };
const T5_MARKS: LanguageSpecialTokens =
    LanguageSpecialTokens { bos: None, eos: Ends::one(1), pad: 0, decoder_start: 0 };

pub fn opt_config(more: serde_json::Value) -> OptConfig {
    let mut config = serde_json::json!({"vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 2,
        "num_attention_heads": 2, "ffn_dim": 16, "max_position_embeddings": 16});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(config).unwrap()
}

pub fn t5_config(more: serde_json::Value) -> T5Config {
    let mut config = serde_json::json!({"vocab_size": 11, "d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 2,
        "num_heads": 2, "dense_act": "gelu"});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(config).unwrap()
}

/// Appendix A's fill.
fn filled<L: LanguageModel>(config: &L::Config, device: &Device) -> AnyLanguage {
    AnyLanguage::new(params::map(L::build(config, device), |info| {
        let shift = f64::from(info.name.bytes().map(u32::from).sum::<u32>() % 97);
        let base = if info.name.ends_with("norm.weight") { 1.0 } else { 0.0 };
        let fill = |i: usize| (base + 0.1 * libm::sin(0.7 * i as f64 + shift)) as f32;
        let count = info.shape.iter().product();
        Some(Values { shape: info.shape.clone(), data: (0..count).map(fill).collect() })
    }))
}

fn drawn<L: LanguageModel>(config: &L::Config) -> AnyLanguage {
    let model = L::build(config, &Device::default().autodiff());
    AnyLanguage::new(params::initialise(model, 2, super::wide)).no_grad()
}

fn loss_of(piece: &str) -> f32 {
    goldens()["encoders_and_llms"][piece]["loss"].as_f64().unwrap() as f32
}

#[test]
fn goldens_opt() {
    let device = Device::default();
    let projected =
        opt_config(serde_json::json!({"word_embed_proj_dim": 4, "do_layer_norm_before": false}));
    let pieces = [
        ("opt_tiny", opt_config(serde_json::json!({})), 8),
        ("opt_tiny_postln_proj", projected, 4),
    ];
    for (piece, config, width) in pieces {
        let model = filled::<Opt>(&config, &device);
        let texts = [vec![2, 5, 7, 3], vec![2, 9, 3]];
        let sum = scalar(decoder_only_loss_sum(
            &model,
            input([2, 2, width], 0.4, &device),
            &texts,
            OPT_MARKS,
        ));
        check(piece, &[sum / 7.0], &[loss_of(piece)], 1e-5);
    }
}

#[test]
fn goldens_t5() {
    let device = Device::default();
    for (piece, act) in [("t5_tiny_gelu", "gelu"), ("t5_tiny_gelu_new", "gelu_new")] {
        let model = filled::<T5>(&t5_config(serde_json::json!({"dense_act": act})), &device);
        let (read, written) = ([vec![5, 7, 1], vec![9, 1]], [vec![4, 6, 1], vec![3, 1]]);
        let prefix = input([2, 2, 8], 0.4, &device);
        let sum = scalar(encoder_decoder_loss_sum(&model, prefix, &read, &written, T5_MARKS));
        check(piece, &[sum / 5.0], &[loss_of(piece)], 2e-6);
    }
}

#[test]
fn padding_and_neighbours_change_nothing() {
    let device = Device::default().autodiff();
    let opt = drawn::<Opt>(&opt_config(serde_json::json!({})));
    let t5 = drawn::<T5>(&t5_config(serde_json::json!({})));
    let (short, long) = (vec![5, 7, 3], vec![2, 9, 4, 8, 10, 6, 3]);
    let prefix: Tensor<3> = conform::sample("prefix", [2, 2, 8], &device);
    let row = |i: usize| prefix.clone().narrow(0, i, 1);
    let both = [short.clone(), long.clone()];
    for pad in [0, 1, 10] {
        let special_tokens = LanguageSpecialTokens { pad, ..OPT_MARKS };
        let loss = |prefix, texts: &[Vec<u32>]| {
            scalar(decoder_only_loss_sum(&opt, prefix, texts, special_tokens))
        };
        let apart = loss(row(0), &both[..1]) + loss(row(1), &both[1..]);
        check("opt", &[loss(prefix.clone(), &both)], &[apart], 1e-5);
        let loss = |prefix, texts: [&[Vec<u32>]; 2]| {
            scalar(encoder_decoder_loss_sum(&t5, prefix, texts[0], texts[1], special_tokens))
        };
        let turned = [long.clone(), short.clone()];
        let apart =
            loss(row(0), [&both[..1], &turned[..1]]) + loss(row(1), [&both[1..], &turned[1..]]);
        check("t5", &[loss(prefix.clone(), [&both, &turned])], &[apart], 1e-5);
    }
}

#[test]
fn a_frozen_language_model_passes_gradients_through() {
    let device = Device::default().autodiff();
    let opt = drawn::<Opt>(&opt_config(serde_json::json!({})));
    let t5 = drawn::<T5>(&t5_config(serde_json::json!({})));
    let prefix = || conform::sample::<3>("prefix", [2, 2, 8], &device).require_grad();
    let texts = [vec![5, 7, 3], vec![9, 4, 8, 3]];
    for (language, decoder_only) in [(&opt, true), (&t5, false)] {
        let prefix = prefix();
        let loss = if decoder_only {
            decoder_only_loss_sum(language, prefix.clone(), &texts, OPT_MARKS)
        } else {
            encoder_decoder_loss_sum(language, prefix.clone(), &texts, &texts, T5_MARKS)
        };
        let grads = loss.backward();
        let reached = prefix.grad(&grads).unwrap();
        for query in 0..2 {
            assert!(floats(reached.clone().narrow(1, query, 1)).iter().any(|g| g.abs() > 1e-3));
        }
        assert!(
            GradientsParams::from_grads(grads, language).is_empty(),
            "the language model has gradients"
        );
    }
}

/// The head in pieces, and only where a label is: as all logits at once, with a weight for each.
#[test]
fn the_loss_behind_the_head_is_that_of_all_logits() {
    let (batch, tokens) = (120, 12);
    let device = Device::default().autodiff();
    let language = drawn::<Opt>(&opt_config(serde_json::json!({})));
    let labels: Vec<Vec<u32>> = (0..batch)
        .map(|row| (0..(row * 5) % (tokens + 1)).map(|at| ((row + 3 * at) % 9) as u32).collect())
        .collect();
    assert!(labels.iter().map(Vec::len).sum::<usize>() > 512, "several pieces");
    let hidden = || conform::sample::<3>("hidden", [batch, tokens, 8], &device).require_grad();
    let (ours, all) = (hidden(), hidden());
    let loss = next_token_loss_sum(&language, ours.clone(), &labels) * 0.3;
    let text = pad(&labels, 0, Side::Right, &device);
    let logits = language.logits(all.clone());
    let want =
        token_loss_sum(logits.narrow(1, 0, text.ids.dims()[1]), text.ids, text.mask, 0.0) * 0.3;
    conform::assert_close("loss", loss.clone().inner(), want.clone().inner());
    let (slopes, wanted) =
        (ours.grad(&loss.backward()).unwrap(), all.grad(&want.backward()).unwrap());
    conform::assert_close("gradients", slopes, wanted);

    // Without gradients, and without labels.
    let plain = next_token_loss_sum(
        &language,
        conform::sample("hidden", [batch, tokens, 8], &device),
        &labels,
    ) * 0.3;
    conform::assert_close("no gradients", plain.inner(), loss.inner());
    assert_eq!(scalar(next_token_loss_sum(&language, hidden(), &vec![Vec::new(); batch])), 0.0);
}

fn connector() -> Connector {
    let device = Device::default().autodiff();
    let bridge = AnyBridge::new(qformer(&tiny_qformer(), &device));
    params::map(Connector::new(bridge, 8, 8, &device), |info| {
        let count: usize = info.shape.iter().product();
        let mut draw = Stream::new(1, &info.name, 0);
        let data = (0..count).map(|_| (draw.normal() * 0.3) as f32).collect();
        info.name
            .starts_with("language_projection")
            .then(|| Values { shape: info.shape.clone(), data })
    })
}

const IMAGES: usize = 7;

fn objective(
    features: &Arc<Features>,
    language: &AnyLanguage,
    kind: LanguageKind,
    batch: usize,
) -> Stage2 {
    Stage2 {
        blind: 0.0,
        language: language.clone(),
        kind,
        special_tokens: if kind == LanguageKind::DecoderOnly { OPT_MARKS } else { T5_MARKS },
        source: Box::new(Cached::new(
            features.clone(),
            encoded(captions(IMAGES, 11, &[], &[])),
            Order::new(2, "stage2/order", IMAGES, batch),
        )),
        accumulate: 1,
        language_dropout: false,
        recompute: false,
        seed: 2,
        device: Device::default().autodiff(),
    }
}

fn run(mut objective: Stage2, step: u64) -> (f64, BTreeMap<String, Vec<f32>>) {
    let model = connector();
    let found =
        noise::scope(Stream::new(1, "dropout", step), || objective.step(&model, step).unwrap());
    (found.metrics[0].1, gradients(&model, &found.grads))
}

fn kinds(dropout: f64) -> [(LanguageKind, AnyLanguage); 2] {
    let more = serde_json::json!({"dropout": dropout});
    let opt = drawn::<Opt>(&opt_config(more));
    // Three blocks, so that the order in which gradients of the encoder's output are added up
    // shows.
    let more = serde_json::json!({"dropout": dropout, "num_decoder_layers": 3});
    [
        (LanguageKind::DecoderOnly, opt),
        (LanguageKind::EncoderDecoder, drawn::<T5>(&t5_config(more))),
    ]
}

#[test]
fn accumulation_changes_nothing() {
    let features = noise_features(IMAGES);
    for (kind, language) in kinds(0.0) {
        for step in 0..2 {
            let whole = run(objective(&features, &language, kind, 5), step);
            for accumulate in [2, 3, 5, 8] {
                let o = Stage2 { accumulate, ..objective(&features, &language, kind, 5) };
                let parts = run(o, step);
                assert!((parts.0 - whole.0).abs() < 1e-5, "{kind:?}: {} {}", parts.0, whole.0);
                same_gradients(&format!("{kind:?} over {accumulate}"), &parts.1, &whole.1, 1e-4);
            }
        }
    }
}

/// To the last bit, the frozen model's dropout and micro-batches included.
#[test]
fn making_activations_again_changes_nothing() {
    let features = noise_features(IMAGES);
    for (kind, language) in kinds(0.3) {
        for (accumulate, language_dropout) in [(1, false), (1, true), (3, true)] {
            let o = || Stage2 {
                accumulate,
                language_dropout,
                ..objective(&features, &language, kind, 5)
            };
            let kept = run(o(), 1);
            let again = run(Stage2 { recompute: true, ..o() }, 1);
            assert_eq!(again, kept, "{kind:?} over {accumulate}, dropout {language_dropout}");
        }
    }
}

#[test]
fn training_moves_the_query_path_alone() {
    let features = noise_features(IMAGES);
    for (kind, language) in kinds(0.0) {
        let (held, start) = (weights(&language), connector());
        let mut objective = objective(&features, &language, kind, 4);
        let mut optim = AdamW::new(OptimConfig { eps: 1e-3, ..OptimConfig::default() }, &start);
        let mut model = start.clone();
        let mut losses = Vec::new();
        for step in 0..12 {
            let found = objective.step(&model, step).unwrap();
            losses.push(found.metrics[0].1);
            model = optim.step(model, found.grads, 0.02).0;
        }
        assert_eq!(weights(&objective.language), held, "the language model moved");
        assert!(losses[8..].iter().sum::<f64>() < losses[..4].iter().sum::<f64>(), "{losses:?}");
        let before = weights(&start);
        for (name, values) in weights(&model) {
            let trained = name
                .strip_prefix("bridge.")
                .is_none_or(toolkit_models::bridge::qformer::is_query_path);
            assert_eq!(values != before[&name], trained, "{name}");
        }
    }
}

#[test]
fn the_language_models_dropout_is_off_unless_asked_for() {
    let features = noise_features(IMAGES);
    for ((kind, noisy), (_, plain)) in kinds(0.5).into_iter().zip(kinds(0.0)) {
        let expected = run(objective(&features, &plain, kind, 4), 0);
        assert_eq!(run(objective(&features, &noisy, kind, 4), 0), expected);
        let on = Stage2 { language_dropout: true, ..objective(&features, &noisy, kind, 4) };
        assert_ne!(run(on, 0).0, expected.0);
    }
}

/// The loss is the mean over tokens of the drawn captions with their marks, each split where T5
/// wants it.
#[test]
fn what_is_read_and_written() {
    let features = noise_features(IMAGES);
    for (kind, language) in kinds(0.0) {
        let o = objective(&features, &language, kind, 4);
        let samples = Order::new(2, "stage2/order", IMAGES, 4).batch(1);
        let captions = captions(IMAGES, 11, &[], &[]);
        let mut draw = Stream::new(2, "stage2/caption", 1);
        let (mut read, mut written) = (Vec::new(), Vec::new());
        for &i in &samples {
            let caption = draw.choose(&captions[i]).clone();
            if kind == LanguageKind::DecoderOnly {
                written.push([vec![2], caption, vec![3]].concat());
            } else {
                let split = draw.between(1, caption.len() / 2);
                assert!((1..=caption.len() / 2).contains(&split));
                read.push([&caption[..split], &[1]].concat());
                written.push([&caption[split..], &[1]].concat());
            }
        }
        let tokens: usize = written.iter().map(Vec::len).sum();
        let prefix =
            connector().prefix(features.batch(&samples, &Device::default().autodiff()).unwrap());
        let sum = if kind == LanguageKind::DecoderOnly {
            decoder_only_loss_sum(&language, prefix, &written, OPT_MARKS)
        } else {
            encoder_decoder_loss_sum(&language, prefix, &read, &written, T5_MARKS)
        };
        check(&format!("{kind:?}"), &[run(o, 1).0 as f32], &[scalar(sum) / tokens as f32], 1e-6);
    }
}
