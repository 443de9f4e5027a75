//! DINOv2, Llama and EVA against transformers 4.57.1, EfficientNet-Lite0 against plain PyTorch
//! (`tests/fixtures/make_families.py`), and all of them against the contract.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde_json::Value;
use toolkit_core::params::{self, Values, floats};
use toolkit_core::published::Corners;
use toolkit_core::{Cache, LanguageModel, VisionEncoder, conform};
use toolkit_models::language::llama::{Llama, LlamaConfig};
use toolkit_models::vision::dinov2::{Dinov2, Dinov2Config};
use toolkit_models::vision::efficientnet::{EfficientNetLite, EfficientNetLiteConfig, Features};
use toolkit_models::vision::eva::{Eva, EvaConfig};
use toolkit_models::vision::position::resize_grid;

const FAMILIES: &str = include_str!("../../../tests/fixtures/families.json");
const GOLDENS: &str = include_str!("../../../tests/fixtures/blip2_goldens.json");

fn expected(part: &str, name: &str) -> Vec<f32> {
    let all: Value = serde_json::from_str(FAMILIES).unwrap();
    numbers(&all[part][name])
}

fn numbers(list: &Value) -> Vec<f32> {
    list.as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect()
}

/// The fixtures' rule; see `make_families.py`.
fn filled(name: &str, shape: &[usize]) -> Vec<f32> {
    let shift = f64::from(name.bytes().map(u32::from).sum::<u32>() % 97);
    let ones = ["norm.weight", "norm1.weight", "norm2.weight", "running_var", "lambda1"];
    let one = ones.iter().any(|end| name.ends_with(end))
        || (name.contains("_bn") && name.ends_with(".weight"));
    let base = if one { 1.0 } else { 0.0 };
    (0..shape.iter().product())
        .map(|i: usize| (base + 0.1 * libm::sin(0.7 * i as f64 + shift)) as f32)
        .collect()
}

/// `module` filled by the rule under its names, changed where `change` says so.
fn fill<M: Module>(module: M, change: impl Fn(&str, Vec<f32>) -> Vec<f32>) -> M {
    params::map(module, |info| {
        let data = change(&info.name, filled(&info.name, &info.shape));
        Some(Values { shape: info.shape.clone(), data })
    })
}

fn wave<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    let all: Vec<f32> =
        (0..shape.iter().product()).map(|i: usize| libm::cos(0.3 * i as f64) as f32).collect();
    Tensor::from_data(TensorData::new(all, shape), &Device::flex())
}

#[track_caller]
fn close(ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    let apart = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart <= 1e-4 * largest, "{apart} of {largest}");
}

fn dinov2(layers: usize, final_norm: bool) -> Dinov2Config {
    Dinov2Config {
        image_size: 12,
        patch_size: 4,
        hidden_size: 8,
        num_hidden_layers: layers,
        num_attention_heads: 2,
        mlp_ratio: 2,
        layer_norm_eps: 1e-6,
        final_norm,
    }
}

#[test]
fn dinov2_is_that_of_transformers() {
    // Its table is of 5 x 5 places and is resized to the picture's 3 x 3, as a reader does when it
    // loads one.
    let table = filled("embeddings.position_embeddings", &[1, 26, 8]);
    let grid = resize_grid(&table[8..], 8, 5, 3, Corners::Edges);
    let positions = [&table[..8], &grid].concat();
    close(&positions, &expected("dinov2", "positions"));
    let small = filled("embeddings.position_embeddings", &[1, 5, 8]);
    let larger = [&small[..8], &resize_grid(&small[8..], 8, 2, 3, Corners::Edges)].concat();
    close(&larger, &expected("dinov2", "larger"));
    let encode = |config: Dinov2Config| {
        let model = fill(Dinov2::build(&config, &Device::flex()), |name, data| match name {
            "embeddings.position_embeddings" => positions.clone(),
            _ => data,
        });
        floats(model.encode(wave([1, 3, 12, 12])))
    };
    close(&encode(dinov2(3, true)), &expected("dinov2", "last"));
    close(&encode(dinov2(2, false)), &expected("dinov2", "block_2"));
}

