//! Names of cells and stage-1 runs, made from everything that can change their results.

use crate::experiment::spec::{DataSpec, FeatureMode, ModelSpec, Spec};
use crate::experiment::sweep::ExperimentCell;
use crate::plan::fingerprint::{card_hash, hash_json};
use crate::plan::model_plan::ModelPlan;
use crate::plan::splits::Splits;

fn data_json(splits: &Splits) -> serde_json::Value {
    serde_json::json!([
        splits.train.training_fingerprint(),
        splits.val.as_ref().map(|data| data.fingerprint()),
        splits.test.as_ref().map(|data| data.fingerprint())
    ])
}

/// Names a stage-1 run by what determines it. The language model and stage 2 do not.
/// `start` is the hash of the weights that it starts from, if the experiment names some.
pub(crate) fn stage1_key(
    cell: &ExperimentCell,
    parts: &ModelPlan,
    splits: &Splits,
    start: Option<&str>,
) -> String {
    let retrieve = cell.spec.eval.retrieve.as_ref().and(cell.tasks.last());
    let mut named = serde_json::json!({
        "format": 1, "seed": cell.seed, "vision": card_hash(&parts.vision.card), "bridge": card_hash(&parts.bridge.card),
        "init": cell.spec.model.init, "stage1": cell.spec.stage1, "retrieve": retrieve, "pool": cell.spec.eval.retrieval,
        "data": data_json(splits), "threads": 1,
    });
    add_start(&mut named, start);
    cell.spec.compute.frozen.name_in(&mut named);
    hash_json(&named)
}

/// Adds the weights of a start. Without one nothing is added: earlier names stay.
fn add_start(named: &mut serde_json::Value, start: Option<&str>) {
    if let Some(start) = start {
        named["start"] = serde_json::json!(start);
    }
}

/// Names a cell by the values of its axes, its seed, and a hash of what determines its results.
pub(crate) fn cell_id(
    cell: &ExperimentCell,
    parts: &ModelPlan,
    splits: &Splits,
    stage1: Option<&str>,
    start: Option<&str>,
) -> String {
    let spec = Spec {
        // The weights count, not the place that they are read from.
        model: ModelSpec {
            from: None,
            from_cell: None,
            from_stage: None,
            ..cell.spec.model.clone()
        },
        name: String::new(),
        question: String::new(),
        // Neither the limit of damaged pictures nor the way of features changes results.
        data: DataSpec { max_damaged: None, features: FeatureMode::Auto, ..cell.spec.data.clone() },
        ..cell.spec.clone()
    };
    let mut spec = serde_json::json!(spec);
    // Nothing of `compute` changes results. It has the form in which the first ids were made.
    spec["compute"] = serde_json::json!({ "threads": 1, "jobs": 0, "save_seconds": 20 });
    let language = parts.language.as_ref().map(|language| card_hash(&language.card));
    let mut named = serde_json::json!({
        "format": 1, "spec": spec, "language": language, "vision": card_hash(&parts.vision.card),
        "bridge": card_hash(&parts.bridge.card), "data": data_json(splits), "stage1": stage1, "tasks": cell.tasks,
        "also": splits.also.iter().map(|data| data.fingerprint()).collect::<Vec<_>>(),
    });
    add_start(&mut named, start);
    cell.spec.compute.frozen.name_in(&mut named);
    let hash = hash_json(&named);
    let readable: Vec<String> = cell
        .axes
        .values()
        .map(|v| v.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(24).collect())
        .collect();
    format!("{}-seed{}-{hash}", readable.join("-"), cell.seed).trim_start_matches('-').to_owned()
}
