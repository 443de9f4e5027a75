//! OPT and T5 against transformers 4.57.1 (`tests/fixtures/blip2_goldens.json`, made from weights
//! and inputs that are functions of name and index: [`filled`] and [`input`]) and against the
//! contract.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use std::collections::BTreeSet;
use toolkit_core::params::{self, Values};
use toolkit_core::{Cache, EncoderOutput, LanguageKind, LanguageModel, Stream, conform, noise};
use toolkit_models::language::opt::{self, Opt, OptConfig};
use toolkit_models::language::t5::{self, T5, T5Config, bucket};
use toolkit_models::layers::Activation;

const GOLDENS: &str = include_str!("../../../tests/fixtures/blip2_goldens.json");

/// Returns the values at `field` of `piece`, up to the bracket or comma that ends them. The file is
/// flat and made by one script, which spares this crate a JSON parser.
fn golden(piece: &str, field: &str) -> Vec<String> {
    let after = |text: &'static str, key: &str| {
        text.split_once(&format!("\"{key}\":"))
            .unwrap_or_else(|| panic!("{piece}: no {key}"))
            .1
            .trim_start()
    };
    let value = after(after(GOLDENS, piece), field);
    let end = if value.starts_with('[') { ']' } else { ',' };
    let value = value.trim_start_matches('[').split(end).next().unwrap();
    value.split(',').map(|item| item.trim().trim_matches('"').to_owned()).collect()
}

fn golden_numbers(piece: &str, field: &str) -> Vec<f32> {
    golden(piece, field).iter().map(|item| item.parse().unwrap()).collect()
}

fn near(what: &str, ours: &[f32], reference: &[f32]) {
    assert_eq!(ours.len(), reference.len(), "{what}");
    for (i, (a, b)) in ours.iter().zip(reference).enumerate() {
        assert!((a - b).abs() < 1e-4, "{what}: element {i} is {a}, the reference has {b}");
    }
}

/// The module with the goldens' fill: `0.1 sin(0.7 i + s)` in row-major order, `s` from the name,
/// plus one in norms.
fn filled<M: LanguageModel>(config: &M::Config, piece: &str) -> M {
    let model = M::build(config, &Device::default());
    let names: BTreeSet<String> = golden(piece, "names").into_iter().collect();
    let ours: BTreeSet<String> = params::list(&model).into_iter().map(|info| info.name).collect();
    assert_eq!(ours, names, "{piece}: names are those of transformers");
    params::map(model, |info| {
        let shift = f64::from(info.name.bytes().map(u32::from).sum::<u32>() % 97);
        let base = if info.name.ends_with("norm.weight") { 1.0 } else { 0.0 };
        let fill = |i: usize| (base + 0.1 * libm::sin(0.7 * i as f64 + shift)) as f32;
        let count = info.shape.iter().product();
        Some(Values { shape: info.shape.clone(), data: (0..count).map(fill).collect() })
    })
}

fn input(shape: [usize; 3], phase: f64) -> Tensor<3> {
    let values = (0..shape.iter().product()).map(|i| libm::cos(0.3 * i as f64 + phase) as f32);
    Tensor::from_data(TensorData::new(values.collect::<Vec<_>>(), shape), &Device::default())
}

fn ids<const B: usize, const T: usize>(rows: [[i32; T]; B]) -> Tensor<2, Int> {
    Tensor::from_data(rows, &Device::default())
}

fn mask<const B: usize, const T: usize>(rows: [[f32; T]; B]) -> Tensor<2> {
    Tensor::from_data(rows, &Device::default())
}

/// Mean cross-entropy of `(row, position, id)`.
fn loss(logits: &Tensor<3>, targets: &[(usize, usize, usize)]) -> f32 {
    let [_, positions, vocab] = logits.dims();
    let log = params::floats(activation::log_softmax(logits.clone(), 2));
    let at = |&(row, position, id): &(usize, usize, usize)| {
        -log[(row * positions + position) * vocab + id]
    };
    targets.iter().map(at).sum::<f32>() / targets.len() as f32
}

fn opt_tiny() -> OptConfig {
    OptConfig {
        vocab_size: 11,
        hidden_size: 8,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        ffn_dim: 16,
        max_position_embeddings: 16,
        word_embed_proj_dim: None,
        do_layer_norm_before: true,
        dropout: 0.0,
    }
}

