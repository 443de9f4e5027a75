//! The numbers of the tables, against those computed by hand.

mod common;

use common::{axis, cell, example};
use toolkit_report::{Results, html, markdown, summary, table};

/// Half of the 95% t-interval of three values with standard deviation 1: the quantile over the root
/// of three.
const HALF: f64 = 4.302_652_729_911_275 / 1.732_050_807_568_877_2;

fn small() -> Results {
    let scores = [("on", [61.0, 62.0, 63.0]), ("off", [60.0, 60.0, 60.0])];
    let mut cells = Vec::new();
    for (value, scores) in scores {
        for (seed, score) in scores.into_iter().enumerate() {
            let mut cell = cell(
                &[("stage1", value)],
                seed as u64,
                &[("vqa.overall", score), ("caption.cider", score / 50.0)],
            );
            // Four questions about two images; with stage 1, both of the first image are right as
            // well.
            let right = f64::from(u8::from(value == "on"));
            cell.per_sample.insert("vqa.overall".into(), vec![right, right, 1.0, 0.0]);
            cell.clusters = vec![4, 4, 9, 9];
            cells.push(cell);
        }
    }
    Results {
        axes: vec![axis("stage1", "stage 1", &["on", "off"])],
        baseline: [("stage1".to_owned(), "off".to_owned())].into(),
        primary: "vqa.overall".into(),
        cells,
        ..Results::default()
    }
}

#[test]
fn statistics_by_hand() {
    let found = summary(&small());
    let on = &found.rows[0].scores["vqa.overall"];
    assert_eq!((on.mean, on.values.as_slice()), (62.0, [61.0, 62.0, 63.0].as_slice()));
    assert!((on.high.expect("three seeds") - 62.0 - HALF).abs() < 1e-6);
    let effect = &found.effects[0];
    assert_eq!((effect.metric.as_str(), effect.difference, effect.seeds), ("vqa.overall", 2.0, 3));
    assert!((effect.low.expect("three seeds") - (2.0 - HALF)).abs() < 1e-6);
    // t = 2 / (1 / sqrt 3) with two degrees of freedom: p = 1 - t / sqrt(2 + t²).
    let t = 12.0_f64.sqrt();
    assert!((effect.p_seeds.expect("three seeds") - (1.0 - t / 14.0_f64.sqrt())).abs() < 1e-9);
    assert_eq!(effect.p_seeds, effect.p_seeds_holm);
    // Two images, one of which differs: both of its signs are as extreme as what was seen.
    assert_eq!((effect.questions, effect.images, effect.p_questions), (4, 2, Some(1.0)));
    assert_eq!(found.comparisons, found.effects);
    assert!(found.verdict[0].contains("interval includes zero"), "{:?}", found.verdict);
}

#[test]
fn tables_show_them() {
    let results = small();
    let page = html(&results);
    let (low, high) = (62.0 - HALF, 62.0 + HALF);
    assert!(page.contains(&format!("62.0<small>[{low:.1}, {high:.1}]</small>")), "{page}");
    assert!(
        page.contains("+2.0<small>[\u{2212}0.5, +4.5]</small></td><td>0.074</td><td>1.00</td>"),
        "{page}"
    );
    assert!(markdown(&results).contains("| 60.0 | 1.200 | baseline |"), "{}", markdown(&results));
    let lines: Vec<String> = table(&results).lines().map(str::to_owned).collect();
    assert!(lines[2].contains("stage 1 on") && lines[2].contains("62.0 ± 2.5"), "{lines:?}");
    assert!(lines[3].contains("60.0 ± 0.0"), "{lines:?}");
}

#[test]
fn holm_counts_the_comparisons_of_a_score() {
    let found = summary(&example());
    let of = |metric: &str| {
        found.effects.iter().filter(|e| e.metric == metric).cloned().collect::<Vec<_>>()
    };
    let pair = of("vqa.overall");
    assert_eq!(
        (pair.len(), pair[0].context.as_str(), pair[1].context.as_str()),
        (2, "opt-nano", "t5-nano")
    );
    let mut plain: Vec<f64> = pair.iter().filter_map(|e| e.p_seeds).collect();
    let mut holm: Vec<f64> = pair.iter().filter_map(|e| e.p_seeds_holm).collect();
    plain.sort_by(f64::total_cmp);
    holm.sort_by(f64::total_cmp);
    assert!((holm[0] - 2.0 * plain[0]).abs() < 1e-12 || holm[0] == holm[1], "{plain:?} {holm:?}");
    // The interval over questions is in points although the questions are scored from 0 to 1.
    let effect = &pair[0];
    let (low, high) =
        (effect.questions_low.expect("questions"), effect.questions_high.expect("questions"));
    assert!(
        low < effect.difference && effect.difference < high && high - low > 1.0,
        "{low} {high}"
    );
}

#[test]
fn a_full_baseline_is_one_row() {
    let mut results = example();
    results.baseline.insert("language".into(), "opt-nano".into());
    let found = summary(&results);
    let primary = |all: &[toolkit_report::Comparison]| {
        all.iter().filter(|c| c.metric == "vqa.overall").count()
    };
    assert_eq!((primary(&found.effects), primary(&found.comparisons)), (2, 3));
    assert!(found.comparisons.iter().all(|c| c.against_axes["language"] == "opt-nano"));
}

#[test]
fn only_shared_seeds_are_compared() {
    let mut results = small();
    results.cells.retain(|cell| cell.axes["stage1"] == "on" || cell.seed < 2);
    let effect = summary(&results).effects.remove(0);
    assert_eq!((effect.seeds, effect.mean, effect.difference), (2, 61.5, 1.5));
}

#[test]
fn the_axis_with_a_baseline_comes_first() {
    let mut results = example();
    let expected = summary(&results);
    results.axes.reverse();
    for axis in &mut results.axes {
        axis.values.iter_mut().for_each(switch);
    }
    results.cells.iter_mut().flat_map(|cell| cell.axes.values_mut()).for_each(switch);
    results.baseline.values_mut().for_each(switch);
    assert_eq!(summary(&results).verdict, expected.verdict);
    assert_eq!(summary(&results).rows[0].label, "stage 1 on, opt-nano");
}

/// A switch as TOML writes it.
fn switch(value: &mut String) {
    match value.as_str() {
        "on" => *value = "true".to_owned(),
        "off" => *value = "false".to_owned(),
        _ => {}
    }
}
