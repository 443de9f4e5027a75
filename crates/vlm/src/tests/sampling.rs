//! Drawing tokens, the repetition penalty, and when a search ends.

use crate::generate::beam::Search;
use crate::generate::sample::Sampler;
use crate::{Decoding, EarlyStopping};
use toolkit_core::Ends;

const EOS: u32 = 0;

/// First tokens of many draws, as shares.
fn shares(d: Decoding, logits: &[f32], prompt: &[u32]) -> Vec<f64> {
    let draws = 6000;
    let d = Decoding { sample: true, max_new_tokens: 1, answers: draws, ..d };
    let mut sampler = Sampler::new(d, Ends::one(EOS), &[1], vec![prompt.to_vec()], &[]);
    assert!(sampler.advance(logits, logits.len()).unwrap().is_empty(), "one token is all");
    let mut counts = vec![0.0; logits.len()];
    for text in &sampler.finish()[0] {
        counts[text.ids.first().copied().unwrap_or(EOS) as usize] += 1.0 / draws as f64;
    }
    counts
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let total: f64 = logits.iter().map(|&x| libm::exp(x)).sum();
    logits.iter().map(|&x| libm::exp(x) / total).collect()
}

#[track_caller]
fn alike(found: &[f64], wanted: &[f64]) {
    // Five standard deviations of a share over 6000 draws are at most .032.
    assert!(
        found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 0.033),
        "{found:?}, wanted {wanted:?}"
    );
}

#[test]
fn draws_follow_the_probabilities() {
    let logits = [0.5, 2.0, 1.0, -1.0];
    let d = Decoding { min_new_tokens: 0, ..Decoding::default() };
    alike(&shares(d, &logits, &[]), &softmax(&[0.5, 2.0, 1.0, -1.0]));
    alike(
        &shares(Decoding { temperature: 2.0, ..d }, &logits, &[]),
        &softmax(&[0.25, 1.0, 0.5, -0.5]),
    );
    let two = softmax(&[2.0, 1.0]);
    alike(&shares(Decoding { top_k: 2, ..d }, &logits, &[]), &[0.0, two[0], two[1], 0.0]);
    // The most probable token has .60, the next .22: together they pass .7, and only they are
    // drawn.
    alike(&shares(Decoding { top_p: 0.7, ..d }, &logits, &[]), &[0.0, two[0], two[1], 0.0]);
    // One token is always kept.
    alike(&shares(Decoding { top_p: 0.1, ..d }, &logits, &[]), &[0.0, 1.0, 0.0, 0.0]);
    // No end before it may come; the penalty halves what is positive and doubles what is negative.
    let three = softmax(&[2.0, 1.0, -1.0]);
    alike(
        &shares(Decoding { min_new_tokens: 1, ..d }, &logits, &[]),
        &[0.0, three[0], three[1], three[2]],
    );
    let penalised = Decoding { repetition_penalty: 2.0, ..d };
    alike(&shares(penalised, &logits, &[1, 3]), &softmax(&[0.5, 1.0, 1.0, -2.0]));
}

#[test]
fn draws_do_not_depend_on_the_batch() {
    let d = Decoding {
        sample: true,
        max_new_tokens: 3,
        answers: 2,
        min_new_tokens: 0,
        seed: 4,
        ..Decoding::default()
    };
    let run = |sentences: usize| {
        let mut sampler =
            Sampler::new(d, Ends::one(EOS), &vec![3; sentences], vec![vec![]; sentences], &[]);
        let mut rows = sentences;
        while rows > 0 {
            let logits = [0.1, 0.9, 0.4, 0.7].repeat(rows);
            rows = sampler.advance(&logits, 4).unwrap().len();
        }
        sampler.finish()
    };
    let (alone, three) = (run(1), run(3));
    assert_eq!(alone[0], three[0]);
    assert_eq!(three[0], three[2]);
    assert_eq!(alone[0].len(), 2);
    assert!(alone[0][0].score >= alone[0][1].score);
}

#[test]
fn each_sentence_may_have_a_seed_of_its_own() {
    let d = Decoding { sample: true, max_new_tokens: 8, min_new_tokens: 8, ..Decoding::default() };
    let run = |seed: u64, seeds: &[u64]| {
        let count = seeds.len().max(1);
        let d = Decoding { seed, ..d };
        let prompts = vec![vec![]; count];
        let mut sampler = Sampler::new(d, Ends::one(EOS), &vec![8; count], prompts, seeds);
        let mut rows = count;
        while rows > 0 {
            rows = sampler.advance(&[0.1, 0.9, 0.4, 0.7].repeat(rows), 4).unwrap().len();
        }
        sampler.finish()
    };
    let three = run(0, &[7, 8, 7]);
    assert_eq!(three[0], three[2]);
    assert_ne!(three[0], three[1]);
    assert_eq!(three[0], run(7, &[])[0]);
    assert_eq!(three[1], run(8, &[])[0]);
}

