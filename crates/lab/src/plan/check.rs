//! Checks of tokenizers and weights before anything is trained.

use crate::LabError;
use crate::plan::ids::check_texts;
use crate::plan::run_plan::{PlannedCell, RunPlan};
use burn::tensor::Device;
use toolkit_models::bridge::QFormerInit;
use toolkit_registry::Registry;

/// Checks the tokenizers, texts and weights of every cell of a plan, each once. Weights are read.
///
/// # Errors
/// At the first that cannot be used.
pub(crate) fn check_parts(
    plan: &RunPlan,
    registry: &Registry,
    device: &Device,
) -> Result<(), LabError> {
    let mut checked: Vec<(usize, bool, QFormerInit)> = Vec::new();
    for cell in &plan.cells {
        let (spec, parts) = (&cell.cell.spec, plan.parts(cell));
        check_texts(parts, plan.data(cell), cell.stage1.is_some())?;
        let key = (cell.model_plan, cell.stage1.is_some(), spec.model.init);
        if checked.contains(&key) {
            continue;
        }
        if parts.language.is_some() {
            parts.language_special_tokens()?;
        }
        if cell.stage1.is_some() {
            parts.text_special_tokens()?;
        }
        parts.bridge_at_start(registry, spec.model.init, cell.cell.seed, device)?;
        if !checked.iter().any(|(model, ..)| *model == cell.model_plan) {
            parts.encoder(registry, device)?;
            if parts.language.is_some() {
                parts.language_model(registry, device)?;
            }
        }
        checked.push(key);
    }
    Ok(())
}

impl RunPlan {
    /// Checks tokenizers and the headers of weights that are here, and returns a note for each
    /// card that is not on this machine.
    ///
    /// # Errors
    /// If a tokenizer or weights are damaged.
    pub fn check_headers(&self) -> Result<Vec<String>, LabError> {
        let mut notes = Vec::new();
        for (at, parts) in self.model_plans.iter().enumerate() {
            let mut here = true;
            for card in parts.cards() {
                if !card.not_here()?.is_empty() {
                    here = false;
                    notes.push(format!(
                        "`{}` is not on this machine: `toolkit data fetch {}` gets it",
                        card.name, card.name
                    ));
                } else if card.weights.is_some() {
                    card.open_weights()?;
                }
            }
            if here {
                if parts.language.is_some() {
                    parts.language_special_tokens()?;
                }
                let has_stage1 =
                    |cell: &PlannedCell| cell.model_plan == at && cell.stage1.is_some();
                if self.cells.iter().any(has_stage1) {
                    parts.text_special_tokens()?;
                }
            }
        }
        notes.sort();
        notes.dedup();
        Ok(notes)
    }
}
