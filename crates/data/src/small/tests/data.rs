//! The `small` data set: what is promised about it.

use super::{Packages, giant, png, write};
use crate::small::pair::Pair;
use crate::small::picture::Picture;
use crate::small::questions::{Asked, ask};
use crate::small::split::{Split, splits};
use crate::small::{Small, SmallConfig, SmallSource, normalise};
use crate::{Dataset, Item};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Everything in `train`.
fn whole(sources: &[SmallSource]) -> SmallConfig {
    SmallConfig { sources: sources.to_vec(), val: 0.0, test: 0.0, ..SmallConfig::default() }
}

const PACKED: [SmallSource; 5] = [
    SmallSource::Stamps,
    SmallSource::Gcompris,
    SmallSource::Pysiogame,
    SmallSource::GoogleEmoji,
    SmallSource::Openclipart,
];

fn items(data: &Small) -> Vec<&Item> {
    data.items().iter().collect()
}

fn table(data: &Small) -> Vec<(&str, &str, &str)> {
    items(data)
        .iter()
        .map(|i| (i.id.as_str(), i.captions[0].as_str(), i.depicts.as_str()))
        .collect()
}

#[test]
fn sources_are_read() {
    let packages = Packages::all();
    let open = |source| Small::open(&whole(&[source]), &packages.folders, "train").unwrap();
    assert_eq!(
        table(&open(SmallSource::Stamps)),
        [
            ("stamps/animals/birds/crane", "A crane.", "crane"),
            ("stamps/animals/mammals/goat", "A goat.", "goat"),
            ("stamps/food/fruit/cartoon/lemon", "A yellow lemon.", "yellow lemon"),
            ("stamps/town/houses/hut", "The hut of the hunter.", "hut of hunter"),
            ("stamps/vehicles/bus", "The bus!", "bus"),
        ]
    );
    assert_eq!(
        table(&open(SmallSource::Pysiogame)),
        [
            ("pysiogame/actions/write", "write", "write"),
            ("pysiogame/animals/goat", "a drawing of a goat", "goat"),
            ("pysiogame/clothes_n_accessories/gloves", "a drawing of gloves", "gloves"),
            ("pysiogame/food/ice_cream", "a drawing of ice cream", "ice cream"),
            ("pysiogame/transport/bus", "a drawing of a bus", "bus"),
        ]
    );
    assert_eq!(
        table(&open(SmallSource::GoogleEmoji)),
        [
            ("google_emoji/1f410", "goat", "goat"),
            ("google_emoji/1f48c", "love letter", "love letter")
        ]
    );
    assert_eq!(
        table(&open(SmallSource::Openclipart)),
        [
            ("openclipart/animals/bugs/fly", "old fly", "old fly"),
            ("openclipart/animals/goat", "goat", "goat")
        ]
    );
    let photos = open(SmallSource::Gcompris);
    assert_eq!(
        table(&photos),
        [
            ("gcompris/categorization/images/fishes/fish1", "fish", "fish"),
            ("gcompris/categorization/images/tools/screwDriver2", "screw driver", "screw driver"),
            ("gcompris/erase/red_panda", "red panda", "red panda"),
            ("gcompris/explore_farm_animals/animals/goat", "goat", "goat"),
            ("gcompris/explore_monuments/egypt/giza", "Giza", "giza"),
            ("gcompris/explore_world_animals/animals/goat", "goat", "goat"),
        ]
    );
    assert_eq!(photos.item(4).captions[1], "A pyramid of St. Giza is \"old\".");
    for at in 0..photos.len() {
        let picture = photos.image(at).unwrap();
        assert_eq!(
            (picture.dimensions(), picture.get_pixel(0, 0).0),
            ((6, 5), [255; 3]),
            "on white"
        );
        assert_eq!(picture.get_pixel(3, 3)[2], 200);
    }
    assert!(photos.image(6).is_err());
}

#[test]
fn the_built_in_source_needs_no_package() {
    let data = Small::open(&whole(&[SmallSource::Twemoji]), &BTreeMap::new(), "train").unwrap();
    assert_eq!(data.len(), 1_411);
    let depicts: BTreeSet<&str> = items(&data).iter().map(|item| item.depicts.as_str()).collect();
    assert_eq!(depicts.len(), data.len(), "every label once");
    assert!(depicts.contains("prayer beads") && depicts.contains("flag in hole"));
    assert!(
        !depicts
            .iter()
            .any(|s| s.contains("skin tone") || ["white flag", "japan", "aries"].contains(s))
    );
    assert_eq!(data.image(700).unwrap().dimensions(), (72, 72));
}

