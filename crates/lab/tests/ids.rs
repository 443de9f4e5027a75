//! Texts that hold tokens without a row are found before anything is trained.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use toolkit_lab::plan::ids::check_texts;
use toolkit_lab::run::{Run, RunOptions};
use toolkit_registry::{Registry, Source};
use toolkit_system::digest::sha256_hex;

const FILE: &str = r#"name = "small"
seeds = [1]
model = { vision = "vit-nano", bridge = "qformer-nano", language = "opt-nano" }
data = { train = "few:train", val = "few:val", test = "few:test" }
stage1 = { steps = 10, batch = 4, schedule = { peak = 1e-3 } }
stage2 = { steps = 10, batch = 4, schedule = { peak = 1e-3 } }
eval = { every = 5, vqa = "scenes-vqa", caption = "scenes-caption", retrieve = "scenes-retrieval" }
"#;

fn put(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A run on a few scenes whose language model's tokenizer has `word` behind the last row of the
/// model.
fn run(dir: &Path, word: &str) -> Run {
    put(
        dir,
        "datasets/few.toml",
        "kind = \"scenes\"\n[config]\ntrain = 16\nval = 4\ntest = 4\ntest_combinations = \
        2\ntest_new = 2\n",
    );
    let cards = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../registry");
    let file = std::fs::read(cards.join("weights/opt-nano.tokenizer.json")).unwrap();
    let mut tokenizer: serde_json::Value = serde_json::from_slice(&file).unwrap();
    tokenizer["model"]["vocab"][word] = serde_json::json!(330);
    let tokenizer = tokenizer.to_string();
    let card = std::fs::read_to_string(cards.join("language/opt-nano.toml")).unwrap();
    let card = card.replace(&sha256_hex(&file), &sha256_hex(tokenizer.as_bytes()));
    let weights = format!("file:{}", cards.join("weights").canonicalize().unwrap().display());
    put(dir, "language/opt-nano.toml", &card.replace("file:weights", &weights));
    put(dir, "weights/opt-nano.tokenizer.json", &tokenizer);
    let registry = Registry::builtin().overlay(dir.to_owned()).unwrap();
    let source = Source::new("small.toml", FILE.to_owned()).unwrap();
    Run::prepare(source, &registry, &RunOptions::default()).unwrap()
}

fn check(run: &Run) -> Result<(), String> {
    check_texts(&run.plan.model_plans[0], &run.plan.splits[0], true)
        .map_err(|error| error.to_string())
}

#[test]
fn a_caption_with_a_token_that_has_no_row_is_named_before_training() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(check(&run(dir.path(), "zebrafish")), Ok(()), "tokens that no text has are legal");
    let error = check(&run(dir.path(), "a")).unwrap_err();
    assert!(
        error.starts_with("token `a` has id 330, the language model has 320 rows: `"),
        "{error}"
    );
    assert!(
        error.contains("item `")
            && error.contains(" of scenes:train --> ")
            && error.contains("hint: "),
        "{error}"
    );
}
