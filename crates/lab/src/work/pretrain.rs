//! `kind = "pretrain"`: trains the nano tier's own backbones and writes them as an overlay
//! registry.

use crate::experiment::pretrain_spec::{PartKind, PartSpec, PretrainSpec};
use crate::files::write;
use crate::plan::fingerprint::{card_hash, hash_json};
use crate::plan::preprocess::preprocess;
use crate::run::lock::Lock;
use crate::run::workers::JobGraph;
use crate::{LabError, Reporter};
use burn::tensor::Device;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use toolkit_core::{AnyBridge, AnyLanguage, AnyVision, LanguageKind, params};
use toolkit_data::{ScenesConfig, World};
use toolkit_models::bridge::qformer;
use toolkit_models::language::{opt, t5};
use toolkit_models::weights::{StoredDtype, write_safetensors};
use toolkit_registry::{Card, Kind, Registry, Weights};
use toolkit_system::digest::sha256_hex;
use toolkit_tokenizer::{TextTokenizer, TokenTable};
use toolkit_train::fit::{FitConfig, fit};
use toolkit_train::pretrain::text::{MaskedWords, ReadText};
use toolkit_train::pretrain::vision::{LabelPictures, Labeller};
use toolkit_train::pretrain::word_tokenizer;

/// Words of prompts, which the world's captions and questions do not hold.
const PROMPT_WORDS: [&str; 10] =
    ["question", "short", "answer", ":", "a", "photo", "of", "yes", "no", "."];

struct Context<'a> {
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
/// Whatever goes wrong first.
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
    let c = Context { spec, registry, world, out, device: device.clone().autodiff(), reporter };
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

/// Adds what was measured to the text of a card: `[weights]` and `[scores]` are replaced, all else
/// stays.
fn with_weights(
    card: &str,
    weights: &str,
    dtype: &str,
    sha256: &str,
    scores: &BTreeMap<String, f64>,
) -> String {
    let mut kept = Vec::new();
    let mut skipping = false;
    for line in card.lines() {
        if line.starts_with('[') {
            skipping = matches!(line.trim(), "[weights]" | "[scores]");
        }
        if !skipping {
            kept.push(line);
        }
    }
    let scores: String =
        scores.iter().map(|(name, score)| format!("{name} = {score:.4}\n")).collect();
    format!(
        "{}\n\n[weights]\nsource = \"file:{weights}\"\nsha256 = \"{sha256}\"\ndtype = \
        \"{dtype}\"\n\n[scores]\n{scores}",
        kept.join("\n").trim_end()
    )
}

/// Replaces `sha256` in one section of a card.
fn with_digest(card: &str, section: &str, sha256: &str) -> String {
    let (mut out, mut inside) = (String::with_capacity(card.len()), false);
    for line in card.lines() {
        if line.starts_with('[') {
            inside = line.trim() == format!("[{section}]");
        }
        let digest = inside && line.split('=').next().is_some_and(|key| key.trim() == "sha256");
        out.push_str(&if digest { format!("sha256 = \"{sha256}\"") } else { line.to_owned() });
        out.push('\n');
    }
    out
}

