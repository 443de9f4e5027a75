//! The losses of stage 1 that an experiment can weigh: the toolkit's and those of plug-ins.

use crate::LabError;
use crate::experiment::spec::Spec;
use crate::experiment::sweep::ExperimentCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use toolkit_registry::spanned::suggest;
use toolkit_registry::{Registry, Source};
use toolkit_train::stage1::{NamedLoss, Stage1Loss, builtin};

/// A loss of a plug-in, as the registry holds it.
struct PlugIn(Arc<dyn Stage1Loss>);

/// Registration of losses.
pub trait RegisterLoss: Sized {
    /// Adds a loss of stage 1. Experiments train it by a weight, `[stage1.losses] NAME = 1.0`.
    ///
    /// # Panics
    /// If the name is taken.
    #[must_use]
    fn loss<T: Stage1Loss + Default>(self, name: &str) -> Self;
}

impl RegisterLoss for Registry {
    fn loss<T: Stage1Loss + Default>(self, name: &str) -> Self {
        let taken = builtin().iter().any(|known| known.name == name);
        assert!(!taken, "`{name}` is a loss of the toolkit: give yours another name");
        self.extend(name, PlugIn(Arc::new(T::default())))
    }
}

/// Returns all losses: the toolkit's in the order of the paper, then those of plug-ins by name.
#[must_use]
pub fn all(registry: &Registry) -> Vec<NamedLoss> {
    let plug_ins = registry.extensions::<PlugIn>();
    let named = |(name, loss): (&str, &PlugIn)| NamedLoss {
        name: name.to_owned(),
        loss: Arc::clone(&loss.0),
    };
    builtin().into_iter().chain(plug_ins.into_iter().map(named)).collect()
}

/// Returns the titles of all losses by their key in the log, such as `loss_itc`.
pub(crate) fn titles(registry: &Registry) -> BTreeMap<String, String> {
    let titled = |one: NamedLoss| (format!("loss_{}", one.name), one.loss.title().to_owned());
    all(registry).into_iter().map(titled).collect()
}

/// Checks that the registry has every loss that the file, `--set` or an axis weighs.
///
/// # Errors
/// At the unknown name, with the nearest known one.
pub(crate) fn check(
    registry: &Registry,
    source: &Source,
    spec: &Spec,
    cells: &[ExperimentCell],
    overrides: &[String],
) -> Result<(), LabError> {
    let all = all(registry);
    let known: Vec<&str> = all.iter().map(|loss| loss.name.as_str()).collect();
    let unknown = |spec: &Spec| {
        let losses = spec.stage1.as_ref().map(|stage1| stage1.losses.iter());
        let mut names = losses.into_iter().flatten().map(|(name, _)| name.to_owned());
        names.find(|name| !known.contains(&name.as_str()))
    };
    let wrong = |name: &str| (format!("there is no loss `{name}`"), suggest(name, &known));
    if let Some(name) = unknown(spec) {
        let (what, hint) = wrong(&name);
        if let Some(argument) = overrides.iter().find(|argument| argument.contains(&name)) {
            return Err(LabError::new(format!("`--set {argument}`: {what}"), &hint));
        }
        return Err(source.error_at(&format!("stage1.losses.{name}"), what, hint).into());
    }
    match cells.iter().find_map(|cell| unknown(&cell.spec)) {
        Some(name) => {
            let (what, hint) = wrong(&name);
            Err(source.error_at("sweep", what, hint).into())
        }
        None => Ok(()),
    }
}
