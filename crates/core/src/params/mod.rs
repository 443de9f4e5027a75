//! Parameters of any module by name: listed, initialised, exported and imported.
//!
//! Names are field paths joined by dots, as in PyTorch. Tensors are exported in PyTorch's layout:
//! the weight of a `Linear` is `[out, in]` in a file and `[in, out]` in burn, and burn's `gamma`
//! and `beta` are `weight` and `bias`. So Python code reads a checkpoint without a table of
//! renames.
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::tensor::Device;
//! use toolkit_core::params;
//!
//! let linear = LinearConfig::new(3, 2).init(&Device::flex());
//! let linear = params::initialise(linear, 1, params::bert_rule);
//! let values = params::export(&linear);
//! assert_eq!(values["weight"].shape, [2, 3]);
//! assert_eq!(values["bias"].data, [0.0, 0.0]);
//! ```

mod init;
mod kept;
mod path;
mod transfer;

pub use init::{Init, bert_rule, initialise};
pub use kept::{Content, Kept};
pub use transfer::{Mismatch, export, gradients, held_bytes, import, map, map_as, store_as};

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData, f16};
use path::Path;

/// A parameter without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Name in a checkpoint.
    pub name: String,
    /// Shape in a checkpoint (PyTorch layout).
    pub shape: Vec<usize>,
    /// burn's identity of the parameter: the key in optimisers and gradients.
    pub id: ParamId,
    /// `true` if the parameter is trained.
    pub trained: bool,
}

/// The values of a tensor in PyTorch layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// Shape in a checkpoint.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub data: Vec<f32>,
}

/// Returns `true` if a parameter gets gradients.
// A parameter that is not drawn yet stays so. burn's own question would draw it, and a model whose
// weights are about to be read would be in memory twice.
fn trained<const D: usize>(p: &Param<Tensor<D>>) -> bool {
    if p.is_initialized() {
        return p.is_require_grad();
    }
    // A copy with one number instead of its values keeps the setting.
    let probe = Tensor::<D>::zeros([1; D], &p.lazy_device());
    p.clone().transform_for_load(probe, p.id).is_require_grad()
}

struct List(Path, Vec<Info>);
impl ModuleVisitor for List {
    fn visit_float<const D: usize>(&mut self, p: &Param<Tensor<D>>) {
        let shape = self.0.torch_shape(p.lazy_shape().to_vec());
        self.1.push(Info { name: self.0.name(), shape, id: p.id, trained: trained(p) });
    }
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.0.exit();
    }
}

/// Lists every float parameter in traversal order.
pub fn list<M: Module>(module: &M) -> Vec<Info> {
    let mut list = List(Path::default(), Vec::new());
    module.visit(&mut list);
    list.1
}

/// Counts the parameters, without initialising them.
pub fn count<M: Module>(module: &M) -> u64 {
    list(module).iter().map(|info| info.shape.iter().product::<usize>() as u64).sum()
}

/// Returns the values of a tensor as `f32`, row-major.
pub fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec().expect("data converted to f32 is f32")
}

/// Rounds the values of a tensor to 16-bit floats, as caches of features store them.
#[must_use]
pub fn round_to_half<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    let (shape, device) = (tensor.dims(), tensor.device());
    let values: Vec<f32> = floats(tensor).into_iter().map(|x| f16::from_f32(x).to_f32()).collect();
    Tensor::from_data(TensorData::new(values, shape), &device)
}
