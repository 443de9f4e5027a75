//! The floors of the house, read from the manifests of its crates.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Dependencies of each crate of the workspace, those of its tests left out.
fn manifests() -> BTreeMap<String, BTreeSet<String>> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(crates).unwrap() {
        let file = entry.unwrap().path().join("Cargo.toml");
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let manifest: toml::Table = text.parse().unwrap();
        let name = manifest["package"]["name"].as_str().unwrap().to_owned();
        let dependencies = manifest["dependencies"].as_table().unwrap();
        all.insert(name, dependencies.keys().cloned().collect());
    }
    all
}

/// Returns everything that a crate links from the workspace, and what these name from outside.
fn linked(crates: &BTreeMap<String, BTreeSet<String>>, name: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        for dependency in crates.get(&name).into_iter().flatten() {
            if all.insert(dependency.clone()) {
                open.push(dependency.clone());
            }
        }
    }
    all
}

#[test]
fn only_fetch_knows_the_network() {
    let crates = manifests();
    assert!(crates["toolkit-fetch"].contains("ureq"));
    for name in ["registry", "train", "eval", "lab", "checkpoints"] {
        let all = linked(&crates, &format!("toolkit-{name}"));
        assert!(all.contains("toolkit-models"), "{name} is read: {all:?}");
        assert!(!all.contains("ureq") && !all.contains("toolkit-fetch"), "{name} links a client");
    }
}

#[test]
fn training_reads_no_cards() {
    let crates = manifests();
    assert!(!linked(&crates, "toolkit-train").contains("toolkit-registry"));
}
