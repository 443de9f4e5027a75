//! A step in pieces, so that less is held at once.
//!
//! What the query pass leaves is read by all losses. Each piece of a loss reads it as constants of its own graph and is
//! propagated back at once, its activations with it; what it says about the constants is kept, and goes on through the
//! query pass at the end. The sum is the gradient of the whole, and memory is that of one piece. Because the order of
//! rows does not matter to a sum, texts of one length are put together, and hardly any padding is computed.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Gradients, Tensor};
use std::collections::HashMap;
use toolkit_core::{Cache, ImagePass};
use toolkit_kernels::Gathered;

/// A piece has about so many tokens: large enough for products at full speed, small enough that its activations are a
/// fraction of the parameters' size where models are large (BERT-base: 0.5 GB).
const TOKENS: usize = 768;

/// Rows `0..lengths.len()` in pieces of nearly equal size, by length; `queries` tokens stand before each text.
pub(super) fn by_length(lengths: &[usize], queries: usize) -> Vec<Vec<usize>> {
    let mut rows: Vec<usize> = (0..lengths.len()).collect();
    rows.sort_by_key(|&row| lengths[row]);
    let tokens: usize = lengths.iter().map(|length| queries + length).sum();
    let pieces = tokens.div_ceil(TOKENS).clamp(1, rows.len().max(1));
    rows.chunks(rows.len().div_ceil(pieces).max(1)).map(<[usize]>::to_vec).collect()
}

/// Gradients of a module's parameters, added up over several graphs.
#[derive(Default)]
pub(super) struct Sum {
    gathered: HashMap<ParamId, Gathered>,
    /// Where parameters cannot be gathered (other backends than flex).
    other: GradientsParams,
}

struct Through<'a>(&'a mut HashMap<ParamId, Gathered>);

impl ModuleMapper for Through<'_> {
    fn map_float<const D: usize>(&mut self, p: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !p.is_require_grad() {
            return p;
        }
        let gathered = self.0.entry(p.id).or_default().clone();
        p.map(|value| gathered.through(value).unwrap_or_else(|value| value))
    }
}

struct AddTo<'a> {
    sum: &'a mut GradientsParams,
    more: GradientsParams,
}

impl ModuleVisitor for AddTo<'_> {
    fn visit_float<const D: usize>(&mut self, p: &Param<Tensor<D>>) {
        if let Some(more) = self.more.remove::<D>(p.id) {
            let sum = match self.sum.remove::<D>(p.id) {
                Some(sum) => toolkit_kernels::add(sum, more),
                None => more,
            };
            self.sum.register(p.id, sum);
        }
    }
}

struct Collect<'a>(&'a HashMap<ParamId, Gathered>, GradientsParams);

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, p: &Param<Tensor<D>>) {
        if let Some(gradient) = self.0.get(&p.id).and_then(Gathered::take::<D>) {
            self.1.register(p.id, gradient);
        }
    }
}

impl Sum {
    /// The module for the graph of one piece: its gradients come here.
    pub(super) fn module<M: Module>(&mut self, module: &M) -> M {
        module.clone().map(&mut Through(&mut self.gathered))
    }

    /// Propagates back from `loss`; `module` is the one that pieces are made from. What remains are gradients of tensors.
    pub(super) fn backward<M: Module>(&mut self, loss: &Tensor<1>, module: &M) -> Gradients {
        let mut gradients = loss.backward();
        let more = GradientsParams::from_module(&mut gradients, module);
        module.visit(&mut AddTo { sum: &mut self.other, more });
        gradients
    }

    /// All of them.
    pub(super) fn done<M: Module>(self, module: &M) -> GradientsParams {
        let mut collect = Collect(&self.gathered, self.other);
        module.visit(&mut collect);
        collect.1
    }
}

/// What the query pass leaves, as constants for the pieces, with the gradients that they have found so far.
pub(super) struct Cut {
    /// Cross-attention keys and values of the images.
    pub(super) cross: Vec<(Tensor<4>, Tensor<4>)>,
    /// Self-attention keys and values of the queries.
    pub(super) cache: Cache,
    whole: Vec<Tensor<4>>,
    found: Vec<Option<Tensor<4>>>,
}

impl Cut {
    /// Of this pass.
    pub(super) fn new(pass: &ImagePass) -> Self {
        let leaf = |(k, v): &(Tensor<4>, Tensor<4>)| {
            let leaf = |x: &Tensor<4>| x.clone().detach().require_grad();
            (leaf(k), leaf(v))
        };
        let pairs = || pass.cross.iter().chain(&pass.cache.layers);
        let whole: Vec<Tensor<4>> = pairs().flat_map(|(k, v)| [k.clone(), v.clone()]).collect();
        Self {
            cross: pass.cross.iter().map(leaf).collect(),
            cache: Cache { layers: pass.cache.layers.iter().map(leaf).collect() },
            found: vec![None; whole.len()],
            whole,
        }
    }

    /// Propagates a piece's loss back: to the parameters of `module`, which go into `sum`, and to the constants.
    pub(super) fn backward<M: Module>(&mut self, loss: &Tensor<1>, module: &M, sum: &mut Sum) {
        let mut gradients = sum.backward(loss, module);
        let leaves = self.cross.iter().chain(&self.cache.layers).flat_map(|(k, v)| [k, v]);
        for (leaf, found) in leaves.zip(&mut self.found) {
            if let Some(more) = leaf.grad_remove(&mut gradients) {
                *found = Some(match found.take() {
                    Some(sum) => toolkit_kernels::add(sum, more),
                    None => more,
                });
            }
        }
    }

    /// Something to add to what is propagated back last: its gradient is what the pieces found.
    pub(super) fn rest(self) -> Option<Tensor<1>> {
        let found = self.whole.into_iter().zip(self.found).filter_map(|(whole, found)| Some((whole, found?)));
        found.map(|(whole, gradient)| toolkit_kernels::with_gradient(whole, gradient)).reduce(|sum, one| sum + one)
    }
}

#[cfg(test)]
mod tests {
    use super::by_length;

    #[test]
    fn pieces_hold_every_row_once_and_like_lengths() {
        let lengths: Vec<usize> = (0..100).map(|i| 5 + (i * 37) % 19).collect();
        let pieces = by_length(&lengths, 32);
        assert_eq!(pieces.len(), 7, "a little more than six times 768 tokens");
        let mut all = pieces.concat();
        assert!(all.is_sorted_by_key(|&row| lengths[row]));
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(by_length(&[3, 1, 2], 8), [[1, 2, 0]]);
        assert_eq!(by_length(&[10_000, 9_000], 0), [[1], [0]]);
        assert_eq!(by_length(&[], 8).len(), 0);
    }
}
