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
    let few = "kind = \"scenes\"\n[config]\ntrain = 16\nval = 4\ntest = 4\ntest_combinations = \
        2\ntest_new = 2\n";
    card(dir, "datasets/few.toml", few);
    Registry::builtin().overlay(dir.to_owned()).unwrap()
}

fn prepare(registry: &Registry, text: &str, sets: &[&str]) -> Result<Run, String> {
    let source = Source::new("small.toml", text.to_owned()).map_err(|e| e.to_string())?;
    let overrides = sets.iter().map(|set| (*set).to_owned()).collect();
    Run::prepare(source, registry, &RunOptions { overrides, ..RunOptions::default() })
        .map_err(|e| e.to_string())
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
    for same in [
        "compute.jobs=1",
        "compute.save_seconds=1",
        "name=other",
        "question=why",
        "stage1.itc_gather_grad=full",
    ] {
        assert_eq!(names(&cards, &[same]), base, "{same}");
    }
    // The bridge after stage 1 does not depend on what comes later.
    for later in [
        "stage2.steps=11",
        "model.language=t5-nano",
        "eval.questions=5",
        "eval.every=2",
        "eval.batch=7",
    ] {
        let changed = names(&cards, &[later]);
        assert!(changed.0 != base.0 && changed.1 == base.1, "{later}");
    }
    for both in [
        "seeds=[2]",
        "stage1.steps=11",
        "stage1.losses.itm=0.5",
        "stage1.itc_gather_grad=detached",
        "model.init=bert-copy",
    ] {
        let changed = names(&cards, &[both]);
        assert!(changed.0 != base.0 && changed.1 != base.1, "{both}");
    }
    assert_eq!(names(&cards, &["compute.threads=2"]), base, "threads change no bit");
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
    let sweep = "[sweep]\n\"stage1.enabled\" = [true, false]\n\"model.language\" = [\"opt-nano\", \
        \"t5-nano\"]\n";
    let plan = prepare(&cards, &format!("{FILE}{sweep}"), &["seeds=[1,2]"]).unwrap().plan;
    assert_eq!((plan.cells.len(), plan.stage1.len()), (8, 2));
    let starts =
        |seed: u64| plan.cells.iter().filter(move |c| c.cell.seed == seed).filter_map(|c| c.stage1);
    assert_eq!(starts(1).collect::<Vec<_>>().len(), 2);
    assert!(
        starts(1).all(|at| plan.stage1[at].seed == 1)
            && starts(2).all(|at| plan.stage1[at].seed == 2)
    );
    // Weights are written as people would.
    let losses =
        "[sweep]\n\"stage1.losses\" = [{ itc = 1.0, itm = 0.5, itg = 0.0 }, { itc = 1.0 }]\n";
    let plan = prepare(&cards, &format!("{FILE}{losses}"), &[]).unwrap().plan;
    let named: Vec<&str> =
        plan.cells.iter().map(|c| c.cell.axes["stage1.losses"].as_str()).collect();
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
    card(
        dir.path(),
        "datasets/none.toml",
        "kind = \"scenes\"\n[config]\ntrain = 0\nval = 4\ntest = 4\n",
    );
    let refused = |text: &str, sets: &[&str], parts: &[&str]| {
        let error =
            prepare(&cards, text, sets).err().unwrap_or_else(|| panic!("accepted: {sets:?}"));
        for part in parts {
            assert!(error.contains(part), "no `{part}` in: {error}");
        }
        assert!(error.contains("hint"), "{error}");
    };
    refused(FILE, &["stage2.steps=0"], &["small.toml:20:", "no steps", "to train stage 1 alone"]);
    refused(FILE, &["stage1.steps=0"], &["small.toml:15:", "no steps", "`stage1.enabled = false`"]);
    refused(
        FILE,
        &["eval.batch=0"],
        &["small.toml:24:", "samples that are evaluated together; 64 is the default"],
    );
    refused(
        FILE,
        &["stage2.batch=0"],
        &["small.toml:21:", "from 1 to", "hint: give the images of one step"],
    );
    refused(
        FILE,
        &["seeds=[1, 2, 1]"],
        &["small.toml:2:", "`seeds` has 1 more than once", "name each seed once"],
    );
    refused(FILE, &["stage1.batch=1"], &["small.toml:16:", "two images"]);
    refused(FILE, &["seeds=[]"], &["small.toml:2:", "`seeds` is empty"]);
    refused(FILE, &["name=a/b"], &["small.toml:1:", "`name`"]);
    refused(FILE, &["model.bridge=wide"], &["100 queries", "128 positions"]);
    refused(FILE, &["data.train=none:train"], &["`none:train` has no images"]);
    let also =
        |task: &str, data: &str| format!("eval.also=[{{ task = \"{task}\", data = \"{data}\" }}]");
    prepare(&cards, FILE, &[&also("scenes-caption", "few:val")]).unwrap();
    refused(
        FILE,
        &[&also("scenes-retrieval", "few:val")],
        &["`scenes-retrieval` is no task of questions or captions"],
    );
    refused(
        FILE,
        &[&also("scenes-vqa", "folder:/somewhere/vqa/")],
        &["two tasks of `eval` would be called `vqa`"],
    );
    // An axis is checked at each of its values.
    let with = |tail: &str| format!("{FILE}{tail}");
    refused(&with("[sweep]\n\"stage1.batch\" = [1, 4]\n"), &[], &["two images"]);
    refused(
        &with("[sweep]\n\"stage1.stepz\" = [1, 4]\n"),
        &[],
        &["small.toml:29:", "stepz", "did you mean `steps`?"],
    );
    refused(&with("[sweep]\n\"stage1.batch\" = [4, 4]\n"), &[], &["two cells are the same"]);
    let baseline = "[sweep]\n\"stage2.steps\" = [1, 4]\n[baseline]\n\"stage2.steps\" = 2\n";
    refused(
        &with(baseline),
        &[],
        &["small.toml:31:", "baseline `stage2.steps` = 2 is no value of that axis"],
    );
}

