//! Given answers: their tokens behind a prompt, and their order.

use super::Checkpoint;
use burn::tensor::{Device, Tensor, TensorData};
use toolkit_core::{Ends, LanguageKind, noise};
use toolkit_formats::Tensors;
use toolkit_vlm::Decoding;
use toolkit_vlm::Vlm;

/// The soft prefixes of the pictures in the fixture's reference.
fn prefixes(checkpoint: &Checkpoint, model: &Vlm) -> Tensor<3> {
    let reference = Tensors::open(&checkpoint.path("reference.safetensors")).unwrap();
    let named = |name: &&str| name.starts_with("output/pixel_values/");
    let pixels: Vec<f32> =
        reference.names().filter(named).flat_map(|name| reference.read(name).unwrap()).collect();
    let pixels = TensorData::new(pixels, [reference.names().filter(named).count(), 3, 56, 56]);
    let pixels = Tensor::<4>::from_data(pixels, &Device::flex());
    noise::off(|| {
        model
            .language()
            .unwrap()
            .prefix(model.queries(model.vision().unwrap().model.encode(pixels)))
    })
}

#[test]
fn a_text_that_was_written_has_the_score_it_was_written_with() {
    for name in ["hub-opt", "hub-t5"] {
        let checkpoint = Checkpoint::of(name);
        let model = checkpoint.open().unwrap();
        let (language, words) = (model.language().unwrap(), model.tokenizer().unwrap());
        let prefix = prefixes(&checkpoint, &model);
        let prompt =
            words.prompt("a photo of", language.special_tokens, language.shape.kind).unwrap();
        let mut generator = language.generator(None);
        let rows = prefix.dims()[0];
        let prompts = vec![prompt; rows];
        let d =
            Decoding { beams: 6, max_new_tokens: 5, length_penalty: 0.0, ..Decoding::default() };
        let mut seen = 0;
        // Any token can be an end: some of them come after a few others.
        for end in 0..language.shape.vocab as u32 {
            generator.special_tokens.eos = Ends::one(end);
            let written = generator.generate(Some(prefix.clone()), &prompts, &d).unwrap();
            let ended = |texts: &Vec<toolkit_vlm::Generated>| -> Vec<toolkit_vlm::Generated> {
                texts
                    .iter()
                    .filter(|text| text.finished() && !text.ids.is_empty())
                    .cloned()
                    .collect()
            };
            let written: Vec<_> = written.iter().map(ended).collect();
            let lists: Vec<Vec<Vec<u32>>> = written
                .iter()
                .map(|texts| texts.iter().map(|text| text.ids.clone()).collect())
                .collect();
            let choices = generator.choices(Some(prefix.clone()), &prompts, &lists).unwrap();
            for (text, choice) in written.iter().flatten().zip(choices.iter().flatten()) {
                seen += 1;
                let apart = (choice.log_prob - f64::from(text.score)).abs();
                assert!(
                    apart < 1e-4 * choice.log_prob.abs().max(1.0),
                    "{name}: {choice:?}, {text:?}"
                );
            }
        }
        assert!(seen > 4, "{name}: only {seen} texts ended");
    }
}

#[test]
fn a_candidate_is_cut_into_tokens_as_behind_its_prompt() {
    let model = Checkpoint::of("hub-opt").open().unwrap();
    let (special_tokens, words) =
        (model.language().unwrap().special_tokens, model.tokenizer().unwrap());
    for prompt in ["Question: what is it? Answer:", "Question: what is it? Answer: "] {
        let ids =
            words.candidate(prompt, " a dog ", special_tokens, LanguageKind::DecoderOnly).unwrap();
        let whole = words
            .prompt(
                "Question: what is it? Answer: a dog",
                special_tokens,
                LanguageKind::DecoderOnly,
            )
            .unwrap();
        let before = words
            .prompt("Question: what is it? Answer:", special_tokens, LanguageKind::DecoderOnly)
            .unwrap();
        assert_eq!([before, ids].concat(), whole);
    }
    assert!(
        words
            .candidate("a", "  ", special_tokens, LanguageKind::DecoderOnly)
            .unwrap_err()
            .to_string()
            .contains("a candidate is empty")
    );
    let t5 = Checkpoint::of("hub-t5").open().unwrap();
    let (special_tokens, words) = (t5.language().unwrap().special_tokens, t5.tokenizer().unwrap());
    let ids = words
        .candidate("what is it?", "a dog", special_tokens, LanguageKind::EncoderDecoder)
        .unwrap();
    assert_eq!(
        ids,
        words.tokenizer.encode("a dog").unwrap(),
        "an encoder-decoder writes it on its own"
    );
}

#[test]
fn answers_are_scored_in_the_order_given_whatever_stands_beside_them() {
    for name in ["hub-opt", "hub-t5"] {
        let checkpoint = Checkpoint::of(name);
        let model = checkpoint.open().unwrap();
        let prefix = prefixes(&checkpoint, &model).narrow(0, 0, 1);
        let all: Vec<String> =
            ["a dog", "cat", "two cats on a blanket", "red"].map(str::to_owned).to_vec();
        let score = |list: &[String]| {
            model.choices(prefix.clone(), "question: what? answer:", list).unwrap()
        };
        let together = score(&all);
        assert_eq!(together.len(), 4);
        for (text, choice) in all.iter().zip(&together) {
            assert_eq!(score(std::slice::from_ref(text)), [*choice]);
            assert!(choice.log_prob < 0.0 && choice.tokens >= 2);
        }
        let turned: Vec<String> = all.iter().rev().cloned().collect();
        assert_eq!(score(&turned).into_iter().rev().collect::<Vec<_>>(), together);
        assert!(model.choices(prefix.clone(), "<image> what?", &all).is_err());
    }
}
