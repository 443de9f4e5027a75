//! The keys and values that a language model's later tokens attend to: [`Cache`] for
//! self-attention, [`EncoderOutput`] for cross-attention.
//!
//! Both hold [`KvSegment`]s: the keys and values of one call, where that call computed them, with a
//! row number for each text. So on the CPU nothing is copied when a token is generated: a call adds
//! a segment, and beams that change their order, or that share a prompt, only get other row
//! numbers. A finished text's keys and values are freed with its batch.
//!
//! Two cases join all segments into one, by copying: several new tokens behind earlier ones, and
//! backends other than flex.

use crate::{index, noise};
use burn::tensor::Tensor;
use toolkit_kernels::{AttentionOptions, KvSegment, attend_segments, attention};

/// Keys and values, each `[batch, heads, tokens, head width]`.
pub type KeysValues = (Tensor<4>, Tensor<4>);

/// The self-attention keys and values of all tokens so far.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    /// Segments of each layer, one for each call.
    layers: Vec<Vec<KvSegment>>,
}

impl Cache {
    /// Returns the number of positions in the cache.
    #[must_use]
    pub fn past(&self) -> usize {
        self.layers
            .first()
            .map_or(0, |segments| segments.iter().map(|segment| segment.keys.dims()[2]).sum())
    }

    /// Returns the cache of the texts `rows`, in this order: the beams that continue.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let layer = |segments: &Vec<KvSegment>| {
            segments.iter().map(|segment| select(segment, rows)).collect()
        };
        Self { layers: self.layers.iter().map(layer).collect() }
    }

    /// Appends keys and values `[batch, heads, new, head width]` of layer `layer`, and attends to
    /// all that the layer has: `softmax(q k' * scale + bias) v`.
    ///
    /// `q` is `[batch, query heads, rows, head width]`: the last rows of the new tokens, or all.
    /// `bias` broadcasts to `[batch, query heads, rows, past + new]`. If keys and values have fewer
    /// heads, consecutive query heads share one. Layers come in order, the first one first. There
    /// is no dropout: the cache is for generation.
    pub fn attend(
        &mut self,
        layer: usize,
        q: Tensor<4>,
        (keys, values): KeysValues,
        bias: Tensor<4>,
        scale: f64,
    ) -> Tensor<4> {
        let segments = self.append(layer, keys, values);
        let one_token =
            if q.dims()[2] == 1 { attend_segments(&q, segments, Some(&bias), scale) } else { None };
        one_token.unwrap_or_else(|| {
            let (keys, values) = join(segments);
            attention(q, keys, values, AttentionOptions::new(scale).bias(bias))
        })
    }

    /// Appends keys and values of layer `layer` and returns all of the layer, each `[batch, heads,
    /// past + new, head width]`.
    ///
    /// Use it for attention of another kind than [`Cache::attend`]'s. It copies all positions at
    /// every call. Layers come in order, the first one first.
    pub fn extend(&mut self, layer: usize, keys: Tensor<4>, values: Tensor<4>) -> KeysValues {
        join(self.append(layer, keys, values))
    }

    fn append(&mut self, layer: usize, keys: Tensor<4>, values: Tensor<4>) -> &mut Vec<KvSegment> {
        if layer == self.layers.len() {
            self.layers.push(Vec::new());
        }
        let segments = &mut self.layers[layer];
        segments.push(KvSegment { keys, values, rows: None });
        segments
    }
}

/// Returns the texts `rows` of a segment, without copying.
fn select(segment: &KvSegment, rows: &[usize]) -> KvSegment {
    let before = segment.rows.as_deref();
    let rows = rows.iter().map(|&row| before.map_or(row, |before| before[row])).collect();
    KvSegment { keys: segment.keys.clone(), values: segment.values.clone(), rows: Some(rows) }
}

/// Returns the keys and values of each text, copied if the segment has row numbers.
fn copy_rows(KvSegment { keys, values, rows }: &KvSegment) -> KeysValues {
    match rows {
        None => (keys.clone(), values.clone()),
        Some(rows) => {
            let rows = index(rows, &keys.device());
            (keys.clone().select(0, rows.clone()), values.clone().select(0, rows))
        }
    }
}

/// Replaces all segments by one, and returns its keys and values.
fn join(segments: &mut Vec<KvSegment>) -> KeysValues {
    let (mut keys, mut values): (Vec<_>, Vec<_>) = segments.iter().map(copy_rows).unzip();
    let concatenate = |all: &mut Vec<Tensor<4>>| match all.len() {
        1 => all.remove(0),
        _ => Tensor::cat(std::mem::take(all), 2),
    };
    let (keys, values) = (concatenate(&mut keys), concatenate(&mut values));
    *segments = vec![KvSegment { keys: keys.clone(), values: values.clone(), rows: None }];
    (keys, values)
}

/// The output of an encoder-decoder's encoder, as its decoder's cross-attention reads it.
#[derive(Clone, Debug)]
pub struct EncoderOutput {
    cross: Vec<KvSegment>,
    mask: Tensor<2>,
}

