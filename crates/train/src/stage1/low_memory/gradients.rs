//! Gradients of a module's parameters, added up over several graphs.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use std::collections::HashMap;
use toolkit_kernels::{AccumulatorMap, GradientAccumulator};

/// Sum of the gradients of a step's graphs.
#[derive(Default)]
pub(super) struct GradientSum {
    parameters: HashMap<ParamId, GradientAccumulator>,
    /// Accumulators of parameters and of boundaries, by node.
    nodes: AccumulatorMap,
}

impl GradientSum {
    /// Returns the module for the graph of one piece: its gradients are added here.
    pub(super) fn module<M: Module>(&mut self, module: &M) -> M {
        module.clone().map(&mut Attach(self))
    }

    /// Returns `x` for the graph of one piece: its gradient is added to `accumulator`.
    pub(super) fn attach<const D: usize>(
        &mut self,
        accumulator: &GradientAccumulator,
        x: Tensor<D>,
    ) -> Tensor<D> {
        let attached = accumulator.attach(x, &mut self.nodes);
        attached.unwrap_or_else(|_| unreachable!("`can_train` has found f32 tensors of flex"))
    }

    /// Propagates back from `loss`.
    pub(super) fn backward(&mut self, loss: &Tensor<1>) {
        self.nodes.backward(loss);
    }

    /// Returns the sums of all parameters of `module` that have a gradient.
    pub(super) fn finish<M: Module>(self, module: &M) -> GradientsParams {
        let mut collect = Collect(&self.parameters, GradientsParams::new());
        module.visit(&mut collect);
        collect.1
    }
}

struct Attach<'a>(&'a mut GradientSum);

impl ModuleMapper for Attach<'_> {
    fn map_float<const D: usize>(&mut self, p: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !p.is_require_grad() {
            return p;
        }
        let accumulator = self.0.parameters.entry(p.id).or_default().clone();
        p.map(|value| self.0.attach(&accumulator, value))
    }
}

struct Collect<'a>(&'a HashMap<ParamId, GradientAccumulator>, GradientsParams);

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, p: &Param<Tensor<D>>) {
        if let Some(gradient) = self.0.get(&p.id).and_then(GradientAccumulator::take::<D>) {
            self.1.register(p.id, gradient);
        }
    }
}

/// Returns `true` if the gradients of all trained parameters can be added up: they are f32 tensors
/// of flex.
pub(in crate::stage1) fn can_train<M: Module>(module: &M) -> bool {
    let mut check = Check(None);
    module.visit(&mut check);
    check.0.unwrap_or(true)
}

/// Answer of the first trained parameter: all are on one device.
struct Check(Option<bool>);

impl ModuleVisitor for Check {
    fn visit_float<const D: usize>(&mut self, p: &Param<Tensor<D>>) {
        if self.0.is_none() && p.is_require_grad() {
            let mut map = AccumulatorMap::default();
            self.0 = Some(GradientAccumulator::default().attach(p.val(), &mut map).is_ok());
        }
    }
}
