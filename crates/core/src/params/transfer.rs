//! Export and import of values, by checkpoint name.

use super::kept::{self, Content};
use super::path::Path;
use super::{Info, Values, floats, list, trained};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};
use std::collections::{BTreeMap, BTreeSet};

struct Export(Path, BTreeMap<String, Values>);
impl ModuleVisitor for Export {
    fn visit_float<const D: usize>(&mut self, p: &Param<Tensor<D>>) {
        let mut tensor = p.val();
        if let Some(blocks) = kept::blocks(&tensor, &self.0) {
            self.1.insert(self.0.name(), kept::values(&blocks));
            return;
        }
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

/// Returns the values of every float parameter, by checkpoint name.
pub fn export<M: Module>(module: &M) -> BTreeMap<String, Values> {
    let mut export = Export(Path::default(), BTreeMap::new());
    module.visit(&mut export);
    export.1
}

struct Held(Path, BTreeMap<String, usize>);
impl ModuleVisitor for Held {
    fn visit_float<const D: usize>(&mut self, p: &Param<Tensor<D>>) {
        let tensor = p.val();
        let bytes = match kept::blocks(&tensor, &self.0) {
            Some(blocks) => blocks.bytes().len(),
            None => tensor.dims().iter().product::<usize>() * tensor.dtype().size(),
        };
        if D == 2 {
            self.1.insert(self.0.name(), bytes);
        }
    }
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.0.exit();
    }
}

/// Returns the bytes that each matrix takes in memory, by checkpoint name.
pub fn held_bytes<M: Module>(module: &M) -> BTreeMap<String, usize> {
    let mut held = Held(Path::default(), BTreeMap::new());
    module.visit(&mut held);
    held.1
}

/// The names that did not fit when values were imported.
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
    /// Returns `true` if everything fitted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misshaped.is_empty()
    }
}

/// The function that [`map_as`] asks for each parameter.
type Source<'a> = dyn FnMut(&Info) -> Option<Content> + 'a;

struct Import<'a>(Path, &'a mut Source<'a>);
impl ModuleMapper for Import<'_> {
    fn map_float<const D: usize>(&mut self, p: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = self.0.torch_shape(p.lazy_shape().to_vec());
        let info = Info { name: self.0.name(), shape, id: p.id, trained: trained(&p) };
        let Some(content) = (self.1)(&info) else { return p };
        let tensor = kept::tensor(content, &self.0, &p.lazy_device());
        p.transform_for_load(tensor, info.id)
    }
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.0.exit();
    }
}

/// Replaces each parameter by the values that `source` returns for it, in PyTorch layout. `None`
/// leaves one as it is.
///
/// Values must have the shape of the [`Info`]. Identity and trainability are kept, and no other
/// parameter is initialised.
pub fn map<M: Module>(module: M, mut source: impl FnMut(&Info) -> Option<Values>) -> M {
    map_as(module, |info| source(info).map(Content::Values))
}

/// Runs [`map`] with values that may be kept in another form than f32.
pub fn map_as<M: Module>(module: M, mut source: impl FnMut(&Info) -> Option<Content>) -> M {
    module.map(&mut Import(Path::default(), &mut source))
}

struct Store(Path, DType);

impl ModuleMapper for Store {
    fn map_float<const D: usize>(&mut self, p: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !self.0.transposed(D) {
            return p;
        }
        let dtype = self.1;
        p.map(|matrix| matrix.cast(dtype))
    }
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.0.exit();
    }
}

/// Stores the matrices of `Linear`s, most of a transformer, as `dtype`, for a module that is not
/// trained.
pub fn store_as<M: Module>(module: M, dtype: DType) -> M {
    module.map(&mut Store(Path::default(), dtype))
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

/// Returns the gradients of `module`'s parameters by checkpoint name, in PyTorch layout, without
/// parameters that have none.
pub fn gradients<M: Module>(module: &M, grads: &GradientsParams) -> BTreeMap<String, Values> {
    let mut visitor = Gradients(Path::default(), grads, BTreeMap::new());
    module.visit(&mut visitor);
    visitor.2
}

/// Loads `source` into `module`, completely or not at all.
///
/// # Errors
/// All names that do not fit, with the module unchanged.
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
    let known: BTreeSet<&str> = infos.iter().map(|i| i.name.as_str()).collect();
    wrong.unexpected =
        source.keys().filter(|name| !known.contains(name.as_str())).cloned().collect();
    if !wrong.is_empty() {
        return Err((Box::new(module), wrong));
    }
    Ok(map(module, |info| source.remove(&info.name)))
}
