//! Text behind a soft prefix.

use super::{BenchSetup, BenchWork, Timing, draw_as, machine, time, values};
use crate::LabError;
use burn::module::Module;
use burn::tensor::{DType, Tensor, TensorData};
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
    let language = draw_as(
        setup.registry.build_language(&card, &setup.device, Weights::None)?.no_grad(),
        setup.dtype,
    );
    let generator =
        Generator { language: &language, shape: &shape, special_tokens: MARKS, tokenizer: None };
    let seconds = time_texts(setup, &generator)?;
    let (texts, tokens) = (setup.texts, setup.new_tokens);
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
    let read = bytes_per_step(&language, setup.dtype);
    let (rate, bandwidth) = (read * tokens as f64 / measured.median, machine::bandwidth());
    Ok(measured
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

/// Returns the seconds of each round of writing.
fn time_texts(setup: &BenchSetup<'_>, generator: &Generator<'_>) -> Result<Vec<f64>, LabError> {
    let (texts, tokens, width) = (setup.texts, setup.new_tokens, generator.shape.width);
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
fn bytes_per_step(language: &AnyLanguage, dtype: DType) -> f64 {
    let per_number = match dtype {
        DType::F32 => 4.0,
        DType::F16 | DType::BF16 => 2.0,
        // A byte each, and a scale for 32.
        _ => 1.0 + 4.0 / 32.0,
    };
    let matrices: Vec<_> =
        params::list(language).into_iter().filter(|info| info.shape.len() == 2).collect();
    let own_head = matrices.iter().any(|info| info.name.contains("lm_head"));
    let bytes = |info: &params::Info| {
        let numbers = info.shape.iter().product::<usize>() as f64;
        match info.name.contains("embed") {
            false => numbers * per_number,
            true if own_head || info.name.contains("position") => 0.0,
            true => numbers * 4.0,
        }
    };
    matrices.iter().map(bytes).sum()
}