#[test]
fn the_penalty_reaches_searches_too() {
    // Greedy: logits. The first token is said already, so 2.0 becomes 1.0, below 1.5.
    let d = Decoding { max_new_tokens: 1, repetition_penalty: 2.0, ..Decoding::default() };
    let best = |d: Decoding, prompt: &[u32]| {
        let mut search = Search::new(d, Ends::one(EOS), &[1], vec![prompt.to_vec()]);
        search.advance(&[-9.0, 2.0, 1.5], 3).unwrap();
        search.finish().remove(0).remove(0)
    };
    assert_eq!(best(d, &[]).ids, [1]);
    assert_eq!(best(d, &[1]).ids, [2]);
    // Beams: log-probabilities, which are negative, so that they are doubled: -.474 becomes -.948,
    // above -.974.
    let d = Decoding { beams: 2, ..d };
    assert_eq!(best(d, &[1]).ids, [1]);
    assert!((best(d, &[1]).score + 0.948_2).abs() < 1e-3, "{}", best(d, &[1]).score);
    assert_eq!(best(Decoding { repetition_penalty: 2.2, ..d }, &[1]).ids, [2]);
}

/// Logits whose probabilities are these.
fn logs(p: [f32; 3]) -> [f32; 3] {
    p.map(libm::logf)
}

#[test]
fn searches_end_as_they_are_told() {
    // Two texts end at once, at -.51 and later; what still runs could only win by its length.
    let run = |early_stopping: EarlyStopping| {
        let d = Decoding {
            beams: 2,
            max_new_tokens: 8,
            min_new_tokens: 0,
            length_penalty: 2.0,
            early_stopping,
            ..Decoding::default()
        };
        let mut search = Search::new(d, Ends::one(EOS), &[8], vec![vec![]]);
        let mut steps = 0;
        let mut rows = 1;
        while rows > 0 {
            let logits =
                if steps < 3 { logs([0.45, 0.4, 0.15]) } else { logs([0.001, 0.998, 0.001]) };
            rows = search.advance(&logits.repeat(rows), 3).unwrap().len();
            steps += 1;
        }
        (steps, search.finish().remove(0).remove(0).ids.len())
    };
    let (never, heuristic, always) =
        (run(EarlyStopping::Never), run(EarlyStopping::Heuristic), run(EarlyStopping::Always));
    assert_eq!(
        never,
        (8, 8),
        "the longest text wins by the penalty, and the exact rule waits for it"
    );
    assert!(always.0 < heuristic.0 || always.0 < never.0, "{always:?} {heuristic:?}");
    assert!(
        always.0 <= heuristic.0 && heuristic.0 <= never.0,
        "{always:?} {heuristic:?} {never:?}"
    );
    assert!(always.1 < never.1);
}

/// A search of two beams whose probabilities depend on the step alone; the best text and the steps
/// it took.
fn stepped(early_stopping: EarlyStopping, steps: &[[f32; 3]]) -> (Vec<u32>, usize) {
    let d = Decoding {
        beams: 2,
        max_new_tokens: 6,
        min_new_tokens: 0,
        length_penalty: 1.0,
        early_stopping,
        ..Decoding::default()
    };
    let mut search = Search::new(d, Ends::one(EOS), &[6], vec![vec![]]);
    let (mut rows, mut taken) = (1, 0);
    while rows > 0 {
        let row = logs(steps[taken.min(steps.len() - 1)]);
        rows = search.advance(&row.repeat(rows), 3).unwrap().len();
        taken += 1;
    }
    (search.finish().remove(0).remove(0).ids, taken)
}

#[test]
fn the_three_rules_of_stopping_differ() {
    // After two steps `[]` has ln .45 = -.80 and `[1]` ln(.5 * .5) / 2 = -.69; what runs, `[1, 1]`,
    // has ln(.5 * .4) / 2 = -.805 and looks lost. It is not: four nearly certain steps later its
    // mean is ln(.2) / 6 = -.27.
    let late = [[0.45, 0.5, 0.05], [0.5, 0.4, 0.1], [0.001, 0.998, 0.001]];
    assert_eq!(stepped(EarlyStopping::Heuristic, &late), (vec![1], 2));
    assert_eq!(stepped(EarlyStopping::Always, &late), (vec![1], 2));
    assert_eq!(stepped(EarlyStopping::Never, &late), (vec![1; 6], 6));
    // Two texts are finished after two steps, -1.20 and -1.68, and what runs is far better, -.21.
    let better = [[0.3, 0.6999, 0.0001], [0.05, 0.94, 0.01]];
    assert_eq!(stepped(EarlyStopping::Always, &better), (vec![], 2));
    assert_eq!(stepped(EarlyStopping::Heuristic, &better), (vec![1; 6], 6));
    assert_eq!(stepped(EarlyStopping::Never, &better), (vec![1; 6], 6));
}

