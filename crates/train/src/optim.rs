//! AdamW with decay groups and clipping by the global norm (BLIP-2, section 4.1).
//!
//! burn's own optimiser clips each tensor by itself, and its defaults are not PyTorch's (eps 1e-5).
//! The recipes of papers mean the global norm and eps 1e-8. The state is exported by parameter
//! names, so a checkpoint saves it in the format of weights.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use toolkit_core::params::{self, Info, Values};
use toolkit_kernels::AdamWStep;

/// Settings of the optimiser. The defaults are the paper's (section 4.1), which does not clip; nor
/// does LAVIS.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct OptimConfig {
    /// Decay rates of the two moments.
    pub betas: [f64; 2],
    /// Constant that is added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay of matrices. Biases, norms and other vectors do not decay, nor does
    /// the temperature.
    pub weight_decay: f64,
    /// Largest global norm of the gradient; 0, the default, turns clipping off.
    pub clip: f64,
    /// `true` if each tensor's step is multiplied by its root mean square (at least 1e-3), as in
    /// Adafactor (Shazeer and Stern 2018, section 8).
    ///
    /// T5's initialisation needs it. T5 does not scale its scores, so `q` starts at a hundredth of
    /// the embeddings. With equal steps `q` grows until attention is saturated and the relative
    /// positions no longer matter.
    pub relative_step: bool,
}

/// Smallest factor of [`OptimConfig::relative_step`], so that tensors of zeros can change
/// (Adafactor: `eps2`).
const SMALLEST_SCALE: f64 = 1e-3;

impl Default for OptimConfig {
    fn default() -> Self {
        Self { betas: [0.9, 0.98], eps: 1e-8, weight_decay: 0.05, clip: 0.0, relative_step: false }
    }
}

/// Returns `true` if a parameter decays: its rank is above 1 and it is no bias (LAVIS's rule).
///
/// LAVIS decays its temperature, of rank 0, by accident. Here it does not decay.
#[must_use]
pub fn decays(info: &Info) -> bool {
    info.shape.len() > 1 && !info.name.ends_with("bias")
}

struct Moments {
    first: Tensor<1>,
    second: Tensor<1>,
}

/// AdamW and its state for one module.
pub struct AdamW {
    config: OptimConfig,
    steps: u64,
    moments: HashMap<ParamId, Moments>,
    decay: HashMap<ParamId, bool>,
}

struct SquaredNorm<'a>(&'a GradientsParams, f64);
impl ModuleVisitor for SquaredNorm<'_> {
    fn visit_float<const D: usize>(&mut self, p: &Param<Tensor<D>>) {
        if let Some(grad) = self.0.get::<D>(p.id) {
            self.1 += toolkit_kernels::sum_of_squares(grad);
        }
    }
}

/// Computes the norm of all gradients of `module` together.
pub fn global_norm<M: Module>(module: &M, grads: &GradientsParams) -> f32 {
    let mut visitor = SquaredNorm(grads, 0.0);
    module.visit(&mut visitor);
    visitor.1.sqrt() as f32
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
        let betas = optim.config.betas;
        let decay = if optim.decay.get(&p.id) == Some(&true) {
            1.0 - self.rate * optim.config.weight_decay
        } else {
            1.0
        };
        let mut step = AdamWStep {
            betas,
            eps: optim.config.eps,
            corrections: betas.map(|beta| 1.0 - beta.powi(optim.steps as i32)),
            rate: self.rate,
            decay,
            gradient_scale: self.scale,
        };
        let shape = grad.dims();
        let count: usize = shape.iter().product();
        let trained = p.is_require_grad();
        let relative = optim.config.relative_step;
        let moments = &mut optim.moments;
        let id = p.id;
        p.map(|value| {
            let autodiff = value.device();
            let value = value.inner();
            if relative {
                let square = toolkit_kernels::sum_of_squares(value.clone()) / count as f64;
                step.rate *= square.sqrt().max(SMALLEST_SCALE);
            }
            let saved = moments.remove(&id).map(|m| [m.first, m.second]);
            let zeros = || Tensor::zeros([count], &value.device());
            let [first, second] = saved.unwrap_or_else(|| [zeros(), zeros()]);
            let [first, second] = [first, second].map(|moment| moment.reshape(shape));
            let [value, first, second] = toolkit_kernels::adamw(step, [value, first, second, grad]);
            moments.insert(
                id,
                Moments { first: first.reshape([count]), second: second.reshape([count]) },
            );
            // A new leaf of the graph.
            if autodiff.is_autodiff() {
                Tensor::from_inner(value).set_require_grad(trained)
            } else {
                value
            }
        })
    }
}

