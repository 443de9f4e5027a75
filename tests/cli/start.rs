//! `model.from`: a training that starts from a run or from anybody's checkpoint.

use super::support::{called, experiment, files, fixture, folder, run_command, text, toolkit};
use super::train::{STAGE1, STAGE2, train};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toolkit_core::Bridge;
use toolkit_core::params::Values;
use toolkit_core::published::Scheme;
use toolkit_models::bridge::QFormer;
use toolkit_models::bridge::qformer::is_query_path;
use toolkit_models::weights::{StoredDtype, read_safetensors, write_safetensors};

/// Stage 2 alone in front of `language`, from `from`.
fn second(language: &str, from: &Path) -> String {
    let head = STAGE1.split("[stage1]").next().unwrap();
    let parts = format!("language = \"{language}\"\nfrom = {:?}\n\n[data]", text(from));
    head.replace("[data]", &parts) + STAGE2
}

/// Both stages in front of `language`.
fn both(language: &str) -> String {
    format!("{STAGE1}{STAGE2}").replace("[data]", &format!("language = \"{language}\"\n\n[data]"))
}

/// Stage 1 from `from`.
fn first(from: &Path) -> String {
    STAGE1.replace("[data]", &format!("from = {:?}\n\n[data]", text(from)))
}

/// The file called `name` of a run, and what it holds; the first if there are several.
fn json(run: &Path, stage: &str, name: &str) -> Value {
    let found = files(run).into_iter().find(|file| file.ends_with(Path::new(stage).join(name)));
    let file = found.unwrap_or_else(|| panic!("no {stage}/{name}: {:?}", files(run)));
    serde_json::from_slice(&std::fs::read(run.join(file)).unwrap()).unwrap()
}

/// SHA-256 of the weights after stage 2.
fn weights(run: &Path) -> String {
    json(run, "stage2", "latest.json")["model_sha256"].as_str().unwrap().to_owned()
}

/// The report on a start, of a cell or of stage 1.
fn report(run: &Path) -> Value {
    let found = files(run).into_iter().find(|file| file.ends_with("start.json")).unwrap();
    serde_json::from_slice(&std::fs::read(run.join(found)).unwrap()).unwrap()
}

/// The weights of a stage of a run.
fn weights_file(run: &Path, stage: &str) -> PathBuf {
    let of_stage = |file: &PathBuf| file.components().any(|level| level.as_os_str() == stage);
    let is_weights = |file: &PathBuf| {
        let name = file.to_string_lossy();
        name.ends_with(".safetensors") && !name.ends_with(".optimizer.safetensors")
    };
    let found = files(run).into_iter().find(|file| of_stage(file) && is_weights(file));
    run.join(found.unwrap())
}

/// A folder as transformers saves it: of the bridge what it has a place for, the projection, and a
/// tensor of each frozen part.
fn hugging_face(dir: &Path, weights: &Path) -> PathBuf {
    let (all, _) = read_safetensors(&std::fs::read(weights).unwrap()).unwrap();
    let renamed = all.into_iter().filter_map(|(name, values)| {
        if name.starts_with("language_projection.") {
            return Some((name, values));
        }
        let bare = name.strip_prefix("bridge.").unwrap_or(&name);
        let recipe = QFormer::published().recipe(Scheme::HuggingFace, bare)?;
        let theirs = recipe.names().next().unwrap().to_owned();
        Some((theirs, values))
    });
    let mut renamed: BTreeMap<String, Values> = renamed.collect();
    for name in ["vision_model.embeddings.class_embedding", "language_model.lm_head.weight"] {
        renamed.insert(name.to_owned(), Values { shape: vec![2], data: vec![0.0, 1.0] });
    }
    let hub = dir.join("hub");
    std::fs::create_dir_all(&hub).unwrap();
    let file = hub.join("model.safetensors");
    write_safetensors(&file, &renamed, StoredDtype::F32, [].into()).unwrap();
    std::fs::copy(fixture("hub-opt") + "/config.json", hub.join("config.json")).unwrap();
    hub
}

/// Runs an experiment that must be refused before anything is trained.
fn refused(dir: &Path, experiment_text: &str, parts: &[&str]) {
    let out = dir.join("refused");
    let said = called(&mut run_command(&experiment(dir, experiment_text), &out, &["--quiet"]));
    said.fails_last_with(parts);
    assert!(!out.exists(), "{}", said.stderr);
}

