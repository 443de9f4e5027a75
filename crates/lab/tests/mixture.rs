//! Mixtures as training data of an experiment: on a card, and in the file itself.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use toolkit_lab::experiment::cards::cards;
use toolkit_lab::run::{Run, RunOptions};
use toolkit_registry::{Registry, Source};

const HEAD: &str = "name = \"small\"\nseeds = [1]\n\
    [model]\nvision = \"vit-nano\"\nbridge = \"qformer-nano\"\nlanguage = \"opt-nano\"\n";

const TAIL: &str = r#"
[stage1]
steps = 10
batch = 4
schedule = { peak = 1e-3 }

[stage2]
steps = 10
batch = 4
schedule = { peak = 1e-3 }

[eval]
every = 5
vqa = "scenes-vqa"
caption = "scenes-caption"
retrieve = "scenes-retrieval"
"#;

const SPLITS: &str = "val = \"few:val\"\ntest = \"few:test\"\n";

fn named(train: &str) -> String {
    format!("{HEAD}[data]\ntrain = {train:?}\n{SPLITS}{TAIL}")
}

fn inline(mixture: &str) -> String {
    format!("{HEAD}[data]\n{SPLITS}[data.train]\n{mixture}{TAIL}")
}

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join("datasets").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// The built-in cards, two small data sets and `cards`.
fn registry(dir: &Path, cards: &[(&str, &str)]) -> Registry {
    let sizes = "val = 4\ntest = 4\ntest_combinations = 2\ntest_new = 2\n";
    for (name, train) in [("few.toml", 16), ("more.toml", 20)] {
        write(dir, name, &format!("kind = \"scenes\"\n[config]\ntrain = {train}\n{sizes}"));
    }
    cards.iter().for_each(|(name, text)| write(dir, name, text));
    Registry::builtin().overlay(dir.to_owned()).unwrap()
}

fn prepare(registry: &Registry, text: &str) -> Result<Run, String> {
    let source = Source::new("small.toml", text.to_owned()).map_err(|e| e.to_string())?;
    Run::prepare(source, registry, &RunOptions::default()).map_err(|e| e.to_string())
}

/// Id of the only cell and key of its stage 1.
fn names(registry: &Registry, text: &str) -> (String, String) {
    let plan = prepare(registry, text).unwrap().plan;
    (plan.cells[0].cell.id.clone(), plan.stage1[0].key.clone())
}

const TWO: &str = "[[data.train.source]]\ndata = \"few:train\"\nratio = 1\n\
    [[data.train.source]]\ndata = \"more:train\"\nratio = 2\n";

#[test]
fn a_mixture_is_opened_and_named_by_its_shares() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path(), &[]);
    let run = prepare(&registry, &inline(TWO)).unwrap();
    let train = &run.plan.splits[0].train;
    assert_eq!((train.name(), train.len()), ("mixture:few:train+more:train", 36));
    let weights: Vec<Option<f64>> = train.sources().iter().map(|one| one.weight).collect();
    assert_eq!(weights, [Some(1.0), Some(2.0)]);
    // Each setting of a source changes results, so it changes both names.
    let base = names(&registry, &inline(TWO));
    assert_eq!(base, names(&registry, &inline(TWO)));
    let mut seen = vec![base];
    for (from, to) in [
        ("ratio = 2", "ratio = 3"),
        ("ratio = 2", "ratio = 2\nprompt = \"a photo of \""),
        ("ratio = 2", "ratio = 2\nlimit = 9"),
        ("more:train", "more:val"),
    ] {
        let found = names(&registry, &inline(&TWO.replace(from, to)));
        assert!(seen.iter().all(|(cell, key)| *cell != found.0 && *key != found.1), "{to}");
        seen.push(found);
    }
}

