//! The source of pictures that are decoded, augmented and encoded in the step.
//!
//! Threads read, decode and augment the pictures of the next steps and encode their captions. The
//! frozen encoder runs in the step that needs its features. They are rounded as a cache rounds
//! them, so that without augmentation both sources give the same bits.
//!
//! A sample that cannot be used is replaced by another, drawn with the seed and its position in
//! the training. It is named in `data.jsonl`.

use super::maker::{Loaded, Maker, Position};
use super::{DamageLine, DamageLog, Loader, Sample, Source, Texts};
use crate::TrainError;
use crate::features::ENCODED_TOGETHER;
use crate::order::Order;
use burn::tensor::{Device, Int, Tensor, TensorData};
use half::f16;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use toolkit_core::{AnyVision, noise, params};
use toolkit_data::{Augment, Dataset, Preprocess};
use toolkit_system::problem::Problem;

/// Number of steps that are prepared while one is computed.
const STEPS_AHEAD: u64 = 2;

/// Settings of a live source.
pub struct LiveConfig {
    /// Pictures and captions.
    pub dataset: Arc<dyn Dataset>,
    /// Token ids of the captions.
    pub texts: Texts,
    /// Frozen encoder, on a device without autodiff.
    pub encoder: AnyVision,
    /// Preparation of pixels.
    pub preprocess: Preprocess,
    /// Random changes of the pictures.
    pub augment: Augment,
    /// Samples of each step.
    pub order: Order,
    /// Seed of augmentation and replacements.
    pub seed: u64,
    /// Number of threads that prepare samples; 0 means one for each core.
    pub threads: usize,
    /// Largest share of samples that may be damaged.
    pub max_damaged: f64,
    /// Folder of the training, for `data.jsonl`.
    pub dir: PathBuf,
    /// Device of the encoder.
    pub device: Device,
}

/// Pictures that are decoded, augmented and encoded in the step.
pub struct Live {
    loader: Loader<Position, Result<Loaded, TrainError>>,
    dataset: Arc<dyn Dataset>,
    texts: Texts,
    encoder: AnyVision,
    side: usize,
    device: Device,
    batch: u64,
    state: Mutex<State>,
}

struct State {
    order: Order,
    damage: DamageLog,
    waited: Duration,
    /// Step of the samples below.
    step: Option<u64>,
    samples: Vec<Sample>,
    pixels: Vec<Vec<f32>>,
    /// Features of all samples, once they are asked for.
    features: Option<Tensor<3>>,
}

impl Live {
    /// Starts the threads of a live source.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub fn new(config: LiveConfig) -> Result<Self, TrainError> {
        let LiveConfig { dataset, texts, encoder, preprocess, order, device, .. } = config;
        let maker = Maker {
            dataset: dataset.clone(),
            texts: texts.clone(),
            preprocess,
            augment: config.augment,
            seed: config.seed,
        };
        let state = State {
            damage: DamageLog::new(&config.dir, config.max_damaged),
            waited: Duration::ZERO,
            step: None,
            samples: Vec::new(),
            pixels: Vec::new(),
            features: None,
            order,
        };
        Ok(Self {
            loader: Loader::new(config.threads, move |position| maker.load(*position))?,
            dataset,
            texts,
            encoder,
            side: preprocess.size as usize,
            device,
            batch: state.order.batch_size() as u64,
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the samples of a step, unless they are those of the present one.
    fn load(&self, step: u64) -> Result<MutexGuard<'_, State>, TrainError> {
        let mut state = self.state();
        if state.step == Some(step) {
            return Ok(state);
        }
        for ahead in step..=step + STEPS_AHEAD {
            if !self.loader.is_announced(ahead) {
                let first = ahead * self.batch;
                let visits = state.order.visits(ahead).into_iter().enumerate();
                let place = |(at, visit)| Position { position: first + at as u64, visit };
                self.loader.announce(ahead, visits.map(place).collect());
            }
        }
        let (loaded, waited) = self.loader.take(step)?;
        let loaded = loaded.into_iter().collect::<Result<Vec<_>, _>>()?;
        let lines = self.damage(step, &loaded);
        let state_now = &mut *state;
        state_now.waited += waited;
        state_now.damage.add(step, (step + 1) * self.batch, &lines)?;
        (state_now.samples, state_now.pixels) =
            loaded.into_iter().map(|loaded| (loaded.sample, loaded.pixels)).unzip();
        (state_now.step, state_now.features) = (Some(step), None);
        Ok(state)
    }

    /// Returns a line for each sample of a step that could not be used.
    fn damage(&self, step: u64, loaded: &[Loaded]) -> Vec<DamageLine> {
        let id = |row: usize| self.dataset.item(row).id.clone();
        let mut lines = Vec::new();
        for (position, loaded) in (step * self.batch..).zip(loaded) {
            lines.extend(loaded.damaged.iter().map(|(row, reason)| DamageLine {
                step,
                position,
                id: id(*row),
                reason: reason.clone(),
                replaced_by: id(loaded.sample.row),
            }));
        }
        lines
    }

    /// Encodes the pictures of a step, `[samples, tokens, width]`, rounded to half precision.
    ///
    /// The groups are as large as those of a cache. A picture's features do not depend on the others
    /// of its group, but products of another size may differ in the last bit.
    fn encode(&self, samples: &[Sample], pixels: &[Vec<f32>]) -> Result<Tensor<3>, TrainError> {
        let mut groups = Vec::new();
        for (samples, pixels) in
            samples.chunks(ENCODED_TOGETHER).zip(pixels.chunks(ENCODED_TOGETHER))
        {
            let shape = [pixels.len(), 3, self.side, self.side];
            let pixels = Tensor::from_data(TensorData::new(pixels.concat(), shape), &self.device);
            let encoded = noise::off(|| self.encoder.encode(pixels));
            let shape = encoded.dims();
            let mut values = params::floats(encoded);
            let width = shape[1] * shape[2];
            for (at, value) in values.iter_mut().enumerate() {
                let rounded = f16::from_f32(*value);
                if !rounded.is_finite() {
                    let id = self.dataset.item(samples[at / width].row).id.clone();
                    let hint = "look at the encoder's weights and preprocessing: features are \
                        rounded to half precision, up to 65504";
                    let what = format!("a feature of {id} is {value}");
                    return Err(Problem::new(what).hint(hint).into());
                }
                *value = rounded.to_f32();
            }
            groups.push(Tensor::from_data(TensorData::new(values, shape), &self.device));
        }
        Ok(Tensor::cat(groups, 0))
    }
}

impl Source for Live {
    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn text(&self, row: usize) -> Result<Sample, TrainError> {
        (self.texts)(row)
    }

    fn samples(&self, step: u64) -> Result<Vec<Sample>, TrainError> {
        Ok(self.load(step)?.samples.clone())
    }

    fn features(
        &self,
        step: u64,
        places: &[usize],
        device: &Device,
    ) -> Result<Tensor<3>, TrainError> {
        let mut state = self.load(step)?;
        let all = match state.features.clone() {
            Some(all) => all,
            None => {
                let pixels = std::mem::take(&mut state.pixels);
                let all = self.encode(&state.samples, &pixels)?;
                state.features.insert(all).clone()
            }
        };
        drop(state);
        let rows: Vec<i64> = places.iter().map(|&place| place as i64).collect();
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [places.len()]), &self.device);
        let chosen = all.select(0, rows);
        Ok(if device.is_autodiff() { Tensor::from_inner(chosen) } else { chosen })
    }

    fn encodes(&self) -> bool {
        true
    }

    fn waited(&self) -> Duration {
        std::mem::take(&mut self.state().waited)
    }
}
