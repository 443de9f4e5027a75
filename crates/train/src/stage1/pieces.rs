//! A step in pieces, so that less is held at once.
//!
//! What one pass leaves and others read is cut out of its graph (`cut.rs`). Each piece of a loss is
//! propagated back at once, its activations with it, and the gradients of all pieces are added up
//! as they come. Because the order of rows does not matter to a sum, texts of one length are put
//! together, and hardly any padding is computed.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Gradients, Tensor};
use std::collections::HashMap;
use toolkit_kernels::{AccumulatorMap, GradientAccumulator};

/// A piece has about so many tokens: large enough for products at full speed, small enough that its
/// activations are a fraction of the parameters' size where models are large (BERT-base: 0.3 GB).
pub const PIECE_TOKENS: usize = 512;

/// Rows `0..lengths.len()` in pieces of nearly equal size, by length; `queries` tokens stand before
/// each text.
pub(super) fn by_length(lengths: &[usize], queries: usize) -> Vec<Vec<usize>> {
    let mut rows: Vec<usize> = (0..lengths.len()).collect();
    rows.sort_by_key(|&row| lengths[row]);
    let tokens: usize = lengths.iter().map(|length| queries + length).sum();
    let pieces = tokens.div_ceil(PIECE_TOKENS).clamp(1, rows.len().max(1));
    rows.chunks(rows.len().div_ceil(pieces).max(1)).map(<[usize]>::to_vec).collect()
}

/// Gradients of a module's parameters, added up over several graphs.
#[derive(Default)]
pub(super) struct Sum {
    gathered: HashMap<ParamId, GradientAccumulator>,
    /// Of parameters and of cuts.
    pub(super) slots: AccumulatorMap,
    /// Where parameters cannot be gathered (other backends than flex).
    other: GradientsParams,
}

struct Through<'a>(&'a mut Sum);

impl ModuleMapper for Through<'_> {
    fn map_float<const D: usize>(&mut self, p: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !p.is_require_grad() {
            return p;
        }
        let Sum { gathered, slots, .. } = &mut *self.0;
        let gathered = gathered.entry(p.id).or_default();
        p.map(|value| gathered.attach(value, slots).unwrap_or_else(|value| value))
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

struct Collect<'a>(&'a HashMap<ParamId, GradientAccumulator>, GradientsParams);

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, p: &Param<Tensor<D>>) {
        if let Some(gradient) = self.0.get(&p.id).and_then(GradientAccumulator::take::<D>) {
            self.1.register(p.id, gradient);
        }
    }
}

impl Sum {
    /// The module for the graph of one piece: its gradients come here.
    pub(super) fn module<M: Module>(&mut self, module: &M) -> M {
        module.clone().map(&mut Through(self))
    }

    /// Propagates back from `loss`; `module` is the one that pieces are made from. What remains are
    /// gradients of tensors.
    pub(super) fn backward<M: Module>(&mut self, loss: &Tensor<1>, module: &M) -> Gradients {
        let mut gradients = self.slots.backward(loss);
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

#[cfg(test)]
mod tests {
    use super::by_length;

    #[test]
    fn pieces_hold_every_row_once_and_like_lengths() {
        let lengths: Vec<usize> = (0..100).map(|i| 5 + (i * 37) % 19).collect();
        let pieces = by_length(&lengths, 32);
        assert_eq!(pieces.len(), 10, "a little more than nine times 512 tokens");
        let mut all = pieces.concat();
        assert!(all.is_sorted_by_key(|&row| lengths[row]));
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(by_length(&[3, 1, 2], 8), [[1, 2, 0]]);
        assert_eq!(by_length(&[10_000, 9_000], 0), [[1], [0]]);
        assert_eq!(by_length(&[], 8).len(), 0);
    }
}
