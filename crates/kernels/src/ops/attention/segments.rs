//! Attention of one new token of each text to all earlier tokens, as generation does for every
//! token that it writes.
//!
//! The keys and values of each earlier call stay where they were computed, as one segment. So
//! nothing is copied when a text grows, and when beams change their order, only row numbers change.
//! All beams of a text read one copy of its prompt.

use std::sync::Arc;

use burn::tensor::{Shape, Tensor};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::layout::{View, rows_contiguous};
use crate::cpu::buffer::{contiguous, parallel, tensor};
use crate::cpu::simd::{Kernel, Simd, vectorised};
use crate::cpu::vector::{dot, madd};
use crate::graph;
use crate::ops::softmax::normalise;

/// The keys and values of consecutive positions, each `[sources, heads, positions, head width]`.
#[derive(Clone, Debug)]
pub struct KvSegment {
    /// Keys.
    pub keys: Tensor<4>,
    /// Values.
    pub values: Tensor<4>,
    /// Source of each text; by default text i has source i.
    pub rows: Option<Arc<[usize]>>,
}

/// A segment as the kernel reads it.
struct Segment<'a> {
    keys: View<'a>,
    values: View<'a>,
    positions: usize,
    rows: Option<&'a [usize]>,
}

/// The sizes of one call: `heads` of queries, of which consecutive ones share one of the `shared`
/// heads of keys and values; `keys` positions in all segments.
#[derive(Clone, Copy)]
struct Sizes {
    texts: usize,
    heads: usize,
    shared: usize,
    width: usize,
    keys: usize,
}

impl Sizes {
    /// Returns `true` if a segment has these texts, heads and widths.
    fn fit(&self, KvSegment { keys, values, rows }: &KvSegment) -> bool {
        let [sources, _, positions, _] = keys.dims();
        let rows_fit = match rows {
            Some(rows) => rows.len() == self.texts && rows.iter().all(|&row| row < sources),
            None => sources == self.texts,
        };
        let shape = [sources, self.shared, positions, self.width];
        rows_fit && keys.dims() == shape && values.dims() == shape
    }

    /// Returns `true` if a bias broadcasts to the scores.
    fn fit_bias(&self, bias: &Tensor<4>) -> bool {
        let [texts, heads, queries, keys] = bias.dims();
        [1, self.texts].contains(&texts)
            && [1, self.heads].contains(&heads)
            && [queries, keys] == [1, self.keys]
    }
}

/// Computes `softmax(q k' * scale + bias) v` for `q [texts, heads, 1, head width]` over the
/// positions of all segments, in order.
///
/// `bias` is `[1 or texts, 1 or heads, 1, keys]`. Keys and values may have fewer heads: consecutive
/// heads of `q` share one. Returns `None` if a tensor has a gradient or is not f32 on flex, or if
/// the shapes do not fit.
#[must_use]
pub fn attend_segments(
    q: &Tensor<4>,
    segments: &[KvSegment],
    bias: Option<&Tensor<4>>,
    scale: f64,
) -> Option<Tensor<4>> {
    let [texts, heads, 1, width] = q.dims() else { return None };
    let [_, shared, _, _] = segments.first()?.keys.dims();
    let keys = segments.iter().map(|segment| segment.keys.dims()[2]).sum();
    if texts * heads * width * shared * keys == 0 || !heads.is_multiple_of(shared) {
        return None;
    }
    let sizes = Sizes { texts, heads, shared, width, keys };
    if !segments.iter().all(|segment| sizes.fit(segment))
        || !bias.is_none_or(|bias| sizes.fit_bias(bias))
    {
        return None;
    }
    let constant = |x: &Tensor<4>| graph::constant(&x.clone().into_dispatch());
    let q = contiguous(constant(q)?);
    let pairs: Option<Vec<[FlexTensor; 2]>> = segments
        .iter()
        .map(|KvSegment { keys, values, .. }| {
            Some([rows_contiguous(constant(keys)?), rows_contiguous(constant(values)?)])
        })
        .collect();
    let pairs = pairs?;
    let bias = match bias {
        None => None,
        Some(bias) => Some(rows_contiguous(constant(bias)?)),
    };
    let segments: Vec<Segment<'_>> = segments
        .iter()
        .zip(&pairs)
        .map(|(segment, [keys, values])| Segment {
            keys: View::new(keys),
            values: View::new(values),
            positions: segment.keys.dims()[2],
            rows: segment.rows.as_deref(),
        })
        .collect();
    let bias = bias.as_ref().map(|bias| View::new(bias).broadcast(bias.layout().shape()));
    let out = compute(sizes, &segments, q.storage(), bias.as_ref(), scale as f32);
    Some(Tensor::from_dispatch(graph::plain(tensor(out, Shape::new([texts, heads, 1, width])))))
}

