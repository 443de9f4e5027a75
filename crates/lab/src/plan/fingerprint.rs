//! Fingerprints: hashes that name cards, stage-1 runs and cells by all that can change a result.

use crate::experiment::spec::{ComputeSpec, DataSpec, Spec};
use crate::experiment::sweep::Cell;
use crate::plan::parts::{Resolved, Splits};
use toolkit_models::bridge::QFormerInit;
use toolkit_registry::Card;
use toolkit_system::digest::sha256_hex;

/// Returns the first 12 digits of the SHA-256 of a JSON value's text.
#[must_use]
pub fn hash_json(value: &serde_json::Value) -> String {
    sha256_hex(value.to_string().as_bytes())[..12].to_owned()
}

/// Returns a hash of everything in a card that can change a result: its text without comments, and
/// so its weights by their hash.
#[must_use]
pub fn card_hash(card: &Card) -> String {
    let mut table: toml::Table = toml::from_str(card.text().text()).unwrap_or_default();
    for key in ["about", "scores", "facts", "licence", "source"] {
        table.remove(key);
    }
    // Files that the card may name without a digest.
    let named = card.tokenizer_section.iter().map(|t| &t.file).chain(card.init.get("bert"));
    let files: Vec<String> =
        named.filter_map(|file| Some(sha256_hex(&card.bytes(file).ok()?))).collect();
    sha256_hex(format!("{:?} {} {table:?} {files:?}", card.kind, card.name).as_bytes())[..16]
        .to_owned()
}

fn data_json(splits: &Splits) -> serde_json::Value {
    serde_json::json!([
        splits.train.fingerprint(),
        splits.val.fingerprint(),
        splits.test.fingerprint()
    ])
}

/// Names a stage-1 run by what determines it. The language model is not among it, nor anything of
/// stage 2.
pub(crate) fn stage1_key(cell: &Cell, parts: &Resolved, splits: &Splits) -> String {
    let init: QFormerInit = cell.spec.model.init;
    hash_json(&serde_json::json!({
        "format": 1, "seed": cell.seed, "vision": card_hash(&parts.vision.0), "bridge": card_hash(&parts.bridge.0),
        "init": init, "stage1": cell.spec.stage1, "retrieve": cell.tasks.last(), "pool": cell.spec.eval.retrieval,
        "data": data_json(splits), "threads": cell.spec.compute.threads,
    }))
}

pub(crate) fn cell_id(
    cell: &Cell,
    parts: &Resolved,
    splits: &Splits,
    stage1: Option<&str>,
) -> String {
    let spec = Spec {
        compute: ComputeSpec { threads: cell.spec.compute.threads, ..Default::default() },
        name: String::new(),
        question: String::new(),
        // How much damage is borne does not change what comes out.
        data: DataSpec { max_damaged: 0, ..cell.spec.data.clone() },
        ..cell.spec.clone()
    };
    let hash = hash_json(&serde_json::json!({
        "format": 1, "spec": spec, "language": card_hash(&parts.language.0), "vision": card_hash(&parts.vision.0),
        "bridge": card_hash(&parts.bridge.0), "data": data_json(splits), "stage1": stage1, "tasks": cell.tasks,
        "also": splits.also.iter().map(|data| data.fingerprint()).collect::<Vec<_>>(),
    }));
    let readable: Vec<String> = cell
        .axes
        .values()
        .map(|v| v.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(24).collect())
        .collect();
    format!("{}-seed{}-{hash}", readable.join("-"), cell.seed).trim_start_matches('-').to_owned()
}
