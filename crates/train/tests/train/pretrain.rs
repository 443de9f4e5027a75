//! Pre-training of the nano backbones.

use super::stage2::{opt_config, t5_config};
use super::{qformer, tiny_qformer};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use toolkit_core::params::{self, Values};
use toolkit_core::{
    AnyBridge, AnyLanguage, Cache, Cost, EncoderOutput, Ends, LanguageKind, LanguageModel,
    LanguageShape, ShapeError,
};
use toolkit_data::{ScenesConfig, World};
use toolkit_models::bridge::QFormerConfig;
use toolkit_models::language::opt::{self, Opt};
use toolkit_models::language::t5::{self, T5};
use toolkit_tokenizer::{TextTokenizer, TokenTable};
use toolkit_train::fit::Objective;
use toolkit_train::optim::{AdamW, OptimConfig};
use toolkit_train::pretrain::masked::MaskedWords;
use toolkit_train::pretrain::text::ReadText;
use toolkit_train::pretrain::word_tokenizer;

const SPECIALS: [&str; 5] = ["<pad>", "</s>", "<unk>", "<s>", "[SEP]"];

fn world() -> Arc<World> {
    let small = ScenesConfig {
        things: 24,
        held_out: 2,
        train: 20,
        val: 4,
        test: 4,
        test_combinations: 2,
        test_new: 2,
        ..ScenesConfig::default()
    };
    Arc::new(World::new(&small).unwrap())
}

fn words(world: &World) -> Vec<String> {
    let prompt = ["question", "answer", ":"].map(str::to_owned);
    world.vocabulary().into_iter().chain(prompt).collect::<BTreeSet<_>>().into_iter().collect()
}

fn tokenizer(world: &World) -> TextTokenizer {
    let json = word_tokenizer(&SPECIALS, "<unk>", &words(world)).unwrap();
    let rows = words(world).len() + SPECIALS.len();
    let mut tokenizer =
        TextTokenizer::read(json.as_bytes(), "words", TokenTable::of_language(rows)).unwrap();
    (tokenizer.bos, tokenizer.eos, tokenizer.pad) = (Some(3), Some(Ends::one(1)), Some(0));
    (tokenizer.unk, tokenizer.decoder_start) = (Some(2), Some(0));
    (tokenizer.cls, tokenizer.sep) = (Some(3), Some(4));
    tokenizer
}

fn objective(world: &Arc<World>, kind: LanguageKind) -> ReadText {
    ReadText {
        world: world.clone(),
        seed: 6,
        batch: 8,
        kind,
        tokenizer: tokenizer(world),
        question_prompt: "question: {} answer:".to_owned(),
        answer_weight: 1.0,
        device: Device::default().autodiff(),
    }
}

const KINDS: [LanguageKind; 2] = [LanguageKind::DecoderOnly, LanguageKind::EncoderDecoder];

fn untrained(kind: LanguageKind, vocab: usize) -> AnyLanguage {
    let device = Device::default().autodiff();
    if kind == LanguageKind::DecoderOnly {
        let size = serde_json::json!({"vocab_size": vocab, "hidden_size": 16, "ffn_dim": 32, "max_position_embeddings": 96});
        AnyLanguage::new(params::initialise(Opt::build(&opt_config(size), &device), 1, opt::init))
    } else {
        let config = t5_config(
            serde_json::json!({"vocab_size": vocab, "d_model": 16, "d_kv": 8, "d_ff": 32}),
        );
        AnyLanguage::new(params::initialise(T5::build(&config, &device), 1, |info| {
            t5::init(&config, info)
        }))
    }
}

#[test]
fn reading_lowers_the_loss() {
    let world = world();
    for kind in KINDS {
        let mut objective = objective(&world, kind);
        let mut model = untrained(kind, objective.tokenizer.vocab());
        let uniform = libm::log(objective.tokenizer.vocab() as f64);
        let mut optim = AdamW::new(OptimConfig::default(), &model);
        let mut losses = Vec::new();
        for step in 0..40 {
            let found = objective.step(&model, step).unwrap();
            assert_eq!(
                found.samples,
                (step as usize * 8..step as usize * 8 + 8).collect::<Vec<_>>()
            );
            losses.push(found.metrics[0].1);
            model = optim.step(model, found.grads, 0.01).0;
        }
        let (first, last) =
            (losses[..4].iter().sum::<f64>() / 4.0, losses[36..].iter().sum::<f64>() / 4.0);
        assert!(
            first > uniform - 1.0 && last < first - 1.0,
            "{kind:?}: from {first} to {last}, even odds {uniform}"
        );
        // A step is a function of its number.
        let again = |step| self::objective(&world, kind).step(&model, step).unwrap().metrics;
        assert_eq!(again(7), objective.step(&model, 7).unwrap().metrics);
        assert_ne!(again(7), again(8));
    }
}