#[test]
fn efficientnet_is_that_of_pytorch() {
    // 45 pixels are odd at every halving, where SAME padding is not symmetric.
    for side in [45, 64] {
        let part = format!("efficientnet_{side}");
        for (features, name, step) in [(Features::Last, "last", 16), (Features::Head, "head", 64)] {
            let config = EfficientNetLiteConfig {
                image_size: side,
                features,
                ..EfficientNetLiteConfig::default()
            };
            let model = fill(EfficientNetLite::build(&config, &Device::flex()), |_, data| data);
            let tokens = model.encode(wave([1, 3, side, side]));
            let [_, count, width] = tokens.dims();
            let shape = EfficientNetLite::describe(&config).unwrap();
            assert_eq!((count, width), (shape.tokens, shape.width));
            let some: Vec<f32> = floats(tokens)
                .chunks(width)
                .flat_map(|row| row.iter().step_by(step).copied())
                .collect();
            close(&some, &expected(&part, name));
        }
    }
}

fn llama(tied: bool, interleaved: bool) -> LlamaConfig {
    let text = format!(
        r#"{{"vocab_size": 13, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32, "rope_theta": 100.0, "rms_norm_eps": 1e-5, "tie_word_embeddings": {tied}, "interleaved": {interleaved}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

/// One head of keys for all queries, and heads that do not fill the width.
fn llama_heads(interleaved: bool) -> LlamaConfig {
    LlamaConfig { num_key_value_heads: Some(1), head_dim: Some(6), ..llama(false, interleaved) }
}

/// Rows of a query or key matrix as llama.cpp orders them: of each head, the two that are rotated
/// together side by side.
fn interleaved(data: &[f32], heads: usize) -> Vec<f32> {
    let head = data.len() / 16 / heads;
    let row = |h: usize, at: usize| {
        let from = h * head + (at % 2) * head / 2 + at / 2;
        data[from * 16..(from + 1) * 16].to_vec()
    };
    (0..heads).flat_map(|h| (0..head).flat_map(move |at| row(h, at))).collect()
}

fn build(config: &LlamaConfig) -> Llama {
    fill(Llama::build(config, &Device::flex()), |name, data| match (config.interleaved, name) {
        (true, name) if name.contains("q_proj") => interleaved(&data, config.num_attention_heads),
        (true, name) if name.contains("k_proj") => {
            interleaved(&data, config.num_key_value_heads.unwrap())
        }
        _ => data,
    })
}

fn ids(rows: &[&[i32]]) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::new(rows.concat(), [rows.len(), rows[0].len()]), &Device::flex())
}