#[test]
fn the_same_is_drawn_again_and_contents_count() {
    let packages = Packages::all();
    let config = whole(&PACKED);
    let open = |config: &SmallConfig| Small::open(config, &packages.folders, "train").unwrap();
    let (first, again) = (open(&config), open(&config));
    assert_eq!(items(&first), items(&again));
    assert_eq!(first.fingerprint(), again.fingerprint());
    // Another place, the same contents.
    let other = Packages::all();
    let moved = Small::open(&config, &other.folders, "train").unwrap();
    assert_eq!(first.fingerprint(), moved.fingerprint());
    assert_ne!(first.fingerprint(), open(&SmallConfig { seed: 2, ..config.clone() }).fingerprint());
    let stamps = "usr/share/tuxpaint/stamps/vehicles";
    packages.write("stamps", &format!("{stamps}/bus.png"), &png(9_999));
    let repainted = open(&config).fingerprint();
    assert_ne!(first.fingerprint(), repainted);
    packages.write("stamps", &format!("{stamps}/bus.txt"), b"A coach.");
    assert_ne!(repainted, open(&config).fingerprint());
}

#[test]
fn questions_are_about_folders() {
    let packages = Packages::all();
    let data = Small::open(&whole(&[SmallSource::Stamps]), &packages.folders, "train").unwrap();
    let of = |id: &str| items(&data).into_iter().find(|item| item.id.ends_with(id)).unwrap();
    let asked = |id: &str, kind: &str| {
        of(id).questions.iter().find(|q| q.kind == kind).map(|q| q.answers.clone())
    };
    assert_eq!(asked("crane", "category").unwrap(), ["animal"]);
    assert_eq!(asked("crane", "subcategory").unwrap(), ["bird"]);
    assert_eq!(asked("lemon", "subcategory").unwrap(), ["fruit"]);
    assert_eq!(asked("hut", "category").unwrap(), ["building", "house"]);
    assert_eq!(asked("bus", "subcategory"), None);
    let ids: Vec<u64> =
        items(&data).iter().flat_map(|item| &item.questions).map(|q| q.id).collect();
    assert_eq!(ids, (0..ids.len() as u64).collect::<Vec<_>>());
    let emojis =
        Small::open(&whole(&[SmallSource::GoogleEmoji]), &packages.folders, "train").unwrap();
    assert!(items(&emojis).iter().all(|item| item.questions.is_empty()));
}

