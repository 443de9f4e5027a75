//! The loop: a run that was stopped and resumed is the run that was not.

use super::{captions, noise_features, qformer, tiny_qformer, weights};
use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use toolkit_core::params::Values;
use toolkit_core::{AnyBridge, TextSpecialTokens, noise};
use toolkit_models::bridge::QFormerConfig;
use toolkit_system::problem::Problem;
use toolkit_train::TrainError;
use toolkit_train::checkpoint::Checkpoint;
use toolkit_train::fit::{FitConfig, MetricLine, Objective, Saves, StepFlops, StepLoss, fit};
use toolkit_train::optim::OptimConfig;
use toolkit_train::order::Order;
use toolkit_train::schedule::Schedule;
use toolkit_train::source::{Cached, encoded};
use toolkit_train::stage1::{Corpus, GatherGrad, LossWeights, Stage1, Stage1Settings, builtin};

pub const STEPS: u64 = 6;

#[derive(Module, Debug)]
pub struct Toy {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Toy {
    /// Returns a loss.
    pub fn sum(&self) -> Tensor<1> {
        self.weight.val().sum() + self.bias.val().sum()
    }
}

pub fn toy(width: usize) -> Toy {
    let device = Device::default().autodiff();
    let data: Vec<f32> = (0..3 * width).map(|i| libm::sinf(i as f32)).collect();
    Toy {
        weight: Param::initialized(
            ParamId::new(),
            Tensor::from_data(TensorData::new(data, [3, width]), &device).require_grad(),
        ),
        bias: Param::initialized(ParamId::new(), Tensor::zeros([width], &device).require_grad()),
    }
}

/// A loss with dropout that depends on the step; at `bad` it is no number, at `broken` data cannot
/// be read.
#[derive(Default)]
pub struct Pull {
    pub bad: Option<u64>,
    pub broken: Option<u64>,
}

impl Objective<Toy> for Pull {
    fn step(&mut self, model: &Toy, step: u64) -> Result<StepLoss, TrainError> {
        if self.broken == Some(step) {
            return Err(Problem::new("unreadable").into());
        }
        let x = noise::dropout(model.weight.val(), 0.3) - libm::cos(step as f64);
        let loss = (x.clone() * x).mean() + (model.bias.val() - step as f64).powi_scalar(2).mean();
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let value = if self.bad == Some(step) { f64::NAN } else { value };
        let metrics = vec![("loss".to_owned(), value), ("loss_part".to_owned(), value / 3.0)];
        let grads = GradientsParams::from_grads(loss.backward(), model);
        let samples = vec![step as usize * 2, step as usize * 2 + 1];
        Ok(StepLoss { grads, metrics, samples, images: 2, tokens: 8, waited: Duration::ZERO })
    }
}

pub fn config(save_seconds: u64) -> FitConfig {
    let schedule = Schedule::cosine(0.1, 0.01, 2);
    let (saves, flops) = (Saves::every(save_seconds), StepFlops::default());
    FitConfig { steps: STEPS, schedule, optim: OptimConfig::default(), seed: 3, saves, flops }
}

pub fn train(
    dir: &Path,
    save_seconds: u64,
    objective: &mut Pull,
    stop: Option<u64>,
) -> Result<Toy, TrainError> {
    fit(
        &config(save_seconds),
        toy(4),
        objective,
        dir,
        &mut [&mut |step: u64, _: &Toy| {
            if stop == Some(step) { Err(Problem::new("stopped").into()) } else { Ok(()) }
        }],
    )
}

fn metrics(dir: &Path) -> Vec<u8> {
    std::fs::read(dir.join("metrics.jsonl")).unwrap()
}

pub fn straight() -> (Vec<u8>, BTreeMap<String, Values>) {
    let dir = tempfile::tempdir().unwrap();
    let model = train(dir.path(), 1000, &mut Pull::default(), None).unwrap();
    (metrics(dir.path()), weights(&model))
}

#[test]
fn an_uninterrupted_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    let start = weights(&toy(4));
    let run = |seen: &mut Vec<(u64, bool)>| {
        fit(
            &config(1000),
            toy(4),
            &mut Pull::default(),
            dir.path(),
            &mut [&mut |step: u64, model: &Toy| {
                seen.push((step, weights(model) == start));
                Ok(())
            }],
        )
    };
    let model = run(&mut seen).unwrap();
    assert_eq!(seen, (0..=STEPS).map(|s| (s, s == 0)).collect::<Vec<_>>());
    let lines: Vec<MetricLine> = String::from_utf8(metrics(dir.path()))
        .unwrap()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.iter().map(|l| l.step).collect::<Vec<_>>(), (0..STEPS).collect::<Vec<_>>());
    let rates: Vec<f64> = (0..STEPS).map(|s| config(0).schedule.rate(s, STEPS)).collect();
    assert_eq!(lines.iter().map(|l| l.rate).collect::<Vec<_>>(), rates);
    assert!(lines.iter().all(|l| l.metrics.keys().eq(["loss", "loss_part"]) && l.grad_norm > 0.0));
    let saved = Checkpoint::load(dir.path()).unwrap().unwrap();
    assert_eq!((saved.step, saved.updates), (STEPS, STEPS));
    assert_eq!(saved.weights(dir.path()).unwrap(), weights(&model));
    // Running again trains nothing and gives the same.
    let (before, mut again) = (metrics(dir.path()), Vec::new());
    assert_eq!(weights(&run(&mut again).unwrap()), weights(&model));
    assert_eq!((again, metrics(dir.path())), (vec![(STEPS, false)], before));
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one() {
    let (lines, last) = straight();
    // 0: a checkpoint after every step; 1000: none before the end.
    for save_seconds in [0, 1000] {
        for stop in 0..=STEPS {
            let dir = tempfile::tempdir().unwrap();
            train(dir.path(), save_seconds, &mut Pull::default(), Some(stop)).unwrap_err();
            let held = Checkpoint::load(dir.path()).unwrap().map(|saved| saved.step);
            let expected = (save_seconds == 0 && stop > 0).then_some(stop.min(STEPS - 1));
            assert_eq!(held, expected, "stopped at {stop}");
            let model = train(dir.path(), save_seconds, &mut Pull::default(), None).unwrap();
            assert!(metrics(dir.path()) == lines, "metrics differ when stopped at {stop}");
            assert_eq!(weights(&model), last, "stopped at {stop}");
            let files = std::fs::read_dir(dir.path()).unwrap().count();
            assert_eq!(files, 5, "manifest, weights, state, metrics and timing");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_number_of_stops(stops in proptest::collection::vec((0..=STEPS, any::<bool>(), any::<bool>()), 0..5), torn in "[ -~]{0,20}") {
        let (lines, last) = straight();
        let dir = tempfile::tempdir().unwrap();
        for (stop, often, in_objective) in stops {
            let (mut objective, at) = if in_objective { (Pull { broken: Some(stop), bad: None }, None) } else { (Pull::default(), Some(stop)) };
            // A step that is done already is not stopped at.
            let _ = train(dir.path(), if often { 0 } else { 1000 }, &mut objective, at);
            let mut text = std::fs::read(dir.path().join("metrics.jsonl")).unwrap();
            text.extend(format!("{{\"step\":0,{torn}").bytes());
            std::fs::write(dir.path().join("metrics.jsonl"), text).unwrap();
        }
        let model = train(dir.path(), 0, &mut Pull::default(), None).unwrap();
        prop_assert!(metrics(dir.path()) == lines);
        prop_assert_eq!(weights(&model), last);
    }
}

#[test]
fn stage_1_with_dropout_resumes_too() {
    let features = noise_features(9);
    let captions = captions(9, 20, &[1], &[2]);
    let corpus = Corpus { captions: &captions, vocab: 20, smoothing: 0.1, batch: 4 };
    let train = |dir: &Path, accumulate, stop| {
        let bridge = qformer(
            &QFormerConfig { dropout: 0.1, ..tiny_qformer() },
            &Device::default().autodiff(),
        );
        let mut objective = Stage1 {
            source: Box::new(Cached::new(
                features.clone(),
                encoded(captions.clone()),
                Order::new(4, "stage1/order", 9, 4),
            )),
            losses: LossWeights::default().select(builtin(), &corpus),
            settings: Stage1Settings {
                special_tokens: TextSpecialTokens { pad: 0, cls: 1, sep: 2, dec: 3 },
                smoothing: 0.1,
                gather_grad: GatherGrad::Full,
            },
            accumulate,
            seed: 4,
            device: Device::default().autodiff(),
        };
        fit(
            &config(0),
            AnyBridge::new(bridge),
            &mut objective,
            dir,
            &mut [&mut |step: u64, _: &AnyBridge| {
                if Some(step) == stop { Err(Problem::new("stopped").into()) } else { Ok(()) }
            }],
        )
    };
    for accumulate in [1, 2] {
        let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let expected = train(whole.path(), accumulate, None).unwrap();
        assert!(train(parts.path(), accumulate, Some(3)).is_err());
        let resumed = train(parts.path(), accumulate, None).unwrap();
        assert_eq!(weights(&resumed), weights(&expected));
        assert!(metrics(parts.path()) == metrics(whole.path()));
    }
}
