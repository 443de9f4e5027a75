//! Boundaries between autodiff graphs.
//!
//! A graph ends at a boundary, and one or more other graphs begin there. Those see its tensors as
//! leaves; the gradients that they find are added up at the boundary and then propagated back
//! through the first graph, once.

use super::gradients::GradientSum;
use burn::tensor::Tensor;
use toolkit_core::KeysValues;
use toolkit_kernels::GradientAccumulator;

/// A tensor at which one graph ends and others begin.
pub(super) struct GraphBoundary<const D: usize> {
    /// The end of the first graph.
    end: Tensor<D>,
    leaf: Tensor<D>,
    gradient: GradientAccumulator,
}

impl<const D: usize> GraphBoundary<D> {
    /// Ends a graph at `end`.
    pub(super) fn new(end: Tensor<D>) -> Self {
        let leaf = end.clone().detach().require_grad();
        Self { end, leaf, gradient: GradientAccumulator::default() }
    }

    /// Returns the values as the leaf of another graph.
    pub(super) fn leaf(&self, sum: &mut GradientSum) -> Tensor<D> {
        sum.attach(&self.gradient, self.leaf.clone())
    }

    /// Returns a scalar whose backward pass continues through the first graph, if any gradient has
    /// been found.
    pub(super) fn continuation(self) -> Option<Tensor<1>> {
        let gradient = self.gradient.take()?;
        Some(toolkit_kernels::with_gradient(self.end, gradient))
    }
}

/// Keys and values of all layers at a boundary.
pub(super) struct LayerBoundaries(Vec<(GraphBoundary<4>, GraphBoundary<4>)>);

impl LayerBoundaries {
    /// Ends a graph at these keys and values.
    pub(super) fn new(layers: Vec<KeysValues>) -> Self {
        let boundaries = layers.into_iter();
        Self(boundaries.map(|(k, v)| (GraphBoundary::new(k), GraphBoundary::new(v))).collect())
    }

    /// Returns keys and values as leaves of another graph.
    pub(super) fn leaves(&self, sum: &mut GradientSum) -> Vec<KeysValues> {
        self.0.iter().map(|(k, v)| (k.leaf(sum), v.leaf(sum))).collect()
    }

    /// See [`GraphBoundary::continuation`].
    pub(super) fn continuation(self) -> Option<Tensor<1>> {
        add_up(self.0.into_iter().flat_map(|(k, v)| [k.continuation(), v.continuation()]))
    }
}

/// Adds up the scalars that there are.
pub(super) fn add_up(scalars: impl IntoIterator<Item = Option<Tensor<1>>>) -> Option<Tensor<1>> {
    scalars.into_iter().flatten().reduce(|sum, one| sum + one)
}
