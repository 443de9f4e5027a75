//! Parameters by name: listing, initialising, exporting and importing those of any module.
//!
//! Names are field paths joined by dots, as PyTorch writes them, and tensors are exported in
//! PyTorch's layout: the weight of a `Linear` is `[out, in]` in a file and `[in, out]` in burn;
//! burn's `gamma` and `beta` are `weight` and `bias`. So a checkpoint of ours is read by Python
//! code without a table of renames.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::collections::BTreeMap;
use toolkit_seed::Stream;

/// What is known of a parameter without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Name in a checkpoint.
    pub name: String,
    /// Shape in a checkpoint (PyTorch layout).
    pub shape: Vec<usize>,
    /// burn's identity of the parameter: what optimisers and gradients are keyed by.
    pub id: ParamId,
    /// Whether it is trained.
    pub trained: bool,
}

/// Values in PyTorch layout with their shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// Shape in a checkpoint.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub data: Vec<f32>,
}

/// Where a traversal is.
#[derive(Default)]
struct Path {
    names: Vec<String>,
    containers: Vec<String>,
}

impl Path {
    fn enter(&mut self, name: &str, container: &str) {
        self.names.push(name.to_owned());
        self.containers.push(container.to_owned());
    }
    fn exit(&mut self) {
        self.names.pop();
        self.containers.pop();
    }
    /// The checkpoint name of the parameter at hand.
    fn name(&self) -> String {
        let mut name = self.names.join(".");
        for (burn, torch) in [("gamma", "weight"), ("beta", "bias")] {
            if let Some(stem) =
                name.strip_suffix(burn).filter(|stem| stem.is_empty() || stem.ends_with('.'))
            {
                name = format!("{stem}{torch}");
            }
        }
        name
    }
    fn transposed(&self, rank: usize) -> bool {
        // Derived containers are called `Struct:Linear`; the last segment is the type.
        let linear = self.containers.last().is_some_and(|c| c.rsplit(':').next() == Some("Linear"));
        rank == 2 && linear && self.names.last().is_some_and(|n| n == "weight")
    }
    fn torch_shape(&self, mut shape: Vec<usize>) -> Vec<usize> {
        if self.transposed(shape.len()) {
            shape.reverse();
        }
        shape
    }
}

/// Whether a parameter gets gradients. One that is not drawn yet is not drawn for this: asking burn
/// would fill it, and a model that is about to be read would be in memory twice.
fn trained<const D: usize>(p: &Param<Tensor<D>>) -> bool {
    if p.is_initialized() {
        return p.is_require_grad();
    }
    // A copy that is given one number in place of the real ones keeps the setting.
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

/// Every float parameter in traversal order.
pub fn list<M: Module>(module: &M) -> Vec<Info> {
    let mut list = List(Path::default(), Vec::new());
    module.visit(&mut list);
    list.1
}

/// Number of parameters, nothing initialised.
pub fn count<M: Module>(module: &M) -> u64 {
    list(module).iter().map(|info| info.shape.iter().product::<usize>() as u64).sum()
}

struct Export(Path, BTreeMap<String, Values>);
impl ModuleVisitor for Export {
    fn visit_float<const D: usize>(&mut self, p: &Param<Tensor<D>>) {
        let mut tensor = p.val();
        if self.0.transposed(D) {
            tensor = tensor.swap_dims(0, 1);
        }
        let shape = tensor.dims().to_vec();
        self.1.insert(self.0.name(), Values { shape, data: floats(tensor) });
    }
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.0.exit();
    }
}

/// Values of a tensor as `f32`, row-major.
pub fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec().expect("data converted to f32 is f32")
}

/// Every float parameter's values, by checkpoint name.
pub fn export<M: Module>(module: &M) -> BTreeMap<String, Values> {
    let mut export = Export(Path::default(), BTreeMap::new());
    module.visit(&mut export);
    export.1
}

/// What did not fit when values were imported; empty lists mean that all did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Parameters of the module that the source lacks.
    pub missing: Vec<String>,
    /// Tensors of the source that the module lacks.
    pub unexpected: Vec<String>,
    /// `name: file has [..], model wants [..]`.
    pub misshaped: Vec<String>,
}

impl Mismatch {
    /// Whether everything fitted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misshaped.is_empty()
    }
}

/// What [`map`] asks for each parameter.
type Source<'a> = dyn FnMut(&Info) -> Option<Values> + 'a;

