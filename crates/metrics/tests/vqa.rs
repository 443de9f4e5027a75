//! VQA accuracy against the official scorer's numbers and by its properties.

use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use toolkit_metrics::vqa::{
    VqaRow, VqaScore, accuracy, gqa_match, normalize_prediction, normalize_references, score,
};

fn fixture(name: &str) -> Value {
    let path = format!("{}/../../tests/fixtures/vqa-tiny/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).expect(&path)).expect(&path)
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().expect(key)
}

#[test]
fn accuracies_are_those_of_the_official_scorer() {
    let (annotations, results, expected) =
        (fixture("annotations.json"), fixture("results.json"), fixture("expected.json"));
    let predictions: BTreeMap<u64, &str> = results
        .as_array()
        .expect("a list")
        .iter()
        .map(|r| (r["question_id"].as_u64().expect("an id"), text(r, "answer")))
        .collect();
    let questions: Vec<(&Value, Vec<String>)> = annotations["annotations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|q| {
            (
                q,
                q["answers"]
                    .as_array()
                    .expect("a list")
                    .iter()
                    .map(|a| text(a, "answer").to_owned())
                    .collect(),
            )
        })
        .collect();
    let found = score(questions.iter().map(|(question, answers)| VqaRow {
        prediction: predictions[&question["question_id"].as_u64().expect("an id")],
        answers,
        answer_type: Some(text(question, "answer_type")),
        question_type: Some(text(question, "question_type")),
    }));
    assert_eq!(questions.len(), 60);
    assert_eq!(found.overall, expected["overall"].as_f64());
    for (found, key) in
        [(found.per_answer_type, "perAnswerType"), (found.per_question_type, "perQuestionType")]
    {
        let expected: BTreeMap<String, f64> =
            serde_json::from_value(expected[key].clone()).expect(key);
        assert_eq!(found, expected);
    }
}

/// BLIP-2 specification, section 8.1, "Examples observed".
#[test]
fn observed_examples_of_the_specification() {
    for (answer, expected) in [
        ("A red Bus.", "red bus"),
        ("1,000 dollars", "1000 dollars"),
        ("t-shirt", "t shirt"),
        ("one-way", "1 way"),
        ("U.S.A.", "usa"),
        ("3.5", "3.5"),
        ("$5.00", "$5.00"),
        ("10:30", "10:30"),
        ("hello,world", "hello world"),
        ("yes, it is", "yes it is"),
        ("5,000.", "5000"),
        ("mr. bean", "mr bean"),
        ("a", ""),
        ("none", "0"),
        ("dont know", "don't know"),
        ("Im", "im"),
        ("couldnt", "couldn't"),
        ("wii\ntennis", "wii tennis"),
        ("somebody'd", "somebodyd"),
    ] {
        assert_eq!(normalize_prediction(answer), expected, "{answer}");
    }
}

fn list(answers: &[&str]) -> Vec<String> {
    answers.iter().map(|&a| a.to_owned()).collect()
}

#[test]
fn references_are_stripped_only_if_they_differ() {
    assert_eq!(normalize_references(&list(&["No.", "No."])), ["No.", "No."]);
    assert_eq!(normalize_references(&list(&["No.", "one-way"])), ["No", "one way"]);
    assert!(normalize_references(&[]).is_empty());
}

#[test]
fn accuracy_by_number_of_matches() {
    for (matches, expected) in [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)] {
        let answers: Vec<String> =
            (0..10).map(|i| if i < matches { "dog" } else { "cat" }.to_owned()).collect();
        let found = accuracy("The dog.", &answers);
        assert!((found - expected).abs() < 1e-12, "{matches}: {found}");
    }
    assert_eq!(accuracy("dog", &[]), 0.0);
    assert_eq!(score([]), VqaScore::default());
    assert_eq!(score([]).overall, None);
}

#[test]
fn gqa_is_exact_match_after_normalisation() {
    assert!(gqa_match("The Dog.", "dog") && gqa_match("two", "2"));
    assert!(!gqa_match("dogs", "dog") && !gqa_match("", "dog"));
}

proptest! {
    #[test]
    fn accuracy_is_a_share_and_ignores_the_order_of_answers(
        prediction in "(dog|cat|\\PC{0,6})",
        answers in proptest::collection::vec("(dog|cat|bird|\\PC{0,6})", 0..12),
    ) {
        let found = accuracy(&prediction, &answers);
        prop_assert!((0.0..=1.0).contains(&found), "{}", found);
        let reversed: Vec<String> = answers.into_iter().rev().collect();
        prop_assert!((found - accuracy(&prediction, &reversed)).abs() < 1e-12);
    }

    #[test]
    fn a_normalised_plain_answer_stays_as_it_is(words in proptest::collection::vec("(dog|red|2|3[.]5|don't|10:30)", 0..5)) {
        prop_assert_eq!(normalize_prediction(&words.join(" ")), words.join(" "));
    }
}