/// Models that find `<pad>` impossible and everything else alike: one scored padding would cost
/// more than all else.
#[test]
fn padding_is_never_a_label() {
    let world = world();
    for kind in KINDS {
        let mut objective = objective(&world, kind);
        let vocab = objective.tokenizer.vocab();
        let model = params::map(untrained(kind, vocab), |info| {
            let rows = |first: f32, rest: f32| {
                let width = info.shape[1];
                (0..info.shape[0] * width)
                    .map(|i| if i < width { first } else { rest })
                    .collect::<Vec<f32>>()
            };
            let count = info.shape.iter().product();
            let data = match (kind, info.name.as_str()) {
                // Hidden states are all ones, and so is every row of the head but that of `<pad>`.
                (LanguageKind::DecoderOnly, "model.decoder.final_layer_norm.bias") => {
                    vec![1.0; count]
                }
                (LanguageKind::DecoderOnly, "model.decoder.embed_tokens.weight") => {
                    rows(-1000.0, 1.0)
                }
                (
                    LanguageKind::EncoderDecoder,
                    "shared.weight" | "decoder.final_layer_norm.weight",
                ) => vec![1.0; count],
                (LanguageKind::EncoderDecoder, "lm_head.weight") => rows(-1000.0, 1.0),
                _ => vec![0.0; count],
            };
            Some(Values { shape: info.shape.clone(), data })
        });
        for step in 0..4 {
            let loss = objective.step(&model, step).unwrap().metrics[0].1;
            let uniform = libm::log((vocab - 1) as f64);
            assert!((loss - uniform).abs() < 1e-3, "{kind:?}: {loss}, even odds {uniform}");
        }
    }
    let tokenizer = tokenizer(&world);
    let vocab = tokenizer.vocab();
    let config = QFormerConfig { vocab_size: vocab, max_position_embeddings: 64, ..tiny_qformer() };
    let device = Device::default().autodiff();
    let model = params::map(qformer(&config, &device), |info| {
        let mut data = vec![0.0; vocab];
        data[0] = -1000.0;
        match info.name.as_str() {
            "cls.bias" => Some(Values { shape: vec![vocab], data }),
            "embeddings.word_embeddings.weight" => {
                Some(Values { shape: info.shape.clone(), data: vec![0.0; vocab * 8] })
            }
            _ => None,
        }
    });
    let mut objective = MaskedWords { world, seed: 6, batch: 8, tokenizer, vocab, device };
    let loss = objective.step(&AnyBridge::new(model), 0).unwrap().metrics[0].1;
    assert!((loss - libm::log((vocab - 1) as f64)).abs() < 1e-3, "{loss}");
}

#[test]
fn masked_words_are_learned() {
    let world = world();
    let tokenizer = tokenizer(&world);
    let vocab = tokenizer.vocab();
    let config = QFormerConfig { vocab_size: vocab, max_position_embeddings: 64, ..tiny_qformer() };
    let device = Device::default().autodiff();
    let mut model = AnyBridge::new(qformer(&config, &device));
    let mut objective = MaskedWords { world, seed: 6, batch: 16, tokenizer, vocab, device };
    let mut optim = AdamW::new(OptimConfig::default(), &model);
    let mut losses = Vec::new();
    for step in 0..40 {
        let found = objective.step(&model, step).unwrap();
        losses.push(found.metrics[0].1);
        model = optim.step(model, found.grads, 0.01).0;
    }
    assert!(losses[36..].iter().sum::<f64>() < losses[..4].iter().sum::<f64>() - 4.0, "{losses:?}");
}

