//! METEOR with its tables if they are on this machine.

use crate::EvalError;
use std::cell::OnceCell;
use toolkit_metrics::Meteor;
use toolkit_metrics::scores::{self, Score};
use toolkit_registry::{Kind, Registry};

/// Note on scores without METEOR's tables.
pub const NO_TABLES: &str = "METEOR's tables are not here (`toolkit data fetch meteor`): \
    METEOR-exact-stem is scored, which is no METEOR.";

/// METEOR with the tables that the registry's card `meteor` names, read when they are first needed.
///
/// Without the tables words match exactly or by their stem. That score has a name of its own.
pub struct MeteorTables<'a> {
    registry: &'a Registry,
    opened: OnceCell<Meteor>,
}

impl<'a> MeteorTables<'a> {
    /// Names the registry. Nothing is read.
    #[must_use]
    pub fn new(registry: &'a Registry) -> Self {
        Self { registry, opened: OnceCell::new() }
    }

    /// Returns METEOR, reading its tables if nobody did.
    ///
    /// # Errors
    /// If the tables are damaged.
    pub fn get(&self) -> Result<&Meteor, EvalError> {
        if self.opened.get().is_none() {
            // Nobody else can have set it: the cell is not shared between threads.
            let _ = self.opened.set(open_meteor(self.registry)?);
        }
        Ok(self.opened.get_or_init(Meteor::without_tables))
    }
}

/// Opens METEOR with the tables that the registry's card `meteor` names. If they are not on this
/// machine, it opens without them.
///
/// # Errors
/// If the tables are damaged.
pub fn open_meteor(registry: &Registry) -> Result<Meteor, EvalError> {
    let card = registry.card(Kind::Metric, "meteor")?;
    if !card.not_here()?.is_empty() {
        return Ok(Meteor::without_tables());
    }
    Ok(Meteor::open(&card.package("pycocoevalcap")?.join("pycocoevalcap"))?)
}

/// Returns the score that METEOR gives: without its tables it has another name.
#[must_use]
pub(crate) fn score(meteor: &Meteor) -> Score {
    if meteor.has_tables() { scores::METEOR } else { scores::METEOR_EXACT_STEM }
}
