//! The tensors that the decoder reads before its first step, and the limits on its texts.

use super::{Decoding, Generator};
use crate::VlmError;
use burn::tensor::{Device, Int, Tensor};
use toolkit_core::{EncoderOutput, LanguageKind, LanguageSpecialTokens, Side, pad};
use toolkit_system::problem::Problem;

/// The decoder's state before its first step, one row for each sample.
pub(super) struct Start {
    /// `[batch, tokens, width]`.
    pub(super) embeds: Tensor<3>,
    /// `[batch, tokens]`.
    pub(super) mask: Tensor<2>,
    pub(super) memory: Option<EncoderOutput>,
    /// Token ids that the repetition penalty counts as written already.
    pub(super) penalised: Vec<Vec<u32>>,
    /// Most new tokens of each sample.
    pub(super) budgets: Vec<usize>,
}

impl Generator<'_> {
    /// Compares the shape of a prefix with the number of prompts and the width of the model.
    pub(super) fn check_prefix(
        &self,
        prefix: Option<&Tensor<3>>,
        prompts: usize,
    ) -> Result<(), VlmError> {
        let Some([rows, _, width]) = prefix.map(Tensor::dims) else { return Ok(()) };
        if rows == prompts && width == self.shape.width {
            return Ok(());
        }
        let wanted = self.shape.width;
        let what = format!("the prefix is [{rows}, .., {width}], wanted [{prompts}, .., {wanted}]");
        Err(Problem::new(what)
            .at("generation")
            .hint("give one prefix per prompt, as wide as the language model's embeddings")
            .into())
    }

    /// Compares every id that is going to be embedded with the rows of the model.
    pub(super) fn check_ids(&self, prompts: &[Vec<u32>]) -> Result<(), VlmError> {
        let LanguageSpecialTokens { eos, pad, decoder_start, .. } = &self.special_tokens;
        let start = (self.shape.kind == LanguageKind::EncoderDecoder).then_some(decoder_start);
        let ids = prompts.iter().flatten().chain(eos.ids()).chain([pad]).chain(start);
        let vocab = self.shape.vocab;
        let Some(id) = ids.copied().find(|id| *id as usize >= vocab) else { return Ok(()) };
        Err(Problem::new(format!("token id {id} has no row, the language model has {vocab} rows"))
            .at("generation")
            .hint("give the tokenizer and the special ids that belong to the model")
            .into())
    }

    /// Reads prefix and prompts: the decoder's first inputs.
    pub(super) fn start(
        &self,
        prefix: Option<Tensor<3>>,
        prompts: &[Vec<u32>],
        decoding: &Decoding,
        device: &Device,
    ) -> Result<Start, VlmError> {
        let samples = prompts.len();
        let queries = prefix.as_ref().map_or(0, |prefix| prefix.dims()[1]);
        let lengths = prompts.iter().map(|prompt| queries + prompt.len());
        let first = self.special_tokens.decoder_start;
        match self.shape.kind {
            LanguageKind::DecoderOnly => {
                let budgets = self.budgets(lengths, decoding)?;
                let (embeds, mask) = self.prefixed(prefix, prompts, Side::Left, device);
                Ok(Start { embeds, mask, memory: None, penalised: prompts.to_vec(), budgets })
            }
            LanguageKind::EncoderDecoder => {
                self.budgets(lengths, decoding)?;
                let (embeds, mask) = self.prefixed(prefix, prompts, Side::Right, device);
                let memory = Some(self.language.encode(embeds, mask));
                let budgets = self.budgets(std::iter::repeat_n(1, samples), decoding)?;
                let ids = Tensor::<2, Int>::full([samples, 1], first as i32, device);
                let (embeds, mask) = (self.language.embed(ids), Tensor::ones([samples, 1], device));
                Ok(Start { embeds, mask, memory, penalised: vec![vec![first]; samples], budgets })
            }
        }
    }

    /// Embeds `[prefix ; text]` with its mask, text padded on `side`.
    pub(super) fn prefixed(
        &self,
        prefix: Option<Tensor<3>>,
        texts: &[Vec<u32>],
        side: Side,
        device: &Device,
    ) -> (Tensor<3>, Tensor<2>) {
        let mut embeds = Vec::new();
        let mut masks = Vec::new();
        if let Some(prefix) = prefix {
            let [rows, queries, _] = prefix.dims();
            masks.push(Tensor::ones([rows, queries], device));
            embeds.push(prefix);
        }
        if texts.iter().any(|text| !text.is_empty()) {
            let text = pad(texts, self.special_tokens.pad, side, device);
            masks.push(text.mask);
            embeds.push(self.language.embed(text.ids));
        }
        (Tensor::cat(embeds, 1), Tensor::cat(masks, 1))
    }

    /// Counts how many tokens can be written behind inputs of these lengths. The last one is never
    /// read.
    pub(super) fn budgets(
        &self,
        lengths: impl Iterator<Item = usize>,
        decoding: &Decoding,
    ) -> Result<Vec<usize>, VlmError> {
        let positions = self.shape.positions.unwrap_or(usize::MAX / 2);
        let budget = |(sample, length): (usize, usize)| {
            if length <= positions {
                return Ok(decoding.max_new_tokens.min(positions + 1 - length));
            }
            let what = format!(
                "prefix and prompt have {length} tokens, the language model has {positions} \
                positions"
            );
            Err(Problem::new(what)
                .at(format_args!("sample {sample} of the batch"))
                .hint("shorten the prompt or use fewer queries")
                .into())
        };
        lengths.enumerate().map(budget).collect()
    }
}
