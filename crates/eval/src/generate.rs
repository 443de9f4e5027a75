//! Text behind a soft prefix, or without one.

use crate::beam::{Next, Search};
use crate::sample::Sampler;
use crate::{Decoding, EvalError};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use toolkit_core::{
    AnyLanguage, Cache, EncoderOutput, LanguageKind, LanguageShape, LanguageSpecialTokens, Side,
    index, noise, pad, params,
};
use toolkit_tokenizer::TextTokenizer;

/// A frozen language model with what is needed to let it speak.
#[derive(Clone, Copy)]
pub struct Speaker<'a> {
    /// The model, on a plain device (`module.valid()`).
    pub language: &'a AnyLanguage,
    /// Its sizes.
    pub shape: &'a LanguageShape,
    /// Its tokenizer.
    pub tokenizer: &'a TextTokenizer,
    /// Its special ids.
    pub special_tokens: LanguageSpecialTokens,
    /// The way from a prompt to ids, special ones included, where the model has one of its own.
    /// Without, `marks` says where special ids stand.
    pub read: Option<&'a ReadPrompt<'a>>,
}

/// Encodes a prompt as a checkpoint's own tokenizer does, special ids included.
pub type ReadPrompt<'a> = dyn Fn(&str) -> Result<Vec<u32>, EvalError> + 'a;

/// A frozen language model that continues token ids.
#[derive(Clone, Copy)]
pub struct Writer<'a> {
    /// The model, on a plain device (`module.valid()`).
    pub language: &'a AnyLanguage,
    /// Its sizes.
    pub shape: &'a LanguageShape,
    /// Its special ids.
    pub special_tokens: LanguageSpecialTokens,
}

/// A written text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generated {
    /// Token ids, without prompt and end.
    pub ids: Vec<u32>,
    /// Summed log-probability by `length ^ length_penalty`, the end counted.
    pub score: f32,
    /// The id that ended it; none if it was cut.
    pub end: Option<u32>,
}

impl Generated {
    /// Whether it ended by itself and was not cut.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.end.is_some()
    }
}

/// How the next tokens are found.
enum Method {
    Search(Search),
    Sample(Sampler),
}

