//! Tokens, scores and answers against what the official tools print, case by case.
//!
//! The fixtures come from `tests/fixtures/make_ptb.py`, `make_caption_corners.py` and
//! `make_vqa_normalised.py`; set `TOOLKIT_VQA_NORMALISED` to a longer file of the last one to
//! compare more.

use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use toolkit_metrics::vqa::{VqaRow, accuracy, normalize_prediction, score, strip_punctuation};
use toolkit_metrics::{bleu, caption_scores, cider, mean, rouge_l, tokenize_all};

fn read(path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).expect(path)).expect(path)
}

fn fixture(name: &str) -> Value {
    read(&format!("{}/../../tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR")))
}

fn parse<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("the form of the fixture")
}

#[test]
fn tokens_of_a_file_are_those_of_the_official_tokeniser() {
    let (lines, expected): (Vec<String>, Vec<String>) =
        parse::<Vec<(String, String)>>(&fixture("captions_ptb.json")).into_iter().unzip();
    assert_eq!(lines.len(), 657);
    let found = tokenize_all(&lines);
    let differ: Vec<_> = lines
        .iter()
        .zip(&found)
        .zip(&expected)
        .filter(|((_, found), expected)| found.join(" ") != **expected)
        .map(|((line, found), expected)| {
            format!("{line:?}: {:?}, official {expected:?}", found.join(" "))
        })
        .collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn scores_of_corner_cases_are_the_official_ones() {
    let cases: BTreeMap<String, Value> = parse(&fixture("caption_corners.json"));
    assert_eq!(cases.len(), 14);
    for (name, case) in cases {
        let references: Vec<Vec<String>> = parse(&case["references"]);
        let hypotheses: Vec<String> = parse(&case["hypotheses"]);
        let near = |what: &str, found: f64, expected: f64| {
            assert!(
                (found - expected).abs() < 1e-12,
                "{name}, {what}: {found}, official {expected}"
            );
        };
        let scores = caption_scores(&hypotheses, &references).expect("images");
        let official: [f64; 4] = parse(&case["bleu"]);
        for (found, expected) in
            [scores.bleu1, scores.bleu2, scores.bleu3, scores.bleu4].into_iter().zip(official)
        {
            near("BLEU", found, expected);
        }
        near("ROUGE-L", scores.rouge_l, parse(&case["rouge"]));
        near("CIDEr", scores.cider, parse(&case["cider"]));
        let flat: Vec<&String> = references.iter().flatten().collect();
        let mut tokens = tokenize_all(&flat).into_iter();
        let references: Vec<Vec<Vec<String>>> =
            references.iter().map(|image| tokens.by_ref().take(image.len()).collect()).collect();
        let hypotheses = tokenize_all(&hypotheses);
        let official: Vec<[f64; 4]> = parse(&case["bleu_images"]);
        for (found, expected) in bleu(&hypotheses, &references).per_image.iter().zip(&official) {
            for order in 0..4 {
                near("BLEU of an image", found[order], expected[order]);
            }
        }
        for (what, found) in [
            ("rouge_images", rouge_l(&hypotheses, &references)),
            ("cider_images", cider(&hypotheses, &references)),
        ] {
            let official: Vec<f64> = parse(&case[what]);
            assert_eq!(found.len(), official.len());
            for (found, expected) in found.iter().zip(official) {
                near(what, *found, expected);
            }
        }
        assert_eq!(mean(&scores.per_image_cider), Some(scores.cider));
    }
}

#[test]
fn answers_and_accuracies_are_those_of_the_official_scorer() {
    let data = std::env::var("TOOLKIT_VQA_NORMALISED")
        .map_or_else(|_| fixture("vqa_normalised.json"), |path| read(&path));
    let answers: Vec<(String, String, String)> = parse(&data["normalised"]);
    assert!(answers.len() > 900);
    for (answer, stripped, normalised) in &answers {
        assert_eq!(strip_punctuation(answer), *stripped, "{answer:?}");
        assert_eq!(normalize_prediction(answer), *normalised, "{answer:?}");
    }
    let questions: Vec<Value> = parse(&data["questions"]);
    let lists: Vec<Vec<String>> = questions.iter().map(|q| parse(&q["answers"])).collect();
    let text = |question: &'_ Value, key: &str| -> String { parse(&question[key]) };
    let texts: Vec<[String; 3]> = questions
        .iter()
        .map(|q| ["prediction", "answer_type", "question_type"].map(|key| text(q, key)))
        .collect();
    for ((question, answers), [prediction, ..]) in questions.iter().zip(&lists).zip(&texts) {
        let expected: f64 = parse(&question["accuracy"]);
        assert!(
            (100.0 * accuracy(prediction, answers) - expected).abs() < 0.005 + 1e-9,
            "{question}"
        );
    }
    let found = score(texts.iter().zip(&lists).map(
        |([prediction, answer_type, question_type], answers)| VqaRow {
            prediction,
            answers,
            answer_type: Some(answer_type),
            question_type: Some(question_type),
        },
    ));
    assert_eq!(found.overall, parse::<Option<f64>>(&data["accuracy"]["overall"]));
    assert_eq!(found.per_answer_type, parse(&data["accuracy"]["perAnswerType"]));
    assert_eq!(found.per_question_type, parse(&data["accuracy"]["perQuestionType"]));
}

fn caption() -> impl Strategy<Value = String> {
    proptest::collection::vec("(a|the|red|dog|cats?|on|sofa|man's|2 1/2|don't)", 0..12)
        .prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_images_does_not_matter(
        corpus in proptest::collection::vec((caption(), proptest::collection::vec(caption(), 1..4)), 1..12),
        seed in 0_usize..100,
    ) {
        let mut shuffled = corpus.clone();
        let images = shuffled.len();
        for at in 0..images {
            shuffled.swap(at, (at * 7 + seed) % images);
        }
        let score = |corpus: Vec<(String, Vec<String>)>| {
            let (h, r): (Vec<_>, Vec<_>) = corpus.into_iter().unzip();
            let s = caption_scores(&h, &r).expect("images");
            [s.bleu1, s.bleu2, s.bleu3, s.bleu4, s.rouge_l, s.cider]
        };
        for (one, other) in score(corpus).into_iter().zip(score(shuffled)) {
            prop_assert!((one - other).abs() < 1e-12, "{} {}", one, other);
        }
    }

    #[test]
    fn a_duplicated_reference_changes_neither_bleu_nor_rouge(
        corpus in proptest::collection::vec((caption(), proptest::collection::vec(caption(), 1..4)), 1..6),
    ) {
        let (h, mut r): (Vec<String>, Vec<Vec<String>>) = corpus.into_iter().unzip();
        let before = caption_scores(&h, &r).expect("images");
        for image in &mut r {
            image.extend_from_within(..1);
        }
        let after = caption_scores(&h, &r).expect("images");
        prop_assert_eq!(
            [before.bleu1, before.bleu2, before.bleu3, before.bleu4, before.rouge_l],
            [after.bleu1, after.bleu2, after.bleu3, after.bleu4, after.rouge_l]
        );
    }

    #[test]
    fn any_unicode_is_tokenised_and_normalised(lines in proptest::collection::vec("(?s).{0,30}|[&<>'’`.#@(0-9a-z/ \
        -]{0,30}", 0..6)) {
        for token in tokenize_all(&lines).into_iter().flatten() {
            prop_assert!(!token.is_empty() && !token.contains([' ', '\n', '\t']), "{:?}", token);
        }
        lines.iter().for_each(|line| drop(normalize_prediction(line)));
    }
}
