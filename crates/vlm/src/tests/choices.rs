//! Scores of candidates against the model read token by token, without batches or caches.

use super::generation::naive_logits;
use super::{EOS, Tiny, prefix};
use burn::tensor::Tensor;
use toolkit_core::LanguageKind;

const VOCAB: usize = 11;

/// Log-probability of `text` and the end behind it.
fn naive(tiny: &Tiny, prefix: Option<Tensor<3>>, prompt: &[u32], text: &[u32]) -> f64 {
    let mut sum = 0.0;
    for (at, token) in text.iter().chain([&EOS]).enumerate() {
        let row = naive_logits(tiny, prefix.clone(), prompt, &text[..at]);
        let total: f64 = row.iter().map(|&x| libm::exp(f64::from(x))).sum();
        sum += f64::from(row[*token as usize]) - libm::log(total);
    }
    sum
}

/// A prompt with the special tokens that `naive_logits` puts around it.
fn framed(tiny: &Tiny, prompt: &[u32]) -> Vec<u32> {
    match tiny.shape.kind {
        LanguageKind::DecoderOnly => [&[2], prompt].concat(),
        LanguageKind::EncoderDecoder => [prompt, &[EOS]].concat(),
    }
}

#[test]
fn candidates_have_the_probability_that_the_model_gives_them() {
    let prompts = [vec![3, 4, 5], vec![7], vec![3, 9, 9, 4]];
    let candidates = [vec![3], vec![4, 5], vec![6], vec![4, 5, 8, 3], vec![10, 5]].to_vec();
    for tiny in Tiny::both(VOCAB, 3) {
        let generator = tiny.generator();
        let framed: Vec<Vec<u32>> = prompts.iter().map(|prompt| framed(&tiny, prompt)).collect();
        for with_prefix in [true, false] {
            let prefix = with_prefix.then(|| prefix(3, 4));
            let lists = vec![candidates.clone(); 3];
            let all = generator.choices(prefix.clone(), &framed, &lists).unwrap();
            for (row, prompt) in prompts.iter().enumerate() {
                let own = prefix.clone().map(|prefix| prefix.narrow(0, row, 1));
                for (text, choice) in candidates.iter().zip(&all[row]) {
                    let wanted = naive(&tiny, own.clone(), prompt, text);
                    assert!(
                        (choice.log_prob - wanted).abs() < 1e-4,
                        "{:?}: {choice:?}, {wanted}",
                        tiny.shape.kind
                    );
                    assert_eq!(choice.tokens, text.len() + 1);
                    assert!(
                        (choice.mean_log_prob * choice.tokens as f64 - choice.log_prob).abs()
                            < 1e-12
                    );
                    let list = [vec![text.clone()]];
                    let alone = generator.choices(own.clone(), &framed[row..=row], &list).unwrap();
                    assert_eq!(alone[0], [*choice], "one alone and in a batch, to the last bit");
                }
            }
        }
    }
}

#[test]
fn probabilities_of_all_texts_of_a_length_add_up() {
    // Every text of one token, and those that end at once are left out: the rest of the mass is
    // that of longer ones.
    for tiny in Tiny::both(VOCAB, 5) {
        let tokens: Vec<Vec<u32>> =
            (0..VOCAB as u32).filter(|&token| token != EOS).map(|token| vec![token]).collect();
        let choices = tiny
            .generator()
            .choices(Some(prefix(1, 4)), &[framed(&tiny, &[3])], &[tokens])
            .unwrap();
        let sum: f64 = choices[0].iter().map(|choice| libm::exp(choice.log_prob)).sum();
        assert!(sum > 0.0 && sum < 1.0, "{sum}");
    }
}

#[test]
fn wrong_candidates_are_refused() {
    for tiny in Tiny::both(VOCAB, 1) {
        let generator = tiny.generator();
        let choose =
            |lists: &[Vec<Vec<u32>>]| generator.choices(Some(prefix(1, 4)), &[vec![3]], lists);
        let error = |lists: &[Vec<Vec<u32>>]| choose(lists).unwrap_err().to_string();
        assert!(error(&[vec![vec![]]]).contains("a candidate is empty"));
        assert!(
            error(&[vec![vec![400]]])
                .contains("token id 400 has no row, the language model has 11 rows")
        );
        assert!(error(&[]).contains("0 lists of candidates for 1 prompts"));
        assert_eq!(choose(&[vec![]]).unwrap(), [vec![]]);
        if tiny.shape.positions.is_some() {
            assert!(error(&[vec![vec![3; 60]]]).contains("positions"));
        }
    }
}
