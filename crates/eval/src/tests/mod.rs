//! Tests of the crate, on tiny random models.

mod batches;
mod measures;
mod official;
mod retrieval;
mod scores;
mod text_processors;

use crate::prefixes::PrefixSource;
use crate::task::{answers, caption as captions};
use crate::texts::generate_texts;
use crate::{Batches, CaptionResult, CaptionTask, EvalError, VqaResult, VqaTask};
use burn::tensor::{Device, Tensor};
use image::RgbImage;
use std::borrow::Cow;
use toolkit_core::conform::sample;
use toolkit_core::params::{self, Init};
use toolkit_core::{AnyLanguage, Ends, LanguageModel, LanguageShape, LanguageSpecialTokens};
use toolkit_data::{DataError, Dataset, Item, Question};
use toolkit_models::language::{opt, t5};
use toolkit_tokenizer::{TextTokenizer, TokenTable};
use toolkit_vlm::{Generator, ModelTokenizer};

const WIDTH: usize = 16;
const EOS: u32 = 1;

/// A language model with what a [`Generator`] borrows.
struct Voice {
    language: AnyLanguage,
    shape: LanguageShape,
    tokenizer: ModelTokenizer,
    special_tokens: LanguageSpecialTokens,
}

impl Voice {
    fn generator(&self) -> Generator<'_> {
        Generator {
            language: &self.language,
            shape: &self.shape,
            special_tokens: self.special_tokens,
            tokenizer: Some(&self.tokenizer),
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
            r#"{{"id":{id},"content":"w{id}","single_word":true,"lstrip":false,"rstrip":false,"normalized":false,"special":true}}"#
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

/// Answers `questions` behind prefixes.
fn vqa<'a>(
    generator: &Generator<'_>,
    prefixes: Option<&PrefixSource<'_>>,
    data: &dyn Dataset,
    questions: &[(usize, usize)],
    task: &VqaTask,
    batches: impl Into<Batches<'a>>,
) -> Result<VqaResult, EvalError> {
    answers::check(data, questions)?;
    let samples = task.samples(data, questions);
    let raw = generate_texts(generator, prefixes, &samples, &task.decoding, &mut batches.into())?;
    let prompts = samples.into_iter().map(|sample| sample.prompt);
    Ok(answers::scored(data, questions, prompts.zip(raw).collect()))
}

/// Captions `items` behind prefixes.
fn caption<'a>(
    generator: &Generator<'_>,
    prefixes: Option<&PrefixSource<'_>>,
    data: &dyn Dataset,
    items: &[usize],
    task: &CaptionTask,
    batches: impl Into<Batches<'a>>,
) -> Result<CaptionResult, EvalError> {
    let (samples, batches) = (task.samples(items), &mut batches.into());
    let texts = generate_texts(generator, prefixes, &samples, &task.decoding, batches)?;
    Ok(captions::scored(data, items, &task.prompt, texts))
}

/// Items with text and no pictures.
struct Texts(Vec<Item>);

impl Dataset for Texts {
    fn name(&self) -> &str {
        "texts"
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn item(&self, index: usize) -> Cow<'_, Item> {
        Cow::Borrowed(&self.0[index])
    }
    fn image(&self, _: usize) -> Result<RgbImage, DataError> {
        unreachable!("tests look at text only")
    }
    fn fingerprint(&self) -> String {
        String::new()
    }
}

/// An item whose questions are (kind, text, answers).
fn item(id: &str, group: &str, captions: &[&str], questions: &[(&str, &str, &[&str])]) -> Item {
    let own = |text: &&str| (*text).to_owned();
    let question = |(at, (kind, text, answers)): (usize, &(&str, &str, &[&str]))| Question {
        id: at as u64,
        text: (*text).to_owned(),
        answers: answers.iter().map(own).collect(),
        kind: (*kind).to_owned(),
        answer_type: toolkit_data::answer_type(answers[0]).to_owned(),
    };
    Item {
        id: id.to_owned(),
        depicts: id.to_owned(),
        group: group.to_owned(),
        captions: captions.iter().map(own).collect(),
        questions: questions.iter().enumerate().map(question).collect(),
    }
}