impl Method {
    fn advance(&mut self, logits: &[f32], vocab: usize) -> Result<Vec<Next>, EvalError> {
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

/// What the decoder has before the first step: one row for each sample.
struct Start {
    /// `[batch, tokens, width]`.
    embeds: Tensor<3>,
    /// `[batch, tokens]`.
    mask: Tensor<2>,
    memory: Option<EncoderOutput>,
    /// What the repetition penalty counts as said already.
    said: Vec<Vec<u32>>,
    /// Most new tokens of each sample.
    budgets: Vec<usize>,
}

impl<'a> Speaker<'a> {
    /// The same without the tokenizer.
    #[must_use]
    pub fn writer(&self) -> Writer<'a> {
        Writer { language: self.language, shape: self.shape, special_tokens: self.special_tokens }
    }

    /// [`Writer::continue_texts`] of `prompts` without special tokens: a decoder-only model's `bos`
    /// is put before each, an encoder-decoder's `eos` behind.
    ///
    /// # Errors
    /// As [`Writer::continue_texts`].
    pub fn generate(
        &self,
        prefix: Option<Tensor<3>>,
        prompts: &[Vec<u32>],
        decoding: &Decoding,
    ) -> Result<Vec<Vec<Generated>>, EvalError> {
        let whole = |prompt: &Vec<u32>| match self.shape.kind {
            LanguageKind::DecoderOnly => {
                self.special_tokens.bos.iter().chain(prompt).copied().collect()
            }
            LanguageKind::EncoderDecoder => {
                prompt.iter().copied().chain([self.special_tokens.eos.first()]).collect()
            }
        };
        self.writer().continue_texts(
            prefix,
            &prompts.iter().map(whole).collect::<Vec<_>>(),
            decoding,
        )
    }

    /// The best text of each sample, decoded, without white space around it.
    pub(crate) fn say(
        &self,
        prefix: Option<Tensor<3>>,
        prompts: &[String],
        decoding: &Decoding,
    ) -> Result<Vec<String>, EvalError> {
        let written = match self.read {
            Some(read) => {
                let ids =
                    prompts.iter().map(|prompt| read(prompt)).collect::<Result<Vec<_>, _>>()?;
                self.writer().continue_texts(prefix, &ids, decoding)?
            }
            None => {
                let ids = prompts
                    .iter()
                    .map(|prompt| self.tokenizer.encode(prompt))
                    .collect::<Result<Vec<_>, _>>()?;
                self.generate(prefix, &ids, decoding)?
            }
        };
        let best = |texts: Vec<Generated>| match texts.first() {
            Some(text) => Ok(self.tokenizer.decode(&text.ids)?.trim().to_owned()),
            None => Ok(String::new()),
        };
        written.into_iter().map(best).collect()
    }
}

impl Writer<'_> {
    /// Continues `prompts` behind the soft `prefix [batch, queries, width]`; without one, the
    /// language model speaks alone. Prompts are token ids, special ones included, of any lengths.
    /// Returns for each sample up to `beams` texts (sampling: `answers`), best first.
    ///
    /// A decoder-only model reads `[prefix ; padding ; bos ; prompt]` (LAVIS `blip2_opt.py`). An
    /// encoder-decoder's encoder reads `[prefix ; prompt ; eos ; padding]` and its decoder starts
    /// from `decoder_start` (`blip2_t5.py`). Either is read once per sample; beams share it by
    /// [`Cache::select`] and [`EncoderOutput::select`]. Finished samples leave the batch. A sample's texts
    /// do not depend on the others of the batch.
    ///
    /// # Errors
    /// If settings contradict each other, a sample does not fit the model's positions, there is
    /// nothing to start from, the model is on an autodiff device, or logits are not numbers.
    pub fn continue_texts(
        &self,
        prefix: Option<Tensor<3>>,
        prompts: &[Vec<u32>],
        decoding: &Decoding,
    ) -> Result<Vec<Vec<Generated>>, EvalError> {
        decoding.check()?;
        self.check_prefix(prefix.as_ref(), prompts.len())?;
        if prompts.is_empty() {
            return Ok(Vec::new());
        }
        self.check(prompts)?;
        // A decoder-only model continues the prefix itself where there is no text; such samples
        // cannot share a batch with padded ones, whose last position is a token.
        let bare =
            |i: &usize| self.shape.kind == LanguageKind::DecoderOnly && prompts[*i].is_empty();
        let (bare, other): (Vec<usize>, Vec<usize>) = (0..prompts.len()).partition(bare);
        if !bare.is_empty() && prefix.is_none() {
            let what = "there is nothing to start from: no prefix, no prompt, no `bos`";
            return Err(EvalError::new(
                what,
                "generation",
                "give a prompt, or `bos` in the language card's `[tokenizer]`",
            ));
        }
        if bare.is_empty() || other.is_empty() {
            return noise::off(|| self.search(prefix, prompts, decoding));
        }
        let mut all = vec![Vec::new(); prompts.len()];
        for rows in [bare, other] {
            let part = prefix.as_ref().map(|p| p.clone().select(0, index(&rows, &p.device())));
            let texts: Vec<Vec<u32>> = rows.iter().map(|&i| prompts[i].clone()).collect();
            let written = noise::off(|| self.search(part, &texts, decoding))?;
            rows.into_iter().zip(written).for_each(|(row, text)| all[row] = text);
        }
        Ok(all)
    }

    /// Compares the shape of a prefix with the number of prompts and the width of the model.
    pub(crate) fn check_prefix(
        &self,
        prefix: Option<&Tensor<3>>,
        prompts: usize,
    ) -> Result<(), EvalError> {
        let Some([rows, _, width]) = prefix.map(Tensor::dims) else { return Ok(()) };
        if rows == prompts && width == self.shape.width {
            return Ok(());
        }
        let what = format!(
            "the prefix is [{rows}, .., {width}], wanted [{prompts}, .., {}]",
            self.shape.width
        );
        let hint = "give one prefix per prompt, as wide as the language model's embeddings";
        Err(EvalError::new(what, "generation", hint))
    }

    /// Compares every id that is going to be embedded with the rows of the model.
    pub(crate) fn check(&self, prompts: &[Vec<u32>]) -> Result<(), EvalError> {
        let LanguageSpecialTokens { eos, pad, decoder_start, .. } = &self.special_tokens;
        let start = (self.shape.kind == LanguageKind::EncoderDecoder).then_some(decoder_start);
        let ids = prompts.iter().flatten().chain(eos.ids()).chain([pad]).chain(start);
        let Some(id) = ids.copied().find(|id| *id as usize >= self.shape.vocab) else {
            return Ok(());
        };
        let what =
            format!("token id {id} has no row, the language model has {} rows", self.shape.vocab);
        Err(EvalError::new(
            what,
            "generation",
            "give the tokenizer and the special ids that belong to the model",
        ))
    }