#[test]
fn numbers_that_cannot_mean_what_was_meant_are_refused_by_their_key() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    let refused = |set: &str, parts: &[&str]| {
        let said =
            prepare(&registry, FILE, &[set]).err().unwrap_or_else(|| panic!("{set} was taken"));
        for part in parts.iter().chain(&["small.toml:", "hint: "]) {
            assert!(said.contains(part), "no `{part}` in: {said}");
        }
    };
    for (stage, table) in [("stage1", "schedule"), ("stage2", "schedule")] {
        for value in ["-1e-3", "0.0", "nan", "inf"] {
            refused(
                &format!("{stage}.{table}.peak={value}"),
                &[&format!("{stage}.{table}.peak"), "above 0"],
            );
        }
        for value in ["-1e-9", "2e-3", "nan"] {
            refused(
                &format!("{stage}.{table}.floor={value}"),
                &[&format!("{stage}.{table}.floor"), "0.001"],
            );
        }
        let epochs = "kind=\"lavis_epoch\", peak=1e-3";
        for (wrong, key) in [
            (format!("{{{epochs}}}"), "steps_per_epoch"),
            (format!("{{{epochs}, steps_per_epoch=2, warmup_start=2e-3}}"), "warmup_start"),
            ("{peak=1e-3, warmup_start=1e-6}".to_owned(), "warmup_start"),
            ("{peak=1e-3, steps_per_epoch=2}".to_owned(), "steps_per_epoch"),
        ] {
            let key = format!("{stage}.{table}.{key}");
            refused(&format!("{stage}.{table}={wrong}"), &[&key]);
        }
        refused(&format!("{stage}.optim.betas=[0.9, 1.0]"), &["betas", "below 1"]);
        refused(&format!("{stage}.optim.betas=[-0.1, 0.9]"), &["betas", "below 1"]);
        refused(&format!("{stage}.optim.eps=0.0"), &["eps", "above 0"]);
        refused(&format!("{stage}.optim.weight_decay=-0.1"), &["weight_decay", "0 or more"]);
        refused(&format!("{stage}.optim.clip=-1.0"), &["clip", "0 or more"]);
        refused(
            &format!("{stage}.steps=9223372036854775807"),
            &[&format!("{stage}.steps"), "9223372036854775807"],
        );
        refused(&format!("{stage}.batch=2147483648"), &[&format!("{stage}.batch"), "2147483648"]);
        refused(&format!("{stage}.accumulate=0"), &["accumulate"]);
        refused(&format!("{stage}.accumulate=5"), &["accumulate", "4 images"]);
    }
    for value in ["1.5", "1.0", "-0.1", "nan"] {
        refused(&format!("stage1.smoothing={value}"), &["stage1.smoothing", "from 0 to below 1"]);
    }
    refused("stage1.losses.itm=-1.0", &["stage1.losses.itm", "0 or more"]);
    refused("eval.batch=0", &["eval.batch"]);
    refused("compute.threads=100000", &["compute.threads", "100000"]);
    for fine in [
        "stage1.smoothing=0.0",
        "stage1.schedule.floor=1e-3",
        "stage2.optim.clip=0.0",
        "stage2.batch=1",
    ] {
        assert!(prepare(&registry, FILE, &[fine]).is_ok(), "{fine}");
    }
}