fn opt_tiny_postln_proj() -> OptConfig {
    OptConfig { word_embed_proj_dim: Some(4), do_layer_norm_before: false, ..opt_tiny() }
}

fn t5_tiny(dense_act: Activation) -> T5Config {
    T5Config {
        vocab_size: 11,
        d_model: 8,
        d_kv: 4,
        d_ff: 16,
        num_layers: 2,
        num_decoder_layers: None,
        num_heads: 2,
        relative_attention_num_buckets: 32,
        relative_attention_max_distance: 128,
        dense_act,
        gated: true,
        tie_word_embeddings: false,
        scale_decoder_outputs: None,
        layer_norm_epsilon: 1e-6,
        dropout: 0.0,
    }
}

#[test]
fn contract_opt() {
    conform::language::<Opt>(&opt_tiny());
    conform::language::<Opt>(&opt_tiny_postln_proj());
}

#[test]
fn contract_t5() {
    conform::language::<T5>(&t5_tiny(Activation::Gelu));
    // Unequal depths, heads that do not fill the width, small buckets: what the published sizes do
    // not have.
    let plain = T5Config {
        d_kv: 5,
        num_decoder_layers: Some(3),
        relative_attention_num_buckets: 8,
        relative_attention_max_distance: 20,
        gated: false,
        tie_word_embeddings: true,
        scale_decoder_outputs: None,
        ..t5_tiny(Activation::Relu)
    };
    conform::language::<T5>(&plain);
}

#[test]
fn goldens_opt() {
    for (piece, config) in
        [("opt_tiny", opt_tiny()), ("opt_tiny_postln_proj", opt_tiny_postln_proj())]
    {
        let model: Opt = filled(&config, piece);
        let width = Opt::describe(&config).unwrap().width;
        let text = model.embed(ids([[2, 5, 7, 3], [2, 9, 3, 1]]));
        let embeds = Tensor::cat(vec![input([2, 2, width], 0.4), text], 1);
        let visible = mask([[1.0; 6], [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]]);
        let logits = model.logits(model.decode(embeds, visible, None, None));
        let targets = [(0, 1, 2), (0, 2, 5), (0, 3, 7), (0, 4, 3), (1, 1, 2), (1, 2, 9), (1, 3, 3)];
        near(piece, &[loss(&logits, &targets)], &golden_numbers(piece, "loss"));
        let at =
            |row, position| params::floats(logits.clone().narrow(0, row, 1).narrow(1, position, 1));
        near(piece, &at(0, 5), &golden_numbers(piece, "logits_b0_last"));
        near(piece, &at(1, 1), &golden_numbers(piece, "logits_b1_pos1"));
    }
}

#[test]
fn goldens_t5() {
    for (piece, act) in
        [("t5_tiny_gelu", Activation::Gelu), ("t5_tiny_gelu_new", Activation::GeluNew)]
    {
        let model: T5 = filled(&t5_tiny(act), piece);
        let text = model.embed(ids([[5, 7, 1], [9, 1, 0]]));
        let embeds = Tensor::cat(vec![input([2, 2, 8], 0.4), text], 1);
        let memory = model.encode(embeds, mask([[1.0; 5], [1.0, 1.0, 1.0, 1.0, 0.0]]));
        let decoder = model.embed(ids([[0, 4, 6], [0, 3, 1]]));
        let logits = model.logits(model.decode(decoder, mask([[1.0; 3]; 2]), Some(&memory), None));
        let targets = [(0, 0, 4), (0, 1, 6), (0, 2, 1), (1, 0, 3), (1, 1, 1)];
        near(piece, &[loss(&logits, &targets)], &golden_numbers(piece, "loss"));
        near(piece, &params::floats(logits.narrow(0, 0, 1)), &golden_numbers(piece, "logits_b0"));
    }
}

