//! Generation with both kinds of language model.

use super::{EOS, Tiny, prefix};
use crate::{Decoding, Generated};
use burn::tensor::{Device, Int, Tensor, TensorData};
use toolkit_core::{LanguageKind, params};

const VOCAB: usize = 24;

/// Prompts of unequal lengths, one of them empty.
fn prompts() -> Vec<Vec<u32>> {
    vec![vec![5, 6, 7], vec![], vec![8], vec![9, 10, 11, 12, 13], vec![14, 3]]
}

fn ids(written: &[Vec<Generated>]) -> Vec<Vec<(&[u32], bool)>> {
    written.iter().map(|texts| texts.iter().map(|t| (&t.ids[..], t.finished())).collect()).collect()
}

/// Next-token logits after `written`, everything computed anew for this one sample.
pub(super) fn naive_logits(
    tiny: &Tiny,
    prefix: Option<Tensor<3>>,
    prompt: &[u32],
    written: &[u32],
) -> Vec<f32> {
    let device = Device::default();
    let embed = |ids: &[u32]| {
        let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
        let shape = [1, ids.len()];
        tiny.language.embed(Tensor::<2, Int>::from_data(TensorData::new(ids, shape), &device))
    };
    let behind =
        |ids: &[u32]| Tensor::cat(prefix.clone().into_iter().chain([embed(ids)]).collect(), 1);
    let ones = |x: &Tensor<3>| Tensor::<2>::ones([1, x.dims()[1]], &device);
    let (embeds, memory) = match tiny.shape.kind {
        LanguageKind::DecoderOnly => (behind(&[&[2], prompt, written].concat()), None),
        LanguageKind::EncoderDecoder => {
            let read = behind(&[prompt, &[EOS]].concat());
            (
                embed(&[&[0], written].concat()),
                Some(tiny.language.encode(read.clone(), ones(&read))),
            )
        }
    };
    let tokens = embeds.dims()[1];
    let hidden = tiny.language.decode(embeds.clone(), ones(&embeds), memory.as_ref(), None);
    params::floats(tiny.language.logits(hidden.narrow(1, tokens - 1, 1)))
}

