//! AdamW against PyTorch's formulas, written out in double precision.

use super::weights;
use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use toolkit_core::Bridge;
use toolkit_core::params::{self, floats};
use toolkit_models::bridge::QFormer;
use toolkit_train::optim::{AdamW, OptimConfig, decays, global_norm};

#[derive(Module, Debug)]
struct Parts {
    matrix: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
    query_tokens: Param<Tensor<3>>,
}

const START: [f64; 8] = [1.0, -2.0, 0.5, 3.0, 0.25, -0.75, 2.0, -1.5];
/// `true` where an element of the flattened parts decays: in the matrix and the queries, not in
/// the bias.
const DECAYS: [bool; 8] = [true, true, true, true, false, false, true, true];

fn parts(device: &Device) -> Parts {
    let leaf = |values: &[f64]| {
        TensorData::new(values.iter().map(|&x| x as f32).collect::<Vec<_>>(), [values.len()])
    };
    let tensor = |values: &[f64]| Tensor::<1>::from_data(leaf(values), device);
    Parts {
        matrix: Param::initialized(ParamId::new(), tensor(&START[..4]).reshape([2, 2])),
        bias: Param::initialized(ParamId::new(), tensor(&START[4..6])),
        query_tokens: Param::initialized(ParamId::new(), tensor(&START[6..]).reshape([1, 2, 1])),
    }
}

fn flat(parts: &Parts) -> Vec<f32> {
    [floats(parts.matrix.val()), floats(parts.bias.val()), floats(parts.query_tokens.val())]
        .concat()
}

fn grads(parts: &Parts, values: &[f64]) -> GradientsParams {
    let device = Device::default();
    let tensor = |v: &[f64]| {
        Tensor::<1>::from_data(
            TensorData::new(v.iter().map(|&x| x as f32).collect::<Vec<_>>(), [v.len()]),
            &device,
        )
    };
    let mut grads = GradientsParams::new();
    grads.register(parts.matrix.id, tensor(&values[..4]).reshape([2, 2]));
    grads.register(parts.bias.id, tensor(&values[4..6]));
    grads.register(parts.query_tokens.id, tensor(&values[6..]).reshape([1, 2, 1]));
    grads
}

fn gradient(step: usize) -> Vec<f64> {
    (0..8)
        .map(|i| libm::sin(1.3 * i as f64 + 2.1 * step as f64) * if i == 5 { 1e-3 } else { 1.0 })
        .collect()
}

/// `torch.optim.AdamW` after `torch.nn.utils.clip_grad_norm_`.
fn torch(config: &OptimConfig, rates: &[f64]) -> Vec<f64> {
    let [beta1, beta2] = config.betas;
    let (mut x, mut m, mut v) = (START.to_vec(), [0.0; 8], [0.0; 8]);
    for (t, rate) in rates.iter().enumerate() {
        let mut g = gradient(t);
        let norm = g.iter().map(|x| x * x).sum::<f64>().sqrt();
        let scale = if config.clip > 0.0 { (config.clip / (norm + 1e-6)).min(1.0) } else { 1.0 };
        g.iter_mut().for_each(|x| *x *= scale);
        // The root mean square of each of the three tensors, before the update.
        let scale = |range: std::ops::Range<usize>| {
            let square: f64 = x[range.clone()].iter().map(|x| x * x).sum();
            if config.relative_step { (square / range.len() as f64).sqrt() } else { 1.0 }
        };
        let scales = [scale(0..4), scale(4..6), scale(6..8)];
        for i in 0..8 {
            let rate = rate * scales[[0, 0, 0, 0, 1, 1, 2, 2][i]];
            let decay = 1.0 - rates[t] * config.weight_decay;
            if DECAYS[i] {
                x[i] *= decay;
            }
            m[i] = beta1 * m[i] + (1.0 - beta1) * g[i];
            v[i] = beta2 * v[i] + (1.0 - beta2) * g[i] * g[i];
            let bias1 = 1.0 - beta1.powi(t as i32 + 1);
            let bias2 = 1.0 - beta2.powi(t as i32 + 1);
            x[i] -= rate / bias1 * m[i] / (v[i].sqrt() / bias2.sqrt() + config.eps);
        }
    }
    x
}

