//! The `scenes` data set: what is promised about it.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use toolkit_data::{COLOURS, Dataset, Item, Scenes, ScenesConfig, World, contact_sheet, words};

static WORLD: LazyLock<Arc<World>> =
    LazyLock::new(|| Arc::new(World::new(&ScenesConfig::default()).unwrap()));
static SPLITS: LazyLock<Vec<Scenes>> = LazyLock::new(|| {
    ["train", "val", "test"].map(|s| Scenes::with_world(WORLD.clone(), s).unwrap()).into()
});

fn texts(item: &Item) -> impl Iterator<Item = &str> {
    let questions = item.questions.iter().flat_map(|q| q.answers.iter().chain([&q.text]));
    item.captions.iter().chain(questions).map(String::as_str)
}

fn items(data: &Scenes) -> impl Iterator<Item = &Item> {
    data.items().iter()
}

/// Pinned: a change here changes every data set and every cached feature. Raise `VERSION` in
/// scenes.rs if only the rendering changed.
#[test]
fn bytes_are_pinned() {
    let small = ScenesConfig { train: 40, val: 40, ..ScenesConfig::default() };
    let open = |config: &ScenesConfig| Scenes::open(config, "train").unwrap();
    let data = open(&small);
    let again = open(&small);
    let sum = |data: &Scenes| -> u64 {
        let bytes = (0..data.len()).flat_map(|i| data.image(i).unwrap().into_raw());
        bytes.fold(7, |sum, b| sum.wrapping_mul(31).wrapping_add(u64::from(b)))
    };
    assert_eq!(sum(&data), sum(&again));
    assert!(items(&data).eq(items(&again)));
    assert_eq!(data.fingerprint(), again.fingerprint());
    for other in [
        ScenesConfig { seed: 2, ..small.clone() },
        ScenesConfig { size: 96, ..small.clone() },
        ScenesConfig { things: 100, ..small.clone() },
        ScenesConfig { captions_per_scene: 3, ..small.clone() },
    ] {
        assert_ne!(data.fingerprint(), open(&other).fingerprint(), "{other:?}");
    }
    // A scene depends on its number only, not on how many there are.
    let more = open(&ScenesConfig { train: 60, ..small });
    assert!(items(&data).eq(items(&more).take(40)));
    assert_eq!(sum(&data), PIXELS);
    assert_eq!(data.fingerprint(), FINGERPRINT);
}
const PIXELS: u64 = 13_558_640_301_385_319_460;
const FINGERPRINT: &str = "14d92d8b8f59018322d64a2580596a6599a28402056d9e4808811fe396061c9c";

#[test]
fn splits_share_no_scene() {
    let described: Vec<BTreeSet<String>> = SPLITS
        .iter()
        .map(|data| (0..data.len()).map(|i| data.scene(i).description(&WORLD)).collect())
        .collect();
    for a in 0..3 {
        for b in 0..a {
            assert!(described[a].is_disjoint(&described[b]));
        }
    }
}

#[test]
fn training_never_shows_or_names_what_is_held_out() {
    let hidden: BTreeSet<String> = (0..WORLD.things().len())
        .filter(|&thing| WORLD.is_held_out(thing))
        .flat_map(|thing| {
            [WORLD.things()[thing].name.clone(), WORLD.things()[thing].plural.clone()]
        })
        .collect();
    assert_eq!(hidden.len(), 24);
    for data in &SPLITS[..2] {
        for (index, item) in items(data).enumerate() {
            let things = &data.scene(index).things;
            assert!(things.iter().all(|&thing| !WORLD.is_held_out(thing)));
            assert!(things.iter().all(|&a| things.iter().all(|&b| !WORLD.is_reserved(a, b))));
            for text in texts(item) {
                assert!(words(text).iter().all(|word| !hidden.contains(word)), "{text}");
            }
        }
    }
    let test = &SPLITS[2];
    let mut sizes = BTreeMap::new();
    for (index, item) in items(test).enumerate() {
        let things = &test.scene(index).things;
        let new = things.iter().any(|&thing| WORLD.is_held_out(thing));
        let pair = things.iter().any(|&a| things.iter().any(|&b| WORLD.is_reserved(a, b)));
        assert_eq!(
            (new, pair && !new),
            (item.group == "new_thing", item.group == "new_combination"),
            "{}",
            item.id
        );
        *sizes.entry(item.group.as_str()).or_insert(0) += 1;
    }
    assert_eq!(
        sizes,
        BTreeMap::from([("seen", 300), ("new_combination", 100), ("new_thing", 100)])
    );
}

