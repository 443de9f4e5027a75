//! Attention as one node of the graph: scores, softmax and weighted values of each head in one
//! pass, with its own backward pass.

use std::sync::Arc;

use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::head::{Backward, Forward, Head, Scratch};
use super::layout::{Bias, Groups, Output, Sizes, View, rows_contiguous};
use crate::cpu::buffer::parallel;
use crate::cpu::simd::vectorised;
use crate::graph::Fused;
use crate::ops::dropout::DropoutMask;

/// `softmax(q k' * scale + bias) v` for `[batch, heads, tokens, head width]`.
#[derive(Clone, Debug)]
pub(super) struct Attention {
    pub(super) scale: f32,
    /// A constant, as the fused backward has no gradient for it.
    pub(super) bias: Option<FlexTensor>,
    /// Sample of keys and values for each sample of the queries; by default its own.
    pub(super) rows: Option<Arc<[usize]>>,
    /// Dropout on the probabilities, in the order `[batch, heads, queries, keys]`.
    pub(super) dropout: Option<DropoutMask>,
}

/// Largest number of probabilities that are saved for the backward pass. Larger ones are computed
/// again: that adds two products to about five, and saves one of the largest tensors.
const MOST_SAVED: usize = 1 << 20;

/// The inputs, which are shared and not copied, and the probabilities `[batch, heads, queries,
/// padded keys]` if they are few.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    inputs: [FlexTensor; 3],
    probabilities: Option<Arc<Vec<f32>>>,
}

/// The inputs of all heads, by sample and head.
struct Inputs<'a> {
    sizes: Sizes,
    scale: f32,
    views: [View<'a>; 3],
    bias: Option<Bias<'a>>,
    rows: Option<&'a [usize]>,
    dropout: Option<&'a DropoutMask>,
}

impl<'a> Inputs<'a> {
    fn new(
        op: &'a Attention,
        sizes: Sizes,
        inputs: &'a [FlexTensor; 3],
        bias: Option<&'a FlexTensor>,
    ) -> Self {
        let bias = bias.map(|bias| Bias::new(bias, &sizes));
        Self {
            sizes,
            scale: op.scale,
            views: inputs.each_ref().map(View::new),
            bias,
            rows: op.rows.as_deref(),
            dropout: op.dropout.as_ref(),
        }
    }

    fn head(&self, [sample, head]: [usize; 2]) -> Head<'_> {
        let [q, k, v] = &self.views;
        let source = self.rows.map_or(sample, |rows| rows[sample]);
        Head {
            sizes: self.sizes,
            scale: self.scale,
            q: q.head([sample, head]),
            k: k.head([source, head]),
            v: v.head([source, head]),
            bias: self.bias.as_ref().map(|bias| bias.head([sample, head])),
            dropout: self.dropout.map(|mask| {
                let count = self.sizes.queries * self.sizes.keys;
                (&mask.keep[(sample * self.sizes.heads + head) * count..][..count], mask.scale)
            }),
        }
    }
}

/// The memory that the forward pass of one group writes.
struct ForwardGroup<'a> {
    group: usize,
    out: &'a mut [f32],
    /// Empty if probabilities are not saved.
    probabilities: &'a mut [f32],
}

/// The gradients that the backward pass of one group of keys and values writes, with all groups of
/// queries that attend to it.
struct BackwardGroup<'a> {
    queries: Vec<(usize, &'a mut [f32])>,
    keys: &'a mut [f32],
    values: &'a mut [f32],
}

impl Attention {
    /// Computes the heads of one group; `row` is the distance between output rows.
    fn forward_group(
        read: &Inputs<'_>,
        groups: &Groups,
        scratch: &mut Scratch,
        row: usize,
        to: ForwardGroup<'_>,
    ) {
        let sizes = read.sizes;
        let ForwardGroup { group, out, probabilities } = to;
        for head in 0..groups.heads {
            let [p, dropped, scratch] = scratch.split(&sizes);
            let p = if probabilities.is_empty() {
                p
            } else {
                &mut probabilities[head * sizes.scores()..][..sizes.scores()]
            };
            let out = &mut out[head * sizes.width..];
            let head = read.head(groups.at(group, head));
            vectorised(Forward { head, probabilities: p, dropped, scratch, out, row });
        }
    }
}

/// Everything that the backward pass of a group reads.
struct BackwardInputs<'a> {
    read: Inputs<'a>,
    grad: View<'a>,
    probabilities: Option<&'a [f32]>,
    groups: Groups,
    /// Distances between the rows of the gradients of q, k and v.
    rows: [usize; 3],
}

