//! The loop over tokens: logits of the last position in, the next tokens out.

use super::beam::{Next, Search};
use super::inputs::Start;
use super::sample::Sampler;
use super::{Decoding, Generated, Generator, plain_device};
use crate::VlmError;
use burn::tensor::{Device, Int, Tensor, TensorData};
use toolkit_core::{Cache, index, params};
use toolkit_system::problem::Problem;

/// The choice of the next tokens.
enum Method {
    Search(Search),
    Sample(Sampler),
}

impl Method {
    fn advance(&mut self, logits: &[f32], vocab: usize) -> Result<Vec<Next>, VlmError> {
        match self {
            Self::Search(search) => search.advance(logits, vocab),
            Self::Sample(sampler) => sampler.advance(logits, vocab),
        }
    }

    fn finish(self) -> Vec<Vec<Generated>> {
        match self {
            Self::Search(search) => search.finish(),
            Self::Sample(sampler) => sampler.finish(),
        }
    }
}

impl Generator<'_> {
    /// Generates the texts of a batch whose prompts are either all empty or all of at least one
    /// token.
    pub(super) fn steps(
        &self,
        prefix: Option<Tensor<3>>,
        prompts: &[Vec<u32>],
        decoding: &Decoding,
        seeds: &[u64],
    ) -> Result<Vec<Vec<Generated>>, VlmError> {
        let device = prefix.as_ref().map_or_else(|| plain_device(self.language), Tensor::device);
        let Start { mut embeds, mut mask, mut memory, penalised, budgets } =
            self.start(prefix, prompts, decoding, &device)?;
        if embeds.is_autodiff() {
            return Err(Problem::new("the language model or the prefix is on an autodiff device")
                .at("generation")
                .hint("evaluate with `module.valid()` and tensors on `device.without_autodiff()`")
                .into());
        }
        let eos = self.special_tokens.eos;
        let mut method = match decoding.sample {
            true => Method::Sample(Sampler::new(*decoding, eos, &budgets, penalised, seeds)),
            false => Method::Search(Search::new(*decoding, eos, &budgets, penalised)),
        };
        let mut cache = Cache::default();
        let mut owners: Vec<usize> = (0..prompts.len()).collect();
        loop {
            let (memory_now, cache_now) = (memory.as_ref(), Some(&mut cache));
            let hidden = self.language.decode_last(embeds, mask.clone(), memory_now, cache_now, 1);
            let logits = self.language.logits(hidden);
            let vocab = logits.dims()[2];
            let next = method.advance(&params::floats(logits), vocab)?;
            if next.is_empty() {
                return Ok(method.finish());
            }
            if !next.iter().map(|n| n.parent).eq(0..owners.len()) {
                let parents: Vec<usize> = next.iter().map(|n| n.parent).collect();
                cache = cache.select(&parents);
                let now: Vec<usize> = next.iter().map(|n| n.sentence).collect();
                // Rows of one sample have the same mask and memory.
                if now != owners {
                    mask = mask.select(0, index(&parents, &device));
                    memory = memory.map(|m| m.select(&parents));
                    owners = now;
                }
            }
            mask = Tensor::cat(vec![mask, Tensor::ones([next.len(), 1], &device)], 1);
            embeds = self.language.embed(column(&next, &device));
        }
    }
}

/// Returns the chosen tokens as `[rows, 1]`.
fn column(next: &[Next], device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i32> = next.iter().map(|n| n.token as i32).collect();
    Tensor::from_data(TensorData::new(ids, [next.len(), 1]), device)
}