/// A run of both stages, and the files that LAVIS would have saved.
struct Trained {
    run: PathBuf,
    /// The bridge after stage 1, without a `config.json`.
    stage1: PathBuf,
    /// The connector after stage 2, without the text side.
    stage2: PathBuf,
}

fn trained(dir: &Path, language: &str) -> Trained {
    let run = dir.join(language);
    train(dir, &run, &both(language), &[]);
    let stage1 = dir.join(format!("{language}-lavis")).join("saved.pth");
    let args = ["convert", "--quiet", text(&run), text(&stage1), "--to", "lavis", "--stage1"];
    toolkit(&args).ok();
    std::fs::remove_file(stage1.with_file_name("config.json")).unwrap();

    let (all, _) = read_safetensors(&std::fs::read(weights_file(&run, "stage2")).unwrap()).unwrap();
    let projection = if language == "opt-nano" { "opt_proj." } else { "t5_proj." };
    let renamed = all.into_iter().filter_map(|(name, values)| {
        if let Some(end) = name.strip_prefix("language_projection.") {
            return Some((format!("{projection}{end}"), values));
        }
        let bare = name.strip_prefix("bridge.").filter(|bare| is_query_path(bare))?;
        let recipe = QFormer::published().recipe(Scheme::Lavis, bare)?;
        let theirs = recipe.names().next().unwrap().to_owned();
        Some((theirs, values))
    });
    let stage2 = dir.join(format!("{language}-2.pth"));
    write_safetensors(&stage2, &renamed.collect(), StoredDtype::F32, [].into()).unwrap();
    Trained { run, stage1, stage2 }
}

#[test]
fn a_stage_1_of_lavis_goes_on_under_any_language_model_to_the_bit() {
    let dir = folder();
    let dir = dir.path();
    let (opt, t5) = (trained(dir, "opt-nano"), trained(dir, "t5-nano"));
    for (language, whole) in [("opt-nano", &opt), ("t5-nano", &t5)] {
        // The stage 1 of the other run has the same settings, and so the same weights.
        let other = if language == "opt-nano" { &t5 } else { &opt };
        let mut ids = Vec::new();
        for (name, from) in [("pth", &other.stage1), ("run", &other.run)] {
            let out = dir.join(format!("{language}-{name}"));
            train(dir, &out, &second(language, from), &[]);
            assert_eq!(weights(&out), weights(&whole.run), "{language} from {name}");
            let report = report(&out);
            assert!(report["unused"].as_object().unwrap().is_empty(), "{report}");
            let left: Vec<&String> = report["left"].as_object().unwrap().keys().collect();
            assert_eq!(left, ["language_projection.bias", "language_projection.weight"]);
            assert!(report["taken"]["bridge.temp"].is_array(), "{report}");
            ids.push(json(&out, "", "results.json")["cells"][0]["id"].clone());
        }
        assert_eq!(ids[0], ids[1], "the weights name the cell, not the file that they are in");
    }
    let out = dir.join("again");
    let said =
        called(&mut run_command(&experiment(dir, &second("opt-nano", &opt.stage1)), &out, &[]))
            .ok();
    assert!(said.stderr.contains("2 left at their initialisation (the file has no projection"));
    // Resuming, repeating and reports know nothing of it.
    toolkit(&["reproduce", text(&out)]).ok();
}

#[test]
fn a_projection_is_taken_by_the_same_kind_of_language_model_only() {
    let dir = folder();
    let dir = dir.path();
    let opt = trained(dir, "opt-nano");
    let hub = hugging_face(dir, &weights_file(&opt.run, "stage2"));
    for (name, from, language, projected) in [
        ("a", &opt.stage2, "opt-nano", true),
        ("b", &opt.stage2, "t5-nano", false),
        ("c", &hub, "opt-nano", true),
        ("d", &hub, "t5-nano", false),
    ] {
        let out = dir.join(name);
        train(dir, &out, &second(language, from), &[]);
        let report = report(&out);
        assert_eq!(report["taken"]["language_projection.bias"].is_array(), projected, "{report}");
        let unused = report["unused"].as_object().unwrap();
        let projections = unused.values().filter(|why| why.as_str().unwrap().contains("another"));
        assert_eq!(projections.count(), if projected { 0 } else { 2 }, "{report}");
        let left = &report["left"]["bridge.text_proj.weight"];
        assert_eq!(left.is_string(), from == &opt.stage2, "LAVIS saves no text side: {report}");
        assert_eq!(unused.keys().any(|name| name.starts_with("vision_model.")), from == &hub);
    }
    // Of a run the stage is chosen.
    let chosen = second("opt-nano", &opt.run).replace("from =", "from_stage = 2\nfrom =");
    let out = dir.join("e");
    train(dir, &out, &chosen, &[]);
    assert!(report(&out)["taken"]["language_projection.bias"].is_array());
    refused(dir, &first(&opt.stage2), &["no text side", "saved after stage 2"]);
}

