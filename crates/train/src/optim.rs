//! AdamW with decay groups and clipping by the global norm.
//!
//! burn's own optimiser clips each tensor by itself and has other defaults than PyTorch (eps 1e-5); a paper's recipe
//! means the global norm and eps 1e-8. State is kept by checkpoint name, so that it is saved like weights are.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use toolkit_core::params::{self, Info, Values};

/// Settings of the optimiser; defaults are the paper's (section 4.1).
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct OptimConfig {
    /// Decay rates of the two moments.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay of matrices. Biases, norms and other vectors, and the temperature, do not decay.
    pub weight_decay: f64,
    /// Largest global norm of the gradient; 0 turns clipping off.
    pub clip: f64,
    /// Multiplies each tensor's step by its root mean square (at least 1e-3), as Adafactor does (Shazeer and Stern 2018,
    /// section 8). T5's initialisation is made for it: its `q` starts at a hundredth of its embeddings, because scores are
    /// not scaled, and equal steps blow `q` up until attention is saturated and the table of positions no longer matters.
    pub relative_step: bool,
}

/// Smallest root mean square that [`OptimConfig::relative_step`] multiplies by, so that zeros can be left (Adafactor: `eps2`).
const SMALLEST_SCALE: f64 = 1e-3;

impl Default for OptimConfig {
    fn default() -> Self {
        Self { betas: [0.9, 0.98], eps: 1e-8, weight_decay: 0.05, clip: 1.0, relative_step: false }
    }
}

/// Whether a parameter decays: LAVIS's rule (rank above 1 and no bias), except that its rank-0 temperature, which LAVIS
/// decays by accident, does not.
#[must_use]
pub fn decays(info: &Info) -> bool {
    info.shape.len() > 1 && !info.name.ends_with("bias")
}

struct Moments {
    first: Tensor<1>,
    second: Tensor<1>,
}

/// The optimiser's state for one module.
pub struct AdamW {
    config: OptimConfig,
    steps: u64,
    moments: HashMap<ParamId, Moments>,
    decay: HashMap<ParamId, bool>,
}

/// Sum in an order that does not depend on threads: flex adds up more than four million numbers by work stealing.
fn in_order(values: Tensor<1>) -> Tensor<1> {
    const PIECE: usize = 1 << 20;
    let count = values.dims()[0];
    let piece = |at: usize| values.clone().narrow(0, at, PIECE.min(count - at)).sum();
    (0..count).step_by(PIECE).map(piece).reduce(|sum, piece| sum + piece).unwrap_or_else(|| values.clone().sum())
}

struct SquaredNorm<'a>(&'a GradientsParams, Option<Tensor<1>>);
impl ModuleVisitor for SquaredNorm<'_> {
    fn visit_float<const D: usize>(&mut self, p: &Param<Tensor<D>>) {
        if let Some(grad) = self.0.get::<D>(p.id) {
            let square = in_order((grad.clone() * grad).reshape([-1]));
            self.1 = Some(match self.1.take() {
                Some(sum) => sum + square,
                None => square,
            });
        }
    }
}

/// The norm of all gradients of `module` together.
pub fn global_norm<M: Module>(module: &M, grads: &GradientsParams) -> f32 {
    let mut visitor = SquaredNorm(grads, None);
    module.visit(&mut visitor);
    visitor.1.map_or(0.0, |sum| sum.into_scalar::<f32>().sqrt())
}

