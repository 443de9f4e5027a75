//! Names of results in the experiments of this repository: results that people have are found
//! again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use toolkit_lab::run::{Run, RunOptions};
use toolkit_registry::{Registry, Source};

/// Each file with the first cell and the first stage-1 run that versions before `clip = 0` named.
const NAMES: [[&str; 3]; 3] = [
    ["ablate_stage1", "opt-nano-on-seed1-822c5c2177db", "701da5abb938"],
    ["ablate_losses", "itcitgitm-seed1-822c5c2177db", "701da5abb938"],
    ["ablate_bridge", "qformer-nano-seed1-822c5c2177db", "701da5abb938"],
];

#[test]
fn results_of_earlier_versions_keep_their_names() {
    for [file, cell, stage1] in NAMES {
        let path = format!("{}/../../experiments/{file}.toml", env!("CARGO_MANIFEST_DIR"));
        let source = Source::new(file, std::fs::read_to_string(path).unwrap()).unwrap();
        let run = Run::sketch(source, &Registry::builtin(), &RunOptions::default()).unwrap();
        assert_eq!(run.plan.cells[0].cell.id, cell, "{file}");
        assert_eq!(run.plan.stage1[0].key, stage1, "{file}");
    }
}