#[test]
fn a_retrieval_model_continues_stage_1_with_a_word_of_warning() {
    let dir = folder();
    let dir = dir.path();
    let run = dir.join("run");
    train(dir, &run, STAGE1, &[]);
    let hub = hugging_face(dir, &weights_file(&run, "stage1"));
    let out = dir.join("out");
    let said = called(&mut run_command(&experiment(dir, &first(&hub)), &out, &[])).ok();
    assert!(said.stderr.contains("stage 1 cannot be continued exactly"), "{}", said.stderr);
    let report = report(&out);
    assert!(report["left"]["bridge.temp"].is_string(), "{report}");
    // From a run nothing is left out.
    let exact = dir.join("exact");
    let said = called(&mut run_command(&experiment(dir, &first(&run)), &exact, &[])).ok();
    assert!(said.stderr.contains(" 0 left at their initialisation, 0 tensors"), "{}", said.stderr);
    assert_ne!(
        json(&exact, "", "results.json")["cells"][0]["id"],
        json(&run, "", "results.json")["cells"][0]["id"]
    );
}

#[test]
fn what_does_not_fit_is_named_before_anything_is_trained() {
    let dir = folder();
    let dir = dir.path();
    let run = dir.join("run");
    train(dir, &run, STAGE1, &["--set", "seeds=[1,2]"]);
    refused(dir, &second("opt-nano", &run), &["2 stage-1 runs, and no cell", "`model.from_cell`"]);

    let bytes = std::fs::read(weights_file(&run, "stage1")).unwrap();
    let changed = |name: &str, change: &dyn Fn(&mut BTreeMap<String, Values>)| {
        let (mut tensors, _) = read_safetensors(&bytes).unwrap();
        change(&mut tensors);
        let path = dir.join(name);
        write_safetensors(&path, &tensors, StoredDtype::F32, [].into()).unwrap();
        path
    };
    let lacks = changed("lacks.safetensors", &|all| drop(all.remove("query_tokens").unwrap()));
    refused(dir, &second("opt-nano", &lacks), &["1 missing (query_tokens)"]);
    let more = changed("more.safetensors", &|all| {
        let copy = all["query_tokens"].clone();
        all.insert("query_tokens_2".to_owned(), copy);
    });
    refused(dir, &first(&more), &["1 unexpected (query_tokens_2)"]);
    let wide = changed("wide.safetensors", &|all| {
        let queries = all.get_mut("query_tokens").unwrap();
        queries.shape[2] *= 2;
        queries.data.extend(queries.data.clone());
    });
    refused(dir, &first(&wide), &["1 misshaped (query_tokens: file has [1, ", "model wants [1, "]);
    // Weights of another size altogether.
    let tiny = PathBuf::from(fixture("stage1-tiny"));
    refused(dir, &first(&tiny), &["misshaped"]);

    let nowhere = dir.join("nowhere.pth");
    refused(dir, &first(&nowhere), &["there is no such checkpoint", "nowhere.pth"]);
    let said = toolkit(&["plan", text(&experiment(dir, &first(&nowhere)))]).ok();
    assert!(said.stderr.contains("is not on this machine"), "{}", said.stderr);
    let card = first(Path::new("blip2-itm-vit"));
    refused(dir, &card, &["blip2-itm-vit", "did you mean `blip2-itm-vit-g"]);
    let of_file = first(&lacks).replace("from =", "from_stage = 2\nfrom =");
    refused(dir, &of_file, &["are of a run, and this is none"]);
    refused(
        dir,
        &STAGE1.replace("[data]", "from_cell = \"a\"\n\n[data]"),
        &["`model.from` is missing"],
    );
}
