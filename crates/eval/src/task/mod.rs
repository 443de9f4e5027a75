//! Kinds of task: what a task card can name in `kind`.
//!
//! | file | content |
//! |---|---|
//! | `vqa`, `answers` | `kind = "vqa"`: answers to questions |
//! | `caption` | `kind = "caption"`: captions of pictures |
//! | `retrieval` | `kind = "retrieval"`: texts by pictures and pictures by texts |
//! | `builtin` | the table of these kinds, one line each |
//! | `settings` | prompt, search and presets of a card |
//! | `published` | published scores of a card, and their comparison |
//!
//! A kind of one's own implements [`TaskKind`] and [`Task`], and is added to a registry by
//! [`RegisterTask::task`]; its cards then name it.

pub(crate) mod answers;
mod builtin;
pub(crate) mod caption;
pub(crate) mod published;
pub(crate) mod retrieval;
pub(crate) mod settings;
pub(crate) mod vqa;

use crate::{EvalError, Needs, Task};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use settings::TaskSettings;
use toolkit_data::Dataset;
use toolkit_registry::{Card, Kind, Registry};
use toolkit_system::problem::Problem;

/// A kind of task: makes [`Task`]s from cards.
pub trait TaskKind: Task + Sized + 'static {
    /// `[config]` of a card. `data`, `split` and `limit` are in it, if cards may have them.
    type Config: DeserializeOwned;

    /// Parts of the model that are needed.
    const NEEDS: Needs;

    /// Makes the task of a card.
    ///
    /// # Errors
    /// If a value does not fit.
    fn new(
        config: Self::Config,
        card: &Card,
        settings: &TaskSettings<'_>,
    ) -> Result<Self, EvalError>;

    /// Checks that the data have what the task scores: a score of nothing is no number.
    ///
    /// # Errors
    /// Naming what is missing; the place is filled in by the caller.
    fn check_data(config: &Self::Config, data: &dyn Dataset) -> Result<(), Problem>;
}

/// Opens the task of a card.
type Open = fn(&Card, &TaskSettings<'_>) -> Result<Box<dyn Task>, EvalError>;

/// The functions of a kind of task, without its types.
#[derive(Clone, Copy)]
pub struct TaskFamily {
    /// Parts of the model that are needed.
    pub needs: Needs,
    open: Open,
    check_data: fn(&Card, &dyn Dataset) -> Result<(), EvalError>,
}

impl TaskFamily {
    /// Takes the functions of a kind.
    #[must_use]
    pub const fn of<T: TaskKind>() -> Self {
        Self {
            needs: T::NEEDS,
            open: |card, settings| Ok(Box::new(T::new(card.config()?, card, settings)?)),
            check_data: |card, data| {
                let place = format!("task `{}` on `{}`", card.name, data.name());
                Ok(T::check_data(&card.config()?, data).map_err(|problem| problem.at(place))?)
            },
        }
    }

    /// Returns the kind of a task card.
    ///
    /// # Errors
    /// If the card is of no known kind.
    pub fn of_card(registry: &Registry, card: &Card) -> Result<Self, EvalError> {
        let own = registry.extensions::<Self>();
        let mut all = builtin::KINDS.iter().copied().chain(own.iter().map(|(n, f)| (*n, **f)));
        let found = all.find(|(name, _)| card.kind == Kind::Task && card.family == *name);
        found.map(|(_, family)| family).ok_or_else(|| {
            let names = builtin::KINDS.iter().map(|(name, _)| *name);
            let names: Vec<&str> = names.chain(own.iter().map(|(name, _)| *name)).collect();
            wrong_kind(card, &any_of(&names))
        })
    }

    /// Makes the task of a card.
    ///
    /// # Errors
    /// If a value does not fit.
    pub fn open(
        &self,
        card: &Card,
        settings: &TaskSettings<'_>,
    ) -> Result<Box<dyn Task>, EvalError> {
        (self.open)(card, settings)
    }

    /// Checks that the data have what the task of a card scores.
    ///
    /// # Errors
    /// If they have not, with the task and the data.
    pub fn check_data(&self, card: &Card, data: &dyn Dataset) -> Result<(), EvalError> {
        (self.check_data)(card, data)
    }
}

/// Kinds of task of one's own in a [`Registry`].
pub trait RegisterTask: Sized {
    /// Adds a kind of task, which task cards name by `kind = "NAME"`.
    ///
    /// # Panics
    /// If the name is taken.
    #[must_use]
    fn task<T: TaskKind>(self, name: &str) -> Self;
}

impl RegisterTask for Registry {
    fn task<T: TaskKind>(self, name: &str) -> Self {
        let taken = builtin::KINDS.iter().any(|(known, _)| *known == name);
        assert!(!taken, "the kind of task `{name}` is registered twice: give it another name");
        self.extend(name, TaskFamily::of::<T>())
    }
}

/// Returns the data that a task card names, `card:split`.
///
/// # Errors
/// If `[config]` is wrong.
pub fn task_data(card: &Card) -> Result<Option<String>, EvalError> {
    let named: NamedData = card.config()?;
    Ok(named.data.map(|data| format!("{data}:{}", named.split)))
}

/// Returns the split that a task card names.
///
/// # Errors
/// If `[config]` is wrong.
pub fn task_split(card: &Card) -> Result<String, EvalError> {
    Ok(card.config::<NamedData>()?.split)
}

/// Keys of `[config]` that name the data of a task of any kind.
#[derive(Deserialize)]
struct NamedData {
    data: Option<String>,
    #[serde(default = "settings::test_split")]
    split: String,
}

/// Checks that a card is a task of one kind.
///
/// # Errors
/// If it is not.
pub(crate) fn expect_kind(card: &Card, kind: &str) -> Result<(), EvalError> {
    if card.kind == Kind::Task && card.family == kind {
        Ok(())
    } else {
        Err(wrong_kind(card, &format!("`{kind}`")))
    }
}

/// Names the kinds that are known.
fn any_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.join(""),
    }
}

fn wrong_kind(card: &Card, wanted: &str) -> EvalError {
    let what =
        format!("{} `{}` has kind `{}`, wanted {wanted}", card.kind.noun(), card.name, card.family);
    let hint = "choose another card of `tasks/`, or correct its `kind`";
    card.text().error_at("kind", what, hint).into()
}
