//! Visual question answering: the official VQA accuracy and normalisation, and exact match for GQA.

mod contractions;
mod text;

use crate::vqa::contractions::CONTRACTIONS;
use crate::vqa::text::{is_digit, is_space};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The marks that are removed, in the order in which the official scorer goes through them.
const MARKS: &str = ";/[]\"{}()=+\\_-><@`,?!";

/// The official scorer passes a flag where a count belongs and so removes at most this many full
/// stops.
const MAX_STOPS: usize = 32;

const NUMBER_WORDS: [(&str, &str); 12] = [
    ("none", "0"),
    ("zero", "0"),
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
];

/// The punctuation step "P" of the official scorer (BLIP-2 specification, section 8.1), quirks
/// included.
///
/// A mark becomes a space, or nothing if it somewhere touches a space or the answer has a comma
/// between digits. Then full stops go unless a digit follows.
#[must_use]
pub fn strip_punctuation(answer: &str) -> String {
    let original: Vec<char> = answer.chars().collect();
    let grouped_digits =
        original.windows(3).any(|w| is_digit(w[0]) && w[1] == ',' && is_digit(w[2]));
    let mut text = answer.to_owned();
    for mark in MARKS.chars() {
        // Asked of the original, not of what earlier marks left.
        let at_space = original.windows(2).any(|w| w == [mark, ' '] || w == [' ', mark]);
        text = text.replace(mark, if at_space || grouped_digits { "" } else { " " });
    }
    let mut kept = String::with_capacity(text.len());
    let mut removed = 0;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if c == '.' && removed < MAX_STOPS && !characters.peek().is_some_and(|&c| is_digit(c)) {
            removed += 1;
        } else {
            kept.push(c);
        }
    }
    kept
}

/// The step "D": lower case, number words to digits, no articles, contractions spelled out, single
/// spaces.
fn map_words(answer: &str) -> String {
    let lower = answer.to_lowercase();
    let look_up = |table: &[(&'static str, &'static str)], word: &str| {
        table.iter().find(|(from, _)| *from == word).map(|(_, to)| *to)
    };
    let words: Vec<&str> = lower
        .split(is_space)
        .filter(|word| !word.is_empty())
        .map(|word| look_up(&NUMBER_WORDS, word).unwrap_or(word))
        .filter(|word| !matches!(*word, "a" | "an" | "the"))
        .map(|word| look_up(&CONTRACTIONS, word).unwrap_or(word))
        .collect();
    words.join(" ")
}

/// A predicted answer as the official scorer compares it: `A red Bus.` becomes `red bus`. May
/// become empty.
#[must_use]
pub fn normalize_prediction(answer: &str) -> String {
    map_words(&strip_punctuation(answer.replace(['\n', '\t'], " ").trim_matches(is_space)))
}

/// The answers of the annotators as the official scorer compares them: only punctuation is
/// stripped, and only if the answers are not all equal (data sets come normalised already, and
/// published numbers depend on this).
#[must_use]
pub fn normalize_references(answers: &[String]) -> Vec<String> {
    if answers.windows(2).all(|pair| pair[0] == pair[1]) {
        return answers.to_vec();
    }
    answers.iter().map(|answer| strip_punctuation(answer)).collect()
}

/// The official VQA accuracy of one raw prediction, in `[0, 1]`: the mean over annotators of
/// `min(1, matches among the other annotators / 3)`. Both sides are normalised here. Without
/// answers it is 0.
///
/// ```
/// use toolkit_metrics::vqa::accuracy;
///
/// let mut answers = vec!["red".to_owned(); 3];
/// answers.resize(10, "blue".to_owned());
/// assert!((accuracy("It is red.", &answers)).abs() < 1e-9, "the whole answer is compared");
/// // Three annotators miss one match of three, seven have all three.
/// assert!((accuracy("Red!", &answers) - 0.9).abs() < 1e-9);
/// ```
#[must_use]
pub fn accuracy(prediction: &str, answers: &[String]) -> f64 {
    let prediction = normalize_prediction(prediction);
    let matching: Vec<bool> =
        normalize_references(answers).iter().map(|answer| *answer == prediction).collect();
    let matches = matching.iter().filter(|&&m| m).count();
    let left_one_out = |&own: &bool| ((matches - usize::from(own)) as f64 / 3.0).min(1.0);
    matching.iter().map(left_one_out).sum::<f64>() / matching.len().max(1) as f64
}

/// Returns `true` if a raw prediction is the gold answer in GQA: equal after the VQA normalisation
/// of both.
#[must_use]
pub fn gqa_match(prediction: &str, gold: &str) -> bool {
    map_words(&strip_punctuation(prediction)) == map_words(&strip_punctuation(gold))
}

/// A question with its raw prediction and annotations.
#[derive(Clone, Copy, Debug)]
pub struct VqaRow<'a> {
    /// Answer of the model.
    pub prediction: &'a str,
    /// Answers of the annotators (ten in VQAv2).
    pub answers: &'a [String],
    /// `yes/no`, `number` or `other`, if that is known.
    pub answer_type: Option<&'a str>,
    /// The first words of the question, as annotated, if they are.
    pub question_type: Option<&'a str>,
}

/// Accuracies in percent, rounded to two decimals as the official tool prints them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VqaScore {
    /// Over all questions; `None` if there are none.
    pub overall: Option<f64>,
    /// By answer type, of the questions that have one.
    pub per_answer_type: BTreeMap<String, f64>,
    /// By question type, of the questions that have one.
    pub per_question_type: BTreeMap<String, f64>,
}

/// Sum and number of accuracies.
#[derive(Default)]
struct Tally(f64, usize);

impl Tally {
    fn add(&mut self, accuracy: f64) {
        self.0 += accuracy;
        self.1 += 1;
    }

    fn percent(&self) -> Option<f64> {
        let percent = 100.0 * self.0 / self.1 as f64;
        // Through text, because that rounds the exact value as Python does; scaling by 100 first
        // would not.
        (self.1 > 0).then(|| format!("{percent:.2}").parse().unwrap_or(percent))
    }
}

/// Official VQA accuracies of a set of questions.
#[must_use]
pub fn score<'a>(rows: impl IntoIterator<Item = VqaRow<'a>>) -> VqaScore {
    let mut overall = Tally::default();
    let mut by_answer: BTreeMap<String, Tally> = BTreeMap::new();
    let mut by_question: BTreeMap<String, Tally> = BTreeMap::new();
    for row in rows {
        let accuracy = accuracy(row.prediction, row.answers);
        overall.add(accuracy);
        for (by, kind) in [(&mut by_answer, row.answer_type), (&mut by_question, row.question_type)]
        {
            if let Some(kind) = kind {
                by.entry(kind.to_owned()).or_default().add(accuracy);
            }
        }
    }
    let percents = |by: BTreeMap<String, Tally>| {
        by.into_iter().filter_map(|(kind, tally)| Some((kind, tally.percent()?))).collect()
    };
    VqaScore {
        overall: overall.percent(),
        per_answer_type: percents(by_answer),
        per_question_type: percents(by_question),
    }
}