impl BackwardInputs<'_> {
    /// Computes the gradients of one group of keys and values, query group after query group.
    fn run(&self, scratch: &mut Scratch, to: BackwardGroup<'_>) {
        for (i, (group, queries)) in to.queries.into_iter().enumerate() {
            // Gradients of the first queries are written, those of the others added.
            self.run_queries(scratch, group, [queries, &mut *to.keys, &mut *to.values], i > 0);
        }
    }

    /// Computes the gradients that one group of queries gives. An output that is not wanted is
    /// empty.
    fn run_queries(
        &self,
        scratch: &mut Scratch,
        group: usize,
        mut outputs: [&mut [f32]; 3],
        add: bool,
    ) {
        let sizes = self.read.sizes;
        for head in 0..self.groups.heads {
            let at = self.groups.at(group, head);
            let start = (group * self.groups.heads + head) * sizes.scores();
            let [scores, p, scratch] = scratch.split(&sizes);
            let probabilities =
                self.probabilities.map(|saved| &saved[start..][..sizes.scores()]).ok_or(p);
            let outputs = outputs.each_mut().map(|output| {
                if output.is_empty() { None } else { Some(&mut output[head * sizes.width..]) }
            });
            let (head, g) = (self.read.head(at), self.grad.head(at));
            let rows = self.rows;
            vectorised(Backward { head, g, probabilities, scores, scratch, outputs, rows, add });
        }
    }
}

impl Fused<3> for Attention {
    type Saved = Saved;

    fn forward(&self, inputs: [FlexTensor; 3], save: bool) -> (FlexTensor, Option<Saved>) {
        let inputs = inputs.map(rows_contiguous);
        let sizes = Sizes::new(&inputs[0], &inputs[1]);
        let bias = self.bias.clone().map(rows_contiguous);
        let read = Inputs::new(self, sizes, &inputs, bias.as_ref());
        let groups = Groups::new(&sizes, self.rows.is_some());
        let mut out = Output::new(&groups, sizes.batch, sizes.queries, &sizes, true);
        let all = sizes.batch * sizes.heads * sizes.scores();
        let save_probabilities = save && all <= MOST_SAVED;
        let mut probabilities = vec![0.0; if save_probabilities { all } else { 0 }];
        let size = groups.heads * sizes.scores();
        let row = out.stride;
        let run = |scratch: &mut Scratch, to: ForwardGroup<'_>| {
            Self::forward_group(&read, &groups, scratch, row, to);
        };
        let each = out.values.chunks_mut(out.group).enumerate();
        let mut saved = probabilities.chunks_mut(size);
        let parts: Vec<ForwardGroup<'_>> = each
            .map(|(group, out)| ForwardGroup {
                group,
                out,
                probabilities: saved.next().unwrap_or_default(),
            })
            .collect();
        if parallel(sizes.work()) {
            parts.into_par_iter().for_each_init(|| Scratch::new(&sizes), run);
        } else {
            let mut scratch = Scratch::new(&sizes);
            parts.into_iter().for_each(|part| run(&mut scratch, part));
        }
        let probabilities = save_probabilities.then(|| Arc::new(probabilities));
        let saved = save.then(|| Saved { inputs, probabilities });
        (out.tensor(&sizes), saved)
    }

    fn backward(
        &self,
        saved: Saved,
        grad: FlexTensor,
        wanted: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let grad = rows_contiguous(grad);
        let sizes = Sizes::new(&saved.inputs[0], &saved.inputs[1]);
        let bias = self.bias.clone().map(rows_contiguous);
        let groups = Groups::new(&sizes, self.rows.is_some());
        let dims = [
            (sizes.batch, sizes.queries),
            (sizes.sources, sizes.keys),
            (sizes.sources, sizes.keys),
        ];
        let mut outputs: [Output; 3] =
            std::array::from_fn(|i| Output::new(&groups, dims[i].0, dims[i].1, &sizes, wanted[i]));
        let inputs = BackwardInputs {
            read: Inputs::new(self, sizes, &saved.inputs, bias.as_ref()),
            grad: View::new(&grad),
            probabilities: saved.probabilities.as_ref().map(|saved| &saved[..]),
            groups,
            rows: outputs.each_ref().map(|output| output.stride),
        };
        let [dq, dk, dv] = &mut outputs;
        let mut parts: Vec<BackwardGroup<'_>> = dk
            .parts()
            .zip(dv.parts())
            .map(|(keys, values)| BackwardGroup { queries: Vec::new(), keys, values })
            .collect();
        for (group, dq) in (0..inputs.groups.count).zip(dq.parts()) {
            let source = self.rows.as_ref().map_or(group, |rows| rows[group]);
            parts[source].queries.push((group, dq));
        }
        if parallel(sizes.work()) {
            parts
                .into_par_iter()
                .for_each_init(|| Scratch::new(&sizes), |scratch, part| inputs.run(scratch, part));
        } else {
            let mut scratch = Scratch::new(&sizes);
            parts.into_iter().for_each(|part| inputs.run(&mut scratch, part));
        }
        let mut wanted = wanted.into_iter();
        outputs.map(|output| wanted.next().unwrap_or(false).then(|| output.tensor(&sizes)))
    }
}
