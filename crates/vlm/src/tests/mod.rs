//! Tests of the crate, on tiny random models.

mod choices;
mod generation;
mod sampling;
mod search;

use crate::{Decoding, Generated, Generator, ModelTokenizer, VlmError};
use burn::tensor::{Device, Tensor};
use toolkit_core::conform::sample;
use toolkit_core::params::{self, Init};
use toolkit_core::{
    AnyLanguage, Ends, LanguageKind, LanguageModel, LanguageShape, LanguageSpecialTokens,
};
use toolkit_models::language::{opt, t5};
use toolkit_tokenizer::{TextTokenizer, TokenTable};

const WIDTH: usize = 16;
const EOS: u32 = 1;

/// A tiny language model with the parts that a [`Generator`] borrows.
struct Tiny {
    language: AnyLanguage,
    shape: LanguageShape,
    tokenizer: ModelTokenizer,
    special_tokens: LanguageSpecialTokens,
}

impl Tiny {
    fn generator(&self) -> Generator<'_> {
        Generator {
            language: &self.language,
            shape: &self.shape,
            special_tokens: self.special_tokens,
            tokenizer: Some(&self.tokenizer),
        }
    }

    /// Continues prompts without special tokens: those are put around them here.
    fn generate(
        &self,
        prefix: Option<Tensor<3>>,
        prompts: &[Vec<u32>],
        decoding: &Decoding,
    ) -> Result<Vec<Vec<Generated>>, VlmError> {
        let framed: Vec<Vec<u32>> = prompts.iter().map(|prompt| self.framed(prompt)).collect();
        self.generator().generate(prefix, &framed, decoding)
    }

    /// Returns a prompt with its special tokens.
    fn framed(&self, prompt: &[u32]) -> Vec<u32> {
        match self.shape.kind {
            LanguageKind::DecoderOnly => {
                self.special_tokens.bos.iter().chain(prompt).copied().collect()
            }
            LanguageKind::EncoderDecoder => {
                prompt.iter().copied().chain([self.special_tokens.eos.first()]).collect()
            }
        }
    }

    fn new<L: LanguageModel>(config: &L::Config, std: f64, seed: u64, device: &Device) -> Self {
        let rule = |info: &params::Info| match params::bert_rule(info) {
            Init::Normal(_) => Init::Normal(std),
            constant => constant,
        };
        let language = params::initialise(AnyLanguage::new(L::build(config, device)), seed, rule);
        let shape = L::describe(config).unwrap();
        let special_tokens =
            LanguageSpecialTokens { bos: Some(2), eos: Ends::one(EOS), pad: 0, decoder_start: 0 };
        let tokenizer = ModelTokenizer::from_card(tokenizer(shape.vocab));
        Self { language, shape, tokenizer, special_tokens }
    }

    /// Decoder-only, large weights so that outputs differ.
    fn opt(vocab: usize, seed: u64) -> Self {
        let config = opt::OptConfig {
            vocab_size: vocab,
            hidden_size: WIDTH,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            ffn_dim: 32,
            max_position_embeddings: 32,
            word_embed_proj_dim: None,
            do_layer_norm_before: true,
            dropout: 0.0,
        };
        Self::new::<opt::Opt>(&config, 0.5, seed, &Device::default())
    }

    /// Encoder-decoder.
    fn t5(vocab: usize, seed: u64) -> Self {
        let config = t5::T5Config {
            vocab_size: vocab,
            d_model: WIDTH,
            d_kv: 8,
            d_ff: 32,
            num_layers: 2,
            num_decoder_layers: None,
            num_heads: 2,
            relative_attention_num_buckets: 8,
            relative_attention_max_distance: 16,
            dense_act: toolkit_models::layers::Activation::Gelu,
            gated: true,
            tie_word_embeddings: false,
            scale_decoder_outputs: None,
            layer_norm_epsilon: 1e-6,
            dropout: 0.0,
        };
        Self::new::<t5::T5>(&config, 0.5, seed, &Device::default())
    }

    fn both(vocab: usize, seed: u64) -> [Self; 2] {
        [Self::opt(vocab, seed), Self::t5(vocab, seed)]
    }
}

/// Words `w0`, `w1` and so on; 0 to 2 are special.
fn tokenizer(vocab: usize) -> TextTokenizer {
    let words: Vec<String> = (0..vocab).map(|id| format!("\"w{id}\":{id}")).collect();
    let special = |id: usize| {
        format!(
            r#"{{"id":{id},"content":"w{id}","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}}"#
        )
    };
    let json = format!(
        r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{}],"normalizer":null,
        "pre_tokenizer":{{"type":"WhitespaceSplit"}},"post_processor":null,"decoder":null,
        "model":{{"type":"WordLevel","vocab":{{{}}},"unk_token":"w0"}}}}"#,
        [0, 1, 2].map(special).join(","),
        words.join(",")
    );
    TextTokenizer::read(json.as_bytes(), "words", TokenTable::of_language(vocab)).unwrap()
}

fn prefix(rows: usize, queries: usize) -> Tensor<3> {
    sample::<3>("eval/prefix", [rows, queries, WIDTH], &Device::default())
}
