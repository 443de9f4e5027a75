//! Attention of one new token of each text to all that was read before, as generation does for
//! every token it writes.
//!
//! Keys and values lie where they were made, in one piece for each call that made some: nothing is
//! copied when a text grows, and when beams change their order, rows are renumbered. All beams of a
//! text read one copy of its prompt.

use std::sync::Arc;

use burn::tensor::{Shape, Tensor};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::attention::layout::{View, rows_contiguous};
use crate::buffer::{self, contiguous, parallel};
use crate::node;
use crate::simd::{Kernel, Simd, dot, madd, vectorised};
use crate::softmax::normalise;

/// Keys and values of some consecutive positions, each `[sources, heads, positions, head width]`.
#[derive(Clone, Debug)]
pub struct KvSegment {
    /// Keys.
    pub keys: Tensor<4>,
    /// Values.
    pub values: Tensor<4>,
    /// Which of the sources each text has; without, text i has source i.
    pub rows: Option<Arc<[usize]>>,
}

/// A piece as the kernel reads it.
struct Piece<'a> {
    keys: View<'a>,
    values: View<'a>,
    positions: usize,
    rows: Option<&'a [usize]>,
}

/// `heads` of queries; consecutive ones share one of the `shared` heads of keys and values. `keys`
/// positions in all pieces.
#[derive(Clone, Copy)]
struct Sizes {
    texts: usize,
    heads: usize,
    shared: usize,
    width: usize,
    keys: usize,
}

/// `softmax(q k' * scale + bias) v` for `q [texts, heads, 1, head width]` over the positions of all
/// pieces, in order. `bias` is `[1 or texts, 1 or heads, 1, keys]`. Keys and values may have fewer
/// heads: each is shared by as many consecutive heads of `q`. `None` where something is recorded or
/// not f32 on flex, or the shapes do not fit.
#[must_use]
pub fn attend(
    q: &Tensor<4>,
    past: &[KvSegment],
    bias: Option<&Tensor<4>>,
    scale: f64,
) -> Option<Tensor<4>> {
    let [texts, heads, 1, width] = q.dims() else { return None };
    let [_, shared, _, _] = past.first()?.keys.dims();
    let keys = past.iter().map(|piece| piece.keys.dims()[2]).sum();
    if texts * heads * width * shared * keys == 0 || !heads.is_multiple_of(shared) {
        return None;
    }
    let fits = |KvSegment { keys, values, rows }: &KvSegment| {
        let [sources, _, positions, _] = keys.dims();
        let known = match rows {
            Some(rows) => rows.len() == texts && rows.iter().all(|&row| row < sources),
            None => sources == texts,
        };
        known && keys.dims() == [sources, shared, positions, width] && values.dims() == keys.dims()
    };
    let bias_fits = |bias: &Tensor<4>| {
        let [over_texts, over_heads, queries, over_keys] = bias.dims();
        [1, texts].contains(&over_texts)
            && [1, heads].contains(&over_heads)
            && [queries, over_keys] == [1, keys]
    };
    if !past.iter().all(fits) || !bias.is_none_or(bias_fits) {
        return None;
    }
    let constant = |x: &Tensor<4>| node::constant(&x.clone().into_dispatch());
    let q = contiguous(constant(q)?);
    let pairs: Option<Vec<(FlexTensor, FlexTensor)>> = (past.iter())
        .map(|piece| {
            Some((
                rows_contiguous(constant(&piece.keys)?),
                rows_contiguous(constant(&piece.values)?),
            ))
        })
        .collect();
    let pairs = pairs?;
    let bias = match bias {
        None => None,
        Some(bias) => Some(rows_contiguous(constant(bias)?)),
    };
    let pieces: Vec<Piece<'_>> = (past.iter().zip(&pairs))
        .map(|(past, (keys, values))| Piece {
            keys: View::new(keys),
            values: View::new(values),
            positions: past.keys.dims()[2],
            rows: past.rows.as_deref(),
        })
        .collect();
    let bias = bias.as_ref().map(|bias| View::new(bias).broadcast(bias.layout().shape()));
    let sizes = Sizes { texts, heads, shared, width, keys };
    let out = attended(sizes, &pieces, q.storage(), bias.as_ref(), scale as f32);
    Some(Tensor::from_dispatch(node::plain(buffer::tensor(
        out,
        Shape::new([texts, heads, 1, width]),
    ))))
}

fn attended(
    sizes: Sizes,
    pieces: &[Piece<'_>],
    q: &[f32],
    bias: Option<&View<'_>>,
    scale: f32,
) -> Vec<f32> {
    let Sizes { texts, heads, shared, width, keys } = sizes;
    let threads = parallel(q.len() * keys);
    // The heads that share one of the keys at a time, where there are hardly more texts than
    // threads.
    let at_once =
        if threads && texts < 2 * rayon::current_num_threads() { heads / shared } else { heads };
    let mut out = vec![0.0; q.len()];
    let part = |(i, out): (usize, &mut [f32])| {
        let (text, first) = (i * at_once / heads, i * at_once % heads);
        let q = &q[i * at_once * width..][..at_once * width];
        vectorised(Part { sizes, pieces, q, bias, scale, text, first, out });
    };
    if threads {
        out.par_chunks_mut(at_once * width).enumerate().for_each(part);
    } else {
        out.chunks_mut(at_once * width).enumerate().for_each(part);
    }
    out
}

/// Heads `first..` of one text, as many as `q` has.
struct Part<'a> {
    sizes: Sizes,
    pieces: &'a [Piece<'a>],
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
            pieces,
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
        for piece in pieces {
            let source = piece.rows.map_or(text, |rows| rows[text]);
            for position in 0..piece.positions {
                for (head, q) in q.chunks_exact(width).enumerate() {
                    let key = &piece.keys.from([source, (first + head) / share, position])[..width];
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

        // 3. Their mean of the values.
        let mut at = 0;
        for piece in pieces {
            let source = piece.rows.map_or(text, |rows| rows[text]);
            for position in 0..piece.positions {
                for (head, out) in out.chunks_exact_mut(width).enumerate() {
                    let value = piece.values.from([source, (first + head) / share, position]);
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