/// Smoke settings shorten steps and not the warm-up: a note, once for all cells, and no error.
#[test]
fn a_rate_that_only_climbs_is_noted_with_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    let notes = |sets: &[&str]| prepare(&registry, FILE, sets).unwrap().plan.notes;
    assert_eq!(
        notes(&["stage1.schedule.warmup=9", "stage2.schedule.warmup=9", "seeds=[1,2]"]),
        [""; 0]
    );
    let [one, two] = ["stage1.schedule.warmup=20", "stage2.schedule.warmup=10"];
    assert_eq!(
        notes(&[one, two, "seeds=[1,2]"]),
        [
            "`stage1.schedule.warmup` = 20 of `stage1.steps` = 10: the learning rate never reaches its peak 0.001, \
             and is 0.0005 at the last step.",
            "`stage2.schedule.warmup` = 10 of `stage2.steps` = 10: the learning rate reaches its peak 0.001 at the \
             last step and never falls.",
        ]
    );
    assert_eq!(notes(&[one, "stage1.enabled=false"]), [""; 0]);
    let epochs = "stage1.schedule={kind=\"lavis_epoch\", peak=1e-3, warmup=6, steps_per_epoch=5}";
    assert_eq!(
        notes(&[epochs]),
        [
            "`stage1.schedule.warmup` = 6 is cut at the first epoch of 5 steps, as in LAVIS: it ends at \
          0.0006666666666666666, not at 0.001."
        ]
    );
    let source = Source::new("small.toml", FILE.to_owned()).unwrap();
    let options = RunOptions { overrides: vec![two.to_owned()], ..RunOptions::default() };
    assert_eq!(Run::sketch(source, &registry, &options).unwrap().plan.notes.len(), 1);
}

/// Pictures with captions and no question, and pictures alone.
fn bare_folder(dir: &Path, name: &str, caption: bool) -> String {
    let folder = dir.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    image::RgbImage::new(8, 8).save(folder.join("a.png")).unwrap();
    if caption {
        std::fs::write(folder.join("a.txt"), "a black square\n").unwrap();
    }
    format!("folder:{}", folder.display())
}

#[test]
fn a_further_task_over_data_without_its_texts_is_found_before_training() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    let also =
        |task: &str, data: &str| format!("eval.also=[{{ task = \"{task}\", data = \"{data}\" }}]");
    let (told, mute) =
        (bare_folder(dir.path(), "told", true), bare_folder(dir.path(), "mute", false));
    for (task, data, part) in [
        ("scenes-vqa", &told, "the data have no questions"),
        ("scenes-caption", &mute, "the data have no captions"),
    ] {
        let said = prepare(&registry, FILE, &[&also(task, data)]).err().unwrap();
        assert!(said.starts_with(&format!("`eval.also`: task `{task}` on `folder:")), "{said}");
        assert!(said.contains(part) && said.contains("; hint: "), "{said}");
    }
    prepare(&registry, FILE, &[&also("scenes-caption", &told)]).unwrap();
    // The test split may lack them: its score is a dash with a reason.
    prepare(&registry, FILE, &[&format!("data.test={told}")]).unwrap();
}