#[test]
fn a_batch_writes_what_its_samples_write_alone() {
    for seed in 0..4 {
        for tiny in Tiny::both(VOCAB, seed) {
            for (beams, length_penalty) in [(1, 0.0), (3, -1.0), (4, 1.0)] {
                for with_prefix in [true, false] {
                    let d = Decoding {
                        beams,
                        max_new_tokens: 8,
                        min_new_tokens: 1,
                        length_penalty,
                        ..Decoding::default()
                    };
                    let prefix = with_prefix.then(|| prefix(5, 4));
                    let together = tiny.generate(prefix.clone(), &prompts(), &d).unwrap();
                    assert_eq!(together.len(), 5);
                    for (row, prompt) in prompts().iter().enumerate() {
                        let own = prefix.clone().map(|p| p.narrow(0, row, 1));
                        let alone = tiny.generate(own, std::slice::from_ref(prompt), &d).unwrap();
                        let same = ids(&alone)[0] == ids(&together)[row];
                        assert!(
                            same,
                            "{:?}, beams {beams}: {alone:?} but {:?}",
                            tiny.shape.kind, together[row]
                        );
                        for (a, b) in alone[0].iter().zip(&together[row]) {
                            assert!((a.score - b.score).abs() < 1e-3 * a.score.abs().max(1.0));
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_batch_draws_what_its_samples_draw_alone() {
    let mut drawn = std::collections::BTreeSet::new();
    for seed in 0..3 {
        for tiny in Tiny::both(VOCAB, seed) {
            let plain = Decoding {
                sample: true,
                answers: 3,
                max_new_tokens: 6,
                seed,
                ..Decoding::default()
            };
            let narrow = Decoding {
                top_p: 0.8,
                top_k: 12,
                temperature: 1.4,
                repetition_penalty: 1.3,
                ..plain
            };
            for d in [plain, narrow] {
                let together = tiny.generate(Some(prefix(5, 4)), &prompts(), &d).unwrap();
                for (row, prompt) in prompts().iter().enumerate() {
                    let own = prefix(5, 4).narrow(0, row, 1);
                    let alone = tiny.generate(Some(own), std::slice::from_ref(prompt), &d).unwrap();
                    assert_eq!(together[row].len(), 3);
                    assert_eq!(
                        ids(&alone)[0],
                        ids(&together)[row],
                        "{:?}, seed {seed}",
                        tiny.shape.kind
                    );
                    drawn.extend(together[row].iter().map(|text| text.ids.clone()));
                }
            }
        }
    }
    assert!(
        drawn.len() > 100,
        "only {} different texts: the test would prove nothing",
        drawn.len()
    );
}

#[test]
fn a_penalised_search_is_that_of_naive_logits() {
    for seed in 0..3 {
        for tiny in Tiny::both(VOCAB, seed) {
            let d = Decoding { max_new_tokens: 7, repetition_penalty: 3.0, ..Decoding::default() };
            let prompt = [5, 6];
            let found = &tiny.generate(Some(prefix(1, 4)), &[prompt.to_vec()], &d).unwrap()[0][0];
            // A decoder-only model counts its prompt as said, an encoder-decoder what its decoder
            // starts from.
            let said: Vec<u32> = match tiny.shape.kind {
                LanguageKind::DecoderOnly => vec![2, 5, 6],
                LanguageKind::EncoderDecoder => vec![0],
            };
            let (mut written, mut finished) = (Vec::new(), false);
            while written.len() < 7 && !finished {
                let mut logits = naive_logits(&tiny, Some(prefix(1, 4)), &prompt, &written);
                for (id, logit) in (0_u32..).zip(&mut logits) {
                    if said.contains(&id) || written.contains(&id) {
                        *logit = if *logit < 0.0 { *logit * 3.0 } else { *logit / 3.0 };
                    }
                }
                let allowed = (0..VOCAB as u32).filter(|&t| t != EOS || !written.is_empty());
                let best = allowed
                    .max_by(|&a, &b| logits[a as usize].total_cmp(&logits[b as usize]))
                    .unwrap();
                finished = best == EOS;
                if !finished {
                    written.push(best);
                }
            }
            assert_eq!(
                (&found.ids, found.finished()),
                (&written, finished),
                "{:?}, seed {seed}",
                tiny.shape.kind
            );
        }
    }
}

#[test]
fn the_tests_see_different_texts() {
    // Else the other tests would prove nothing: prompts and prefixes must matter, some texts end
    // early and some do not.
    for tiny in Tiny::both(VOCAB, 0) {
        let d = Decoding { beams: 3, max_new_tokens: 8, ..Decoding::default() };
        let run = |prefix| tiny.generate(Some(prefix), &prompts(), &d).unwrap();
        let (a, b) = (run(prefix(5, 4)), run(prefix(5, 4).flip([0])));
        assert_ne!(ids(&a), ids(&b), "the prefix must matter");
        let best: std::collections::BTreeSet<_> =
            a.iter().map(|texts| texts[0].ids.clone()).collect();
        assert!(best.len() > 2, "prompts must matter: {best:?}");
    }
    let all: Vec<bool> = (0..4)
        .flat_map(|seed| Tiny::both(VOCAB, seed))
        .flat_map(|tiny| {
            tiny.generate(
                Some(prefix(5, 4)),
                &prompts(),
                &Decoding { beams: 3, ..Decoding::default() },
            )
            .unwrap()
        })
        .map(|texts| texts[0].finished())
        .collect();
    assert!(all.contains(&true) && all.contains(&false));
}

#[test]
fn a_cache_writes_what_recomputation_writes() {
    for seed in 0..3 {
        for tiny in Tiny::both(VOCAB, seed) {
            let d = Decoding { max_new_tokens: 7, ..Decoding::default() };
            let found = tiny.generate(Some(prefix(5, 4)), &prompts(), &d).unwrap();
            for (row, prompt) in prompts().iter().enumerate() {
                let own = prefix(5, 4).narrow(0, row, 1);
                let (mut written, mut finished) = (Vec::new(), false);
                while written.len() < 7 && !finished {
                    let logits = naive_logits(&tiny, Some(own.clone()), prompt, &written);
                    let allowed = (0..VOCAB as u32).filter(|&t| t != EOS || !written.is_empty());
                    let best = allowed
                        .max_by(|&a, &b| logits[a as usize].total_cmp(&logits[b as usize]))
                        .unwrap();
                    finished = best == EOS;
                    if !finished {
                        written.push(best);
                    }
                }
                assert_eq!((&found[row][0].ids, found[row][0].finished()), (&written, finished));
            }
        }
    }
}

#[test]
fn scores_are_those_of_the_text() {
    for tiny in Tiny::both(VOCAB, 5) {
        for length_penalty in [-1.0, 0.0, 1.0] {
            let d = Decoding {
                beams: 3,
                max_new_tokens: 5,
                min_new_tokens: 1,
                length_penalty,
                ..Decoding::default()
            };
            for text in &tiny.generate(Some(prefix(1, 4)), &[vec![5, 6]], &d).unwrap()[0] {
                let all: Vec<u32> = text.ids.iter().copied().chain(text.end).collect();
                let mut sum = 0.0;
                for at in 0..all.len() {
                    let logits = naive_logits(&tiny, Some(prefix(1, 4)), &[5, 6], &all[..at]);
                    let total: f64 = logits.iter().map(|&x| libm::exp(f64::from(x))).sum();
                    sum += f64::from(logits[all[at] as usize]) - libm::log(total);
                }
                let score = d.score(sum, all.len());
                assert!(
                    (score - f64::from(text.score)).abs() < 1e-3 * score.abs().max(1.0),
                    "{score}, {text:?}"
                );
            }
        }
    }
}

#[test]
fn beams_find_the_best_of_a_tiny_model() {
    for tiny in Tiny::both(4, 1) {
        for length_penalty in [-1.0, 0.0, 1.0] {
            let d = Decoding {
                beams: 64,
                max_new_tokens: 3,
                min_new_tokens: 1,
                length_penalty,
                ..Decoding::default()
            };
            let best = tiny.generate(Some(prefix(1, 2)), &[vec![3]], &d).unwrap()[0][0].clone();
            let mut wanted = (f64::NEG_INFINITY, Vec::new());
            let mut open = vec![(0.0, Vec::new())];
            while let Some((sum, ids)) = open.pop() {
                let logits = naive_logits(&tiny, Some(prefix(1, 2)), &[3], &ids);
                let total: f64 = logits.iter().map(|&x| libm::exp(f64::from(x))).sum();
                for token in (0..4_u32).filter(|&t| t != EOS || !ids.is_empty()) {
                    let sum: f64 = sum + f64::from(logits[token as usize]) - libm::log(total);
                    let longer: Vec<u32> =
                        ids.iter().copied().chain((token != EOS).then_some(token)).collect();
                    if token == EOS || longer.len() == 3 {
                        let score = d.score(sum, ids.len() + 1);
                        if score > wanted.0 {
                            wanted = (score, longer);
                        }
                    } else {
                        open.push((sum, longer));
                    }
                }
            }
            assert_eq!(best.ids, wanted.1, "{:?}, penalty {length_penalty}", tiny.shape.kind);
        }
    }
}

#[test]
fn a_least_length_is_honoured() {
    for seed in 0..4 {
        for tiny in Tiny::both(VOCAB, seed) {
            for beams in [1, 3] {
                let d = Decoding {
                    beams,
                    max_new_tokens: 8,
                    min_new_tokens: 5,
                    length_penalty: -1.0,
                    ..Decoding::default()
                };
                let written = tiny.generate(Some(prefix(5, 4)), &prompts(), &d).unwrap();
                assert!(
                    written
                        .iter()
                        .flatten()
                        .all(|text| (5..=8).contains(&text.ids.len()) && !text.ids.contains(&EOS))
                );
            }
        }
    }
}

#[test]
fn without_bos_the_prefix_is_continued() {
    let mut tiny = Tiny::opt(VOCAB, 2);
    tiny.special_tokens.bos = None;
    let d = Decoding { beams: 2, ..Decoding::default() };
    let together = tiny.generate(Some(prefix(5, 4)), &prompts(), &d).unwrap();
    let alone = tiny.generate(Some(prefix(5, 4).narrow(0, 1, 1)), &[vec![]], &d).unwrap();
    assert_eq!(ids(&alone)[0], ids(&together)[1]);
    let error = tiny.generate(None, &prompts(), &d).unwrap_err().to_string();
    assert!(error.contains("nothing to start from"), "{error}");
}

#[test]
fn positions_are_not_exceeded() {
    let tiny = Tiny::opt(VOCAB, 0);
    let d = Decoding { max_new_tokens: 60, min_new_tokens: 60, ..Decoding::default() };
    let written = tiny.generate(Some(prefix(2, 20)), &[vec![5; 8], vec![6]], &d).unwrap();
    // 32 positions; the last token is never read.
    assert_eq!(written.iter().map(|t| t[0].ids.len()).collect::<Vec<_>>(), [4, 11]);
    let error = tiny.generate(Some(prefix(1, 20)), &[vec![5; 12]], &d).unwrap_err().to_string();
    assert!(error.contains("33 tokens") && error.contains("32 positions"), "{error}");
}

#[test]
fn misuse_is_an_error() {
    let tiny = Tiny::opt(VOCAB, 0);
    let d = Decoding::default();
    assert_eq!(tiny.generate(None, &[], &d).unwrap(), Vec::<Vec<Generated>>::new());
    let error = tiny.generate(Some(prefix(2, 4)), &[vec![5]], &d).unwrap_err().to_string();
    assert!(error.contains("wanted [1, .., 16]"), "{error}");
    let config = super::opt::OptConfig {
        vocab_size: VOCAB,
        hidden_size: 16,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        ffn_dim: 16,
        max_position_embeddings: 16,
        word_embed_proj_dim: None,
        do_layer_norm_before: true,
        dropout: 0.0,
    };
    let tape = Tiny::new::<super::opt::Opt>(&config, 0.5, 0, &Device::default().autodiff());
    let error = tape.generate(None, &[vec![5]], &d).unwrap_err().to_string();
    assert!(error.contains("autodiff"), "{error}");
    use burn::module::Module;
    let plain = Tiny { language: tape.language.valid(), ..tape };
    assert!(plain.generate(None, &[vec![5]], &d).is_ok());
}