#[test]
fn t5_buckets() {
    let both = [
        (-7, 7),
        (-8, 8),
        (-12, 9),
        (-16, 10),
        (-23, 11),
        (-32, 12),
        (-46, 13),
        (-64, 14),
        (-91, 15),
        (-500, 15),
    ];
    for (distance, row) in both.into_iter().chain([(1, 17), (8, 24), (16, 26), (128, 31), (0, 0)]) {
        assert_eq!(bucket(distance, true, 32, 128), row, "bidirectional {distance}");
    }
    let causal = [
        (-15, 15),
        (-16, 16),
        (-19, 17),
        (-21, 18),
        (-24, 19),
        (-31, 21),
        (-40, 23),
        (-63, 26),
        (-64, 26),
    ];
    for (distance, row) in causal.into_iter().chain([(-96, 29), (-127, 31), (5, 0), (0, 0)]) {
        assert_eq!(bucket(distance, false, 32, 128), row, "causal {distance}");
    }
}

/// The goldens are too short to tell the decoder's buckets from the encoder's: with 4 buckets, the
/// upper two are for keys on the right in the encoder, and for keys two and more to the left in the
/// decoder.
#[test]
fn t5_decoder_buckets_are_causal() {
    let config = T5Config {
        relative_attention_num_buckets: 4,
        relative_attention_max_distance: 8,
        ..t5_tiny(Activation::Gelu)
    };
    let model: T5 = drawn(&config);
    let with = |upper: [f32; 4]| {
        let data = [[0.3, 0.1, 0.2, 0.4], upper].concat();
        let table = "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";
        let values =
            |name: &str| (name == table).then(|| Values { shape: vec![4, 2], data: data.clone() });
        params::map(model.clone(), |info| values(&info.name))
    };
    let embeds = conform::sample("x", [1, 6, 8], &Device::default());
    let run = |model: &T5| {
        let memory = model.encode(embeds.clone(), Tensor::ones([1, 6], &Device::default()));
        model.decode(embeds.clone(), Tensor::ones([1, 6], &Device::default()), Some(&memory), None)
    };
    let (far, near) = (run(&with([9.0, 9.0, -9.0, -9.0])), run(&with([0.0; 4])));
    conform::assert_close(
        "two positions",
        far.clone().narrow(1, 0, 2),
        near.clone().narrow(1, 0, 2),
    );
    let difference = params::floats((far - near).narrow(1, 2, 4).abs().max())[0];
    assert!(
        difference > 0.01,
        "rows for keys far on the left must matter to the decoder, not by {difference}"
    );
}

/// A model with weights large enough that a wrong mask or position shows.
fn drawn<M: LanguageModel>(config: &M::Config) -> M {
    let rule = |info: &params::Info| match params::bert_rule(info) {
        params::Init::Normal(_) => params::Init::Normal(0.2),
        constant => constant,
    };
    params::initialise(M::build(config, &Device::default()), 1, rule)
}

/// Two prompts of unlike length after a soft prefix, the shorter padded on its left, then two
/// cached steps: as VQA inference of BLIP-2 does.
#[test]
fn left_padded_batch_equals_single() {
    for config in [opt_tiny(), opt_tiny_postln_proj()] {
        let model: Opt = drawn(&config);
        let prefix = conform::sample(
            "prefix",
            [2, 2, Opt::describe(&config).unwrap().width],
            &Device::default(),
        );
        let run = |prefix: Tensor<3>,
                   text: Tensor<2, Int>,
                   mask: Tensor<2>,
                   next: [Tensor<2, Int>; 2]| {
            let [batch, _] = mask.dims();
            let mut cache = Cache::default();
            let mut seen = mask;
            let embeds = Tensor::cat(vec![prefix, model.embed(text)], 1);
            let first = model.decode(embeds, seen.clone(), None, Some(&mut cache));
            let last = first.dims()[1] - 1;
            let mut steps = vec![first.narrow(1, last, 1)];
            for id in next {
                seen = Tensor::cat(vec![seen, Tensor::ones([batch, 1], &Device::default())], 1);
                steps.push(model.decode(model.embed(id), seen.clone(), None, Some(&mut cache)));
            }
            model.logits(Tensor::cat(steps, 1))
        };
        let visible = mask([[1.0; 6], [1.0, 1.0, 0.0, 0.0, 1.0, 1.0]]);
        let batch = run(
            prefix.clone(),
            ids([[2, 5, 7, 3], [1, 1, 2, 9]]),
            visible,
            [ids([[4], [8]]), ids([[6], [10]])],
        );
        let long = run(
            prefix.clone().narrow(0, 0, 1),
            ids([[2, 5, 7, 3]]),
            mask([[1.0; 6]]),
            [ids([[4]]), ids([[6]])],
        );
        let short =
            run(prefix.narrow(0, 1, 1), ids([[2, 9]]), mask([[1.0; 4]]), [ids([[8]]), ids([[10]])]);
        conform::assert_close("the longer prompt", batch.clone().narrow(0, 0, 1), long);
        conform::assert_close("the shorter prompt", batch.narrow(0, 1, 1), short);
    }
}