#[test]
fn errors_say_what_to_do() {
    let packages = Packages::all();
    let error = |config: &SmallConfig, folders: &BTreeMap<_, _>, split: &str| {
        let error = Small::open(config, folders, split).err().unwrap().to_string();
        assert!(error.contains("hint: ") && error.lines().count() == 1, "{error}");
        error
    };
    for source in PACKED {
        let config = whole(&[source]);
        for package in source.packages() {
            let mut folders = packages.folders.clone();
            folders.remove(*package);
            let missing = error(&config, &folders, "train");
            assert!(
                missing.contains(package) && missing.contains("`toolkit data fetch small`"),
                "{missing}"
            );
            // A folder that holds something else; then a path that is none.
            folders.insert((*package).to_owned(), packages.folders["easy_vqa"].clone());
            write(&folders[*package], "x", b"");
            assert!(error(&config, &folders, "train").contains("`toolkit data fetch small`"));
            folders.insert((*package).to_owned(), packages.dir.path().join("nowhere"));
            assert!(error(&config, &folders, "train").contains("nowhere"));
        }
    }
    let config = whole(&PACKED);
    assert!(error(&config, &packages.folders, "tset").contains("train, val and test"));
    assert!(error(&config, &packages.folders, "val").contains("no picture"));
    assert!(
        error(&SmallConfig { val: 0.5, test: 0.5, ..config.clone() }, &packages.folders, "val")
            .contains("test = 0.5")
    );
    assert!(
        error(&SmallConfig { val: f64::NAN, ..config.clone() }, &packages.folders, "val")
            .contains("val = NaN")
    );
    assert!(error(&whole(&[]), &packages.folders, "train").contains("no source"));
    assert!(
        error(&whole(&[SmallSource::Stamps, SmallSource::Stamps]), &packages.folders, "train")
            .contains("twice")
    );
    assert!(serde_json::from_str::<SmallConfig>(r#"{"sources": ["stamps"], "share": 1}"#).is_err());
    assert!(serde_json::from_str::<SmallConfig>(r#"{"sources": ["stomps"]}"#).is_err());
    let rcc = "usr/share/gcompris-qt/rcc/erase.rcc";
    packages.write("gcompris", rcc, b"qres");
    assert!(error(&config, &packages.folders, "train").contains("erase.rcc"));
    packages.write("emojibase", "en/data.json", b"{}");
    assert!(
        error(&whole(&[SmallSource::GoogleEmoji]), &packages.folders, "train")
            .contains("data.json")
    );
}

/// A PNG whose header says it is too large is refused before it is decoded.
#[test]
fn giants_are_not_decoded() {
    let mut packages = Packages::new();
    packages.stamp("food/giant", "A giant.");
    packages.write("stamps", "usr/share/tuxpaint/stamps/food/giant.png", &giant());
    let data = Small::open(&whole(&[SmallSource::Stamps]), &packages.folders, "train").unwrap();
    let error = data.image(0).unwrap_err().to_string();
    assert!(error.contains("20992 x 29696 pixels are more than the limit of 20000000"), "{error}");
}

#[test]
fn captions_are_normalised() {
    for (caption, expected) in [
        ("A great blue heron.", "great blue heron"),
        ("  The Knight’s  helmet! ", "knights helmet"),
        ("T-shirt", "t shirt"),
        ("Chichén Itzá", "chichén itzá"),
        ("The A", "the a"),
        ("!!!", "!!!"),
        ("", ""),
    ] {
        assert_eq!(normalise(caption), expected);
    }
}

fn pair(captions: &[String]) -> Pair {
    let picture = Picture::Built { bytes: b"", name: "" };
    Pair {
        captions: captions.to_vec(),
        ..Pair::plain("x".to_owned(), &captions[0], picture).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// No normalised caption and no file is in two splits, for any captions and copies.
    #[test]
    fn splits_are_disjoint(
        texts in prop::collection::vec(prop::collection::vec("(A |the )?[a-f]{1,2}[.!]?", 1..4), 1..60),
        copies in prop::collection::vec(0_u8..200, 60),
        seed in any::<u64>(),
    ) {
        let config = SmallConfig { seed, val: 0.3, test: 0.3, ..SmallConfig::default() };
        let pairs: Vec<Pair> = texts.iter().map(|captions| pair(captions)).collect();
        let sums: Vec<[u8; 32]> = copies.iter().take(pairs.len()).map(|&copy| [copy; 32]).collect();
        let places = splits(&config, &pairs, &sums);
        let (mut said, mut shown) = (BTreeMap::new(), BTreeMap::new());
        for ((pair, sum), &place) in pairs.iter().zip(&sums).zip(&places) {
            for caption in &pair.captions {
                prop_assert_eq!(*said.entry(normalise(caption)).or_insert(place), place);
            }
            prop_assert_eq!(*shown.entry(*sum).or_insert(place), place);
        }
        // A pair alone goes where it goes among others of other names.
        let alone = |at: usize| splits(&config, &pairs[at..=at], &sums[at..=at])[0];
        let single = (0..pairs.len()).find(|&at| {
            (0..pairs.len()).all(|b| b == at || (sums[b] != sums[at] && pairs[b].captions.iter().all(|c|
                pairs[at].captions.iter().all(|d| normalise(c) != normalise(d)))))
        });
        if let Some(at) = single {
            prop_assert_eq!(alone(at), places[at]);
        }
    }

    #[test]
    fn normalising_twice_changes_nothing(caption in "\\PC{0,20}") {
        let once = normalise(&caption);
        prop_assert_eq!(normalise(&once), once);
    }

    /// For each kind as many yes as no, and each picture as often yes as no.
    #[test]
    fn yes_and_no_are_balanced(kinds in prop::collection::vec(0_usize..5, 0..80), seed in any::<u64>()) {
        const NAMES: [&str; 4] = ["animal", "food", "tool", "plant"];
        let pictures: Vec<Option<Asked>> =
            kinds.iter().map(|&k| NAMES.get(k).map(|kind| Asked { kind, finer: None })).collect();
        let mut balance: BTreeMap<&str, i32> = BTreeMap::new();
        let asked = ask(seed, "x", &pictures);
        let mut left = BTreeSet::new();
        for (questions, picture) in asked.iter().zip(&pictures) {
            let yesno: Vec<_> = questions.iter().filter(|q| q.kind == "category_yesno").collect();
            prop_assert!(picture.is_some() || questions.is_empty());
            prop_assert!(yesno.is_empty() || yesno.len() == 2);
            for q in &yesno {
                let kind = NAMES.iter().find(|name| q.text.contains(*name)).unwrap();
                let yes = q.answers[0] == "yes";
                prop_assert_eq!(yes, picture.unwrap().kind == *kind);
                *balance.entry(kind).or_default() += if yes { 1 } else { -1 };
            }
            if let Some(asked) = picture.filter(|_| yesno.is_empty()) {
                left.insert(asked.kind);
            }
        }
        prop_assert!(balance.values().all(|&b| b == 0), "{balance:?}");
        prop_assert!(left.len() <= 1, "left without a question: {left:?}");
    }
}

#[test]
fn shares_are_met() {
    let config = SmallConfig { val: 0.1, test: 0.2, ..SmallConfig::default() };
    let pairs: Vec<Pair> = (0..4_000).map(|n| pair(&[format!("thing {n}")])).collect();
    let sums: Vec<[u8; 32]> =
        (0..4_000_u32).map(|n| std::array::from_fn(|at| (n >> (at % 4 * 8)) as u8)).collect();
    let places = splits(&config, &pairs, &sums);
    let share =
        |split: Split| places.iter().filter(|&&place| place == split).count() as f64 / 4_000.0;
    // Four standard deviations.
    assert!((share(Split::Val) - 0.1).abs() < 0.02 && (share(Split::Test) - 0.2).abs() < 0.026);
}
