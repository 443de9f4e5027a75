//! Training: one loop for every stage, the objectives of BLIP-2, optimiser, schedule, checkpoints.
//!
//! A run that was killed and resumed ends with the same bits as one that was not: a step is a pure
//! function of the model, the optimiser's state and the step number.
//!
//! | Module | Purpose |
//! |---|---|
//! | [`fit`] | training loop, [`fit::Objective`], [`fit::Observer`] |
//! | [`stage1`] | stage 1: ITC, ITM, ITG (BLIP-2, section 3.1) |
//! | [`stage2`] | stage 2: a frozen language model behind soft prefixes (section 3.2) |
//! | [`pretrain`] | backbones of the nano tier |
//! | [`losses`] | cross-entropies |
//! | [`optim`] | AdamW, clipping by the global norm |
//! | [`schedule`] | learning rate by step |
//! | [`order`] | samples of each step |
//! | [`source`] | samples of each step: cached features, or pictures encoded in the step |
//! | [`features`] | cached features of the frozen image encoder |
//! | [`alerts`] | conditions that somebody should look at |
//! | [`checkpoint`] | checkpoints that survive a kill |
//! | [`log`] | `metrics.jsonl` |
//!
//! # Example
//!
//! Regression, by an objective of one's own:
//!
//! ```
//! use burn::optim::GradientsParams;
//! use burn::tensor::{Device, Tensor};
//! use std::time::Duration;
//! use toolkit_models::layers::Linear;
//! use toolkit_train::TrainError;
//! use toolkit_train::fit::{FitConfig, MetricLine, Objective, Saves, StepFlops, StepLoss, fit};
//! use toolkit_train::optim::OptimConfig;
//! use toolkit_train::schedule::Schedule;
//!
//! struct Regression {
//!     x: Tensor<2>,
//!     y: Tensor<2>,
//! }
//!
//! impl Objective<Linear> for Regression {
//!     fn step(&mut self, model: &Linear, _: u64) -> Result<StepLoss, TrainError> {
//!         let error = model.forward(self.x.clone()) - self.y.clone();
//!         let loss = error.powi_scalar(2).mean();
//!         let metrics = vec![("loss".to_owned(), f64::from(loss.clone().into_scalar::<f32>()))];
//!         let grads = GradientsParams::from_grads(loss.backward(), model);
//!         let (samples, waited) = (vec![0, 1], Duration::ZERO);
//!         Ok(StepLoss { grads, metrics, samples, images: 2, tokens: 0, waited })
//!     }
//! }
//!
//! let device = Device::flex().autodiff();
//! let x = Tensor::from_data([[1.0, 0.0], [0.0, 1.0]], &device);
//! let y = Tensor::from_data([[1.0], [-1.0]], &device);
//! let schedule = Schedule::cosine(0.1, 0.0, 2);
//! let optim = OptimConfig::default();
//! let (saves, flops) = (Saves::default(), StepFlops::default());
//! let config = FitConfig { steps: 20, schedule, optim, seed: 1, saves, flops };
//! let dir = tempfile::tempdir()?;
//! let model = Linear::new(2, 1, &device);
//! fit(&config, model, &mut Regression { x, y }, dir.path(), &mut [])?;
//!
//! let log = std::fs::read_to_string(dir.path().join("metrics.jsonl"))?;
//! let lines = log.lines().map(serde_json::from_str).collect::<Result<Vec<MetricLine>, _>>()?;
//! assert_eq!(lines.len(), 20);
//! assert!(lines[19].metrics["loss"] < lines[0].metrics["loss"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod alerts;
pub mod checkpoint;
mod error;
pub mod features;
pub mod fit;
pub mod log;
pub mod losses;
pub mod optim;
pub mod order;
pub mod pretrain;
pub mod schedule;
pub mod source;
pub mod stage1;
pub mod stage2;
mod text;

pub use error::TrainError;
