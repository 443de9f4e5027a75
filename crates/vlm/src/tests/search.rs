//! The search against enumeration, on logits given by a table.

use super::EOS;
use crate::generate::beam::Search;
use crate::{Decoding, Generated};
use toolkit_core::{Ends, Stream};

/// Next-token logits after `ids`, drawn from what was written so far.
fn logits(seed: u64, ids: &[u32], vocab: usize) -> Vec<f32> {
    let mut stream = Stream::new(seed, &format!("{ids:?}"), 0);
    (0..vocab).map(|_| (stream.normal() * 1.5) as f32).collect()
}

fn log_prob(seed: u64, ids: &[u32], vocab: usize, token: u32) -> f64 {
    let row = logits(seed, ids, vocab);
    let sum: f64 = row.iter().map(|&x| libm::exp(f64::from(x))).sum();
    f64::from(row[token as usize]) - libm::log(sum)
}

fn search(seed: u64, vocab: usize, decoding: Decoding) -> Vec<Generated> {
    search_with(Ends::one(EOS), seed, vocab, decoding)
}

fn search_with(ends: Ends, seed: u64, vocab: usize, decoding: Decoding) -> Vec<Generated> {
    let mut search = Search::new(decoding, ends, &[decoding.max_new_tokens], vec![vec![]]);
    let mut rows: Vec<Vec<u32>> = vec![Vec::new()];
    while !rows.is_empty() {
        let given: Vec<f32> = rows.iter().flat_map(|ids| logits(seed, ids, vocab)).collect();
        let next = search.advance(&given, vocab).unwrap();
        rows = next
            .iter()
            .map(|n| rows[n.parent].iter().copied().chain([n.token]).collect())
            .collect();
    }
    search.finish().remove(0)
}

/// Every text that could be written: score, ids, which of `ends` ended it.
fn enumerate(
    ends: Ends,
    seed: u64,
    vocab: usize,
    d: Decoding,
) -> Vec<(f64, Vec<u32>, Option<u32>)> {
    let mut all = Vec::new();
    let mut open = vec![(0.0, Vec::new())];
    for length in 1..=d.max_new_tokens {
        let mut longer = Vec::new();
        for (sum, ids) in open {
            for token in 0..vocab as u32 {
                let total = sum + log_prob(seed, &ids, vocab, token);
                if !ends.contains(token) {
                    longer.push((total, ids.iter().copied().chain([token]).collect::<Vec<u32>>()));
                } else if ids.len() >= d.min_new_tokens {
                    all.push((d.score(total, length), ids.clone(), Some(token)));
                }
            }
        }
        open = longer;
    }
    all.extend(open.into_iter().map(|(sum, ids)| (d.score(sum, d.max_new_tokens), ids, None)));
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all
}

#[test]
fn enough_beams_find_the_best_texts() {
    for length_penalty in [-1.0, 0.0, 0.7, 1.0, 2.0] {
        for min_new_tokens in [0, 1, 3] {
            for seed in 0..12 {
                let d = Decoding {
                    beams: 256,
                    max_new_tokens: 4,
                    min_new_tokens,
                    length_penalty,
                    ..Decoding::default()
                };
                for ends in [Ends::one(EOS), Ends::new(&[3, EOS]).unwrap()] {
                    let (found, wanted) =
                        (search_with(ends, seed, 4, d), enumerate(ends, seed, 4, d));
                    assert_eq!(found.len(), wanted.len().min(256));
                    for (f, (score, ids, end)) in found.iter().zip(&wanted).take(20) {
                        assert_eq!(
                            (&f.ids, f.end),
                            (ids, *end),
                            "seed {seed}, penalty {length_penalty}"
                        );
                        assert!((f64::from(f.score) - score).abs() < 1e-4);
                    }
                }
            }
        }
    }
}

#[test]
fn stopping_early_loses_nothing() {
    // With few beams the running hypotheses are the same however long the search goes on, so the
    // reference keeps going to the last step and collects what ends on the way.
    for seed in 0..200 {
        for length_penalty in [-1.0, 0.0, 1.0] {
            let d = Decoding {
                beams: 3,
                max_new_tokens: 6,
                min_new_tokens: 1,
                length_penalty,
                ..Decoding::default()
            };
            let mut running = vec![(0.0, Vec::new())];
            let mut ended: Vec<(f64, Vec<u32>)> = Vec::new();
            for length in 1..=d.max_new_tokens {
                let mut all = Vec::new();
                for (sum, ids) in &running {
                    for token in (0..5).filter(|&token| token != EOS || length > d.min_new_tokens) {
                        all.push((sum + log_prob(seed, ids, 5, token), ids.clone(), token));
                    }
                }
                all.sort_by(|a: &(f64, Vec<u32>, u32), b| b.0.total_cmp(&a.0));
                ended.extend(
                    all.iter()
                        .take(3)
                        .filter(|c| c.2 == EOS)
                        .map(|c| (d.score(c.0, length), c.1.clone())),
                );
                let on = all.into_iter().filter(|c| c.2 != EOS).take(3);
                running =
                    on.map(|(sum, ids, token)| (sum, [&ids[..], &[token]].concat())).collect();
            }
            ended.extend(
                running.into_iter().map(|(sum, ids)| (d.score(sum, d.max_new_tokens), ids)),
            );
            ended.sort_by(|a, b| b.0.total_cmp(&a.0));
            let found: Vec<Vec<u32>> = search(seed, 5, d).into_iter().map(|g| g.ids).collect();
            let wanted: Vec<Vec<u32>> = ended.into_iter().take(3).map(|(_, ids)| ids).collect();
            assert_eq!(found, wanted, "seed {seed}, penalty {length_penalty}");
        }
    }
}

