//! Attention: scores, softmax and weighted values of each head in one pass, with its own backward.

mod head;
pub(crate) mod layout;

use std::sync::Arc;

use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::buffer::parallel;
use crate::dropout::Keep;
use crate::node::Fused;
use crate::simd::vectorised;
use head::{Backward, Forward, Head, Scratch};
use layout::{Bias, Groups, Output, View};

/// `softmax(q k' * scale + bias) v` for `[batch, heads, tokens, head width]`.
#[derive(Clone, Debug)]
pub(crate) struct Attention {
    pub(crate) scale: f32,
    /// A constant, as the fused backward has no gradient for it.
    pub(crate) bias: Option<FlexTensor>,
    /// Whose keys and values each sample of the queries attends to; without it, its own.
    pub(crate) rows: Option<Arc<[usize]>>,
    /// Dropout on the probabilities, in the order `[batch, heads, queries, keys]`.
    pub(crate) keep: Option<Keep>,
}

/// Probabilities of more than so many elements are not kept for the backward pass but made again:
/// two more products of five or so, for what would be one of the largest things to keep.
const KEPT: usize = 1 << 20;

/// The inputs, which are only shared, and the probabilities `[batch, heads, queries, padded keys]`
/// if they are few.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    inputs: [FlexTensor; 3],
    probabilities: Option<Arc<Vec<f32>>>,
}

/// Sizes of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) batch: usize,
    pub(crate) heads: usize,
    pub(crate) queries: usize,
    pub(crate) keys: usize,
    pub(crate) width: usize,
    /// Samples of the keys.
    pub(crate) sources: usize,
}

impl Sizes {
    fn new(q: &FlexTensor, k: &FlexTensor) -> Self {
        let (q, k) = (q.layout().shape(), k.layout().shape());
        Self { batch: q[0], heads: q[1], queries: q[2], keys: k[2], width: q[3], sources: k[0] }
    }

    /// Keys rounded up to whole vectors: a row of scores begins at a multiple of this.
    pub(crate) fn padded(&self) -> usize {
        self.keys.next_multiple_of(8)
    }

    /// Scores of one head.
    pub(crate) fn scores(&self) -> usize {
        self.queries * self.padded()
    }

    /// Multiplications of one product, in the unit of [`parallel`]'s elements (an element costs
    /// about 32 of them elsewhere).
    fn work(&self) -> usize {
        self.batch * self.heads * self.scores() * self.width / 32
    }
}

/// Everything that is read, by sample and head.
struct Inputs<'a> {
    sizes: Sizes,
    scale: f32,
    views: [View<'a>; 3],
    bias: Option<Bias<'a>>,
    rows: Option<&'a [usize]>,
    keep: Option<&'a Keep>,
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
            keep: op.keep.as_ref(),
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
            keep: self.keep.map(|keep| {
                let count = self.sizes.queries * self.sizes.keys;
                (&keep.elements[(sample * self.sizes.heads + head) * count..][..count], keep.scale)
            }),
        }
    }
}

impl Fused<3> for Attention {
    type Saved = Saved;

    fn forward(&self, inputs: [FlexTensor; 3], keep: bool) -> (FlexTensor, Option<Saved>) {
        let inputs = inputs.map(layout::rows_contiguous);
        let sizes = Sizes::new(&inputs[0], &inputs[1]);
        let bias = self.bias.clone().map(layout::rows_contiguous);
        let read = Inputs::new(self, sizes, &inputs, bias.as_ref());
        let groups = Groups::new(&sizes, self.rows.is_some());
        let mut out = Output::new(&groups, sizes.batch, sizes.queries, &sizes, true);
        let all = sizes.batch * sizes.heads * sizes.scores();
        let keep_probabilities = keep && all <= KEPT;
        let mut probabilities = vec![0.0; if keep_probabilities { all } else { 0 }];
        let kept = groups.heads * sizes.scores();
        let row = out.stride;
        let run = |scratch: &mut Scratch, group: usize, out: &mut [f32], kept: &mut [f32]| {
            for head in 0..groups.heads {
                let [p, dropped, scratch] = scratch.split(&sizes);
                let p = if keep_probabilities {
                    &mut kept[head * sizes.scores()..][..sizes.scores()]
                } else {
                    p
                };
                let out = &mut out[head * sizes.width..];
                let head = read.head(groups.at(group, head));
                vectorised(Forward { head, probabilities: p, dropped, scratch, out, row });
            }
        };
        if parallel(sizes.work()) {
            let each = out.values.par_chunks_mut(out.group).enumerate();
            if keep_probabilities {
                each.zip(probabilities.par_chunks_mut(kept)).for_each_init(
                    || Scratch::new(&sizes),
                    |scratch, ((group, out), kept)| run(scratch, group, out, kept),
                );
            } else {
                each.for_each_init(
                    || Scratch::new(&sizes),
                    |scratch, (group, out)| run(scratch, group, out, &mut []),
                );
            }
        } else {
            let mut scratch = Scratch::new(&sizes);
            for (group, out) in out.values.chunks_mut(out.group).enumerate() {
                let kept = if keep_probabilities {
                    &mut probabilities[group * kept..][..kept]
                } else {
                    &mut []
                };
                run(&mut scratch, group, out, kept);
            }
        }
        let probabilities = keep_probabilities.then(|| Arc::new(probabilities));
        let saved = keep.then(|| Saved { inputs, probabilities });
        (out.tensor(&sizes), saved)
    }

