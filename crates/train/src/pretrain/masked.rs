//! Pre-training of the Q-Former's text side: masked words (BERT, section 3.1).

use super::{encoded, padded_labels};
use crate::TrainError;
use crate::fit::{Objective, StepLoss};
use crate::losses::{scalar, token_loss_sum};
use burn::optim::GradientsParams;
use burn::tensor::Device;
use std::sync::Arc;
use std::time::Duration;
use toolkit_core::{AnyBridge, Side, Stream, pad};
use toolkit_data::World;
use toolkit_system::problem::Problem;
use toolkit_tokenizer::TextTokenizer;

/// BERT's masked language modelling with the text side of a Q-Former.
///
/// It replaces the initialisation from `bert-base` (BLIP-2, section 3.1).
pub struct MaskedWords {
    /// Source of the text.
    pub world: Arc<World>,
    /// Seed of the text.
    pub seed: u64,
    /// Number of samples of a step.
    pub batch: usize,
    /// Tokenizer of the bridge.
    pub tokenizer: TextTokenizer,
    /// Number of word ids.
    pub vocab: usize,
    /// Autodiff device.
    pub device: Device,
}

impl Objective<AnyBridge> for MaskedWords {
    fn step(&mut self, model: &AnyBridge, step: u64) -> Result<StepLoss, TrainError> {
        let tower = model.text_tower().ok_or_else(|| {
            Problem::new("this bridge has no text tower to pre-train")
                .hint("use a `qformer` bridge")
        })?;
        let t = &self.tokenizer;
        let (cls, sep, unk) = (t.cls.unwrap_or(0), t.sep.unwrap_or(0), t.unk.unwrap_or(0));
        let mut draw = Stream::new(self.seed, "pretrain/masked", step);
        let (mut inputs, mut labels, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..self.batch as u64 {
            let text = self.world.text(self.seed, step * self.batch as u64 + i);
            let (first, second) =
                (draw.below(text.captions.len()), draw.below(text.captions.len()));
            // Two captions of one scene, so that a hidden word can be found in the other.
            let mut ids = vec![cls];
            for caption in [first, second] {
                ids.extend(encoded(t, &text.captions[caption])?);
                ids.push(sep);
            }
            labels.push(ids.clone());
            // 15 % of the words: 80 % hidden, 10 % another word, 10 % as they are (BERT, section
            // 3.1). This vocabulary has no [MASK]; [UNK], which no caption holds, stands in for it.
            let mut scored = vec![0.0; ids.len()];
            for at in 0..ids.len() {
                if ids[at] != cls && ids[at] != sep && draw.chance(0.15) {
                    scored[at] = 1.0;
                    match draw.unit() {
                        x if x < 0.8 => ids[at] = unk,
                        x if x < 0.9 => {
                            ids[at] = draw.between(sep as usize + 1, self.vocab - 1) as u32
                        }
                        _ => {}
                    }
                }
            }
            inputs.push(ids);
            weights.push(scored);
        }
        let input = pad(&inputs, t.pad.unwrap_or(0), Side::Right, &self.device);
        let (labels, weights, count) = padded_labels(&labels, &weights, &self.device);
        let loss = token_loss_sum(tower.masked_logits(input.ids, input.mask), labels, weights, 0.0)
            / count.max(1.0);
        let metrics = vec![("loss".to_owned(), scalar(&loss))];
        let grads = GradientsParams::from_grads(loss.backward(), model);
        let tokens = inputs.iter().map(Vec::len).sum();
        let (samples, waited) = (Vec::new(), Duration::ZERO);
        Ok(StepLoss { grads, metrics, samples, images: 0, tokens, waited })
    }
}
