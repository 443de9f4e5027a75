//! Pieces that the tables of scores and of comparisons share.

use crate::names;
use crate::stats::summary::Comparison;
use crate::text::table::{Emphasis, TableCell};
use crate::text::write::signed;

/// Tests that could be made. Columns of tests that could not are left out.
pub(crate) struct Tests {
    pub seeds: bool,
    pub questions: bool,
}

impl Tests {
    pub(crate) fn of(found: &[&Comparison]) -> Self {
        Tests {
            seeds: found.iter().any(|c| c.p_seeds.is_some()),
            questions: found.iter().any(|c| c.p_questions.is_some()),
        }
    }

    pub(crate) fn any(&self) -> bool {
        self.seeds || self.questions
    }

    /// Those of something for seeds and something for questions that were tested.
    pub(crate) fn pick<T>(&self, [seeds, questions]: [T; 2]) -> impl Iterator<Item = T> {
        self.seeds.then_some(seeds).into_iter().chain(self.questions.then_some(questions))
    }
}

/// Writes a difference with its interval over seeds.
pub(crate) fn difference(c: &Comparison) -> TableCell {
    let small = match (c.low, c.high) {
        (Some(low), Some(high)) => {
            format!("[{}, {}]", signed(&c.metric, low), signed(&c.metric, high))
        }
        _ => String::new(),
    };
    TableCell { main: signed(&c.metric, c.difference), small, emphasis: Emphasis::None }
}

/// Writes the head of a column: the short name of a score with its unit.
pub(crate) fn head(key: &str) -> String {
    format!("{}{}", names::short(key), names::unit(key))
}

/// Names the two rows of a comparison: `opt-nano: stage 1 on − off`.
pub(crate) fn compared_rows(comparison: &Comparison) -> String {
    let place = if comparison.context.is_empty() {
        String::new()
    } else {
        format!("{}: ", comparison.context)
    };
    let (row, against): (Vec<&str>, Vec<&str>) =
        (comparison.row.split(' ').collect(), comparison.against.split(' ').collect());
    // A beginning that both share is written once, for single values; for whole rows it might
    // mislead.
    let same = row.iter().zip(&against).take_while(|(a, b)| a == b).count();
    let shared = if comparison.row.contains(',') || same >= against.len() { 0 } else { same };
    format!("{place}{} − {}", comparison.row, against[shared..].join(" "))
}
