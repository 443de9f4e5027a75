//! From an experiment file to a plan: what names a result, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use toolkit_lab::run::{Run, RunOptions};
use toolkit_registry::{Registry, Source};

const FILE: &str = r#"name = "small"
seeds = [1]

[model]
vision = "vit-nano"
bridge = "qformer-nano"
language = "opt-nano"

[data]
train = "few:train"
val = "few:val"
test = "few:test"

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

fn card(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// The built-in cards with a data set of a few scenes.
fn registry(dir: &Path) -> Registry {
    let few = "kind = \"scenes\"\n[config]\ntrain = 16\nval = 4\ntest = 4\ntest_combinations = 2\ntest_new = 2\n";
    card(dir, "datasets/few.toml", few);
    Registry::builtin().overlay(dir.to_owned()).unwrap()
}

fn prepare(registry: &Registry, text: &str, sets: &[&str]) -> Result<Run, String> {
    let source = Source::new("small.toml", text.to_owned()).map_err(|e| e.to_string())?;
    let overrides = sets.iter().map(|set| (*set).to_owned()).collect();
    Run::prepare(source, registry, &RunOptions { overrides, ..RunOptions::default() }).map_err(|e| e.to_string())
}

/// Id of the only cell and key of its stage 1.
fn names(registry: &Registry, sets: &[&str]) -> (String, String) {
    let plan = prepare(registry, FILE, sets).unwrap().plan;
    (plan.cells[0].cell.id.clone(), plan.stage1[0].key.clone())
}

#[test]
fn results_are_named_by_all_that_determines_them() {
    let dir = tempfile::tempdir().unwrap();
    let cards = registry(dir.path());
    let base = names(&cards, &[]);
    for same in ["compute.jobs=1", "compute.save_seconds=1", "name=other", "question=why"] {
        assert_eq!(names(&cards, &[same]), base, "{same}");
    }
    // The bridge after stage 1 does not depend on what comes later.
    for later in ["stage2.steps=11", "model.language=t5-nano", "eval.questions=5", "eval.every=2", "eval.batch=7"] {
        let changed = names(&cards, &[later]);
        assert!(changed.0 != base.0 && changed.1 == base.1, "{later}");
    }
    for both in ["seeds=[2]", "stage1.steps=11", "stage1.losses.itm=0.5", "model.init=bert-copy", "compute.threads=2"] {
        let changed = names(&cards, &[both]);
        assert!(changed.0 != base.0 && changed.1 != base.1, "{both}");
    }
    // A task card counts by what it says, not by its name alone.
    let builtin = include_str!("../../../registry/tasks/scenes-vqa.toml");
    card(dir.path(), "tasks/scenes-vqa.toml", &builtin.replace("beams = 3", "beams = 1"));
    let changed = names(&registry(dir.path()), &[]);
    assert!(changed.0 != base.0 && changed.1 == base.1);
    card(dir.path(), "tasks/scenes-vqa.toml", &format!("# A remark.\n{builtin}"));
    assert_eq!(names(&registry(dir.path()), &[]), base);
}

#[test]
fn cells_share_stage_1_and_baselines_are_among_them() {
    let dir = tempfile::tempdir().unwrap();
    let cards = registry(dir.path());
    let sweep = "[sweep]\n\"stage1.enabled\" = [true, false]\n\"model.language\" = [\"opt-nano\", \"t5-nano\"]\n";
    let plan = prepare(&cards, &format!("{FILE}{sweep}"), &["seeds=[1,2]"]).unwrap().plan;
    assert_eq!((plan.cells.len(), plan.stage1.len()), (8, 2));
    let starts = |seed: u64| plan.cells.iter().filter(move |c| c.cell.seed == seed).filter_map(|c| c.stage1);
    assert_eq!(starts(1).collect::<Vec<_>>().len(), 2);
    assert!(starts(1).all(|at| plan.stage1[at].seed == 1) && starts(2).all(|at| plan.stage1[at].seed == 2));
    // Weights are written as people would.
    let losses = "[sweep]\n\"stage1.losses\" = [{ itc = 1.0, itm = 0.5, itg = 0.0 }, { itc = 1.0 }]\n";
    let plan = prepare(&cards, &format!("{FILE}{losses}"), &[]).unwrap().plan;
    let named: Vec<&str> = plan.cells.iter().map(|c| c.cell.axes["stage1.losses"].as_str()).collect();
    assert_eq!(named, ["itc + 0.5 itm", "itc"]);
    // A bridge without a text tower has no stage 1, whatever is asked for.
    let plan = prepare(&cards, FILE, &["model.bridge=mlp-nano"]).unwrap().plan;
    assert!(plan.stage1.is_empty() && plan.cells[0].stage1.is_none());
}

#[test]
fn what_makes_no_sense_is_refused_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let cards = registry(dir.path());
    let wide = include_str!("../../../registry/bridge/qformer-nano.toml")
        .replace("num_query_tokens = 8", "num_query_tokens = 100");
    card(dir.path(), "bridge/wide.toml", &wide[..wide.find("[facts]").unwrap()]);
    card(dir.path(), "datasets/none.toml", "kind = \"scenes\"\n[config]\ntrain = 0\nval = 4\ntest = 4\n");
    let refused = |text: &str, sets: &[&str], parts: &[&str]| {
        let error = prepare(&cards, text, sets).err().unwrap_or_else(|| panic!("accepted: {sets:?}"));
        for part in parts {
            assert!(error.contains(part), "no `{part}` in: {error}");
        }
        assert!(error.contains("hint"), "{error}");
    };
    refused(FILE, &["stage2.steps=0"], &["small.toml:20:", "no steps"]);
    refused(FILE, &["stage1.batch=1"], &["small.toml:16:", "two images"]);
    refused(FILE, &["seeds=[]"], &["small.toml:2:", "`seeds` is empty"]);
    refused(FILE, &["name=a/b"], &["small.toml:1:", "`name`"]);
    refused(FILE, &["model.bridge=wide"], &["100 queries", "128 positions"]);
    refused(FILE, &["data.train=none:train"], &["`none:train` has no images"]);
    let also = |task: &str, data: &str| format!("eval.also=[{{ task = \"{task}\", data = \"{data}\" }}]");
    prepare(&cards, FILE, &[&also("scenes-caption", "few:val")]).unwrap();
    refused(FILE, &[&also("scenes-retrieval", "few:val")], &["`scenes-retrieval` is no task of questions or captions"]);
    refused(FILE, &[&also("scenes-vqa", "folder:/somewhere/vqa/")], &["two tasks of `eval` would be called `vqa`"]);
    // An axis is checked at each of its values.
    let with = |tail: &str| format!("{FILE}{tail}");
    refused(&with("[sweep]\n\"stage1.batch\" = [1, 4]\n"), &[], &["two images"]);
    refused(&with("[sweep]\n\"stage1.stepz\" = [1, 4]\n"), &[], &["small.toml:29:", "stepz", "did you mean `steps`?"]);
    refused(&with("[sweep]\n\"stage1.batch\" = [4, 4]\n"), &[], &["two cells are the same"]);
    let baseline = "[sweep]\n\"stage2.steps\" = [1, 4]\n[baseline]\n\"stage2.steps\" = 2\n";
    refused(&with(baseline), &[], &["small.toml:31:", "baseline `stage2.steps` = 2 is no value of that axis"]);
}
