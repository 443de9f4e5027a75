//! Experiments of `kind = "train"`: what they must say, and what names their results.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use toolkit_lab::run::{Run, RunOptions};
use toolkit_registry::{Registry, Source};

/// Both stages and nothing measured.
const FILE: &str = r#"name = "small"
kind = "train"

[model]
vision = "vit-nano"
bridge = "qformer-nano"
language = "opt-nano"

[data]
train = "few:train"

[stage1]
steps = 10
batch = 4
schedule = { peak = 1e-3 }

[stage2]
steps = 10
batch = 4
schedule = { peak = 1e-3 }
"#;

/// The built-in cards with a data set of a few scenes.
fn registry(dir: &Path) -> Registry {
    let folder = dir.join("datasets");
    std::fs::create_dir_all(&folder).unwrap();
    let few = "kind = \"scenes\"\n[config]\ntrain = 16\nval = 4\ntest = 4\ntest_combinations = \
        2\ntest_new = 2\n";
    std::fs::write(folder.join("few.toml"), few).unwrap();
    Registry::builtin().overlay(dir.to_owned()).unwrap()
}

fn prepare(registry: &Registry, text: &str, sets: &[&str]) -> Result<Run, String> {
    let source = Source::new("small.toml", text.to_owned()).map_err(|e| e.to_string())?;
    let overrides = sets.iter().map(|set| (*set).to_owned()).collect();
    Run::prepare(source, registry, &RunOptions { overrides, ..RunOptions::default() })
        .map_err(|e| e.to_string())
}

/// `FILE` without the tables called `names`.
fn without(names: &[&str]) -> String {
    let tables = FILE.split_inclusive("\n\n");
    let kept = tables.filter(|table| !names.iter().any(|n| table.starts_with(&format!("[{n}]"))));
    kept.collect()
}

#[test]
fn either_stage_may_be_left_out_and_nothing_need_be_measured() {
    let dir = tempfile::tempdir().unwrap();
    let cards = registry(dir.path());
    let both = prepare(&cards, FILE, &[]).unwrap().plan;
    assert_eq!((both.cells.len(), both.stage1.len()), (1, 1));
    assert_eq!(both.cells[0].cell.seed, 1, "the default");
    assert!(both.splits[0].val.is_none() && both.splits[0].test.is_none());

    let first = prepare(&cards, &without(&["stage2"]), &[]).unwrap().plan;
    assert_eq!(first.stage1[0].key, both.stage1[0].key, "stage 2 does not change stage 1");
    assert!(first.model_plans[0].language.is_none());
    assert!(first.model_plans[0].trained_params > both.model_plans[0].trained_params);
    let unnamed = without(&["stage2"]).replace("language = \"opt-nano\"\n", "");
    let unnamed = prepare(&cards, &unnamed, &[]).unwrap().plan;
    assert_eq!(unnamed.cells[0].cell.id, first.cells[0].cell.id, "a name without a use");

    let second = prepare(&cards, &without(&["stage1"]), &[]).unwrap().plan;
    assert!(second.stage1.is_empty() && second.cells[0].stage1.is_none());
    assert_ne!(second.cells[0].cell.id, both.cells[0].cell.id);
}

#[test]
fn what_is_asked_for_and_cannot_be_done_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let cards = registry(dir.path());
    let refused = |text: &str, sets: &[&str], parts: &[&str]| {
        let said = prepare(&cards, text, sets).err().unwrap_or_else(|| panic!("{sets:?}: taken"));
        for part in parts.iter().chain(&["hint: "]) {
            assert!(said.contains(part), "no `{part}` in: {said}");
        }
    };
    let (first, second) = (without(&["stage2"]), without(&["stage1"]));
    refused(&without(&["stage1", "stage2"]), &[], &["nothing to train"]);
    refused(&second, &["stage1.enabled=false"], &["missing key `steps` in `stage1`"]);
    refused(
        &second.replace("language = \"opt-nano\"\n", ""),
        &[],
        &["`model.language` is missing"],
    );
    refused(&first, &["eval.vqa=scenes-vqa"], &["there is no `[stage2]`"]);
    refused(&second, &["eval.retrieve=scenes-retrieval"], &["there is no `[stage1]`"]);
    refused(FILE, &["eval.caption=scenes-caption"], &["`data.test`, which is missing"]);
    refused(FILE, &["eval.every=5"], &["`eval.vqa` is missing"]);
    refused(
        FILE,
        &["data.test=few:test", "eval.every=5", "eval.vqa=scenes-vqa"],
        &["small.toml:9:", "`data.val`, which is missing"],
    );
    refused(&first, &["model.bridge=mlp-nano"], &["no text side"]);
    for key in ["data.test=few:test", "eval.every=5", "data.val=few:val", "eval.vqa=scenes-vqa"] {
        let ablation = FILE.replace("kind = \"train\"", "seeds = [1]");
        refused(&ablation, &[key], &["missing key `val` in `data`", "`kind = \"train\"`"]);
    }
    refused(&FILE.replace("kind = \"train\"\n", ""), &[], &["missing key `seeds`"]);
}

/// Results are found again by these names: a change that is none of the method keeps them.
#[test]
fn names_of_the_published_ablation_stay() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/ablate_stage1.toml");
    let source = Source::new("ablation", std::fs::read_to_string(file).unwrap()).unwrap();
    let run = Run::sketch(source, &Registry::builtin(), &RunOptions::default()).unwrap();
    let ids: Vec<&str> = run.plan.cells.iter().map(|cell| cell.cell.id.as_str()).collect();
    let names = [
        "opt-nano-on-seed1-822c5c2177db",
        "opt-nano-on-seed2-7905ea684455",
        "opt-nano-on-seed3-e3ae26635842",
        "opt-nano-off-seed1-951c9eed0327",
        "opt-nano-off-seed2-7fe5e9b5f5d4",
        "opt-nano-off-seed3-31220319ddd3",
        "t5-nano-on-seed1-104f2b018193",
        "t5-nano-on-seed2-456b56d54830",
        "t5-nano-on-seed3-7f3a81d19752",
        "t5-nano-off-seed1-a88bc66fa0ff",
        "t5-nano-off-seed2-55937876a0c4",
        "t5-nano-off-seed3-43cea306c5b6",
    ];
    assert_eq!(ids, names);
    let keys: Vec<&str> = run.plan.stage1.iter().map(|stage| stage.key.as_str()).collect();
    assert_eq!(keys, ["701da5abb938", "9b76977f8f40", "b0bbd57e3282"]);
}