/// Padding may stand before everything too: its own rows see nothing, and must still be numbers.
#[test]
fn hidden_rows_are_finite() {
    let visible = mask([[0.0, 0.0, 1.0, 1.0]]);
    let embeds = conform::sample("x", [1, 4, 8], &Device::default());
    let model: Opt = drawn(&opt_tiny());
    let all = model.logits(model.decode(embeds.clone(), visible.clone(), None, None));
    assert!(params::floats(all.clone()).iter().all(|x| x.is_finite()));
    let real =
        model.logits(model.decode(embeds.clone().narrow(1, 2, 2), mask([[1.0; 2]]), None, None));
    conform::assert_close("the visible rows", all.narrow(1, 2, 2), real);

    let model: T5 = drawn(&t5_tiny(Activation::Gelu));
    let memory = model.encode(embeds.clone(), mask([[0.0; 4]]));
    let all = model.logits(model.decode(embeds, visible, Some(&memory), None));
    assert!(params::floats(all).iter().all(|x| x.is_finite()));
}

/// Beams: rows of cache and memory are taken together.
#[test]
fn selected_rows_go_on_alike() {
    let model: T5 = drawn(&t5_tiny(Activation::Gelu));
    let device = Device::default();
    let memory =
        model.encode(conform::sample("x", [2, 3, 8], &device), mask([[1.0; 3], [1.0, 1.0, 0.0]]));
    let step = |memory: &EncoderOutput, cache: &mut Cache, id: Tensor<2, Int>| {
        let [rows, _] = id.dims();
        let seen = Tensor::ones([rows, cache.past() + 1], &device);
        model.logits(model.decode(model.embed(id), seen, Some(memory), Some(cache)))
    };
    let mut cache = Cache::default();
    step(&memory, &mut cache, ids([[0], [0]]));
    let rows = [1, 1, 0];
    let (chosen, mut beams) = (memory.select(&rows), cache.select(&rows));
    let selected = step(&chosen, &mut beams, ids([[4], [5], [4]]));
    let plain = step(&memory, &mut cache, ids([[4], [4]]));
    conform::assert_close(
        "row 1 as beam 0",
        selected.clone().narrow(0, 0, 1),
        plain.clone().narrow(0, 1, 1),
    );
    conform::assert_close("row 0 as beam 2", selected.narrow(0, 2, 1), plain.narrow(0, 0, 1));
}

#[test]
fn published_sizes() {
    let opt = |hidden_size, ffn_dim| OptConfig {
        vocab_size: 50272,
        hidden_size,
        num_hidden_layers: 32,
        num_attention_heads: 32,
        ffn_dim,
        max_position_embeddings: 2048,
        ..opt_tiny()
    };
    let t5 = |d_model, num_heads, d_ff| T5Config {
        vocab_size: 32128,
        d_model,
        d_kv: 64,
        d_ff,
        num_layers: 24,
        num_heads,
        ..t5_tiny(Activation::Gelu)
    };
    let shapes = [
        (Opt::describe(&opt(2560, 10240)).unwrap(), 2_651_596_800, 2560),
        (Opt::describe(&opt(4096, 16384)).unwrap(), 6_658_473_984, 4096),
        (T5::describe(&t5(2048, 32, 5120)).unwrap(), 2_849_757_184, 2048),
        (T5::describe(&t5(4096, 64, 10240)).unwrap(), 11_135_332_352, 4096),
    ];
    for (shape, params, width) in shapes {
        assert_eq!((shape.cost.params, shape.width), (params, width));
        // Two per matrix element; what is left out (tables, norms, biases) is below a twentieth.
        let share = shape.cost.flops as f64 / (2 * params) as f64;
        assert!((0.95..=1.0).contains(&share), "flops are {share} of twice the parameters");
    }
    assert_eq!(Opt::describe(&opt(2560, 10240)).unwrap().kind, LanguageKind::DecoderOnly);
    assert!(Opt::describe(&OptConfig { num_attention_heads: 3, ..opt_tiny() }).is_err());
    let few = T5Config { relative_attention_num_buckets: 2, ..t5_tiny(Activation::Gelu) };
    assert!(T5::describe(&few).is_err());
}