#[test]
fn each_end_ends_and_enough_others_go_on() {
    // Both ends are likelier than all else: of the best `2 * beams` all end, and three others must
    // go on.
    let ends = Ends::new(&[0, 1]).unwrap();
    let d = Decoding { beams: 3, max_new_tokens: 5, ..Decoding::default() };
    let mut search = Search::new(d, ends, &[5], vec![vec![]]);
    let row = [9.0, 8.0, 1.0, 0.5, 0.2];
    let next = search.advance(&row, 5).unwrap();
    assert_eq!(next.iter().map(|n| n.token).collect::<Vec<_>>(), [2, 3, 4]);
    let next = search.advance(&row.repeat(3), 5).unwrap();
    assert!(next.iter().all(|n| !ends.contains(n.token)));
    // Not before it may.
    let d = Decoding { min_new_tokens: 1, beams: 1, ..d };
    let next = Search::new(d, ends, &[5], vec![vec![]]).advance(&row, 5).unwrap();
    assert_eq!(next.iter().map(|n| n.token).collect::<Vec<_>>(), [2]);
}

#[test]
fn one_beam_takes_the_likeliest_token() {
    for seed in 0..50 {
        for length_penalty in [-1.0, 0.0, 2.0] {
            let d = Decoding {
                beams: 1,
                max_new_tokens: 6,
                min_new_tokens: 1,
                length_penalty,
                ..Decoding::default()
            };
            let mut ids: Vec<u32> = Vec::new();
            let mut finished = false;
            while ids.len() < 6 && !finished {
                let allowed = (0..5).filter(|&token| token != EOS || !ids.is_empty());
                let best = allowed
                    .max_by(|&a, &b| {
                        log_prob(seed, &ids, 5, a).total_cmp(&log_prob(seed, &ids, 5, b))
                    })
                    .unwrap();
                finished = best == EOS;
                if !finished {
                    ids.push(best);
                }
            }
            let found = search(seed, 5, d);
            assert_eq!(found.len(), 1);
            assert_eq!((&found[0].ids, found[0].finished()), (&ids, finished));
        }
    }
}

#[test]
fn broken_logits_are_an_error() {
    let d = Decoding { beams: 2, ..Decoding::default() };
    let error = Search::new(d, Ends::one(EOS), &[4], vec![vec![]])
        .advance(&[f32::NAN, 0.0, 0.0], 3)
        .unwrap_err()
        .to_string();
    assert!(error.contains("logits are not numbers") && error.contains("hint:"), "{error}");
    // All mass on an end that is not allowed yet.
    let only_end = [f32::NEG_INFINITY, 0.0, f32::NEG_INFINITY];
    assert!(Search::new(d, Ends::one(EOS), &[4], vec![vec![]]).advance(&only_end, 3).is_err());
    // Ties go to the smaller id, whatever stands beside them.
    let next = Search::new(d, Ends::one(EOS), &[4, 4], vec![vec![]; 2])
        .advance(&[0.5, 0.1, 0.5, 0.5, 0.1, 0.5], 3)
        .unwrap();
    assert_eq!(
        next.iter().map(|n| (n.parent, n.token)).collect::<Vec<_>>(),
        [(0, 0), (0, 2), (1, 0), (1, 2)]
    );
}

#[test]
fn settings_are_checked() {
    let wrong = |d: Decoding| d.check().unwrap_err().to_string();
    assert!(wrong(Decoding { beams: 0, ..Decoding::default() }).contains("`beams`"));
    assert!(
        wrong(Decoding { max_new_tokens: 0, ..Decoding::default() }).contains("`max_new_tokens`")
    );
    assert!(
        wrong(Decoding { min_new_tokens: 11, ..Decoding::default() })
            .contains("`min_new_tokens` = 11")
    );
    assert!(
        wrong(Decoding { length_penalty: f64::NAN, ..Decoding::default() })
            .contains("`length_penalty`")
    );
}