#[test]
fn three_steps_are_those_of_torch() {
    assert_eq!(OptimConfig::default().clip, 0.0, "neither the paper nor LAVIS clips");
    let base = OptimConfig { clip: 1.0, ..OptimConfig::default() };
    let configs = [
        base.clone(),
        OptimConfig::default(),
        OptimConfig { clip: 1e9, ..base.clone() },
        OptimConfig { weight_decay: 0.0, ..base.clone() },
        // Large, so that it matters where it is added.
        OptimConfig { eps: 0.1, weight_decay: 0.5, clip: 0.3, ..base.clone() },
        OptimConfig { betas: [0.5, 0.7], ..base.clone() },
        OptimConfig { relative_step: true, ..base },
    ];
    for (config, device) in
        configs.iter().flat_map(|c| [(c, Device::default()), (c, Device::default().autodiff())])
    {
        let rates = [0.1, 0.05, 0.2];
        let mut model = parts(&device);
        let mut optim = AdamW::new(config.clone(), &model);
        for (t, rate) in rates.iter().enumerate() {
            let given = grads(&model, &gradient(t));
            let norm = gradient(t).iter().map(|x| x * x).sum::<f64>().sqrt();
            assert!(
                (f64::from(global_norm(&model, &given)) - norm).abs() < 1e-5,
                "the norm is over all tensors"
            );
            let before = model.clone();
            let (next, reported) = optim.step(model, given, *rate);
            assert!(
                (f64::from(reported) - norm).abs() < 1e-5,
                "the norm before clipping is reported"
            );
            assert_eq!(
                (next.matrix.id, next.matrix.is_require_grad()),
                (before.matrix.id, before.matrix.is_require_grad())
            );
            model = next;
        }
        let expected: Vec<f32> = torch(config, &rates).iter().map(|&x| x as f32).collect();
        super::check(&format!("{config:?}"), &flat(&model), &expected, 2e-6);
    }
    // One number by hand: 1 - 0.1 * 0.05 decayed, minus the rate, because the first step is the
    // gradient's sign.
    let model = parts(&Device::default());
    let mut optim = AdamW::new(OptimConfig::default(), &model);
    let given = grads(&model, &[1.0; 8]);
    let (model, _) = optim.step(model, given, 0.1);
    assert!((flat(&model)[0] - 0.895).abs() < 1e-6 && (flat(&model)[4] - 0.15).abs() < 1e-6);
}

#[test]
fn parameters_without_a_gradient_stay() {
    let model = parts(&Device::default());
    let mut optim = AdamW::new(OptimConfig { weight_decay: 0.9, ..OptimConfig::default() }, &model);
    let mut given = grads(&model, &gradient(0));
    given.remove::<2>(model.matrix.id);
    let (next, _) = optim.step(model, given, 0.1);
    assert_eq!(flat(&next)[..4], START.map(|x| x as f32)[..4]);
    assert_ne!(flat(&next)[6..], START.map(|x| x as f32)[6..]);
}

#[test]
fn gradients_that_are_no_numbers_change_nothing() {
    for bad in [f64::NAN, f64::INFINITY] {
        let model = parts(&Device::default());
        let mut optim = AdamW::new(OptimConfig::default(), &model);
        let mut values = gradient(0);
        values[5] = bad;
        let given = grads(&model, &values);
        let (next, norm) = optim.step(model, given, 0.1);
        assert!(!norm.is_finite());
        assert_eq!(flat(&next), START.map(|x| x as f32));
        assert_eq!(optim.export(&next).1, 0, "no update is counted");
        assert!(optim.export(&next).0.is_empty());
    }
}

#[test]
fn decay_groups_of_a_qformer() {
    let model = QFormer::build(&super::tiny_qformer(), &super::vision(5, 6), &Device::default());
    for info in params::list(&model) {
        let vector = info.name.ends_with("bias")
            || info.name.contains("norm")
            || info.name.contains("ln_vision")
            || info.name == "temp";
        assert_eq!(decays(&info), !vector, "{} {:?}", info.name, info.shape);
    }
    let mut info =
        params::list(&model).into_iter().find(|info| info.name == "query_tokens").unwrap();
    assert!(decays(&info));
    info.name = "some.bias".to_owned();
    assert!(!decays(&info), "a bias is one whatever its rank");
}

#[test]
fn state_round_trip() {
    let device = Device::default().autodiff();
    let run = |steps: std::ops::Range<usize>, mut model: Parts, optim: &mut AdamW| {
        for t in steps {
            let given = grads(&model, &gradient(t));
            model = optim.step(model, given, 0.1).0;
        }
        model
    };
    let config = OptimConfig::default();
    let start = parts(&device);
    let mut whole = AdamW::new(config.clone(), &start);
    let mut first = AdamW::new(config.clone(), &start);
    let straight = run(0..6, start.clone(), &mut whole);
    let model = run(0..3, start, &mut first);
    let (state, steps) = first.export(&model);
    assert_eq!((state.len(), steps), (6, 3));
    let mut second = AdamW::new(config.clone(), &model);
    second.import(&model, state.clone(), steps).unwrap();
    let resumed = run(3..6, model.clone(), &mut second);
    assert_eq!(weights(&resumed), weights(&straight));
    assert_eq!(second.export(&resumed), whole.export(&straight));

    let mut foreign = state.clone();
    foreign.insert("first.other".to_owned(), state["first.bias"].clone());
    assert_eq!(
        AdamW::new(config.clone(), &model).import(&model, foreign, 3),
        Err("first.other".to_owned())
    );
    let mut other_size = state.clone();
    other_size.get_mut("second.bias").unwrap().data.push(0.0);
    // Moments go in pairs, so the sound one of a pair is left over too.
    assert_eq!(
        AdamW::new(config.clone(), &model).import(&model, other_size, 3),
        Err("first.bias".to_owned())
    );
    let mut half = state;
    half.remove("second.matrix");
    assert_eq!(AdamW::new(config, &model).import(&model, half, 3), Err("first.matrix".to_owned()));
}
