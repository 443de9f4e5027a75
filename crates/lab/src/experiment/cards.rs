//! Cards that an experiment uses.

use crate::LabError;
use crate::experiment::overrides::resolve;
use crate::experiment::sweep::cells;
use toolkit_data::DataName;
use toolkit_registry::{Card, Kind, Registry, Source};

/// Returns the cards of the models and data of all cells of an experiment; a card that several
/// cells use comes several times.
///
/// # Errors
/// If the file is wrong or names an unknown card.
pub fn cards(source: &Source, registry: &Registry) -> Result<Vec<Card>, LabError> {
    let (spec, table) = resolve(source, &[], false)?;
    let mut all = Vec::new();
    for cell in cells(source, &spec, &table)? {
        let (model, data) = (&cell.spec.model, &cell.spec.data);
        all.push(registry.card(Kind::Vision, &model.vision)?);
        all.push(registry.card(Kind::Bridge, &model.bridge)?);
        all.push(registry.card(Kind::Language, &model.language)?);
        let further = cell.spec.eval.also.iter().map(|also| &also.data);
        for name in [&data.train, &data.val, &data.test].into_iter().chain(further) {
            if let Some(card) = DataName::parse(name).card() {
                all.push(registry.card(Kind::Dataset, card)?);
            }
        }
    }
    Ok(all)
}
