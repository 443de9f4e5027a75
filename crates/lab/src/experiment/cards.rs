//! Cards that an experiment uses.

use crate::LabError;
use crate::experiment::overrides::resolve;
use crate::experiment::sweep::cells;
use std::path::Path;
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
        if let Some(language) = &model.language {
            all.push(registry.card(Kind::Language, language)?);
        }
        let further = cell.spec.eval.also.iter().map(|also| &also.data);
        if let Some(from) = model.from.as_ref().filter(|from| !Path::new(from).exists()) {
            // A path that is not there yet is no card.
            all.extend(registry.card(Kind::Model, from).ok());
        }
        let train = data.train.names();
        let splits = train.iter().chain(&data.val).chain(&data.test);
        for name in splits.chain(further) {
            all.extend(registry.data_cards(name)?);
        }
    }
    Ok(all)
}
