//! METEOR with whatever tables are here.

use crate::context::Context;
use std::path::Path;
use toolkit_metrics::Meteor;
use toolkit_registry::Kind;

/// METEOR with its tables if they are here, otherwise without, which is said.
///
/// # Errors
/// If a folder is given that has no tables, or they are damaged.
pub fn tables(context: &Context, folder: Option<&Path>) -> anyhow::Result<Meteor> {
    if let Some(folder) = folder {
        return Ok(Meteor::open(folder)?);
    }
    let card = context.registry.card(Kind::Metric, "meteor")?;
    if card.not_here()?.is_empty() {
        return Ok(Meteor::open(&card.package("pycocoevalcap")?.join("pycocoevalcap"))?);
    }
    context.log.line(
        "METEOR's tables are not here (`toolkit data fetch meteor`): METEOR-exact-stem is scored, which is no METEOR",
    );
    Ok(Meteor::without_tables())
}
