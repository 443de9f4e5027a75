//! What the terms of a report mean, a line each; only those that occur in it.

use crate::Results;
use crate::names::{CONTROLS, GROUPS};
use crate::summary::Summary;
use crate::tables::keys;

/// Term and meaning.
pub(crate) fn terms(results: &Results, summary: &Summary) -> Vec<(String, String)> {
    let keys = keys(summary);
    let has = |part: &str| keys.iter().any(|key| key.split('.').any(|p| p == part));
    let mut out: Vec<(String, String)> = Vec::new();
    let mut add = |wanted: bool, term: &str, meaning: &str| {
        if wanted {
            out.push((term.to_owned(), meaning.to_owned()));
        }
    };
    for (key, name, meaning) in &CONTROLS {
        add(has(key), name, meaning);
    }
    for (key, name, meaning) in &GROUPS {
        add(has(key), name, meaning);
    }
    let along = summary.metrics.iter().any(|key| key == "vqa.along");
    add(
        along,
        "mean along stage 2",
        "mean of the curve's points on the validation split, the start left out: higher if it is learned sooner",
    );
    let retrieves = has("retrieval")
        || results.stages.iter().any(|s| s.scores.keys().any(|k| k.starts_with("retrieval")));
    add(retrieves, "R@k", "share of queries whose true partner is among the first k found");
    add(retrieves, "chance", "recall of a random order");
    add(
        retrieves,
        "ITC, ITM",
        "retrieval by the similarity of embeddings; by the matching head, which re-ranks",
    );
    let trivial = results.stages.iter().any(|s| s.losses.keys().any(|k| k.starts_with("trivial_")));
    add(
        trivial,
        "trivial loss",
        "the loss of a model that ignores its input, for example ln(batch) for ITC",
    );
    let intervals = summary.rows.iter().any(|row| row.seeds.len() > 1);
    add(
        intervals,
        "95% interval",
        "Student's interval of the mean over seeds: would other seeds give much the same?",
    );
    let tests = summary.effects.iter().chain(&summary.comparisons);
    add(
        tests.clone().any(|c| c.p_seeds.is_some()),
        "p over seeds",
        "paired t-test of the same seeds on both sides: the training method, seeds being drawn \
        anew",
    );
    add(
        tests.clone().any(|c| c.p_questions.is_some()),
        "p over questions",
        "paired permutation test: these trained models, questions and images being drawn anew",
    );
    add(
        tests.clone().filter(|c| c.metric == summary.primary).count() > 1,
        "Holm",
        "p-values raised so that all comparisons in one score together have a 5% risk of a false \
        finding at 0.05",
    );
    out
}