#[test]
fn draws_of_different_seeds_and_steps_are_independent() {
    // One draw of each of many seeds, two tokens long: pairs are as frequent as the product says.
    let logits = [-9.0, 1.0, 0.0, 0.5];
    let p = softmax(&[1.0, 0.0, 0.5]);
    let draws = 6000;
    let mut pairs = vec![0.0; 9];
    for seed in 0..draws {
        let d = Decoding {
            sample: true,
            max_new_tokens: 2,
            min_new_tokens: 2,
            seed,
            ..Decoding::default()
        };
        let mut sampler = Sampler::new(d, Ends::one(EOS), &[2], vec![vec![]], &[]);
        assert_eq!(sampler.advance(&logits, 4).unwrap().len(), 1);
        assert!(sampler.advance(&logits, 4).unwrap().is_empty());
        let text = &sampler.finish()[0][0];
        pairs[(text.ids[0] as usize - 1) * 3 + text.ids[1] as usize - 1] += 1.0 / draws as f64;
        // The score is the log-probability under what was drawn from, by the length penalty 0.
        let wanted: f64 = text.ids.iter().map(|&id| libm::log(p[id as usize - 1])).sum();
        assert!((f64::from(text.score) - wanted).abs() < 1e-4, "{text:?}, wanted {wanted}");
    }
    alike(&pairs, &(0..9).map(|i| p[i / 3] * p[i % 3]).collect::<Vec<_>>());
}

#[test]
fn truncations_combine_as_transformers_combines_them() {
    // Temperature first, then the best three, then the nucleus of what those are renormalised to.
    let logits = [-9.0, 2.0, 1.0, 0.0, -1.0];
    let d = Decoding {
        min_new_tokens: 0,
        temperature: 2.0,
        top_k: 3,
        top_p: 0.75,
        ..Decoding::default()
    };
    // Halved: 1, .5, 0 have .506, .307, .186 of each other; two pass .75.
    let two = softmax(&[1.0, 0.5]);
    alike(&shares(d, &logits, &[]), &[0.0, two[0], two[1], 0.0, 0.0]);
    // Of all five the two would have only .46 + .28.
    let d = Decoding { top_k: 0, ..d };
    let three = softmax(&[1.0, 0.5, 0.0]);
    alike(&shares(d, &logits, &[]), &[0.0, three[0], three[1], three[2], 0.0]);
    // A row that cannot be drawn from is an error.
    let all = Decoding { sample: true, ..Decoding::default() };
    let mut sampler = Sampler::new(all, Ends::one(EOS), &[2], vec![vec![]], &[]);
    let error = sampler.advance(&[f32::NAN, 0.0], 2).unwrap_err().to_string();
    assert!(error.contains("logits are not numbers"), "{error}");
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    let wrong = |d: Decoding| d.check().unwrap_err().to_string();
    let d = Decoding::default();
    for (name, bad) in [
        ("`top_p` = 0", Decoding { top_p: 0.0, ..d }),
        ("`top_p` = 1.5", Decoding { top_p: 1.5, ..d }),
        ("`top_p` = NaN", Decoding { top_p: f64::NAN, ..d }),
        ("`temperature` = 0", Decoding { temperature: 0.0, ..d }),
        ("`temperature` = 1e-40 is not from 0.0001 to 10000", Decoding { temperature: 1e-40, ..d }),
        ("`temperature` = NaN", Decoding { temperature: f64::NAN, ..d }),
        ("`temperature` = -1", Decoding { temperature: -1.0, ..d }),
        ("`repetition_penalty` = 1e40", Decoding { repetition_penalty: 1e40, ..d }),
        ("`length_penalty` = 1e300 is not from -50 to 50", Decoding { length_penalty: 1e300, ..d }),
        ("`length_penalty` = NaN", Decoding { length_penalty: f64::NAN, ..d }),
        ("`repetition_penalty` = -1", Decoding { repetition_penalty: -1.0, ..d }),
        ("`answers` = 2 with `beams` = 1", Decoding { answers: 2, ..d }),
        ("`answers` = 0", Decoding { answers: 0, ..d }),
        ("`sample` with `beams` = 3", Decoding { sample: true, beams: 3, ..d }),
        ("`beams` = 1000000000", Decoding { beams: 1_000_000_000, ..d }),
        ("`answers` = 1000000000", Decoding { sample: true, answers: 1_000_000_000, ..d }),
    ] {
        assert!(wrong(bad).contains(name), "{name}: {}", wrong(bad));
    }
    Decoding { sample: true, answers: 6000, ..d }.check().unwrap();
    Decoding { sample: true, temperature: 1e-4, repetition_penalty: 1e-4, ..d }.check().unwrap();
}
