//! Text behind a soft prefix.

use super::{Measured, Setup, Work, draw_as, machine, time, values};
use crate::LabError;
use burn::module::Module;
use burn::tensor::{DType, Tensor, TensorData};
use toolkit_core::{Ends, LanguageKind, LanguageSpecialTokens, params};
use toolkit_registry::{Kind, Weights};
use toolkit_vlm::{Decoding, Generator};

/// Ids that any vocabulary has; none of them ends a text, because exactly `new_tokens` are asked
/// for.
pub(super) const MARKS: LanguageSpecialTokens =
    LanguageSpecialTokens { bos: Some(2), eos: Ends::one(2), pad: 1, decoder_start: 0 };

pub(super) fn decode(setup: &Setup<'_>) -> Result<Measured, LabError> {
    let card = setup.registry.card(Kind::Language, &setup.language)?;
    let shape = setup.registry.describe_language(&card)?;
    // An encoder-decoder's decoder starts from one token.
    let read = if shape.kind == LanguageKind::DecoderOnly { setup.prompt } else { 1 };
    if shape.positions.is_some_and(|positions| read + setup.new_tokens > positions + 1) {
        let what = format!(
            "{read} tokens and {} new ones are more than `{}` has positions",
            setup.new_tokens, card.name
        );
        return Err(LabError::new(what, "give fewer with `--prompt` or `--new-tokens`"));
    }
    let language = draw_as(
        setup.registry.build_language(&card, &setup.device, Weights::None)?.no_grad(),
        setup.dtype,
    );
    let queries = setup.prompt.saturating_sub(1).max(1);
    let (texts, tokens) = (setup.texts, setup.new_tokens);
    let prefix = values("bench/prefix", texts * queries * shape.width)
        .into_iter()
        .map(|x| x * 0.05)
        .collect::<Vec<_>>();
    let prefix = Tensor::<3>::from_data(
        TensorData::new(prefix, [texts, queries, shape.width]),
        &setup.device,
    );
    let generator =
        Generator { language: &language, shape: &shape, special_tokens: MARKS, tokenizer: None };
    let decoding = Decoding {
        beams: setup.beams,
        max_new_tokens: tokens,
        min_new_tokens: tokens,
        ..Decoding::default()
    };
    let first = match shape.kind {
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
        return Err(LabError::new(
            format!("{written} tokens were written and not {texts} x {tokens}"),
            "this is a defect",
        ));
    }
    let of = format!(
        "{}, {texts} x {} beams, {tokens} tokens behind {}",
        card.name,
        setup.beams,
        queries + 1
    );
    let measured = Measured::new(Work::Decode, of, seconds, (texts * tokens) as f64, "tokens");
    if shape.kind == LanguageKind::EncoderDecoder {
        // Its encoder and the keys of its memory are read once for a text, not once for a token.
        return Ok(measured);
    }
    // Each step reads every matrix once, whatever the number of texts and beams. Of a table it
    // reads rows only, unless it is the head too.
    let per_number = match setup.dtype {
        DType::F32 => 4.0,
        DType::F16 | DType::BF16 => 2.0,
        // A byte each, and a scale for 32.
        _ => 1.0 + 4.0 / 32.0,
    };
    let matrices: Vec<_> =
        params::list(&language).into_iter().filter(|info| info.shape.len() == 2).collect();
    let own_head = matrices.iter().any(|info| info.name.contains("lm_head"));
    let bytes = |info: &params::Info| {
        let numbers = info.shape.iter().product::<usize>() as f64;
        match info.name.contains("embed") {
            false => numbers * per_number,
            true if own_head || info.name.contains("position") => 0.0,
            true => numbers * 4.0,
        }
    };
    let read: f64 = matrices.iter().map(bytes).sum();
    let (rate, bandwidth) = (read * tokens as f64 / measured.median, machine::bandwidth());
    Ok(measured
        .fact("bytes_per_step", read)
        .fact("bytes_per_second", rate)
        .fact("memory_bandwidth", bandwidth))
}
