//! Attention: scores, softmax and weighted values of each head in one pass, with its own backward.

mod head;
mod layout;

use std::sync::Arc;

use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::buffer::parallel;
use crate::node::Fused;
use crate::simd::vectorised;
use head::{Backward, Forward, Scratch};
use layout::{Bias, Groups, Output, View};

/// `softmax(q k' * scale + bias) v` for `[batch, heads, tokens, head width]`.
#[derive(Clone, Debug)]
pub(crate) struct Attention {
    pub(crate) scale: f32,
    /// A constant, as the fused backward has no gradient for it.
    pub(crate) bias: Option<FlexTensor>,
}

/// The inputs, which are only shared, and the probabilities `[batch, heads, queries, padded keys]`.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    inputs: [FlexTensor; 3],
    probabilities: Arc<Vec<f32>>,
}

/// Sizes of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) batch: usize,
    pub(crate) heads: usize,
    pub(crate) queries: usize,
    pub(crate) keys: usize,
    pub(crate) width: usize,
}

impl Sizes {
    fn new(q: &FlexTensor, k: &FlexTensor) -> Self {
        let (q, k) = (q.layout().shape(), k.layout().shape());
        Self { batch: q[0], heads: q[1], queries: q[2], keys: k[2], width: q[3] }
    }

    /// Keys rounded up to whole vectors: a row of scores begins at a multiple of this.
    pub(crate) fn padded(&self) -> usize {
        self.keys.next_multiple_of(8)
    }

    /// Scores of one head.
    pub(crate) fn scores(&self) -> usize {
        self.queries * self.padded()
    }

    /// Multiplications of one product, in the unit of [`parallel`]'s elements (an element costs about 32 of them elsewhere).
    fn work(&self) -> usize {
        self.batch * self.heads * self.scores() * self.width / 32
    }
}

impl Fused<3> for Attention {
    type Saved = Saved;

    fn forward(&self, inputs: [FlexTensor; 3], keep: bool) -> (FlexTensor, Option<Saved>) {
        let inputs = inputs.map(layout::rows_contiguous);
        let sizes = Sizes::new(&inputs[0], &inputs[1]);
        let [q, k, v] = inputs.each_ref().map(View::new);
        let bias = self.bias.clone().map(layout::rows_contiguous);
        let bias = bias.as_ref().map(|bias| Bias::new(bias, &sizes));
        let groups = Groups::new(&sizes);
        let mut out = Output::new(&groups, sizes.queries, &sizes, true);
        // Without autodiff one head's scores are scratch.
        let mut probabilities = vec![0.0; if keep { sizes.batch * sizes.heads * sizes.scores() } else { 0 }];
        let kept = groups.heads * sizes.scores();
        let row = out.stride;
        let run = |scratch: &mut Scratch, group: usize, out: &mut [f32], kept: &mut [f32]| {
            for head in 0..groups.heads {
                let at = groups.at(group, head);
                let (p, rest) = scratch.split(&sizes);
                let p = if keep { &mut kept[head * sizes.scores()..][..sizes.scores()] } else { p };
                let out = &mut out[head * sizes.width..];
                let [q, k, v] = [q.head(at), k.head(at), v.head(at)];
                let bias = bias.as_ref().map(|bias| bias.head(at));
                vectorised(Forward {
                    sizes,
                    scale: self.scale,
                    q,
                    k,
                    v,
                    bias,
                    probabilities: p,
                    scratch: rest,
                    out,
                    row,
                });
            }
        };
        if parallel(sizes.work()) {
            let each = out.values.par_chunks_mut(out.group).enumerate();
            if keep {
                each.zip(probabilities.par_chunks_mut(kept)).for_each_init(
                    || Scratch::new(&sizes),
                    |scratch, ((group, out), kept)| run(scratch, group, out, kept),
                );
            } else {
                each.for_each_init(|| Scratch::new(&sizes), |scratch, (group, out)| run(scratch, group, out, &mut []));
            }
        } else {
            let mut scratch = Scratch::new(&sizes);
            for (group, out) in out.values.chunks_mut(out.group).enumerate() {
                let kept = if keep { &mut probabilities[group * kept..][..kept] } else { &mut [] };
                run(&mut scratch, group, out, kept);
            }
        }
        let saved = keep.then(|| Saved { inputs, probabilities: Arc::new(probabilities) });
        (out.tensor(&sizes), saved)
    }

    fn backward(&self, saved: Saved, grad: FlexTensor, wanted: [bool; 3]) -> [Option<FlexTensor>; 3] {
        let grad = layout::rows_contiguous(grad);
        let sizes = Sizes::new(&saved.inputs[0], &saved.inputs[1]);
        let [q, k, v] = saved.inputs.each_ref().map(View::new);
        let g = View::new(&grad);
        let groups = Groups::new(&sizes);
        let tokens = [sizes.queries, sizes.keys, sizes.keys];
        let mut outputs: [Output; 3] = std::array::from_fn(|i| Output::new(&groups, tokens[i], &sizes, wanted[i]));
        let rows = outputs.each_ref().map(|output| output.stride);
        let run = |scratch: &mut Scratch, group: usize, mut outputs: [&mut [f32]; 3]| {
            for head in 0..groups.heads {
                let at = groups.at(group, head);
                let start = (group * groups.heads + head) * sizes.scores();
                let probabilities = &saved.probabilities[start..][..sizes.scores()];
                let (scores, rest) = scratch.split(&sizes);
                // An output that is not wanted is empty.
                let outputs = outputs
                    .each_mut()
                    .map(|output| if output.is_empty() { None } else { Some(&mut output[head * sizes.width..]) });
                let [q, k, v, g] = [q.head(at), k.head(at), v.head(at), g.head(at)];
                vectorised(Backward {
                    sizes,
                    scale: self.scale,
                    q,
                    k,
                    v,
                    g,
                    probabilities,
                    scores,
                    scratch: rest,
                    outputs,
                    rows,
                });
            }
        };
        let [dq, dk, dv] = &mut outputs;
        if parallel(sizes.work()) {
            let parts: Vec<_> = (0..groups.count).zip(dq.parts()).zip(dk.parts()).zip(dv.parts()).collect();
            parts.into_par_iter().for_each_init(
                || Scratch::new(&sizes),
                |scratch, (((group, dq), dk), dv)| run(scratch, group, [dq, dk, dv]),
            );
        } else {
            let mut scratch = Scratch::new(&sizes);
            for (((group, dq), dk), dv) in (0..groups.count).zip(dq.parts()).zip(dk.parts()).zip(dv.parts()) {
                run(&mut scratch, group, [dq, dk, dv]);
            }
        }
        let mut i = 0;
        outputs.map(|output| {
            i += 1;
            wanted[i - 1].then(|| output.tensor(&sizes))
        })
    }
}