    fn backward(
        &self,
        saved: Saved,
        grad: FlexTensor,
        wanted: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let grad = layout::rows_contiguous(grad);
        let sizes = Sizes::new(&saved.inputs[0], &saved.inputs[1]);
        let bias = self.bias.clone().map(layout::rows_contiguous);
        let read = Inputs::new(self, sizes, &saved.inputs, bias.as_ref());
        let g = View::new(&grad);
        let groups = Groups::new(&sizes, self.rows.is_some());
        let dims = [
            (sizes.batch, sizes.queries),
            (sizes.sources, sizes.keys),
            (sizes.sources, sizes.keys),
        ];
        let mut outputs: [Output; 3] =
            std::array::from_fn(|i| Output::new(&groups, dims[i].0, dims[i].1, &sizes, wanted[i]));
        let rows = outputs.each_ref().map(|output| output.stride);
        // `add`: whether something is in the gradients of keys and values already.
        let run = |scratch: &mut Scratch, group: usize, outputs: [&mut [f32]; 3], add: bool| {
            let mut outputs = outputs;
            for head in 0..groups.heads {
                let at = groups.at(group, head);
                let start = (group * groups.heads + head) * sizes.scores();
                let [scores, p, scratch] = scratch.split(&sizes);
                let probabilities = saved
                    .probabilities
                    .as_ref()
                    .map(|kept| &kept[start..][..sizes.scores()])
                    .ok_or(p);
                // An output that is not wanted is empty.
                let outputs = outputs.each_mut().map(|output| {
                    if output.is_empty() { None } else { Some(&mut output[head * sizes.width..]) }
                });
                let (head, g) = (read.head(at), g.head(at));
                vectorised(Backward {
                    head,
                    g,
                    probabilities,
                    scores,
                    scratch,
                    outputs,
                    rows,
                    add,
                });
            }
        };
        let [dq, dk, dv] = &mut outputs;
        // What one thread does at a time: a group of keys and values with all groups of queries
        // that attend to it.
        type Piece<'a> = (Vec<(usize, &'a mut [f32])>, &'a mut [f32], &'a mut [f32]);
        let mut pieces: Vec<Piece<'_>> =
            dk.parts().zip(dv.parts()).map(|(dk, dv)| (Vec::new(), dk, dv)).collect();
        for (group, dq) in (0..groups.count).zip(dq.parts()) {
            let source = self.rows.as_ref().map_or(group, |rows| rows[group]);
            pieces[source].0.push((group, dq));
        }
        let run_piece = |scratch: &mut Scratch, (queries, dk, dv): Piece<'_>| {
            for (i, (group, dq)) in queries.into_iter().enumerate() {
                run(scratch, group, [dq, &mut *dk, &mut *dv], i > 0);
            }
        };
        if parallel(sizes.work()) {
            pieces.into_par_iter().for_each_init(|| Scratch::new(&sizes), run_piece);
        } else {
            let mut scratch = Scratch::new(&sizes);
            pieces.into_iter().for_each(|piece| run_piece(&mut scratch, piece));
        }
        let mut i = 0;
        outputs.map(|output| {
            i += 1;
            wanted[i - 1].then(|| output.tensor(&sizes))
        })
    }
}
