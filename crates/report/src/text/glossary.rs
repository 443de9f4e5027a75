//! Glossary of a report: a line for each term that occurs in it.

use crate::Results;
use crate::names::{CONTROLS, GROUPS};
use crate::stats::summary::Summary;
use crate::text::tables::keys;

/// Lists term and meaning of everything that the report mentions.
pub(crate) fn terms(results: &Results, summary: &Summary) -> Vec<(String, String)> {
    let known = score_terms(results, summary).into_iter().chain(test_terms(results, summary));
    known
        .filter(|(occurs, _, _)| *occurs)
        .map(|(_, term, meaning)| (term.to_owned(), meaning.to_owned()))
        .collect()
}

/// A term: if it occurs in the report, its name and its meaning.
type Term = (bool, &'static str, &'static str);

fn score_terms(results: &Results, summary: &Summary) -> Vec<Term> {
    let keys = keys(summary);
    let has = |part: &str| keys.iter().any(|key| key.split('.').any(|p| p == part));
    let retrieves = has("retrieval")
        || results.stages.iter().any(|s| s.scores.keys().any(|k| k.starts_with("retrieval")));
    let named = CONTROLS.iter().chain(&GROUPS);
    let mut terms: Vec<Term> =
        named.map(|(key, name, meaning)| (has(key), *name, *meaning)).collect();
    terms.extend([
        (
            summary.metrics.iter().any(|key| key == "vqa.along"),
            "mean along stage 2",
            "mean of the curve's points on the validation split, the start left out: higher if it \
            is learned sooner",
        ),
        (retrieves, "R@k", "share of queries whose true partner is among the first k found"),
        (retrieves, "chance", "recall of a random order"),
        (
            retrieves,
            "ITC, ITM",
            "retrieval by the similarity of embeddings; by the matching head, which re-ranks",
        ),
    ]);
    terms
}

fn test_terms(results: &Results, summary: &Summary) -> [Term; 5] {
    let tests = || summary.effects.iter().chain(&summary.comparisons);
    [
        (
            results.stages.iter().any(|s| s.losses.keys().any(|k| k.starts_with("trivial_"))),
            "trivial loss",
            "the loss of a model that ignores its input, for example ln(batch) for ITC",
        ),
        (
            summary.rows.iter().any(|row| row.seeds.len() > 1),
            "95% interval",
            "Student's interval of the mean over seeds: would other seeds give much the same?",
        ),
        (
            tests().any(|c| c.p_seeds.is_some()),
            "p over seeds",
            "paired t-test of the same seeds on both sides: the training method, seeds being drawn \
            anew",
        ),
        (
            tests().any(|c| c.p_questions.is_some()),
            "p over questions",
            "paired permutation test: these trained models, questions and images being drawn anew",
        ),
        (
            tests().filter(|c| c.metric == summary.primary).count() > 1,
            "Holm",
            "p-values raised so that all comparisons in one score together have a 5% risk of a \
            false finding at 0.05",
        ),
    ]
}
