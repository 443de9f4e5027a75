//! Caption metrics against the official scorer's numbers and by their properties.

use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use toolkit_metrics::{bleu, caption_scores, cider, mean, rouge_l, tokenize};

fn fixture(name: &str) -> Value {
    let path = format!("{}/../../tests/fixtures/captions-tiny/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).expect(&path)).expect(&path)
}

fn captions(records: &Value) -> BTreeMap<u64, Vec<String>> {
    let mut by_image: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for record in records.as_array().expect("a list") {
        let caption = record["caption"].as_str().expect("a caption").to_owned();
        by_image.entry(record["image_id"].as_u64().expect("an id")).or_default().push(caption);
    }
    by_image
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn tokens_are_those_of_the_official_scorer() {
    let expected = fixture("tokenized_results.json");
    let results = captions(&fixture("results.json"));
    assert_eq!(results.len(), 40);
    for (image, captions) in results {
        assert_eq!(
            tokenize(&captions[0]).join(" "),
            expected[image.to_string()][0].as_str().expect("text"),
            "{image}"
        );
    }
}

#[test]
fn scores_are_those_of_the_official_scorer() {
    let expected = fixture("expected.json");
    let hypotheses: Vec<String> =
        captions(&fixture("results.json")).into_values().flatten().collect();
    let references: Vec<Vec<String>> =
        captions(&fixture("captions.json")["annotations"]).into_values().collect();
    let found = caption_scores(&hypotheses, &references).expect("images");
    for (name, found) in [
        ("Bleu_1", found.bleu1),
        ("Bleu_2", found.bleu2),
        ("Bleu_3", found.bleu3),
        ("Bleu_4", found.bleu4),
        ("ROUGE_L", found.rouge_l),
        ("CIDEr", found.cider),
    ] {
        let expected = expected[name].as_f64().expect(name);
        assert!((found - expected).abs() < 1e-6, "{name}: {found}, official {expected}");
    }
}

/// BLIP-2 specification, section 8.3, "Golden (pre-tokenised)".
#[test]
fn golden_numbers_of_the_specification() {
    let references: Vec<Vec<Vec<String>>> = [
        "a brown dog runs across the green field|a dog is running on grass|the dog runs through a \
        grassy field",
        "two people ride bicycles down a city street|a man and a woman riding bikes|people cycling \
        on a road",
        "a plate of pasta with red sauce|some spaghetti on a white plate",
    ]
    .iter()
    .map(|image| image.split('|').map(words).collect())
    .collect();
    let hypotheses: Vec<Vec<String>> = [
        "a dog runs on the green grass",
        "two people riding bikes on a street",
        "a bowl of noodles",
    ]
    .map(words)
    .into();
    let near = |found: f64, expected: f64| {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}")
    };
    let scores = bleu(&hypotheses, &references);
    let corpus = scores.corpus.expect("three captions");
    near(corpus[0], 0.795_413);
    near(corpus[1], 0.533_579);
    assert!((corpus[2] - 3e-6).abs() < 1e-6 && corpus[3] < 1e-6, "{corpus:?}");
    for (per_image, expected) in scores.per_image.iter().zip([1.0, 1.0, 0.303_265]) {
        near(per_image[0], expected);
    }
    let rouge = rouge_l(&hypotheses, &references);
    for (found, expected) in rouge.iter().zip([0.685_393, 0.587_952, 0.346_591]) {
        near(*found, expected);
    }
    near(mean(&rouge).expect("three"), 0.539_979);
    let scores = cider(&hypotheses, &references);
    for (found, expected) in scores.iter().zip([1.922_199, 1.267_55, 0.260_008]) {
        near(*found, expected);
    }
    near(mean(&scores).expect("three"), 1.149_919);
}

#[test]
fn nothing_scores_nothing_and_empty_captions_zero() {
    assert_eq!(caption_scores(&[], &[]), None);
    let empty =
        caption_scores(&[String::new(), "...".to_owned()], &[vec!["a dog".to_owned()], vec![]])
            .expect("images");
    assert!(empty.bleu1 < 1e-9 && empty.cider == 0.0 && empty.rouge_l == 0.0, "{empty:?}");
}

fn caption() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("(a|the|red|dog|cat|on|sofa|runs)", 0..9)
}

fn corpus() -> impl Strategy<Value = Vec<(Vec<String>, Vec<Vec<String>>)>> {
    proptest::collection::vec((caption(), proptest::collection::vec(caption(), 1..4)), 1..6)
}

proptest! {
    #[test]
    fn the_order_of_images_does_not_matter(corpus in corpus(), turn in 0_usize..6) {
        let mut turned = corpus.clone();
        let turn = turn % corpus.len();
        turned.rotate_left(turn);
        let (h, r): (Vec<_>, Vec<_>) = corpus.into_iter().unzip();
        let (ht, rt): (Vec<_>, Vec<_>) = turned.into_iter().unzip();
        prop_assert_eq!(bleu(&h, &r).corpus, bleu(&ht, &rt).corpus);
        let mut expected = cider(&h, &r);
        expected.rotate_left(turn);
        prop_assert_eq!(expected, cider(&ht, &rt));
        let mut expected = rouge_l(&h, &r);
        expected.rotate_left(turn);
        prop_assert_eq!(expected, rouge_l(&ht, &rt));
    }

    #[test]
    fn a_repeated_reference_changes_neither_bleu_nor_rouge(corpus in corpus()) {
        let (h, mut r): (Vec<_>, Vec<_>) = corpus.into_iter().unzip();
        let before = (bleu(&h, &r), rouge_l(&h, &r));
        for references in &mut r {
            references.push(references[0].clone());
        }
        prop_assert_eq!(before, (bleu(&h, &r), rouge_l(&h, &r)));
    }

    #[test]
    fn the_reference_itself_is_a_perfect_caption(caption in proptest::collection::vec("[a-e]", 4..12)) {
        let (h, r) = ([caption.clone()], [vec![caption]]);
        for score in bleu(&h, &r).corpus.expect("a caption") {
            prop_assert!((score - 1.0).abs() < 1e-6, "{}", score);
        }
        prop_assert!((rouge_l(&h, &r)[0] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn scores_keep_their_range_for_any_text(pairs in proptest::collection::vec(("\\PC{0,20}", "\\PC{0,20}"), 1..5)) {
        let (h, r): (Vec<String>, Vec<Vec<String>>) = pairs.into_iter().map(|(h, r)| (h, vec![r])).unzip();
        let scores = caption_scores(&h, &r).expect("images");
        for score in [scores.bleu1, scores.bleu2, scores.bleu3, scores.bleu4, scores.rouge_l, scores.cider / 10.0] {
            prop_assert!((0.0..=1.0 + 1e-9).contains(&score), "{:?}", scores);
        }
    }
}