#[test]
fn guessing_scores_low() {
    // What an answerer that has seen all training questions but no picture says: the commonest
    // answer to the text.
    let mut known: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    let questions = |data: &'static Scenes| items(data).flat_map(|item| item.questions.iter());
    for question in questions(&SPLITS[0]) {
        *known.entry(&question.text).or_default().entry(&question.answers[0]).or_insert(0) += 1;
    }
    for data in SPLITS.iter() {
        let mut kinds: BTreeMap<&str, (BTreeMap<&str, usize>, usize, usize)> = BTreeMap::new();
        for question in questions(data) {
            let answer = question.answers[0].as_str();
            let entry = kinds.entry(&question.kind).or_default();
            *entry.0.entry(answer).or_insert(0) += 1;
            let guess = known
                .get(question.text.as_str())
                .and_then(|all| all.iter().max_by_key(|(_, n)| **n));
            entry.1 += usize::from(guess.is_some_and(|(guess, _)| *guess == answer));
            entry.2 += 1;
        }
        assert_eq!(kinds.len(), 8);
        for (kind, (answers, right, all)) in kinds {
            let (answer, most) = answers.iter().max_by_key(|(_, n)| **n).unwrap();
            let (most, blind) = (*most as f64 / all as f64, right as f64 / all as f64);
            println!(
                "{} {kind} of {all}: majority '{answer}' {most:.3}, by question text {blind:.3}",
                data.name()
            );
            if answers.contains_key("yes") {
                assert!(
                    (0.47..0.53).contains(&(answers["yes"] as f64 / all as f64)),
                    "{kind} {answers:?}"
                );
            } else {
                assert!(most < 0.45, "{kind} {answer} {most}");
            }
            let held_back = data.name() != "scenes:train";
            assert!(
                !held_back || blind < if answers.contains_key("yes") { 0.6 } else { 0.45 },
                "{kind} {blind}"
            );
        }
    }
}

#[test]
fn captions_answer_the_questions() {
    let texts = (0..2_000).map(|index| WORLD.text(3, index));
    let items = items(&SPLITS[0])
        .chain(items(&SPLITS[2]))
        .map(|i| (i.captions.clone(), i.questions.clone()));
    for (captions, questions) in texts.map(|t| (t.captions, t.questions)).chain(items) {
        assert_eq!(captions.len(), 4);
        assert_eq!(captions.iter().collect::<BTreeSet<_>>().len(), 4, "{captions:?}");
        let caption_words: Vec<Vec<String>> =
            captions.iter().map(|caption| words(caption)).collect();
        let states = |caption: &Vec<String>| {
            questions.iter().all(|question| {
                let answer = &question.answers[0];
                let thing = WORLD.things().iter().find(|thing| thing.name == *answer);
                match question.kind.as_str() {
                    "what" | "relation" => {
                        caption.contains(answer)
                            || thing.is_some_and(|thing| caption.contains(&thing.plural))
                    }
                    "colour_background" => {
                        caption.windows(2).any(|w| w[0] == *answer && (w[1] == "background"))
                            || caption.windows(2).any(|w| w[0] == "is" && w[1] == *answer)
                    }
                    "colour_thing" => caption.contains(answer),
                    _ => true,
                }
            })
        };
        assert!(
            caption_words.iter().filter(|caption| states(caption)).count() >= 2,
            "{captions:?} {questions:?}"
        );
        assert!((2..=5).contains(&questions.len()), "{questions:?}");
        assert!(questions.iter().all(|q| q.text.ends_with('?') && q.text == q.text.to_lowercase()));
        assert!(
            captions
                .iter()
                .all(|c| !c.ends_with('.') && *c == c.to_lowercase() && !c.contains("  "))
        );
    }
}