#[test]
fn llama_is_that_of_transformers_in_both_layouts() {
    type Form = (&'static str, fn(bool) -> LlamaConfig);
    let forms: [Form; 3] = [
        ("llama_tied", |i| llama(true, i)),
        ("llama", |i| llama(false, i)),
        ("llama_heads", llama_heads),
    ];
    for (part, config) in forms {
        for permuted in [false, true] {
            let model = build(&config(permuted));
            let embeds = model.embed(ids(&[&[1, 5, 7, 3, 2], &[0, 0, 9, 4, 6]]));
            let mask = ids(&[&[1, 1, 1, 1, 1], &[0, 0, 1, 1, 1]]).float();
            let logits = model.logits(model.decode(embeds, mask, None, None));
            close(&floats(logits.clone().narrow(0, 0, 1)), &expected(part, "first"));
            close(&floats(logits.narrow(0, 1, 1).narrow(1, 2, 3)), &expected(part, "padded"));
        }
    }
}

#[test]
fn llama_with_a_cache_is_llama_without() {
    let model = build(&llama(true, true));
    let embeds = model.embed(ids(&[&[1, 5, 7, 3, 2], &[0, 0, 9, 4, 6]]));
    let mask = ids(&[&[1, 1, 1, 1, 1], &[0, 0, 1, 1, 1]]).float();
    let whole = floats(model.decode(embeds.clone(), mask.clone(), None, None).narrow(1, 2, 3));
    let mut cache = Cache::default();
    let step = |from: usize, count: usize, cache: &mut Cache| {
        let mask = mask.clone().narrow(1, 0, from + count);
        model.decode(embeds.clone().narrow(1, from, count), mask, None, Some(cache))
    };
    let first = step(0, 3, &mut cache).narrow(1, 2, 1);
    let parts = vec![first, step(3, 1, &mut cache), step(4, 1, &mut cache)];
    let more = Tensor::zeros([2, 2, 1, 4], &Device::flex());
    let (keys, _) = cache.extend(0, more.clone(), more);
    assert_eq!(keys.dims(), [2, 2, 6, 4], "keys are held once, not once for each query head");
    close(&floats(Tensor::cat(parts, 1)), &whole);
}

/// Two prompts of unlike length behind a soft prefix, the shorter padded on its left, then two
/// cached steps: what a batch of questions does. What stage 2 learns from: the gradient of a prefix
/// through the frozen model, against central differences. Five samples, so that attention takes the
/// path of a training batch.
#[test]
fn a_prefix_gets_its_gradient_through_llama() {
    for config in [llama(true, false), llama_heads(true)] {
        let model = build(&config);
        let (batch, tokens, width) = (5, 4, config.hidden_size);
        let values: Vec<f32> =
            (0..batch * tokens * width).map(|i| libm::sinf(0.37 * i as f32)).collect();
        let weights: Vec<f32> =
            (0..batch * tokens * width).map(|i| libm::cosf(0.73 * i as f32)).collect();
        let mut mask = vec![1.0_f32; batch * tokens];
        mask[tokens - 1] = 0.0;
        let tensor = |values: &[f32], device: &Device| {
            Tensor::<3>::from_data(TensorData::new(values.to_vec(), [batch, tokens, width]), device)
        };
        let loss = |embeds: Tensor<3>, model: &Llama| {
            let device = embeds.device();
            let mask =
                Tensor::<2>::from_data(TensorData::new(mask.clone(), [batch, tokens]), &device);
            (model.decode(embeds, mask, None, None) * tensor(&weights, &device)).sum()
        };
        let device = Device::flex().autodiff();
        let recorded = fill(Llama::build(&config, &device), |name, data| {
            params::export(&model).remove(name).map_or(data, |held| held.data)
        });
        let embeds = tensor(&values, &device).require_grad();
        let gradient = floats(embeds.grad(&loss(embeds.clone(), &recorded).backward()).unwrap());
        for at in (0..values.len()).step_by(17) {
            let step = 1e-2;
            let moved = |by: f32| {
                let mut values = values.clone();
                values[at] += by;
                f64::from(loss(tensor(&values, &Device::flex()), &model).into_scalar::<f32>())
            };
            let want = (moved(step) - moved(-step)) / f64::from(2.0 * step);
            assert!(
                (f64::from(gradient[at]) - want).abs() < 2e-2 * want.abs().max(0.1),
                "{at}: {} {want}",
                gradient[at]
            );
        }
    }
}

#[test]
fn a_left_padded_batch_of_llama_is_its_rows() {
    for config in [llama(true, false), llama_heads(true)] {
        let model = build(&config);
        let prefix = wave([2, 2, 16]);
        let run = |prefix: Tensor<3>,
                   text: Tensor<2, Int>,
                   mask: Tensor<2>,
                   next: [Tensor<2, Int>; 2]| {
            let [batch, tokens] = mask.dims();
            let (mut cache, mut seen) = (Cache::default(), mask);
            let embeds = Tensor::cat(vec![prefix, model.embed(text)], 1);
            let first = model.decode(embeds, seen.clone(), None, Some(&mut cache));
            let mut steps = vec![first.narrow(1, tokens - 1, 1)];
            for id in next {
                seen = Tensor::cat(vec![seen, Tensor::ones([batch, 1], &Device::flex())], 1);
                steps.push(model.decode(model.embed(id), seen.clone(), None, Some(&mut cache)));
            }
            floats(model.logits(Tensor::cat(steps, 1)))
        };
        let visible = ids(&[&[1, 1, 1, 1, 1, 1], &[1, 1, 0, 0, 1, 1]]).float();
        let text = ids(&[&[2, 5, 7, 3], &[0, 0, 2, 9]]);
        let both = run(prefix.clone(), text, visible, [ids(&[&[4], &[8]]), ids(&[&[6], &[10]])]);
        let ones = |n: usize| Tensor::ones([1, n], &Device::flex());
        let long = [ids(&[&[4]]), ids(&[&[6]])];
        let long = run(prefix.clone().narrow(0, 0, 1), ids(&[&[2, 5, 7, 3]]), ones(6), long);
        let short =
            run(prefix.narrow(0, 1, 1), ids(&[&[2, 9]]), ones(4), [ids(&[&[8]]), ids(&[&[10]])]);
        close(&both[..both.len() / 2], &long);
        close(&both[both.len() / 2..], &short);
        // What is hidden must matter if it is not: else this would hold of any mask.
        let seen = run(
            wave([2, 2, 16]),
            ids(&[&[2, 5, 7, 3], &[0, 0, 2, 9]]),
            Tensor::ones([2, 6], &Device::flex()),
            [ids(&[&[4], &[8]]), ids(&[&[6], &[10]])],
        );
        let apart = seen[both.len() / 2..]
            .iter()
            .zip(&short)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(apart > 1e-3, "{apart}");
    }
}

#[test]
fn eva_is_that_of_transformers() {
    let goldens: Value = serde_json::from_str(GOLDENS).unwrap();
    let golden = &goldens["encoders_and_llms"]["eva_tiny"];
    let config = EvaConfig {
        image_size: 8,
        patch_size: 4,
        hidden_size: 8,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 16,
        ..EvaConfig::default()
    };
    let names: Vec<&str> =
        golden["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let model = fill(Eva::build(&config, &Device::flex()), |name, data| {
        assert!(names.contains(&name), "{name} is no published name");
        data
    });
    // The published value is behind the norm that is the bridge's here.
    let device = Device::flex();
    let norm =
        |name: &str| Tensor::<1>::from_data(TensorData::new(filled(name, &[8]), [8]), &device);
    let features = model.encode(wave([1, 3, 8, 8]));
    let out = toolkit_kernels::layer_norm(
        features,
        norm("post_layernorm.weight"),
        norm("post_layernorm.bias"),
        1e-6,
    );
    close(&floats(out), &numbers(&golden["last_hidden_after_post_ln"]));
}