#[test]
fn a_sweep_that_nobody_can_run_is_refused_before_it_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    let list = (0..200_000).map(|seed| seed.to_string()).collect::<Vec<_>>().join(",");
    let seeds = FILE.replace("seeds = [1]", &format!("seeds = [{list}]"));
    let said = prepare(&registry, &seeds, &[]).err().unwrap();
    assert!(said.contains("200000 cells") && said.contains("small.toml:2:"), "{said}");
    let axis = (1..300).map(|steps| steps.to_string()).collect::<Vec<_>>().join(",");
    let both =
        format!("{FILE}\n[sweep]\n\"stage1.steps\" = [{axis}]\n\"stage2.steps\" = [{axis}]\n");
    let said = prepare(&registry, &both, &[]).err().unwrap();
    assert!(said.contains("89401 cells"), "{said}");
    let deep = format!("{}a=1", "a.".repeat(20_000));
    assert!(prepare(&registry, FILE, &[&deep]).err().unwrap().contains("no key has more than"));
}

#[test]
fn a_card_that_no_machine_could_build_is_one_line_with_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    // By kind: a card of each family, and the sizes that it may name.
    let cards = [
        (
            "vision",
            "family = \"vit\"",
            "image_size = 64\npatch_size = 8\nhidden_size = 64\nnum_hidden_layers = \
            2\nnum_attention_heads = 2\nintermediate_size = 128",
        ),
        (
            "language",
            "family = \"opt\"",
            "vocab_size = 300\nhidden_size = 64\nffn_dim = 128\nnum_hidden_layers = \
            2\nnum_attention_heads = 2\nmax_position_embeddings = 64",
        ),
        (
            "language",
            "family = \"t5\"",
            "vocab_size = 300\nd_model = 64\nd_kv = 32\nd_ff = 128\nnum_layers = 2\nnum_heads = 2",
        ),
    ];
    for (kind, family, config) in cards {
        for key in config.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key) {
            for size in ["1000000000", "9223372036854775807", "16777216"] {
                let lines = config.lines().map(|line| match line.split_once(" = ") {
                    Some((name, _)) if name == key => format!("{key} = {size}"),
                    _ => line.to_owned(),
                });
                let text =
                    format!("{family}\n[config]\n{}\n", lines.collect::<Vec<_>>().join("\n"));
                card(dir.path(), &format!("{kind}/odd.toml"), &text);
                let registry = Registry::builtin().overlay(dir.path().to_owned()).unwrap();
                let described = match kind {
                    "vision" => registry
                        .card(toolkit_registry::Kind::Vision, "odd")
                        .and_then(|c| registry.describe_vision(&c))
                        .map(|s| s.cost),
                    _ => registry
                        .card(toolkit_registry::Kind::Language, "odd")
                        .and_then(|c| registry.describe_language(&c))
                        .map(|s| s.cost),
                };
                match described {
                    // A single size at the limit may still be a model.
                    Ok(cost) => {
                        assert!(size == "16777216" && cost.check().is_ok(), "{key} = {size}")
                    }
                    Err(error) => assert!(error.to_string().contains("hint: "), "{error}"),
                }
            }
        }
    }
    drop(registry);
}

#[test]
fn a_plan_is_made_before_data_are_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    let root = dir.path().join("nowhere");
    let split = |name: &str, count: &str| {
        format!(
            "[config.splits.{name}]\nformat = \"lavis-captions\"\nfiles = [\"a.json\"]\n{count}\n"
        )
    };
    let text = format!(
        "kind = \"published\"\n[config]\nroot = {root:?}\n{}{}",
        split("train", "captions = 5000"),
        split("val", "images = 70")
    );
    card(dir.path(), "datasets/web.toml", &text);
    let registry = registry.overlay(dir.path().to_owned()).unwrap();
    let file = FILE.replace("few:train", "web:train").replace("few:val", "web:val");
    assert!(prepare(&registry, &file, &[]).is_err(), "a run needs the files");
    let source = Source::new("small.toml", file).unwrap();
    let run = Run::sketch(source, &registry, &RunOptions::default()).unwrap();
    let notes = run.plan.notes.join("\n");
    assert!(
        notes.contains(
            "`web:train` is not on this machine: 1000 pictures are assumed, as its card publishes"
        ),
        "{notes}"
    );
    assert!(notes.contains("70 pictures") && !notes.contains("few:test"), "{notes}");
    let file = FILE.replace("few:test", "web:test");
    let source = Source::new("small.toml", file).unwrap();
    assert!(
        Run::sketch(source, &registry, &RunOptions::default()).is_err(),
        "there is no such split"
    );
}
