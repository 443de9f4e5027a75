//! METEOR with whatever tables are here.

use crate::context::Context;
use std::path::Path;
use toolkit_metrics::Meteor;
use toolkit_registry::Kind;

/// METEOR with its tables if they are here, otherwise without, and a line that says so.
///
/// # Errors
/// If a folder is given that has no tables, or they are damaged.
pub fn tables(
    context: &Context,
    folder: Option<&Path>,
) -> anyhow::Result<(Meteor, Option<String>)> {
    if let Some(folder) = folder {
        return Ok((Meteor::open(folder)?, None));
    }
    let card = context.registry.card(Kind::Metric, "meteor")?;
    if card.not_here()?.is_empty() {
        return Ok((Meteor::open(&card.package("pycocoevalcap")?.join("pycocoevalcap"))?, None));
    }
    let missing = "METEOR's tables are not here (`toolkit data fetch meteor`): METEOR-exact-stem \
        is scored, which is no METEOR.";
    Ok((Meteor::without_tables(), Some(missing.to_owned())))
}