struct Update<'a> {
    optim: &'a mut AdamW,
    grads: &'a mut GradientsParams,
    rate: f64,
    scale: f64,
}
impl ModuleMapper for Update<'_> {
    fn map_float<const D: usize>(&mut self, p: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(grad) = self.grads.remove::<D>(p.id) else { return p };
        let optim = &mut *self.optim;
        let [beta1, beta2] = optim.config.betas;
        let (correct1, correct2) = (1.0 - beta1.powi(optim.steps as i32), 1.0 - beta2.powi(optim.steps as i32));
        let shape = grad.dims();
        let mut grad = grad.reshape([shape.iter().product::<usize>()]);
        if self.scale != 1.0 {
            grad = grad * self.scale;
        }
        let (first, second) = match optim.moments.remove(&p.id) {
            Some(m) => {
                (m.first * beta1 + grad.clone() * (1.0 - beta1), m.second * beta2 + grad.clone() * grad * (1.0 - beta2))
            }
            None => (grad.clone() * (1.0 - beta1), grad.clone() * grad * (1.0 - beta2)),
        };
        let step = first.clone() / ((second.clone() / correct2).sqrt() + optim.config.eps) * (self.rate / correct1);
        optim.moments.insert(p.id, Moments { first, second });
        let keep =
            if optim.decay.get(&p.id) == Some(&true) { 1.0 - self.rate * optim.config.weight_decay } else { 1.0 };
        let trained = p.is_require_grad();
        let relative = optim.config.relative_step;
        p.map(|value| {
            let autodiff = value.device();
            let value = value.inner();
            let step = if relative {
                let count = value.shape().num_elements() as f64;
                let square = in_order((value.clone() * value.clone()).reshape([-1])) / count;
                step * square.sqrt().clamp_min(SMALLEST_SCALE)
            } else {
                step
            };
            let value = if keep == 1.0 { value } else { value * keep };
            let value = value - step.reshape(shape);
            // Back on the tape as a fresh leaf.
            if autodiff.is_autodiff() { Tensor::from_inner(value).set_require_grad(trained) } else { value }
        })
    }
}

impl AdamW {
    /// Fresh state for `module`.
    pub fn new<M: Module>(config: OptimConfig, module: &M) -> Self {
        let decay = params::list(module).iter().map(|info| (info.id, decays(info))).collect();
        Self { config, steps: 0, moments: HashMap::new(), decay }
    }

    /// One update with gradients summed over micro-batches. Returns the module and the norm before clipping.
    pub fn step<M: Module>(&mut self, module: M, mut grads: GradientsParams, rate: f64) -> (M, f32) {
        let norm = global_norm(&module, &grads);
        let clip = self.config.clip;
        let scale = if clip > 0.0 && f64::from(norm) > clip { clip / (f64::from(norm) + 1e-6) } else { 1.0 };
        if !norm.is_finite() {
            return (module, norm);
        }
        self.steps += 1;
        let module = module.map(&mut Update { optim: self, grads: &mut grads, rate, scale });
        (module, norm)
    }

    /// The state by checkpoint name: `first.<name>`, `second.<name>`, and the step count.
    pub fn export<M: Module>(&self, module: &M) -> (BTreeMap<String, Values>, u64) {
        let mut out = BTreeMap::new();
        for info in params::list(module) {
            if let Some(m) = self.moments.get(&info.id) {
                for (kind, tensor) in [("first", &m.first), ("second", &m.second)] {
                    let data = params::floats(tensor.clone());
                    out.insert(format!("{kind}.{}", info.name), Values { shape: vec![data.len()], data });
                }
            }
        }
        (out, self.steps)
    }

    /// Restores what [`AdamW::export`] gave.
    ///
    /// # Errors
    /// The name of a tensor that fits no parameter: by name, by size or for want of its other moment.
    pub fn import<M: Module>(
        &mut self,
        module: &M,
        mut state: BTreeMap<String, Values>,
        steps: u64,
    ) -> Result<(), String> {
        self.steps = steps;
        self.moments.clear();
        let device = module.devices().into_iter().next().map_or_else(Default::default, |d| d.without_autodiff());
        for info in params::list(module) {
            let names = ["first", "second"].map(|kind| format!("{kind}.{}", info.name));
            let size = info.shape.iter().product::<usize>();
            // Both or none, and of the parameter's size; what is left over belongs to another model.
            if names.iter().any(|name| state.get(name).is_none_or(|values| values.data.len() != size)) {
                continue;
            }
            let mut take =
                |name| Some(Tensor::<1>::from_data(TensorData::new(state.remove(name)?.data, [size]), &device));
            if let (Some(first), Some(second)) = (take(&names[0]), take(&names[1])) {
                self.moments.insert(info.id, Moments { first, second });
            }
        }
        state.keys().next().map_or(Ok(()), |name| Err(name.clone()))
    }
}
