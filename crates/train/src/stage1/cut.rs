//! Where a graph is cut, so that each side of the cut is propagated back on its own.
//!
//! What is behind the cut reads the values as constants of its own graph. What it says about them
//! is gathered, in as many parts as it comes, and goes on through the graph before the cut when all
//! of it is known.

use super::pieces::Sum;
use burn::module::Module;
use burn::tensor::{Gradients, Tensor};
use toolkit_core::KeysValues;
use toolkit_kernels::GradientAccumulator;

/// A tensor at a cut.
pub(super) struct Leaf<const D: usize> {
    whole: Tensor<D>,
    constant: Tensor<D>,
    gathered: GradientAccumulator,
    /// Where gradients cannot be gathered (other backends than flex).
    other: Option<Tensor<D>>,
}

impl<const D: usize> Leaf<D> {
    /// Cuts here.
    pub(super) fn new(whole: Tensor<D>) -> Self {
        let constant = whole.clone().detach().require_grad();
        Self { whole, constant, gathered: GradientAccumulator::default(), other: None }
    }

    /// The same values for one graph behind the cut.
    pub(super) fn value(&self, sum: &mut Sum) -> Tensor<D> {
        self.gathered
            .attach(self.constant.clone(), &mut sum.slots)
            .unwrap_or_else(|constant| constant)
    }

    /// Keeps what a pass behind the cut found, if it was not gathered.
    pub(super) fn collect(&mut self, gradients: &mut Gradients) {
        if let Some(more) = self.constant.grad_remove(gradients) {
            self.other = Some(match self.other.take() {
                Some(sum) => sum + more,
                None => more,
            });
        }
    }

    /// Something to propagate back through the graph before the cut: its gradient is what was
    /// found.
    pub(super) fn rest(self) -> Option<Tensor<1>> {
        let found = self.gathered.take().or(self.other);
        found.map(|found| toolkit_kernels::with_gradient(self.whole, found))
    }
}

/// Keys and values at a cut.
pub(super) struct Cut(Vec<(Leaf<4>, Leaf<4>)>);

impl Cut {
    /// Cuts here.
    pub(super) fn new(pairs: Vec<KeysValues>) -> Self {
        Self(pairs.into_iter().map(|(k, v)| (Leaf::new(k), Leaf::new(v))).collect())
    }

    /// The same for one graph behind the cut.
    pub(super) fn pairs(&self, sum: &mut Sum) -> Vec<KeysValues> {
        self.0.iter().map(|(k, v)| (k.value(sum), v.value(sum))).collect()
    }

    /// Propagates a loss back: to the parameters of `module`, which go into `sum`, and to the cut.
    pub(super) fn backward<M: Module>(&mut self, loss: &Tensor<1>, module: &M, sum: &mut Sum) {
        let mut gradients = sum.backward(loss, module);
        for (k, v) in &mut self.0 {
            k.collect(&mut gradients);
            v.collect(&mut gradients);
        }
    }

    /// See [`Leaf::rest`].
    pub(super) fn rest(self) -> Option<Tensor<1>> {
        add_up(self.0.into_iter().flat_map(|(k, v)| [k.rest(), v.rest()]))
    }
}

/// Losses to propagate back together, if there are any.
pub(super) fn add_up(losses: impl IntoIterator<Item = Option<Tensor<1>>>) -> Option<Tensor<1>> {
    losses.into_iter().flatten().reduce(|sum, one| sum + one)
}
