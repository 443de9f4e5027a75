//! Pre-training of a language model on captions, questions and answers.

use super::PretrainContext;
use crate::LabError;
use crate::experiment::pretrain_spec::PartSpec;
use std::collections::BTreeMap;
use toolkit_core::{AnyLanguage, LanguageKind, params};
use toolkit_models::language::{opt, t5};
use toolkit_registry::{Kind, Weights};
use toolkit_system::problem::Problem;
use toolkit_tokenizer::TokenTable;
use toolkit_train::fit::{ProgressBar, fit};
use toolkit_train::pretrain::text::ReadText;

impl PretrainContext<'_> {
    pub(super) fn language(&self, part: &PartSpec) -> Result<(), LabError> {
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
            return Err(Problem::new(format_args!(
                "`{}` has {} tokens, `vocab_size` is {}",
                card.name,
                tokenizer.vocab(),
                shape.vocab
            ))
            .hint("raise `vocab_size` in its card")
            .into());
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
            &mut [&mut ProgressBar::new(&*self.reporter.task(&part.card))],
        )?;
        let plain = burn::module::Module::valid(&trained);
        let mut scores = BTreeMap::new();
        for (name, blind) in [("reading", false), ("blind", true)] {
            for (kind, score) in objective.answers(&plain, 2048, blind)? {
                scores.insert(format!("{name}_{kind}"), score);
            }
        }
        self.write_part("language", &card, &params::export(&trained), &scores)
    }
}
