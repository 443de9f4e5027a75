//! Controls that a model must beat: wrong images and the commonest answer.

use crate::task::answers::{check, scored};
use crate::{EvalError, VqaResult};
use std::collections::BTreeMap;
use toolkit_core::Stream;
use toolkit_data::Dataset;

/// Draws a permutation of `0..n` that leaves nothing in its place: the wrong image of each image.
///
/// It is one cycle (Sattolo 1986), drawn from `seed`. For `n = 1` there is none, and the item
/// stays.
#[must_use]
pub fn derangement(n: usize, seed: u64) -> Vec<usize> {
    let mut stream = Stream::new(seed, "eval/derangement", n as u64);
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        // Below `last`, never `last` itself: that is what makes it a cycle.
        order.swap(last, stream.below(last));
    }
    order
}

/// Answers every question with the commonest training answer to questions of its kind (of all
/// kinds, if the kind is new); the first in the alphabet of several. Each question counts once, by
/// its commonest own answer.
///
/// # Errors
/// If there is no such question or the training data has none.
pub fn majority_baseline(
    train: &dyn Dataset,
    eval: &dyn Dataset,
    questions: &[(usize, usize)],
) -> Result<VqaResult, EvalError> {
    check(eval, questions)?;
    let mut all = Counts::new();
    let mut by_kind: BTreeMap<String, Counts> = BTreeMap::new();
    // One item after the other: training data may be larger than the memory.
    for item in (0..train.len()).map(|item| train.item(item)) {
        for question in &item.questions {
            let own = question.answers.iter().map(String::as_str).fold(Counts::new(), count);
            let Some(answer) = commonest(&own) else { continue };
            count_one(&mut all, answer);
            count_one(by_kind.entry(question.kind.clone()).or_default(), answer);
        }
    }
    let Some(overall) = commonest(&all) else {
        return Err(EvalError::new(
            "no answered question",
            train.name(),
            "the baseline needs training questions",
        ));
    };
    let answer = |&(item, question): &(usize, usize)| {
        let item = eval.item(item);
        let answer = by_kind
            .get(item.questions[question].kind.as_str())
            .and_then(commonest)
            .unwrap_or(overall);
        (String::new(), answer.to_owned())
    };
    Ok(scored(eval, questions, questions.iter().map(answer).collect()))
}

type Counts = BTreeMap<String, usize>;

fn count(mut counts: Counts, answer: &str) -> Counts {
    count_one(&mut counts, answer);
    counts
}

fn count_one(counts: &mut Counts, answer: &str) {
    match counts.get_mut(answer) {
        Some(count) => *count += 1,
        None => {
            counts.insert(answer.to_owned(), 1);
        }
    }
}

fn commonest(counts: &Counts) -> Option<&str> {
    // Of equal counts `max_by_key` gives the last, so the order is turned round.
    counts.iter().rev().max_by_key(|(_, count)| **count).map(|(answer, _)| answer.as_str())
}