impl Context<'_> {
    fn fit_config(&self, part: &PartSpec) -> FitConfig {
        FitConfig {
            steps: part.steps,
            schedule: part.schedule.clone(),
            optim: part.optim.clone(),
            seed: self.spec.seed,
            save_seconds: 30,
        }
    }

    /// Where a part is trained. Named by all that determines it, so that other settings do not go
    /// on with its checkpoint.
    fn dir(&self, part: &PartSpec, card: &Card) -> std::path::PathBuf {
        let key = hash_json(&serde_json::json!([
            self.spec.seed,
            self.world.config(),
            card_hash(card),
            part
        ]));
        self.out.join(format!("{}-{key}", part.card))
    }

    /// The tokenizer of a card, written from the world's words with the specials in the order of
    /// the card's ids.
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

    fn write(
        &self,
        folder: &str,
        card: &Card,
        weights: &BTreeMap<String, params::Values>,
        scores: &BTreeMap<String, f64>,
    ) -> Result<(), LabError> {
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
        write(&path, with_weights(&held, &file, "f16", &sha256, scores).as_bytes())?;
        self.reporter.note(&format!("{}: {scores:.3?}", card.name));
        Ok(())
    }

    fn part(&self, part: &PartSpec) -> Result<(), LabError> {
        match part.kind {
            PartKind::Vision => self.vision(part),
            PartKind::Language => self.language(part),
            PartKind::Bert => self.bert(part),
        }
    }

    fn vision(&self, part: &PartSpec) -> Result<(), LabError> {
        let card = self.registry.card(Kind::Vision, &part.card)?;
        let shape = self.registry.describe_vision(&card)?;
        let encoder: AnyVision = self.registry.build_vision(&card, &self.device, Weights::None)?;
        let labeller = Labeller::new(encoder, &shape, &part.targets, &self.world, &self.device);
        let labeller = params::initialise(labeller, self.spec.seed, params::bert_rule);
        let mut objective = LabelPictures {
            world: self.world.clone(),
            seed: self.spec.seed,
            batch: part.batch,
            targets: part.targets.clone(),
            preprocess: preprocess(&card)?,
            grid: ((shape.tokens - 1) as f64).sqrt() as usize,
            device: self.device.clone(),
        };
        let dir = self.dir(part, &card);
        let trained = fit(
            &self.fit_config(part),
            labeller,
            &mut objective,
            &dir,
            &*self.reporter.task(&part.card),
            &mut |_, _| Ok(()),
        )?;
        let scores = objective.accuracy(&burn::module::Module::valid(&trained), 1024);
        self.write("vision", &card, &params::export(&trained.encoder), &scores)
    }

    fn language(&self, part: &PartSpec) -> Result<(), LabError> {
        let card = self.registry.card(Kind::Language, &part.card)?;
        let shape = self.registry.describe_language(&card)?;
        let model: AnyLanguage =
            self.registry.build_language(&card, &self.device, Weights::None)?;
        let family = card.family.clone();
        let seed = self.spec.seed;
        let model = match family.as_str() {
            "t5" => {
                let config: t5::T5Config = card.config()?;
                params::initialise(model, seed, |info| t5::init(&config, info))
            }
            "opt" => params::initialise(model, seed, opt::init),
            _ => params::initialise(model, seed, params::bert_rule),
        };
        let (specials, unknown): (&[&str], _) = match shape.kind {
            LanguageKind::DecoderOnly => (&["<s>", "<pad>", "</s>", "<unk>"], "<unk>"),
            LanguageKind::EncoderDecoder => (&["<pad>", "</s>", "<unk>"], "<unk>"),
        };
        let tokenizer =
            self.tokenizer(&card, specials, unknown, TokenTable::of_language(shape.vocab))?;
        if tokenizer.vocab() > shape.vocab {
            return Err(LabError::new(
                format!(
                    "`{}` has {} tokens, `vocab_size` is {}",
                    card.name,
                    tokenizer.vocab(),
                    shape.vocab
                ),
                "raise `vocab_size` in its card",
            ));
        }
        let mut objective = ReadText {
            world: self.world.clone(),
            seed,
            batch: part.batch,
            kind: shape.kind,
            tokenizer,
            question_prompt: card.prompt.get("vqa").cloned().unwrap_or_else(|| "{}".to_owned()),
            answer_weight: part.answer_weight,
            device: self.device.clone(),
        };
        let dir = self.dir(part, &card);
        let trained = fit(
            &self.fit_config(part),
            model,
            &mut objective,
            &dir,
            &*self.reporter.task(&part.card),
            &mut |_, _| Ok(()),
        )?;
        let plain = burn::module::Module::valid(&trained);
        let mut scores = BTreeMap::new();
        for (name, blind) in [("reading", false), ("blind", true)] {
            for (kind, score) in objective.answers(&plain, 2048, blind)? {
                scores.insert(format!("{name}_{kind}"), score);
            }
        }
        self.write("language", &card, &params::export(&trained), &scores)
    }

    fn bert(&self, part: &PartSpec) -> Result<(), LabError> {
        let card = self.registry.card(Kind::Bridge, &part.card)?;
        let vision = toolkit_core::VisionShape {
            image: [1, 1],
            tokens: 1,
            width: 8,
            cost: toolkit_core::Cost::default(),
        };
        let shape = self.registry.describe_bridge(&card, &vision)?;
        let bridge: AnyBridge =
            self.registry.build_bridge(&card, &vision, &self.device, Weights::None)?;
        let bridge =
            qformer::initialise(bridge, self.spec.seed, qformer::QFormerInit::Random, None)
                .map_err(|e| LabError::new(e.what, &e.hint))?;
        let table = TokenTable::of_text_side(shape.text.as_ref().map_or(0, |text| text.vocab));
        let tokenizer =
            self.tokenizer(&card, &["[PAD]", "[UNK]", "[CLS]", "[DEC]", "[SEP]"], "[UNK]", table)?;
        let vocab = tokenizer.vocab();
        if shape.text.as_ref().is_none_or(|t| vocab > t.vocab) {
            return Err(LabError::new(
                format!("`{}` has {vocab} tokens, more than its `vocab_size`", card.name),
                "raise `vocab_size` in its card",
            ));
        }
        let mut objective = MaskedWords {
            world: self.world.clone(),
            seed: self.spec.seed,
            batch: part.batch,
            tokenizer,
            vocab,
            device: self.device.clone(),
        };
        let dir = self.dir(part, &card);
        let name = format!("{} (text side)", part.card);
        let trained = fit(
            &self.fit_config(part),
            bridge,
            &mut objective,
            &dir,
            &*self.reporter.task(&name),
            &mut |_, _| Ok(()),
        )?;
        let text: BTreeMap<_, _> =
            (params::export(&trained).into_iter()).filter(|(name, _)| is_text_side(name)).collect();
        let path =
            self.out.join("registry/weights").join(format!("{}-bert.safetensors", part.card));
        let sha256 = write_safetensors(&path, &text, StoredDtype::F16, BTreeMap::new())?;
        let path = self.out.join("registry/bridge").join(format!("{}.toml", card.name));
        let held =
            toolkit_system::input::read_to_string(&path).map_err(|e| LabError::io(&path, &e))?;
        write(&path, with_digest(&held, "init", &sha256).as_bytes())?;
        self.reporter.note(&format!("{name}: weights/{}-bert.safetensors", part.card));
        Ok(())
    }
}

/// What a BERT checkpoint would hold: no queries, no cross-attention, no query feed-forward, no
/// heads of stage 1.
fn is_text_side(name: &str) -> bool {
    (name.starts_with("embeddings.") || name.starts_with("encoder.") || name.starts_with("cls."))
        && !["crossattention", "intermediate_query", "output_query"]
            .iter()
            .any(|part| name.contains(part))
}
