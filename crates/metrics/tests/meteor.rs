//! METEOR against the scores of the original jar, by its properties, and with damaged tables.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;
use toolkit_metrics::{Meteor, MeteorScores, tokenize};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

fn json(name: &str) -> Value {
    let path = fixtures().join(name);
    serde_json::from_str(&std::fs::read_to_string(&path).expect(name)).expect(name)
}

/// The words of `make_meteor.py` and of captions-tiny, with all that these can reach in the tables.
static METEOR: LazyLock<Meteor> =
    LazyLock::new(|| Meteor::open(&fixtures().join("meteor-tiny")).expect("tables"));

fn words(text: &str) -> Vec<String> {
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn score(hypotheses: &[&str], references: &[&[&str]]) -> MeteorScores {
    let hypotheses: Vec<_> = hypotheses.iter().map(|text| words(text)).collect();
    let references: Vec<Vec<_>> =
        references.iter().map(|image| image.iter().map(|text| words(text)).collect()).collect();
    METEOR.score(&hypotheses, &references).expect("scores")
}

#[test]
fn hand_made_cases_score_as_by_the_jar() {
    let expected = json("meteor-tiny/cases.json");
    let cases = expected["cases"].as_array().expect("cases");
    assert!(cases.len() >= 40);
    let texts = |case: &Value| -> Vec<Vec<String>> {
        let references = case["refs"].as_array().expect("refs").iter();
        references.map(|text| words(text.as_str().expect("text"))).collect()
    };
    let hypotheses: Vec<_> =
        cases.iter().map(|case| words(case["hyp"].as_str().expect("text"))).collect();
    let references: Vec<_> = cases.iter().map(texts).collect();
    let found = METEOR.score(&hypotheses, &references).expect("scores");
    for (case, found) in cases.iter().zip(&found.each) {
        let expected = case["score"].as_f64().expect("score");
        assert!((found - expected).abs() < 1e-12, "{found}, the jar {expected}: {case}");
    }
    let (found, overall) =
        (found.overall.expect("cases"), expected["overall"].as_f64().expect("overall"));
    assert!((found - overall).abs() < 1e-12, "{found}, the jar {overall}");
}

/// BLIP-2 specification, section 8.3.
#[test]
fn golden_numbers_of_the_specification() {
    let found = score(
        &[
            "a dog runs on the green grass",
            "two people riding bikes on a street",
            "a bowl of noodles",
        ],
        &[
            &[
                "a brown dog runs across the green field",
                "a dog is running on grass",
                "the dog runs through a grassy field",
            ],
            &[
                "two people ride bicycles down a city street",
                "a man and a woman riding bikes",
                "people cycling on a road",
            ],
            &["a plate of pasta with red sauce", "some spaghetti on a white plate"],
        ],
    );
    for (found, expected) in
        found.each.iter().chain(&found.overall).zip([0.323_721, 0.375_351, 0.057_348, 0.230_276])
    {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }
}

#[test]
fn captions_tiny_scores_as_by_the_official_scorer() {
    let mut hypotheses = vec![Vec::new(); 40];
    let mut references = vec![Vec::new(); 40];
    let read = |record: &Value| {
        let image = record["image_id"].as_u64().expect("an id") as usize;
        (image, tokenize(record["caption"].as_str().expect("a caption")))
    };
    for (image, tokens) in
        json("captions-tiny/results.json").as_array().expect("a list").iter().map(read)
    {
        hypotheses[image] = tokens;
    }
    for (image, tokens) in json("captions-tiny/captions.json")["annotations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(read)
    {
        references[image].push(tokens);
    }
    let expected = json("captions-tiny/expected.json")["METEOR"].as_f64().expect("METEOR");
    let found = METEOR.score(&hypotheses, &references).expect("scores").overall.expect("images");
    assert!((found - expected).abs() < 1e-12, "{found}, official {expected}");
}

#[test]
fn every_module_is_needed() {
    let exact_and_stem = Meteor::without_tables();
    let alone = |hypothesis: &str, reference: &str| {
        let scores = exact_and_stem
            .score(&[words(hypothesis)], &[vec![words(reference)]])
            .expect("no table to fail");
        scores.each[0]
    };
    for (hypothesis, reference, without) in [
        ("the dog runs", "the dog running", true),
        ("mice", "mouse", false),
        ("at the moment", "right now", false),
    ] {
        assert!(score(&[hypothesis], &[&[reference]]).each[0] > 0.1, "{hypothesis}, {reference}");
        assert_eq!(alone(hypothesis, reference) > 0.0, without, "{hypothesis}, {reference}");
    }
    // Two modules find this pair, so that it is not certain, and as half a word rounds down, a
    // chunk costs more than it gains: the jar gives 0 too.
    assert_eq!(score(&["running"], &[&["runs"]]).each, [0.0]);
    assert!((alone("running", "runs") - 0.6).abs() < 1e-12);
}

#[test]
fn no_images_and_no_references() {
    assert_eq!(METEOR.score(&[], &[]).expect("nothing"), MeteorScores::default());
    let none = METEOR.score(&[words("a dog")], &[Vec::new()]).expect("no reference");
    assert_eq!(none, MeteorScores { overall: Some(0.0), each: vec![0.0] });
}

#[test]
fn a_later_word_is_read_from_the_table_too() {
    let meteor = Meteor::open(&fixtures().join("meteor-tiny")).expect("tables");
    for (hypothesis, reference) in [("at the moment", "right now"), ("because of", "owing to")] {
        let found = meteor.score(&[words(hypothesis)], &[vec![words(reference)]]).expect("scores");
        assert_eq!(found, score(&[hypothesis], &[&[reference]]));
        assert!(found.each[0] > 0.1);
    }
}

#[test]
fn errors_name_the_file_and_a_hint() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = |what: &str| {
        let error = match Meteor::open(folder.path()) {
            Err(error) => error,
            Ok(meteor) => meteor.score(&[words("a")], &[vec![words("b")]]).expect_err("damaged"),
        };
        let error = error.to_string();
        assert!(
            error.contains(what) && error.contains("; hint: ") && !error.contains('\n'),
            "{error}"
        );
    };
    error("no meteor-1.5.jar below");
    let (from, to) = (fixtures().join("meteor-tiny/meteor"), folder.path().join("meteor"));
    std::fs::create_dir_all(to.join("data")).expect("a folder");
    std::fs::copy(from.join("meteor-1.5.jar"), to.join("meteor-1.5.jar")).expect("a copy");
    error("paraphrase-en.gz");
    let table = std::fs::read(from.join("data/paraphrase-en.gz")).expect("the table");
    std::fs::write(to.join("data/paraphrase-en.gz"), &table[..table.len() / 2])
        .expect("half of it");
    error("paraphrase-en.gz");
    std::fs::write(to.join("meteor-1.5.jar"), b"PK").expect("no jar");
    error("meteor-1.5.jar");
}

const POOL: &str = "a the of man dog dogs running runs car automobile children child right now at \
    moment , . 's red";

fn caption() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(words(POOL)), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn scores_are_between_zero_and_one_and_the_same_sentence_is_best(
        references in prop::collection::vec(caption(), 1..4), other in caption(), pick in 0usize..4,
    ) {
        let same = references[pick % references.len()].clone();
        let scores = METEOR.score(&[same, other], &[references.clone(), references]).expect("scores");
        prop_assert!(scores.each.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
        prop_assert!(scores.overall.is_some_and(|score| (0.0..=1.0).contains(&score)));
        prop_assert!((scores.each[0] - 1.0).abs() < 1e-12, "{scores:?}");
    }

    #[test]
    fn the_order_of_images_does_not_matter(
        images in prop::collection::vec((caption(), prop::collection::vec(caption(), 1..3)), 1..8),
    ) {
        let (hypotheses, references): (Vec<_>, Vec<_>) = images.iter().cloned().unzip();
        let (backwards, their): (Vec<_>, Vec<_>) = images.into_iter().rev().unzip();
        let forth = METEOR.score(&hypotheses, &references).expect("scores");
        let mut back = METEOR.score(&backwards, &their).expect("scores");
        back.each.reverse();
        prop_assert_eq!(forth, back);
    }

    #[test]
    fn no_text_panics(hypothesis in "\\PC{0,40}|[a'.,| -]{0,40}|(?s).{0,20}", reference in "(?s).{0,40}|[a'.,|` -]{0,40}") {
        let meteor = Meteor::without_tables();
        let scores = meteor.score(&[words(&hypothesis)], &[vec![words(&reference)]]).expect("no table to fail");
        prop_assert!((0.0..=1.0).contains(&scores.each[0]));
    }
}
