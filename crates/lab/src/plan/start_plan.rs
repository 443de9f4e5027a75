//! The weights that a cell starts from, opened and fitted to its parts.

use crate::LabError;
use crate::experiment::start::StartFile;
use crate::files::write_json_pretty;
use crate::plan::model_plan::{ModelPlan, PartPlan};
use crate::run::folder::START_FILE;
use burn::module::Module;
use burn::tensor::Device;
use std::path::Path;
use toolkit_checkpoints::CheckpointError;
use toolkit_checkpoints::start::{Projection, Stage, Start, Wanted};
use toolkit_core::{LanguageShape, params};
use toolkit_models::layers::Linear;
use toolkit_registry::{Registry, Weights};
use toolkit_system::problem::Problem;

/// Weights that a cell starts from.
pub struct StartPlan {
    /// The checkpoint.
    pub file: StartFile,
    /// Open file; none in a plan of a file that is not here.
    start: Option<Start>,
}

impl StartPlan {
    /// Opens a checkpoint and fits it to a bridge, and if `first` is false to the projection of
    /// stage 2 too. No value stays in memory.
    ///
    /// # Errors
    /// If tensors that have to fit are missing, unexpected or misshaped.
    pub fn new(
        registry: &Registry,
        file: &StartFile,
        parts: &ModelPlan,
        first: bool,
    ) -> Result<Self, LabError> {
        let wanted = wanted(registry, parts, first)?;
        let language = file.language.as_deref();
        let open = |path: &Path| Start::open(path, &file.name, language, wanted);
        let start = file.path.as_deref().map(open).transpose().map_err(not_startable)?;
        Ok(Self { file: file.clone(), start })
    }

    /// Returns the hash of the values that are taken.
    #[must_use]
    pub fn hash(&self) -> String {
        match &self.start {
            Some(start) => start.report.sha256.clone(),
            None => format!("not here: {}", self.file.name),
        }
    }

    /// Describes what is taken and what is not, in lines.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match &self.start {
            Some(start) => start.report.lines(),
            None => vec![format!(
                "`model.from`: {} is not on this machine, so it is not known what it has",
                self.file.name
            )],
        }
    }

    /// Sets the parameters of `module`, which is a connector, or with the level `bridge.` before
    /// its names a part of one, and writes the report to `dir`.
    ///
    /// # Errors
    /// If the file is damaged, or the report cannot be written.
    pub fn load<M: Module>(&self, module: M, level: &str, dir: &Path) -> Result<M, LabError> {
        let start =
            self.start.as_ref().ok_or_else(|| Problem::defect("a start that is not here"))?;
        let mut values = start.values().map_err(not_startable)?;
        std::fs::create_dir_all(dir).map_err(|error| LabError::io(dir, &error))?;
        write_json_pretty(&dir.join(START_FILE), &start.report)?;
        Ok(params::map(module, |info| values.remove(&format!("{level}{}", info.name))))
    }
}

/// Lists the parameters that a file may have for the parts.
fn wanted(registry: &Registry, parts: &ModelPlan, first: bool) -> Result<Wanted, LabError> {
    let (card, device) = (&parts.bridge.card, Device::flex());
    let bridge = registry.build_bridge(card, &parts.vision.shape, &device, Weights::None)?;
    let language = parts.language.as_ref().filter(|_| !first);
    let projection = |language: &PartPlan<LanguageShape>| {
        let width = language.shape.width;
        let linear = Linear::new(parts.bridge.shape.width, width, &device);
        Ok::<_, LabError>(Projection {
            infos: params::list(&linear),
            names: registry.language_names(&language.card)?.projection(),
            family: language.card.family.clone(),
            width,
        })
    };
    Ok(Wanted {
        bridge: params::list(&bridge),
        names: registry.bridge_names(card)?,
        stage: match language {
            Some(language) => Stage::Two(projection(language)?),
            None => Stage::One,
        },
    })
}

/// Converts an error of a checkpoint.
fn not_startable(error: CheckpointError) -> LabError {
    match error {
        CheckpointError::Load(error) => error.into(),
        CheckpointError::Problem(problem) => problem.into(),
        other => Problem::new(other).into(),
    }
}