#[test]
fn relations_and_yes_no_are_true_of_the_picture() {
    for data in SPLITS.iter() {
        let mut ids = BTreeSet::new();
        for (index, item) in items(data).enumerate() {
            let scene = data.scene(index);
            let at = |name: &str| {
                scene
                    .placed
                    .iter()
                    .find(|placed| WORLD.things()[placed.thing].name == name)
                    .map(|p| (p.x, p.y))
            };
            for question in &item.questions {
                assert!(ids.insert(question.id));
                let words = words(&question.text);
                let named: Vec<&str> =
                    words.iter().map(String::as_str).filter(|w| at(w).is_some()).collect();
                let answer = question.answers[0].as_str();
                let holds = |a: &str, b: &str| {
                    let (a, b) = (at(a).unwrap(), at(b).unwrap());
                    if words.contains(&"left".to_owned()) {
                        a.0 + 10 < b.0
                    } else if words.contains(&"right".to_owned()) {
                        b.0 + 10 < a.0
                    } else if words.contains(&"above".to_owned()) {
                        a.1 + 10 < b.1
                    } else {
                        b.1 + 10 < a.1
                    }
                };
                match question.kind.as_str() {
                    "relation" => assert!(holds(answer, named[0]), "{question:?}"),
                    "relation_yesno" => {
                        assert_eq!(holds(named[0], named[1]), answer == "yes", "{question:?}")
                    }
                    "exists" => assert_eq!(named.len() == 1, answer == "yes", "{question:?}"),
                    "count" | "how_many_things" => {
                        assert_eq!(answer, scene.placed.len().to_string())
                    }
                    "what" => assert!(at(answer).is_some()),
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn things_do_not_overlap_and_stand_out() {
    let data = &SPLITS[0];
    for index in 0..data.len() {
        let scene = data.scene(index);
        for (at, a) in scene.placed.iter().enumerate() {
            assert!(a.x + a.steps * 4 <= 64 && a.y + a.steps * 4 <= 64);
            assert_ne!(WORLD.things()[a.thing].colour, Some(scene.background));
            for b in &scene.placed[at + 1..] {
                assert!(a.x.abs_diff(b.x) >= 28 || a.y.abs_diff(b.y) >= 28, "{scene:?}");
            }
        }
    }
}

#[test]
fn the_vocabulary_holds_every_word() {
    let vocabulary = WORLD.vocabulary();
    assert!(vocabulary.windows(2).all(|w| w[0] < w[1]));
    let known: BTreeSet<&str> = vocabulary.iter().map(String::as_str).collect();
    let stream: Vec<_> = (0..5_000).map(|index| WORLD.text(4, index)).collect();
    let questions = stream
        .iter()
        .flat_map(|t| t.questions.iter())
        .flat_map(|q| q.answers.iter().chain([&q.text]));
    let all = stream.iter().flat_map(|t| t.captions.iter()).chain(questions).map(String::as_str);
    for text in all.chain(SPLITS.iter().flat_map(|data| items(data).flat_map(texts))) {
        for word in words(text) {
            assert!(known.contains(word.as_str()), "'{word}' of '{text}'");
        }
    }
}

#[test]
fn the_text_stream_is_about_everything() {
    let (mut named, mut pairs) = (BTreeSet::new(), 0);
    for index in 0..6_000 {
        let text = WORLD.text(1, index);
        assert_eq!(text, WORLD.text(1, index));
        let words: BTreeSet<String> = text.captions.iter().flat_map(|c| words(c)).collect();
        let things: Vec<usize> = (0..WORLD.things().len())
            .filter(|&t| {
                words.contains(&WORLD.things()[t].name) || words.contains(&WORLD.things()[t].plural)
            })
            .collect();
        pairs +=
            usize::from(things.iter().any(|&a| things.iter().any(|&b| WORLD.is_reserved(a, b))));
        named.extend(things);
    }
    assert_eq!(named.len(), WORLD.things().len());
    assert!(pairs > 100, "{pairs}");
}

#[test]
fn pictures_are_labelled_rightly() {
    for index in 0..500 {
        let (picture, labels) = WORLD.picture(1, index);
        assert_eq!(picture.dimensions(), (64, 64));
        assert_eq!((picture, labels), WORLD.picture(1, index));
        let (x, y, side) = labels.place;
        assert!((20..=60).contains(&side) && x + side <= 64 && y + side <= 64);
        let thing = &WORLD.things()[labels.thing];
        assert_eq!((labels.group, labels.colour), (thing.group, thing.colour));
        assert_ne!(labels.colour, Some(labels.background));
        assert_eq!(
            (labels.cell % 2 == 1, labels.cell / 2 == 1),
            (x * 2 + side >= 64, y * 2 + side >= 64)
        );
    }
}

#[test]
fn settings_that_cannot_be_met_are_explained() {
    let fine = ScenesConfig::default();
    for (config, word) in [
        (ScenesConfig { size: 60, ..fine.clone() }, "size"),
        (ScenesConfig { things: 9_999, ..fine.clone() }, "things"),
        (ScenesConfig { held_out: 100, ..fine.clone() }, "held_out"),
        (ScenesConfig { held_out: 0, ..fine.clone() }, "test_new"),
        (ScenesConfig { captions_per_scene: 0, ..fine.clone() }, "captions_per_scene"),
    ] {
        let error = Scenes::open(&config, "train").err().unwrap().to_string();
        assert!(error.contains(word) && error.contains("hint:"), "{error}");
    }
    assert!(Scenes::open(&fine, "dev").err().unwrap().to_string().contains("train, val and test"));
    assert!(SPLITS[1].image(300).unwrap_err().to_string().contains("300 items"));
    assert!(serde_json::from_str::<ScenesConfig>(r#"{"sed": 3}"#).is_err());
    assert_eq!(serde_json::from_str::<ScenesConfig>("{}").unwrap(), fine);
}

#[test]
fn a_contact_sheet_is_drawn() {
    let sheet = contact_sheet(&SPLITS[2], 6).unwrap();
    assert!(sheet.width() > 600 && sheet.height() > 400);
    assert!(sheet.pixels().filter(|p| p.0 == [20, 20, 20]).count() > 500, "text");
}

/// The whole table of names loads, for the largest world.
#[test]
fn every_name_has_a_picture() {
    let error = World::new(&ScenesConfig { things: usize::MAX, ..ScenesConfig::default() })
        .err()
        .unwrap()
        .to_string();
    let most: usize = error
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok())
        .filter(|n| *n < 1000)
        .max()
        .unwrap();
    let world = World::new(&ScenesConfig { things: most, ..ScenesConfig::default() }).unwrap();
    assert_eq!(world.things().len(), most);
    let asked = world.things().iter().filter(|thing| thing.colour.is_some()).count();
    assert!(asked * 2 > most, "{asked} of {most} things have a clear colour");
    let brown = world.things().iter().find(|thing| thing.name == "camel").unwrap();
    assert_eq!(COLOURS[brown.colour.unwrap()], "brown");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// The promises hold for small and odd worlds, too.
    #[test]
    fn every_world_works(seed: u64, things in 24..60_usize, held in 1..12_usize, size in 2..6_u32, captions in 1..=8_usize) {
        let config = ScenesConfig {
            seed, things, held_out: held, size: size * 16, captions_per_scene: captions,
            train: 60, val: 30, test: 30, test_combinations: 20, test_new: 20,
        };
        let world = Arc::new(World::new(&config).unwrap());
        let mut seen = BTreeSet::new();
        for split in ["train", "val", "test"] {
            let data = Scenes::with_world(world.clone(), split).unwrap();
            let own: BTreeSet<String> = (0..data.len()).map(|i| data.scene(i).description(&world)).collect();
            prop_assert!(seen.is_disjoint(&own));
            seen.extend(own);
            for index in 0..data.len() {
                prop_assert_eq!(data.item(index).captions.len(), captions);
                prop_assert_eq!(data.image(index).unwrap().width(), size * 16);
            }
        }
    }
}
