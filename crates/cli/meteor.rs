//! METEOR with the tables that are here.

use crate::context::Context;
use std::path::Path;
use toolkit_eval::{NO_TABLES, open_meteor};
use toolkit_metrics::Meteor;

/// Opens METEOR with its tables if they are here, otherwise without, with a line that says so.
///
/// # Errors
/// If a folder is given that has no tables, or they are damaged.
pub fn tables(
    context: &Context,
    folder: Option<&Path>,
) -> anyhow::Result<(Meteor, Option<String>)> {
    let meteor = match folder {
        Some(folder) => Meteor::open(folder)?,
        None => open_meteor(&context.registry)?,
    };
    let note = (!meteor.has_tables()).then(|| NO_TABLES.to_owned());
    Ok((meteor, note))
}