#[test]
fn a_card_says_the_same_as_the_experiment() {
    let dir = tempfile::tempdir().unwrap();
    let card = format!("kind = \"mixture\"\n{}", TWO.replace("data.train", "config.splits.train"));
    let registry = registry(dir.path(), &[("both.toml", &card)]);
    let open = |text: &str| prepare(&registry, text).unwrap().plan.splits[0].train.clone();
    let (card, file) = (open(&named("both:train")), open(&inline(TWO)));
    assert_eq!(card.name(), "both:train");
    assert_eq!(card.sources(), file.sources());
    assert_eq!(card.training_fingerprint(), file.training_fingerprint());
    assert_eq!(card.item(20), file.item(20));
    // `toolkit data fetch` gets the packages of the sources, too.
    for text in [named("both:train"), inline(TWO)] {
        let source = Source::new("small.toml", text).unwrap();
        let cards = cards(&source, &registry).unwrap();
        for name in ["few", "more"] {
            assert!(cards.iter().any(|card| card.name == name));
        }
    }
}

#[test]
fn mistakes_are_shown_where_they_stand() {
    let dir = tempfile::tempdir().unwrap();
    let mixture = |data: &str| {
        format!("kind = \"mixture\"\n[[config.splits.train.source]]\ndata = {data:?}\n")
    };
    let cards = [
        ("snake.toml", mixture("egg:train")),
        ("egg.toml", mixture("snake:train")),
        ("lost.toml", mixture("nothing:train")),
        ("bare.toml", mixture("few")),
    ];
    let cards: Vec<(&str, &str)> = cards.iter().map(|(name, text)| (*name, &**text)).collect();
    let registry = registry(dir.path(), &cards);
    let field = TWO.replacen("ratio = 1", "ratio = 1\ncaption = \"alt\"", 1);
    for (text, wanted) in [
        (
            inline(&TWO.replace("ratio = 2", "ratio = -2")),
            "source `more:train`: `ratio` is -2 --> small.toml:10:1",
        ),
        (inline(&TWO.replace("ratio = 2", "ratios = 2")), "did you mean `ratio`?"),
        (inline(&TWO.replace("\nratio = 2", "")), "source `more:train` has no `ratio`"),
        (inline("by = \"rows\"\n"), "unknown value `rows` of `data.train.by` --> small.toml:11:6"),
        (inline(&field), "`few:train` has no field `alt` to take captions from"),
        (format!("{HEAD}[data]\ntrain = 3\n{SPLITS}{TAIL}"), "a name of data, or a table"),
        (named("snake:train"), "contains itself: snake:train > egg:train > snake:train"),
        (named("snake:val"), "the splits are train"),
        (named("lost:train"), "there is no data set `nothing`"),
        (named("bare:train"), "`few` names no split"),
    ] {
        let error = prepare(&registry, &text).err().unwrap_or_default();
        assert!(error.contains(wanted), "{wanted}: {error}");
        assert!(error.contains("hint: ") && !error.contains('\n'), "{error}");
    }
}

/// A plan is made before the data are here: each source is assumed on its own.
#[test]
fn sources_that_are_not_here_are_assumed() {
    let dir = tempfile::tempdir().unwrap();
    let web = format!(
        "kind = \"published\"\n[config]\nroot = {:?}\n[config.splits.train]\n\
        format = \"lavis-captions\"\nfiles = [\"a.json\"]\nimages = 70\n",
        dir.path().join("nowhere")
    );
    let mixture = "kind = \"mixture\"\n[config.splits.train]\nby = \"row\"\n\
        [[config.splits.train.source]]\ndata = \"web:train\"\n\
        [[config.splits.train.source]]\ndata = \"few:train\"\n";
    let registry = registry(dir.path(), &[("web.toml", &web), ("both.toml", mixture)]);
    assert!(prepare(&registry, &named("both:train")).is_err(), "a run needs the files");
    let source = Source::new("small.toml", named("both:train")).unwrap();
    let run = Run::sketch(source, &registry, &RunOptions::default()).unwrap();
    assert_eq!(run.plan.splits[0].train.len(), 86);
    let notes = run.plan.notes.join("\n");
    assert!(
        notes.contains("`web:train` is not on this machine: 70 pictures are assumed"),
        "{notes}"
    );
    assert!(!notes.contains("few:train"), "{notes}");
}