#[test]
fn an_untrained_model_answers_nothing() {
    let world = world();
    for kind in KINDS {
        let objective = objective(&world, kind);
        let model = untrained(kind, objective.tokenizer.vocab()).valid();
        for blind in [false, true] {
            let scores = objective.answers(&model, 70, blind).unwrap();
            assert!(scores["all"] < 0.05 && scores.len() > 2, "{kind:?}: {scores:?}");
        }
    }
}

/// Writes "yes" and ends, whatever it reads.
#[derive(Module, Debug)]
struct Yes {
    yes: usize,
    vocab: usize,
}

impl LanguageModel for Yes {
    type Config = [usize; 2];
    fn describe(c: &[usize; 2]) -> Result<LanguageShape, ShapeError> {
        let kind = LanguageKind::EncoderDecoder;
        Ok(LanguageShape {
            kind,
            width: 1,
            vocab: c[1],
            positions: None,
            blocks: 0,
            cross_activations: 0,
            cost: Cost::default(),
        })
    }
    fn build(c: &[usize; 2], _: &Device) -> Self {
        Self { yes: c[0], vocab: c[1] }
    }
    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        ids.float().unsqueeze_dim(2)
    }
    fn encode(&self, _: Tensor<3>, mask: Tensor<2>) -> EncoderOutput {
        EncoderOutput::new([], mask)
    }
    fn decode_last(
        &self,
        embeds: Tensor<3>,
        _: Tensor<2>,
        _: Option<&EncoderOutput>,
        _: Option<&mut Cache>,
        outputs: usize,
    ) -> Tensor<3> {
        let tokens = embeds.dims()[1];
        embeds.narrow(1, tokens - outputs, outputs)
    }
    fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        let [batch, tokens, _] = hidden.dims();
        let row = (0..tokens).flat_map(|at| (0..self.vocab).map(move |id| (at, id)));
        let row: Vec<f32> = row
            .map(|(at, id)| f32::from(u8::from(id == if at == 0 { self.yes } else { 1 })))
            .collect();
        Tensor::from_data(
            TensorData::new(row.repeat(batch), [batch, tokens, self.vocab]),
            &hidden.device(),
        )
    }
}

#[test]
fn answers_are_counted_by_kind() {
    let objective = objective(&world(), LanguageKind::EncoderDecoder);
    let yes = objective.tokenizer.id("yes").unwrap() as usize;
    let model =
        AnyLanguage::new(Yes::build(&[yes, objective.tokenizer.vocab()], &Device::default()));
    let scores: BTreeMap<String, f64> = objective.answers(&model, 400, false).unwrap();
    assert!((0.3..0.7).contains(&scores["exists"]), "{scores:?}");
    assert_eq!(scores["count"], 0.0);
    assert!(scores["all"] > 0.05 && scores["all"] < 0.5, "{scores:?}");
}

#[test]
fn word_tokenizers_read_what_they_write() {
    let world = world();
    let tokenizer = tokenizer(&world);
    let words = words(&world);
    assert_eq!(tokenizer.vocab(), words.len() + SPECIALS.len());
    for (id, special) in SPECIALS.iter().enumerate() {
        assert_eq!(tokenizer.id(special), Some(id as u32));
    }
    for (i, word) in words.iter().enumerate() {
        assert_eq!(tokenizer.encode(word).unwrap(), [(i + SPECIALS.len()) as u32], "{word}");
    }
    // Everything the world says is known and comes back, down to the spaces around punctuation.
    for index in 0..40 {
        let text = world.text(1, index);
        let questions = text.questions.iter().flat_map(|q| q.answers.iter().chain([&q.text]));
        for said in text.captions.iter().chain(questions) {
            let ids = tokenizer.encode(said).unwrap();
            assert!(!ids.contains(&2), "{said}");
            let bare = |s: &str| s.split_whitespace().collect::<String>().to_lowercase();
            assert_eq!(bare(&tokenizer.decode(&ids).unwrap()), bare(said));
        }
    }
    assert_eq!(
        tokenizer.encode("Yes ZEBRAFISH no").unwrap(),
        [tokenizer.id("yes").unwrap(), 2, tokenizer.id("no").unwrap()]
    );
    let clash = word_tokenizer(&["<unk>", "yes"], "<unk>", &words).unwrap_err().to_string();
    assert!(clash.contains("`yes`") && clash.contains("hint:"), "{clash}");
}
