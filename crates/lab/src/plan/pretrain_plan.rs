//! The plan of a pre-training: its parts, their cards and their cost.

use crate::LabError;
use crate::experiment::overrides::resolve_pretrain;
use crate::experiment::pretrain_spec::{PartKind, PartSpec, PretrainSpec};
use crate::run::RunOptions;
use std::path::{Path, PathBuf};
use toolkit_core::{Cost, VisionShape};
use toolkit_data::ScenesConfig;
use toolkit_registry::{Card, Kind, Registry, Source};

/// Steps of every part with `--smoke`.
const SMOKE_STEPS: u64 = 2;

/// Tokens of a text, for the count of operations.
const TEXT_TOKENS: f64 = 40.0;

/// Forward passes that a training step costs: its own, and a backward pass of two.
const TRAINED_PASSES: f64 = 3.0;

/// A pre-training that was checked against the cards.
pub struct PretrainPlan {
    /// Settings, overrides included.
    pub spec: PretrainSpec,
    /// Cost of a forward pass of each part, in the order of the file.
    pub costs: Vec<Cost>,
    /// Run folder.
    pub out: PathBuf,
}

impl PretrainPlan {
    /// Reads an experiment file and looks up its cards. No weight is read.
    ///
    /// # Errors
    /// If something is wrong with the file or its cards.
    pub fn new(
        source: &Source,
        registry: &Registry,
        options: &RunOptions,
    ) -> Result<Self, LabError> {
        let mut spec = resolve_pretrain(source, &options.overrides)?;
        if options.smoke {
            spec.part.iter_mut().for_each(|part| part.steps = part.steps.min(SMOKE_STEPS));
        }
        let data = registry.card(Kind::Dataset, &spec.data)?;
        data.config::<ScenesConfig>()?.check()?;
        let costs = spec.part.iter().map(|part| cost(registry, part)).collect::<Result<_, _>>()?;
        let name = if options.smoke { format!("{}-smoke", spec.name) } else { spec.name.clone() };
        let out = options.out.clone().unwrap_or_else(|| Path::new("runs").join(name));
        Ok(Self { spec, costs, out })
    }

    /// Returns each part with the cost of a forward pass and the operations of its training.
    pub fn parts(&self) -> impl Iterator<Item = (&PartSpec, Cost, f64)> {
        self.spec.part.iter().zip(&self.costs).map(|(part, cost)| {
            // A text costs the pass once for each token.
            let passes = if part.kind == PartKind::Vision { 1.0 } else { TEXT_TOKENS };
            let samples = part.steps as f64 * part.batch as f64;
            (part, *cost, TRAINED_PASSES * cost.flops as f64 * passes * samples)
        })
    }

    /// Returns the folder of the registry that the pre-training writes.
    #[must_use]
    pub fn registry_folder(&self) -> PathBuf {
        self.out.join("registry")
    }

    /// Returns the cards of the trained parts, with their scores.
    ///
    /// # Errors
    /// If a card that was written cannot be read.
    pub fn trained_cards(&self, registry: &Registry) -> Result<Vec<Card>, LabError> {
        let overlay = registry.clone().overlay(self.registry_folder())?;
        let card = |part: &PartSpec| Ok(overlay.card(part.kind.card_kind(), &part.card)?);
        self.spec.part.iter().map(card).collect()
    }
}

fn cost(registry: &Registry, part: &PartSpec) -> Result<Cost, LabError> {
    let card = registry.card(part.kind.card_kind(), &part.card)?;
    Ok(match part.kind {
        PartKind::Vision => registry.describe_vision(&card)?.cost,
        PartKind::Language => registry.describe_language(&card)?.cost,
        PartKind::Bert => {
            // The text side costs the same behind any encoder.
            let any = VisionShape { image: [1, 1], tokens: 1, width: 8, cost: Cost::default() };
            registry.describe_bridge(&card, &any)?.cost
        }
    })
}
