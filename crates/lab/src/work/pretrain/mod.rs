//! `kind = "pretrain"`: trains the nano tier's own backbones and writes them as an overlay
//! registry.

mod bert;
mod card_text;
mod language;
mod vision;

use self::card_text::{with_digest, with_weights};
use crate::experiment::pretrain_spec::{PartKind, PartSpec, PretrainSpec};
use crate::files::write;
use crate::plan::fingerprint::{card_hash, hash_json};
use crate::run::lock::Lock;
use crate::run::workers::JobGraph;
use crate::{LabError, Reporter};
use burn::tensor::Device;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use toolkit_core::params;
use toolkit_data::{ScenesConfig, World};
use toolkit_models::weights::{StoredDtype, write_safetensors};
use toolkit_registry::{Card, Kind, Registry};
use toolkit_system::digest::sha256_hex;
use toolkit_tokenizer::{TextTokenizer, TokenTable};
use toolkit_train::fit::{FitConfig, Saves, StepFlops};
use toolkit_train::pretrain::word_tokenizer;

/// Words of prompts, which the world's captions and questions lack.
const PROMPT_WORDS: [&str; 10] =
    ["question", "short", "answer", ":", "a", "photo", "of", "yes", "no", "."];

struct PretrainContext<'a> {
    spec: &'a PretrainSpec,
    registry: &'a Registry,
    world: Arc<World>,
    out: &'a Path,
    device: Device,
    reporter: &'a dyn Reporter,
}

/// Trains every part, resumes what was interrupted, and writes `out/registry` with cards, weights,
/// tokenizers and scores.
///
/// # Errors
/// The first failure.
pub fn run(
    spec: &PretrainSpec,
    registry: &Registry,
    out: &Path,
    device: &Device,
    jobs: usize,
    reporter: &dyn Reporter,
) -> Result<(), LabError> {
    spec.check()?;
    let card = registry.card(Kind::Dataset, &spec.data)?;
    let scenes: ScenesConfig = card.config()?;
    let world = Arc::new(World::new(&scenes)?);
    let c =
        PretrainContext { spec, registry, world, out, device: device.clone().autodiff(), reporter };
    let context = &c;
    for folder in ["vision", "language", "bridge", "weights"] {
        let dir = out.join("registry").join(folder);
        std::fs::create_dir_all(&dir).map_err(|e| LabError::io(&dir, &e))?;
    }
    let _lock = Lock::take(out)?;
    toolkit_system::files::sweep_temporaries(out);
    let mut graph = JobGraph::default();
    for part in &spec.part {
        graph.add(&part.card, vec![], move || context.part(part));
    }
    graph.run(jobs, 1).map_err(|failed| failed.error.in_job(&failed.job))
}

impl PretrainContext<'_> {
    fn fit_config(&self, part: &PartSpec) -> FitConfig {
        FitConfig {
            steps: part.steps,
            schedule: part.schedule.clone(),
            optim: part.optim.clone(),
            seed: self.spec.seed,
            saves: Saves::default(),
            flops: StepFlops::default(),
        }
    }

    /// Returns the folder in which a part is trained. All that determines the part is in its name,
    /// so that other settings do not continue from its checkpoint.
    fn dir(&self, part: &PartSpec, card: &Card) -> std::path::PathBuf {
        let key = hash_json(&serde_json::json!([
            self.spec.seed,
            self.world.config(),
            card_hash(card),
            part
        ]));
        self.out.join(format!("{}-{key}", part.card))
    }

    /// Writes the tokenizer of a card from the world's words, with the special tokens in the order
    /// of the card's ids, and reads it.
    fn tokenizer(
        &self,
        card: &Card,
        specials: &[&str],
        unknown: &str,
        table: TokenTable,
    ) -> Result<TextTokenizer, LabError> {
        let mut words = self.world.vocabulary();
        words.extend(PROMPT_WORDS.iter().map(|w| (*w).to_owned()));
        words.sort_unstable();
        words.dedup();
        let json = word_tokenizer(specials, unknown, &words)?;
        let file = card.tokenizer_section.as_ref().map(|t| t.file.clone()).unwrap_or_default();
        write(&self.out.join("registry").join(&file), json.as_bytes())?;
        let overlay = self.registry.clone().overlay(self.out.join("registry"))?;
        let folder = if card.kind == Kind::Bridge { "bridge" } else { "language" };
        let path = self.out.join("registry").join(folder).join(format!("{}.toml", card.name));
        let text = with_digest(card.text().text(), "tokenizer", &sha256_hex(json.as_bytes()));
        write(&path, text.as_bytes())?;
        Ok(overlay.card(card.kind, &card.name)?.tokenizer(table)?)
    }

    /// Writes weights and the card that names them. `accuracies` are shares from 0 to 1; a card
    /// has percent, as everything that writes scores.
    fn write_part(
        &self,
        folder: &str,
        card: &Card,
        weights: &BTreeMap<String, params::Values>,
        accuracies: &BTreeMap<String, f64>,
    ) -> Result<(), LabError> {
        let percent = |(name, share): (&String, &f64)| (name.clone(), 100.0 * share);
        let scores: BTreeMap<String, f64> = accuracies.iter().map(percent).collect();
        let file = format!("weights/{}.safetensors", card.name);
        let sha256 = write_safetensors(
            &self.out.join("registry").join(&file),
            weights,
            StoredDtype::F16,
            BTreeMap::new(),
        )?;
        let path = self.out.join("registry").join(folder).join(format!("{}.toml", card.name));
        // The card that is there already names the tokenizer that was just written.
        let held = toolkit_system::input::read_to_string(&path)
            .unwrap_or_else(|_| card.text().text().to_owned());
        write(&path, with_weights(&held, &file, "f16", &sha256, &scores).as_bytes())?;
        self.reporter.note(&format!("{}: in percent {scores:.1?}", card.name));
        Ok(())
    }

    fn part(&self, part: &PartSpec) -> Result<(), LabError> {
        match part.kind {
            PartKind::Vision => self.vision(part),
            PartKind::Language => self.language(part),
            PartKind::Bert => self.bert(part),
        }
    }
}