#[test]
fn dropout_acts_in_a_scope_only() {
    let embeds = conform::sample("x", [1, 4, 8], &Device::default());
    let ones = || Tensor::<2>::ones([1, 4], &Device::default());
    let scoped = |run: &dyn Fn() -> Vec<f32>| noise::scope(Stream::new(1, "dropout", 0), run);
    let opt: Opt = drawn(&OptConfig { dropout: 0.5, ..opt_tiny() });
    let opt_off: Opt = drawn(&opt_tiny());
    let run = |model: &Opt| params::floats(model.decode(embeds.clone(), ones(), None, None));
    assert_eq!(run(&opt), run(&opt_off));
    assert_ne!(scoped(&|| run(&opt)), run(&opt));
    assert_eq!(scoped(&|| run(&opt)), scoped(&|| run(&opt)));
    let t5: T5 = drawn(&T5Config { dropout: 0.5, ..t5_tiny(Activation::Gelu) });
    let t5_off: T5 = drawn(&t5_tiny(Activation::Gelu));
    let run = |model: &T5| {
        let memory = model.encode(embeds.clone(), ones());
        params::floats(model.decode(embeds.clone(), ones(), Some(&memory), None))
    };
    assert_eq!(run(&t5), run(&t5_off));
    assert_ne!(scoped(&|| run(&t5)), run(&t5));
    assert_eq!(scoped(&|| run(&t5)), scoped(&|| run(&t5)));
}

/// Untrained models predict about evenly: what pre-training of the small models starts from.
#[test]
fn fresh_models_start_near_uniform() {
    let device = Device::default();
    let mut stream = Stream::new(3, "ids", 0);
    let drawn: Vec<i32> = (0..64).map(|_| (stream.next_u64() % 97) as i32).collect();
    let text = Tensor::<2, Int>::from_data(TensorData::new(drawn.clone(), [4, 16]), &device);
    let targets: Vec<_> = (0..4).flat_map(|row| (0..15).map(move |at| (row, at))).collect();
    let targets: Vec<_> =
        targets.into_iter().map(|(row, at)| (row, at, drawn[row * 16 + at + 1] as usize)).collect();
    let uniform = libm::logf(97.0);

    let config = OptConfig {
        vocab_size: 97,
        hidden_size: 64,
        num_attention_heads: 4,
        ffn_dim: 128,
        ..opt_tiny()
    };
    let model = params::initialise(Opt::build(&config, &device), 1, opt::init);
    let logits = model.logits(model.decode(
        model.embed(text.clone()),
        Tensor::ones([4, 16], &device),
        None,
        None,
    ));
    let opt = loss(&logits, &targets);
    assert!((opt - uniform).abs() < 0.2, "OPT starts at {opt}, even odds are {uniform}");

    for tie_word_embeddings in [false, true] {
        let config = T5Config {
            vocab_size: 97,
            d_model: 64,
            d_kv: 16,
            num_heads: 4,
            tie_word_embeddings,
            scale_decoder_outputs: None,
            ..t5_tiny(Activation::Gelu)
        };
        let model =
            params::initialise(T5::build(&config, &device), 1, |info| t5::init(&config, info));
        let ones = Tensor::ones([4, 16], &device);
        let memory = model.encode(model.embed(text.clone()), ones.clone());
        let logits =
            model.logits(model.decode(model.embed(text.clone()), ones, Some(&memory), None));
        let start = loss(&logits, &targets);
        assert!(start < uniform + 1.5, "T5 starts at {start}, even odds are {uniform}");
    }
}