    fn search(
        &self,
        prefix: Option<Tensor<3>>,
        prompts: &[Vec<u32>],
        decoding: &Decoding,
    ) -> Result<Vec<Vec<Generated>>, EvalError> {
        let device = prefix.as_ref().map_or_else(|| self.device(), Tensor::device);
        let Start { mut embeds, mut mask, mut memory, said, budgets } =
            self.start(prefix, prompts, decoding, &device)?;
        if embeds.is_autodiff() {
            let hint = "evaluate with `module.valid()` and tensors on `device.without_autodiff()`";
            return Err(EvalError::new(
                "the language model or the prefix is on an autodiff device",
                "generation",
                hint,
            ));
        }
        let mut method = match decoding.sample {
            true => {
                Method::Sample(Sampler::new(*decoding, self.special_tokens.eos, &budgets, said))
            }
            false => {
                Method::Search(Search::new(*decoding, self.special_tokens.eos, &budgets, said))
            }
        };
        let mut cache = Cache::default();
        let mut owners: Vec<usize> = (0..prompts.len()).collect();
        loop {
            let hidden = self.language.decode_last(
                embeds,
                mask.clone(),
                memory.as_ref(),
                Some(&mut cache),
                1,
            );
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

    fn start(
        &self,
        prefix: Option<Tensor<3>>,
        prompts: &[Vec<u32>],
        decoding: &Decoding,
        device: &Device,
    ) -> Result<Start, EvalError> {
        let n = prompts.len();
        let queries = prefix.as_ref().map_or(0, |p| p.dims()[1]);
        let special_tokens = self.special_tokens;
        match self.shape.kind {
            LanguageKind::DecoderOnly => {
                let budgets = self.budgets(prompts.iter().map(|t| queries + t.len()), decoding)?;
                let (embeds, mask) = self.behind(prefix, prompts, Side::Left, device);
                Ok(Start { embeds, mask, memory: None, said: prompts.to_vec(), budgets })
            }
            LanguageKind::EncoderDecoder => {
                self.budgets(prompts.iter().map(|t| queries + t.len()), decoding)?;
                let (embeds, mask) = self.behind(prefix, prompts, Side::Right, device);
                let memory = Some(self.language.encode(embeds, mask));
                let first =
                    Tensor::<2, Int>::full([n, 1], special_tokens.decoder_start as i32, device);
                let budgets = self.budgets(std::iter::repeat_n(1, n), decoding)?;
                let (embeds, mask) = (self.language.embed(first), Tensor::ones([n, 1], device));
                Ok(Start {
                    embeds,
                    mask,
                    memory,
                    said: vec![vec![special_tokens.decoder_start]; n],
                    budgets,
                })
            }
        }
    }

    /// `[prefix ; text]` with its mask, text padded on `side`.
    pub(crate) fn behind(
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

    /// How many tokens can be written behind inputs of these lengths; the last one is never read.
    pub(crate) fn budgets(
        &self,
        lengths: impl Iterator<Item = usize>,
        decoding: &Decoding,
    ) -> Result<Vec<usize>, EvalError> {
        let positions = self.shape.positions.unwrap_or(usize::MAX / 2);
        let budget = |(sample, length): (usize, usize)| {
            if length <= positions {
                return Ok(decoding.max_new_tokens.min(positions + 1 - length));
            }
            let what = format!(
                "prefix and prompt have {length} tokens, the language model has {positions} \
                positions"
            );
            Err(EvalError::new(
                what,
                format!("sample {sample} of the batch"),
                "shorten the prompt or use fewer queries",
            ))
        };
        lengths.enumerate().map(budget).collect()
    }

    pub(crate) fn device(&self) -> Device {
        self.language.devices().first().cloned().unwrap_or_default().without_autodiff()
    }
}

/// The tokens that go on, `[rows, 1]`.
fn column(next: &[Next], device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i32> = next.iter().map(|n| n.token as i32).collect();
    Tensor::from_data(TensorData::new(ids, [next.len(), 1]), device)
}
