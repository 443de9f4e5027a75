//! What a language model has read: the keys and values that later tokens attend to.
//!
//! On the CPU neither grows by copying when a token is written. What each call adds stays where it
//! was made, and rows are numbers: beams that change their order, or that share a prompt, copy
//! nothing. What a finished text has read is held until its batch ends. Several tokens at once
//! behind others, and other backends, join all pieces into one.

use crate::{KeysValues, index, noise};
use burn::tensor::Tensor;
use toolkit_kernels::{AttentionOptions, KvSegment, attend_segments, attention};

/// Keys and values of self-attention seen so far.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    /// For each layer what each call added.
    layers: Vec<Vec<KvSegment>>,
}

impl Cache {
    /// Number of positions held.
    #[must_use]
    pub fn past(&self) -> usize {
        self.layers
            .first()
            .map_or(0, |pieces| pieces.iter().map(|piece| piece.keys.dims()[2]).sum())
    }

    /// The texts `rows`, in this order: which beams go on.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let layer =
            |pieces: &Vec<KvSegment>| pieces.iter().map(|piece| chosen(piece, rows)).collect();
        Self { layers: self.layers.iter().map(layer).collect() }
    }

    /// Appends keys and values `[batch, heads, new, head width]` of layer `layer` and attends to
    /// all of them: `softmax(q k' * scale + bias) v`, with `q [batch, query heads, rows, head
    /// width]`, the last rows of the new ones or all, and `bias` that broadcasts to `[batch, query
    /// heads, rows, past + new]`. Where keys and values have fewer heads, consecutive query heads
    /// share one. Layers come in order. Nothing is dropped: this is generation.
    pub fn attend(
        &mut self,
        layer: usize,
        q: Tensor<4>,
        (keys, values): KeysValues,
        bias: Tensor<4>,
        scale: f64,
    ) -> Tensor<4> {
        let pieces = self.append(layer, keys, values);
        let now =
            if q.dims()[2] == 1 { attend_segments(&q, pieces, Some(&bias), scale) } else { None };
        now.unwrap_or_else(|| {
            let (keys, values) = joined(pieces);
            attention(q, keys, values, AttentionOptions::new(scale).bias(bias))
        })
    }

    /// Appends keys and values of layer `layer` and returns all of them, each `[batch, heads, past
    /// + new, head width]`: for attention of another kind than [`Cache::attend`]'s. It copies all
    /// that was read, for each token. Layers come in order.
    pub fn extend(&mut self, layer: usize, keys: Tensor<4>, values: Tensor<4>) -> KeysValues {
        joined(self.append(layer, keys, values))
    }

    fn append(&mut self, layer: usize, keys: Tensor<4>, values: Tensor<4>) -> &mut Vec<KvSegment> {
        if layer == self.layers.len() {
            self.layers.push(Vec::new());
        }
        let pieces = &mut self.layers[layer];
        pieces.push(KvSegment { keys, values, rows: None });
        pieces
    }
}

/// The texts `rows` of a piece.
fn chosen(piece: &KvSegment, rows: &[usize]) -> KvSegment {
    let before = piece.rows.as_deref();
    let rows = rows.iter().map(|&row| before.map_or(row, |before| before[row])).collect();
    KvSegment { keys: piece.keys.clone(), values: piece.values.clone(), rows: Some(rows) }
}

/// Keys and values as each text sees them.
fn gathered(KvSegment { keys, values, rows }: &KvSegment) -> KeysValues {
    match rows {
        None => (keys.clone(), values.clone()),
        Some(rows) => {
            let rows = index(rows, &keys.device());
            (keys.clone().select(0, rows.clone()), values.clone().select(0, rows))
        }
    }
}

/// All pieces as one, which takes their place.
fn joined(pieces: &mut Vec<KvSegment>) -> KeysValues {
    let (mut keys, mut values): (Vec<_>, Vec<_>) = pieces.iter().map(gathered).unzip();
    let one = |all: &mut Vec<Tensor<4>>| match all.len() {
        1 => all.remove(0),
        _ => Tensor::cat(std::mem::take(all), 2),
    };
    let (keys, values) = (one(&mut keys), one(&mut values));
    *pieces = vec![KvSegment { keys: keys.clone(), values: values.clone(), rows: None }];
    (keys, values)
}

/// What an encoder-decoder's encoder leaves for its decoder.
#[derive(Clone, Debug)]
pub struct EncoderOutput {
    cross: Vec<KvSegment>,
    mask: Tensor<2>,
}

impl EncoderOutput {
    /// Cross-attention keys and values of the encoder's output, one pair per decoder layer, each
    /// `[batch, heads, tokens, head width]`: computed once, whatever is generated. `mask [batch,
    /// tokens]` says which are real.
    #[must_use]
    pub fn new(cross: impl IntoIterator<Item = KeysValues>, mask: Tensor<2>) -> Self {
        let cross = cross
            .into_iter()
            .map(|(keys, values)| KvSegment { keys, values, rows: None })
            .collect();
        Self { cross, mask }
    }

    /// Which encoder positions are real, `[batch, tokens]`.
    #[must_use]
    pub fn mask(&self) -> Tensor<2> {
        self.mask.clone()
    }

    /// Keys and values of decoder layer `layer`, each `[batch, heads, tokens, head width]`.
    ///
    /// # Panics
    /// If there is no such layer.
    #[must_use]
    pub fn keys_values(&self, layer: usize) -> KeysValues {
        gathered(&self.cross[layer])
    }

    /// The texts `rows`, in this order.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let mask = self.mask.clone().select(0, index(rows, &self.mask.device()));
        Self { cross: self.cross.iter().map(|piece| chosen(piece, rows)).collect(), mask }
    }

    /// Cross-attention of decoder layer `layer`: `softmax(q k' * scale + bias) v`, with `q [batch,
    /// heads, new, head width]` and `bias` that broadcasts to `[batch, heads, new, tokens]`.
    /// `dropout` falls on the probabilities.
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
        // The mask of dropout has to be drawn in either case, so that streams stay in step.
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
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
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
        let held: Vec<usize> = cache.layers[0].iter().map(|piece| piece.keys.dims()[0]).collect();
        assert_eq!(held, [1, 5]);
    }
}
