//! The models that a run trained, opened from its folder.

mod lookup;
mod weights;

use crate::experiment::spec::Spec;
use crate::plan::model_plan::ModelPlan;
use crate::{LabError, Reporter};
use burn::tensor::Device;
use std::path::Path;
use toolkit_core::AnyBridge;
use toolkit_core::published::PublishedNames;
use toolkit_models::connector::Connector;
use toolkit_registry::{Registry, Weights};
use toolkit_system::problem::Problem;
use toolkit_train::checkpoint::{CheckpointChoice, load_strict};
use toolkit_vlm::{
    BridgePart, LanguagePart, ModelTokenizer, Processor, TextSideSettings, VisionPart, Vlm,
};

/// The folder of a run, with what is needed to open its models.
pub struct TrainedRun<'a> {
    /// Run folder.
    pub folder: &'a Path,
    /// Families and cards.
    pub registry: &'a Registry,
    /// Device of the bridge and the language model; may record gradients.
    pub device: &'a Device,
    /// Checkpoint of the training that is opened.
    pub checkpoint: CheckpointChoice,
    /// Receives the names of cells that were chosen.
    pub reporter: &'a dyn Reporter,
}

/// A cell of a run: its id and its experiment.
pub struct TrainedCell {
    /// Folder name.
    pub id: String,
    /// Experiment that it was made from.
    pub spec: Spec,
    /// Cards and shapes of its parts.
    pub model_plan: ModelPlan,
}

/// A model that a run trained.
pub struct TrainedModel {
    /// Model.
    pub vlm: Vlm,
    /// Id of the cell, or key of the stage-1 run.
    pub of: String,
    /// Cell that it belongs to.
    pub cell: TrainedCell,
}

/// Returns `true` if a folder is that of a run.
#[must_use]
pub fn is_run(path: &Path) -> bool {
    path.join("cells").is_dir()
}

impl TrainedRun<'_> {
    /// Opens the model of a cell after stage 2: the cell called `wanted`, or the first trained one
    /// with stage 1.
    ///
    /// # Errors
    /// If there is no such cell, it has not been trained, or its checkpoint is damaged.
    pub fn open(&self, wanted: Option<&str>) -> Result<TrainedModel, LabError> {
        let cell = self.choose(wanted)?;
        let model_plan = &cell.model_plan;
        let (tokenizer, special_tokens) = model_plan.language_special_tokens()?;
        let Connector { bridge, language_projection } = self.connector(&cell)?;
        let language = LanguagePart {
            model: model_plan.language_model(self.registry, self.device)?,
            shape: model_plan.language()?.shape.clone(),
            names: PublishedNames::language(),
            special_tokens,
            projection: language_projection,
        };
        let name = format!("{} cell {}", self.folder.display(), cell.id);
        let tokenizer = ModelTokenizer::from_card(tokenizer);
        let vlm = self.vlm(name, &cell, bridge, Some(language), tokenizer)?;
        Ok(TrainedModel { vlm, of: cell.id.clone(), cell })
    }

    /// Opens the bridge after stage 1, without a language model: that of the cell called `wanted`,
    /// or the first one.
    ///
    /// # Errors
    /// If the run or the cell has no stage 1, or its checkpoint is damaged.
    pub fn open_stage1_of(&self, wanted: Option<&str>) -> Result<TrainedModel, LabError> {
        let (key, cell) = match wanted {
            Some(id) => self.stage1_of(id)?,
            None => self.stage1(None)?,
        };
        self.open_bridge(key, cell)
    }

    /// Opens the bridge after the stage-1 run `key`.
    ///
    /// # Errors
    /// If it is not there, or its checkpoint is damaged.
    pub fn open_stage1(&self, key: &str) -> Result<TrainedModel, LabError> {
        let (key, cell) = self.stage1(Some(key))?;
        self.open_bridge(key, cell)
    }

    fn open_bridge(&self, key: String, cell: TrainedCell) -> Result<TrainedModel, LabError> {
        let bridge = self.bridge(&self.run().stage1(&key), &cell)?;
        let (tokenizer, _) = cell.model_plan.text_special_tokens()?;
        let name = format!("{} stage 1 {key}", self.folder.display());
        let tokenizer = ModelTokenizer::from_card(tokenizer);
        let vlm = self.vlm(name, &cell, bridge, None, tokenizer)?;
        Ok(TrainedModel { vlm, of: key, cell })
    }

    /// Puts the parts of a cell together.
    fn vlm(
        &self,
        name: String,
        cell: &TrainedCell,
        bridge: AnyBridge,
        language: Option<LanguagePart>,
        tokenizer: ModelTokenizer,
    ) -> Result<Vlm, LabError> {
        let model_plan = &cell.model_plan;
        let special_tokens = model_plan.text_special_tokens().ok().map(|(_, tokens)| tokens);
        Ok(Vlm {
            name,
            vision: Some(VisionPart {
                model: model_plan.encoder(self.registry, self.device)?,
                shape: model_plan.vision.shape.clone(),
                names: PublishedNames::vision(),
            }),
            bridge: BridgePart {
                captioning: model_plan.bridge.shape.text.is_some(),
                model: bridge,
                shape: model_plan.bridge.shape.clone(),
            },
            language,
            notes: tokenizer.tokenizer.tokens_without_row().into_iter().collect(),
            tokenizer: Ok(tokenizer),
            processor: Some(Processor::of_run(model_plan.preprocess)),
            stage1: TextSideSettings {
                dec: special_tokens.map_or(0, |tokens| tokens.dec),
                pad: special_tokens.map_or(0, |tokens| tokens.pad),
                label_smoothing: cell.spec.stage1.as_ref().map_or(0.0, |one| one.smoothing),
            },
            image_token: None,
            half_features: true,
        })
    }

    /// Loads the trained connector of a cell.
    fn connector(&self, cell: &TrainedCell) -> Result<Connector, LabError> {
        let (dir, model_plan) = (self.stage2(cell), &cell.model_plan);
        let saved = self.checkpoint.weights(&dir)?.ok_or_else(|| {
            Problem::new("this cell has not been trained")
                .at(dir.display())
                .hint("finish the run first: the command that began it resumes it")
        })?;
        let steps = cell.spec.stage2.as_ref().map_or(0, |stage2| stage2.steps);
        if saved.step < steps {
            let id = &cell.id;
            self.reporter.note(&format!("cell {id} is at step {} of {steps}", saved.step));
        }
        let (bridge, language) = (&model_plan.bridge, model_plan.language()?);
        let built = self.registry.build_bridge(
            &bridge.card,
            &model_plan.vision.shape,
            self.device,
            Weights::None,
        )?;
        let connector =
            Connector::new(built, bridge.shape.width, language.shape.width, self.device);
        Ok(load_strict(connector, saved.tensors, &saved.file)?)
    }

    /// Loads the bridge after stage 1 in `dir`.
    fn bridge(&self, dir: &Path, cell: &TrainedCell) -> Result<AnyBridge, LabError> {
        let (card, vision) = (&cell.model_plan.bridge.card, &cell.model_plan.vision.shape);
        let saved = self.checkpoint.weights(dir)?.ok_or_else(|| {
            Problem::new("no checkpoint").at(dir.display()).hint("finish the run first")
        })?;
        let bridge = self.registry.build_bridge(card, vision, self.device, Weights::None)?;
        Ok(load_strict(bridge, saved.tensors, &saved.file)?)
    }
}