struct Import<'a>(Path, &'a mut Source<'a>, Option<DType>);
impl ModuleMapper for Import<'_> {
    fn map_float<const D: usize>(&mut self, p: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = self.0.torch_shape(p.lazy_shape().to_vec());
        let info = Info { name: self.0.name(), shape, id: p.id, trained: trained(&p) };
        let Some(values) = (self.1)(&info) else { return p };
        let device: Device = p.lazy_device();
        let transposed = self.0.transposed(D);
        let mut tensor =
            Tensor::<D>::from_data(TensorData::new(values.data, values.shape), &device);
        if transposed {
            tensor = contiguous(tensor.swap_dims(0, 1));
            tensor = self.2.map_or(tensor.clone(), |dtype| toolkit_kernels::cast(tensor, dtype));
        }
        p.transform_for_load(tensor, info.id)
    }
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.0.exit();
    }
}

/// The same values laid out row-major, so that matrix products need not copy a transposed weight at
/// every call.
fn contiguous<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    let device = tensor.device();
    Tensor::from_data(tensor.into_data(), &device)
}

/// Replaces parameters by what `source` gives for each, in PyTorch layout; `None` leaves one as it
/// is. Values must have the shape of the [`Info`]. Identity and trainability are kept; nothing else
/// is initialised.
pub fn map<M: Module>(module: M, mut source: impl FnMut(&Info) -> Option<Values>) -> M {
    module.map(&mut Import(Path::default(), &mut source, None))
}

/// [`map`] that keeps the matrices of `Linear`s, most of a transformer, as `dtype`. Whoever
/// multiplies by one widens it ([`DType::F32`] keeps everything as it is).
pub fn map_as<M: Module>(
    module: M,
    dtype: DType,
    mut source: impl FnMut(&Info) -> Option<Values>,
) -> M {
    let dtype = (dtype != DType::F32).then_some(dtype);
    module.map(&mut Import(Path::default(), &mut source, dtype))
}

struct Gradients<'a>(Path, &'a GradientsParams, BTreeMap<String, Values>);
impl ModuleVisitor for Gradients<'_> {
    fn visit_float<const D: usize>(&mut self, p: &Param<Tensor<D>>) {
        let Some(mut grad) = self.1.get::<D>(p.id) else { return };
        if self.0.transposed(D) {
            grad = grad.swap_dims(0, 1);
        }
        let shape = grad.dims().to_vec();
        self.2.insert(self.0.name(), Values { shape, data: floats(grad) });
    }
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.0.exit();
    }
}

/// The gradients of `module`'s parameters by checkpoint name, in PyTorch layout; what has none is
/// not there.
pub fn gradients<M: Module>(module: &M, grads: &GradientsParams) -> BTreeMap<String, Values> {
    let mut visitor = Gradients(Path::default(), grads, BTreeMap::new());
    module.visit(&mut visitor);
    visitor.2
}

/// Loads `source` into `module`, all or nothing.
///
/// # Errors
/// Everything that does not fit, at once; the module is returned unchanged inside.
pub fn import<M: Module>(
    module: M,
    mut source: BTreeMap<String, Values>,
) -> Result<M, (Box<M>, Mismatch)> {
    let mut wrong = Mismatch::default();
    let infos = list(&module);
    for info in &infos {
        match source.get(&info.name) {
            None => wrong.missing.push(info.name.clone()),
            Some(v) if v.shape != info.shape => {
                wrong.misshaped.push(format!(
                    "{}: file has {:?}, model wants {:?}",
                    info.name, v.shape, info.shape
                ));
            }
            Some(_) => {}
        }
    }
    let known: std::collections::BTreeSet<&str> = infos.iter().map(|i| i.name.as_str()).collect();
    wrong.unexpected =
        source.keys().filter(|name| !known.contains(name.as_str())).cloned().collect();
    if !wrong.is_empty() {
        return Err((Box::new(module), wrong));
    }
    Ok(map(module, |info| source.remove(&info.name)))
}

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Normal with this standard deviation.
    Normal(f64),
    /// All the same value.
    Constant(f32),
}

/// BERT's rule, which BLIP-2's Q-Former follows: N(0, 0.02), biases 0, normalisation scales 1.
#[must_use]
pub fn bert_rule(info: &Info) -> Init {
    if info.name.ends_with("bias") {
        Init::Constant(0.0)
    } else if info.shape.len() == 1 && info.name.ends_with("weight") {
        Init::Constant(1.0)
    } else {
        Init::Normal(0.02)
    }
}

/// Draws every parameter by `rule`. Each tensor has a stream of its own, named by seed and
/// checkpoint name, so that adding a layer changes no other layer's start, and every backend starts
/// alike.
pub fn initialise<M: Module>(module: M, seed: u64, mut rule: impl FnMut(&Info) -> Init) -> M {
    map(module, |info| {
        let count = info.shape.iter().product();
        let data = match rule(info) {
            Init::Constant(value) => vec![value; count],
            Init::Normal(std) => {
                let mut stream = Stream::new(seed, &info.name, 0);
                (0..count).map(|_| (stream.normal() * std) as f32).collect()
            }
        };
        Some(Values { shape: info.shape.clone(), data })
    })
}
