//! Pre-training of a Q-Former's text side on masked words.

use super::PretrainContext;
use super::card_text::with_digest;
use crate::LabError;
use crate::experiment::pretrain_spec::PartSpec;
use crate::files::write;
use std::collections::BTreeMap;
use toolkit_core::{AnyBridge, Cost, VisionShape, params};
use toolkit_models::bridge::qformer;
use toolkit_models::weights::{StoredDtype, write_safetensors};
use toolkit_registry::{Kind, Weights};
use toolkit_system::problem::Problem;
use toolkit_tokenizer::TokenTable;
use toolkit_train::fit::{ProgressBar, fit};
use toolkit_train::pretrain::masked::MaskedWords;

impl PretrainContext<'_> {
    pub(super) fn bert(&self, part: &PartSpec) -> Result<(), LabError> {
        let card = self.registry.card(Kind::Bridge, &part.card)?;
        let vision = VisionShape { image: [1, 1], tokens: 1, width: 8, cost: Cost::default() };
        let shape = self.registry.describe_bridge(&card, &vision)?;
        let bridge: AnyBridge =
            self.registry.build_bridge(&card, &vision, &self.device, Weights::None)?;
        let bridge =
            qformer::initialise(bridge, self.spec.seed, qformer::QFormerInit::Random, None)
                .map_err(|e| LabError::from(Problem::new(e.what).hint(e.hint)))?;
        let table = TokenTable::of_text_side(shape.text.as_ref().map_or(0, |text| text.vocab));
        let tokenizer =
            self.tokenizer(&card, &["[PAD]", "[UNK]", "[CLS]", "[DEC]", "[SEP]"], "[UNK]", table)?;
        let vocab = tokenizer.vocab();
        if shape.text.as_ref().is_none_or(|t| vocab > t.vocab) {
            return Err(Problem::new(format_args!(
                "`{}` has {vocab} tokens, more than its `vocab_size`",
                card.name
            ))
            .hint("raise `vocab_size` in its card")
            .into());
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
            &mut [&mut ProgressBar::new(&*self.reporter.task(&name))],
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

/// Returns `true` for weights that a BERT checkpoint has. Queries, cross-attention, the
/// feed-forward of queries, and the heads of stage 1 are left out.
fn is_text_side(name: &str) -> bool {
    (name.starts_with("embeddings.") || name.starts_with("encoder.") || name.starts_with("cls."))
        && !["crossattention", "intermediate_query", "output_query"]
            .iter()
            .any(|part| name.contains(part))
}
