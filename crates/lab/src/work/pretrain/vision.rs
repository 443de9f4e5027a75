//! Pre-training of a vision encoder on labels of single pictures.

use super::PretrainContext;
use crate::LabError;
use crate::experiment::pretrain_spec::PartSpec;
use crate::plan::preprocess::preprocess;
use toolkit_core::{AnyVision, params};
use toolkit_registry::{Kind, Weights};
use toolkit_train::fit::{ProgressBar, fit};
use toolkit_train::pretrain::vision::{LabelPictures, Labeller};

impl PretrainContext<'_> {
    pub(super) fn vision(&self, part: &PartSpec) -> Result<(), LabError> {
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
            &mut [&mut ProgressBar::new(&*self.reporter.task(&part.card))],
        )?;
        let scores = objective.accuracy(&burn::module::Module::valid(&trained), 1024);
        self.write_part("vision", &card, &params::export(&trained.encoder), &scores)
    }
}
