//! Text behind a soft prefix.

use super::{BenchSetup, BenchWork, Timing, draw_as, machine, median, time, values};
use crate::LabError;
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use toolkit_core::{AnyLanguage, Ends, LanguageKind, LanguageShape, LanguageSpecialTokens, params};
use toolkit_registry::{Kind, Weights};
use toolkit_system::problem::Problem;
use toolkit_vlm::{Decoding, Generator};

/// Ids that any vocabulary has. None of them ends a text: exactly `new_tokens` are written.
pub(super) const MARKS: LanguageSpecialTokens =
    LanguageSpecialTokens { bos: Some(2), eos: Ends::one(2), pad: 1, decoder_start: 0 };

/// Factor of the prefix, so that it is as large as embeddings of text.
const PREFIX_SCALE: f32 = 0.05;

/// Measures the writing of texts behind a soft prefix.
pub(super) fn decode(setup: &BenchSetup<'_>) -> Result<Timing, LabError> {
    let card = setup.registry.card(Kind::Language, &setup.language)?;
    let shape = setup.registry.describe_language(&card)?;
    check_positions(setup, &shape)?;
    let build = |weights| setup.registry.build_language(&card, &setup.device, weights);
    let language = if setup.real {
        build(Weights::CardKept(setup.kept))?.no_grad()
    } else {
        draw_as(build(Weights::None)?.no_grad(), setup.kept)
    };
    let generator =
        Generator { language: &language, shape: &shape, special_tokens: MARKS, tokenizer: None };
    let (texts, tokens) = (setup.texts, setup.new_tokens);
    let seconds = time_texts(setup, &generator, tokens)?;
    let of = format!(
        "{}, {texts} x {} beams, {tokens} tokens behind {}",
        card.name,
        setup.beams,
        queries(setup) + 1
    );
    let measured = Timing::new(BenchWork::Decode, of, seconds, (texts * tokens) as f64, "tokens");
    if shape.kind == LanguageKind::EncoderDecoder {
        // Its encoder, and the keys of its output, are read once for a text, not for each token.
        return Ok(measured);
    }
    // With one token, next to nothing but the prompt is computed.
    let prompt = median(&time_texts(setup, &generator, 1)?);
    let read = bytes_per_step(&language);
    let (rate, bandwidth) = (read * tokens as f64 / measured.median, machine::bandwidth());
    let further = (texts * (tokens - 1)) as f64 / (measured.median - prompt);
    Ok(measured
        .fact("prompt_tokens_per_second", (texts * (queries(setup) + 1)) as f64 / prompt)
        .fact("decode_tokens_per_second", if tokens > 1 { further } else { f64::NAN })
        .fact("bytes_per_step", read)
        .fact("bytes_per_second", rate)
        .fact("memory_bandwidth", bandwidth))
}

/// Returns the number of vectors of the soft prefix.
fn queries(setup: &BenchSetup<'_>) -> usize {
    setup.prompt.saturating_sub(1).max(1)
}

fn check_positions(setup: &BenchSetup<'_>, shape: &LanguageShape) -> Result<(), LabError> {
    // An encoder-decoder's decoder starts from one token.
    let read = if shape.kind == LanguageKind::DecoderOnly { setup.prompt } else { 1 };
    if shape.positions.is_none_or(|positions| read + setup.new_tokens <= positions + 1) {
        return Ok(());
    }
    let what = format!(
        "{read} tokens and {} new ones are more than `{}` has positions",
        setup.new_tokens, setup.language
    );
    Err(Problem::new(what).hint("give fewer with `--prompt` or `--new-tokens`").into())
}

/// Returns the seconds of each round of writing so many tokens.
fn time_texts(
    setup: &BenchSetup<'_>,
    generator: &Generator<'_>,
    tokens: usize,
) -> Result<Vec<f64>, LabError> {
    let (texts, width) = (setup.texts, generator.shape.width);
    let prefix: Vec<f32> = values("bench/prefix", texts * queries(setup) * width)
        .into_iter()
        .map(|x| x * PREFIX_SCALE)
        .collect();
    let prefix = TensorData::new(prefix, [texts, queries(setup), width]);
    let prefix = Tensor::<3>::from_data(prefix, &setup.device);
    let decoding = Decoding {
        beams: setup.beams,
        max_new_tokens: tokens,
        min_new_tokens: tokens,
        ..Decoding::default()
    };
    let first = match generator.shape.kind {
        LanguageKind::DecoderOnly => vec![2],
        LanguageKind::EncoderDecoder => vec![1],
    };
    let prompts = vec![first; texts];
    machine::forget_peak();
    let mut written = 0;
    let seconds = time(setup.rounds, || {
        let all = generator.generate(Some(prefix.clone()), &prompts, &decoding)?;
        written = all.iter().filter_map(|texts| texts.first()).map(|text| text.ids.len()).sum();
        Ok(())
    })?;
    if written != texts * tokens {
        let what = format!("{written} tokens were written and not {texts} x {tokens}");
        return Err(Problem::defect(what).into());
    }
    Ok(seconds)
}

/// Counts the bytes of weights that a step of a decoder reads. It reads every matrix once, whatever
/// the number of texts and beams; of a table it reads rows only, unless that is the head too.
fn bytes_per_step(language: &AnyLanguage) -> f64 {
    let held = params::held_bytes(language);
    let own_head = held.keys().any(|name| name.contains("lm_head"));
    let is_read = |name: &str| !(name.contains("embed") && (own_head || name.contains("position")));
    held.iter().filter(|(name, _)| is_read(name)).map(|(_, &bytes)| bytes as f64).sum()
}