/// Computes the output of all texts and heads.
fn compute(
    sizes: Sizes,
    segments: &[Segment<'_>],
    q: &[f32],
    bias: Option<&View<'_>>,
    scale: f32,
) -> Vec<f32> {
    let Sizes { texts, heads, shared, width, keys } = sizes;
    let threads = parallel(q.len() * keys);
    // If there are hardly more texts than threads, a thread takes only the heads that share keys.
    let at_once =
        if threads && texts < 2 * rayon::current_num_threads() { heads / shared } else { heads };
    let mut out = vec![0.0; q.len()];
    let part = |(i, out): (usize, &mut [f32])| {
        let (text, first) = (i * at_once / heads, i * at_once % heads);
        let q = &q[i * at_once * width..][..at_once * width];
        vectorised(Part { sizes, segments, q, bias, scale, text, first, out });
    };
    if threads {
        out.par_chunks_mut(at_once * width).enumerate().for_each(part);
    } else {
        out.chunks_mut(at_once * width).enumerate().for_each(part);
    }
    out
}

/// The work on heads `first..` of one text, as many as `q` has.
struct Part<'a> {
    sizes: Sizes,
    segments: &'a [Segment<'a>],
    q: &'a [f32],
    bias: Option<&'a View<'a>>,
    scale: f32,
    text: usize,
    first: usize,
    out: &'a mut [f32],
}

impl Kernel for Part<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            sizes: Sizes { heads, shared, width, keys, .. },
            segments,
            q,
            bias,
            scale,
            text,
            first,
            out,
        } = self;
        let share = heads / shared;
        let mut scores = vec![0.0; q.len() / width * keys];

        // 1. Scores. A position's heads usually lie side by side, so memory is read front to back.
        let mut at = 0;
        for segment in segments {
            let source = segment.rows.map_or(text, |rows| rows[text]);
            for position in 0..segment.positions {
                for (head, q) in q.chunks_exact(width).enumerate() {
                    let key =
                        &segment.keys.from([source, (first + head) / share, position])[..width];
                    scores[head * keys + at] = dot(simd, q, key);
                }
                at += 1;
            }
        }

        // 2. Probabilities.
        for (head, scores) in scores.chunks_exact_mut(keys).enumerate() {
            match bias {
                None => scores.iter_mut().for_each(|score| *score *= scale),
                Some(bias) => {
                    for (score, &bias) in scores.iter_mut().zip(bias.from([text, first + head, 0]))
                    {
                        *score = madd::<S>(*score, scale, bias);
                    }
                }
            }
        }
        normalise(simd, &mut scores, keys);

        // 3. The mean of the values, weighted by the probabilities.
        let mut at = 0;
        for segment in segments {
            let source = segment.rows.map_or(text, |rows| rows[text]);
            for position in 0..segment.positions {
                for (head, out) in out.chunks_exact_mut(width).enumerate() {
                    let value = segment.values.from([source, (first + head) / share, position]);
                    let p = scores[head * keys + at];
                    for (out, &value) in out.iter_mut().zip(value) {
                        *out = madd::<S>(p, value, *out);
                    }
                }
                at += 1;
            }
        }
    }
}