impl EncoderOutput {
    /// Creates it from cross-attention keys and values, one pair for each decoder layer, each
    /// `[batch, heads, tokens, head width]`, and a mask `[batch, tokens]` with 1 for real tokens.
    ///
    /// The keys and values are projected once here, and not for each token that is generated.
    #[must_use]
    pub fn new(cross: impl IntoIterator<Item = KeysValues>, mask: Tensor<2>) -> Self {
        let cross = cross
            .into_iter()
            .map(|(keys, values)| KvSegment { keys, values, rows: None })
            .collect();
        Self { cross, mask }
    }

    /// Returns the mask of the encoder's positions, `[batch, tokens]` with 1 for real tokens.
    #[must_use]
    pub fn mask(&self) -> Tensor<2> {
        self.mask.clone()
    }

    /// Returns the keys and values of decoder layer `layer`, each `[batch, heads, tokens, head
    /// width]`.
    ///
    /// # Panics
    /// If there is no such layer.
    #[must_use]
    pub fn keys_values(&self, layer: usize) -> KeysValues {
        copy_rows(&self.cross[layer])
    }

    /// Returns the output of the texts `rows`, in this order.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let mask = self.mask.clone().select(0, index(rows, &self.mask.device()));
        Self { cross: self.cross.iter().map(|segment| select(segment, rows)).collect(), mask }
    }

    /// Computes the cross-attention of decoder layer `layer`: `softmax(q k' * scale + bias) v`.
    ///
    /// `q` is `[batch, heads, new, head width]`; `bias` broadcasts to `[batch, heads, new,
    /// tokens]`. `dropout` is the probability that a weight of the attention is dropped, inside a
    /// [`noise::scope`].
    #[must_use]
    pub fn attend(
        &self,
        layer: usize,
        q: Tensor<4>,
        bias: Tensor<4>,
        scale: f64,
        dropout: f64,
    ) -> Tensor<4> {
        let segment = &self.cross[layer];
        let [batch, heads, new, _] = q.dims();
        let mask = noise::mask(batch * heads * new * segment.keys.dims()[2], dropout);
        let one_token = match (new, &mask) {
            (1, None) => attend_segments(&q, std::slice::from_ref(segment), Some(&bias), scale),
            _ => None,
        };
        one_token.unwrap_or_else(|| {
            let KvSegment { keys, values, rows } = segment.clone();
            let options = AttentionOptions::new(scale).bias(bias).rows(rows.as_deref());
            attention(q, keys, values, options.dropout(mask))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;
    use crate::conform::{assert_close, sample};
    use burn::tensor::{Device, Tensor};

    /// Tokens are read, alone and several at once, while beams change their order and number: as if
    /// all was copied each time.
    #[test]
    fn attending_is_gathering_and_attending() {
        let device = Device::flex();
        let (mut fast, mut slow) = (Cache::default(), Cache::default());
        let mut texts = 2;
        let orders: [(&[usize], usize); 7] = [
            (&[0, 1], 4),
            (&[0, 0, 1, 1], 1),
            (&[3, 2, 0, 0], 1),
            (&[2, 1], 1),
            (&[1, 0, 0], 2),
            (&[2, 1, 0], 1),
            (&[1], 1),
        ];
        for (step, (rows, new)) in orders.into_iter().enumerate() {
            if step > 0 {
                (fast, slow) = (fast.select(rows), slow.select(rows));
                texts = rows.len();
            }
            for layer in 0..2 {
                let draw = |what: &str, heads| {
                    sample::<4>(&format!("{what}{step}{layer}"), [texts, heads, new, 8], &device)
                };
                let (q, k, v) = (draw("q", 4), draw("k", 2), draw("v", 2));
                let past = if layer == 0 { slow.past() } else { slow.past() - new };
                let bias =
                    sample::<4>(&format!("bias{step}"), [texts, 1, new, past + new], &device);
                let got = fast.attend(layer, q.clone(), (k.clone(), v.clone()), bias.clone(), 0.4);
                let (k, v) = slow.extend(layer, k, v);
                let options = toolkit_kernels::AttentionOptions::new(0.4).bias(bias);
                let want = toolkit_kernels::attention(q, k, v, options);
                assert_close(&format!("step {step}, layer {layer}"), got, want);
            }
            assert_eq!(fast.past(), slow.past());
        }
        assert_eq!(fast.past(), 11);
    }

    /// A prompt that five beams share is there once.
    #[test]
    fn beams_share_what_they_read() {
        let device = Device::flex();
        let draw = |rows, new| Tensor::<4>::ones([rows, 2, new, 4], &device);
        let bias = |rows, new, keys| Tensor::<4>::zeros([rows, 1, new, keys], &device);
        let mut cache = Cache::default();
        let _ = cache.attend(0, draw(1, 3), (draw(1, 3), draw(1, 3)), bias(1, 3, 3), 1.0);
        let mut cache = cache.select(&[0; 5]);
        let _ = cache.attend(0, draw(5, 1), (draw(5, 1), draw(5, 1)), bias(5, 1, 4), 1.0);
        let rows: Vec<usize> =
            cache.layers[0].iter().map(|segment| segment.keys.dims()[0]).collect();
        assert_eq!(rows, [1, 5]);
    }
}