impl AdamW {
    /// Creates an optimiser for `module`, with no step taken.
    pub fn new<M: Module>(config: OptimConfig, module: &M) -> Self {
        let decay = params::list(module).iter().map(|info| (info.id, decays(info))).collect();
        Self { config, steps: 0, moments: HashMap::new(), decay }
    }

    /// Updates `module` by `grads`, the gradients of the whole batch, at learning rate `rate`.
    ///
    /// Returns the module and the norm before clipping. If the norm is not finite, the module and
    /// the state stay as they are.
    pub fn step<M: Module>(
        &mut self,
        module: M,
        mut grads: GradientsParams,
        rate: f64,
    ) -> (M, f32) {
        let norm = global_norm(&module, &grads);
        let clip = self.config.clip;
        let scale = if clip > 0.0 && f64::from(norm) > clip {
            clip / (f64::from(norm) + 1e-6)
        } else {
            1.0
        };
        if !norm.is_finite() {
            return (module, norm);
        }
        self.steps += 1;
        let module = module.map(&mut Update { optim: self, grads: &mut grads, rate, scale });
        (module, norm)
    }

    /// Returns the moments by name, `first.<parameter>` and `second.<parameter>`, and the number of
    /// steps.
    pub fn export<M: Module>(&self, module: &M) -> (BTreeMap<String, Values>, u64) {
        let mut out = BTreeMap::new();
        for info in params::list(module) {
            if let Some(m) = self.moments.get(&info.id) {
                for (kind, tensor) in [("first", &m.first), ("second", &m.second)] {
                    let data = params::floats(tensor.clone());
                    out.insert(
                        format!("{kind}.{}", info.name),
                        Values { shape: vec![data.len()], data },
                    );
                }
            }
        }
        (out, self.steps)
    }

    /// Restores the state that [`AdamW::export`] returned.
    ///
    /// # Errors
    /// The name of a tensor that fits no parameter: no parameter has its name or its size, or the
    /// other moment is missing.
    pub fn import<M: Module>(
        &mut self,
        module: &M,
        mut state: BTreeMap<String, Values>,
        steps: u64,
    ) -> Result<(), String> {
        self.steps = steps;
        self.moments.clear();
        let device = module
            .devices()
            .into_iter()
            .next()
            .map_or_else(Default::default, |d| d.without_autodiff());
        for info in params::list(module) {
            let names = ["first", "second"].map(|kind| format!("{kind}.{}", info.name));
            let size = info.shape.iter().product::<usize>();
            // Both moments or none, and of the parameter's size. Tensors that are left over belong
            // to another model.
            if names
                .iter()
                .any(|name| state.get(name).is_none_or(|values| values.data.len() != size))
            {
                continue;
            }
            let mut take = |name| {
                Some(Tensor::<1>::from_data(
                    TensorData::new(state.remove(name)?.data, [size]),
                    &device,
                ))
            };
            if let (Some(first), Some(second)) = (take(&names[0]), take(&names[1])) {
                self.moments.insert(info.id, Moments { first, second });
            }
        }
        state.keys().next().map_or(Ok(()), |name| Err(name.clone()))
    }
}