#[test]
fn position_tables_are_resized_as_each_source_does() {
    let goldens: Value = serde_json::from_str(GOLDENS).unwrap();
    // The input is `cos(0.3 i + 0.1)` of shape [1, 5, 2]; its rows behind the first are the grid.
    let table: Vec<f32> = (0..10).map(|i| libm::cos(0.3 * f64::from(i) + 0.1) as f32).collect();
    for (corners, key) in [(Corners::Edges, "False"), (Corners::Centres, "True")] {
        let golden = find(&goldens, &format!("pos_interp_2x2_to_3x3_align_corners_{key}")).unwrap();
        close(&resize_grid(&table[2..], 2, 2, 3, corners), &numbers(golden));
    }
    assert_eq!(resize_grid(&table[2..], 2, 2, 2, Corners::Edges), table[2..]);
}

#[test]
fn resized_tables_keep_what_they_must() {
    // A constant stays one everywhere, a plane where the border does not cut the kernel off.
    for corners in [Corners::Edges, Corners::Centres] {
        for (from, to) in [(1, 4), (2, 7), (16, 5), (5, 16)] {
            let flat = resize_grid(&vec![0.75; from * from * 3], 3, from, to, corners);
            assert_eq!(flat.len(), to * to * 3);
            assert!(flat.iter().all(|x| (x - 0.75).abs() < 1e-6));
            // Rows and columns are not confused: of a transposed grid the transposed one comes out.
            let grid: Vec<f32> = (0..from * from).map(|i| libm::sinf(1.7 * i as f32)).collect();
            let turned: Vec<f32> =
                (0..from * from).map(|i| grid[i % from * from + i / from]).collect();
            let (grid, turned) = (
                resize_grid(&grid, 1, from, to, corners),
                resize_grid(&turned, 1, from, to, corners),
            );
            assert!((0..to * to).all(|i| (grid[i] - turned[i % to * to + i / to]).abs() < 1e-6));
        }
    }
    let ramp: Vec<f32> = (0..36).map(|i| (i % 6) as f32).collect();
    let finer = resize_grid(&ramp, 1, 6, 11, Corners::Centres);
    assert!((2..9).all(|at| (finer[5 * 11 + at] - at as f32 / 2.0).abs() < 1e-5), "{finer:?}");
}

fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    let object = value.as_object()?;
    object.get(key).or_else(|| object.values().find_map(|inner| find(inner, key)))
}

#[test]
fn the_contracts_hold() {
    conform::vision::<Dinov2>(&dinov2(2, true));
    conform::vision::<Dinov2>(&dinov2(1, false));
    let eva = EvaConfig {
        image_size: 8,
        patch_size: 4,
        hidden_size: 8,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 16,
        ..EvaConfig::default()
    };
    conform::vision::<Eva>(&eva);
    conform::vision::<Eva>(&EvaConfig { qkv_bias: false, ..eva });
    conform::language::<Llama>(&llama(true, false));
    conform::language::<Llama>(&llama(false, true));
    conform::language::<Llama>(&llama_heads(true));
    conform::language::<Llama>(&LlamaConfig { num_key_value_heads: None, ..llama(true, false) });
}

/// The contract draws variances too, which must not be negative; so this is checked by the rule of
/// this file.
#[test]
fn efficientnet_counts_its_parameters_and_looks_at_pictures_one_by_one() {
    let lite0 = EfficientNetLiteConfig { image_size: 32, ..EfficientNetLiteConfig::default() };
    let lite2 =
        EfficientNetLiteConfig { image_size: 33, width: 1.1, depth: 1.2, features: Features::Last };
    for config in [lite0, lite2] {
        let model = fill(EfficientNetLite::build(&config, &Device::flex()), |_, data| data);
        assert_eq!(params::count(&model), EfficientNetLite::describe(&config).unwrap().cost.params);
        let pictures = wave([2, 3, config.image_size, config.image_size]);
        let both = floats(model.encode(pictures.clone()).narrow(0, 1, 1));
        close(&floats(model.encode(pictures.narrow(0, 1, 1))), &both);
    }
    // Gradients reach every weight; what is loaded is what was saved.
    let config = EfficientNetLiteConfig {
        image_size: 32,
        features: Features::Last,
        ..EfficientNetLiteConfig::default()
    };
    let device = Device::flex().autodiff();
    let model = fill(EfficientNetLite::build(&config, &device), |_, data| data);
    let pictures = Tensor::<4>::from_data(wave([1, 3, 32, 32]).into_data(), &device);
    let weights = Tensor::<3>::from_data(wave([1, 1, 320]).into_data(), &device);
    let loss = (model.encode(pictures) * weights).sum();
    let grads = burn::optim::GradientsParams::from_grads(loss.backward(), &model);
    assert_eq!(grads.len(), params::list(&model).len());
    let before = params::export(&model);
    let again = params::import(EfficientNetLite::build(&config, &device), before.clone());
    assert!(params::export(&again.unwrap_or_else(|(_, wrong)| panic!("{wrong:?}"))) == before);
    assert!(
        EfficientNetLite::describe(&EfficientNetLiteConfig {
            width: 0.0,
            ..EfficientNetLiteConfig::default()
        })
        .is_err()
    );
}
