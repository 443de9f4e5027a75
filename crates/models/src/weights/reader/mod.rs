//! Fits tensors of files to parameters. Everything that does not fit is reported at once, before
//! any values are read.
//!
//! 1. [`Reader::new`] or [`Reader::of_part`] takes off the levels that training programs put before
//!    the names.
//! 2. [`Reader::plan`] finds the tensors of each parameter of a part.
//! 3. [`Reader::check`] refuses the file with every missing, unexpected and mis-shaped tensor.
//! 4. [`Reader::load`] reads the values.

mod plan;
mod shapes;
mod values;

pub use plan::Plan;

use super::levels::{self, Ways};
use super::wrappers::{shared, without_wrappers};
use super::{WeightsError, ties};
use crate::bridge::qformer::QFormer;
use std::collections::BTreeSet;
use toolkit_core::Bridge;
use toolkit_core::params::{Info, Mismatch};
use toolkit_core::published::{PublishedNames, Recipe};
use toolkit_formats::Tensors;

/// A weight file whose tensors are being fitted to parts.
pub struct Reader {
    tensors: Tensors,
    used: BTreeSet<String>,
    wrong: Mismatch,
    /// Published names of the parameters that were not found.
    ways: Ways,
    /// In a file of one part: its names, and the number of blocks that are wanted.
    alone: Option<(PublishedNames, usize)>,
}

impl Reader {
    /// Creates a reader of a whole checkpoint. Takes off the levels that a training program put
    /// around all names: the known ones, and any others behind which the bridge is found. Every
    /// checkpoint has a bridge.
    #[must_use]
    pub fn new(tensors: Tensors) -> Self {
        let mut reader = Self::unwrapped(tensors, true);
        reader.take_off(&QFormer::published(), &["query_tokens", "ln_vision.weight"]);
        reader
    }

    /// Creates a reader of a file of one part, which may hold more of the model that the part was
    /// cut from.
    #[must_use]
    pub fn of_part(tensors: Tensors, names: PublishedNames) -> Self {
        Self { alone: Some((names, 0)), ..Self::unwrapped(tensors, false) }
    }

    fn unwrapped(tensors: Tensors, whole: bool) -> Self {
        let names: Vec<String> = tensors.names().map(str::to_owned).collect();
        let tensors = tensors.renamed(without_wrappers(names.iter().map(String::as_str), whole));
        Self {
            tensors,
            used: BTreeSet::new(),
            wrong: Mismatch::default(),
            ways: Ways::default(),
            alone: None,
        }
    }

    /// Takes off the levels that all names share, if one of `parameters` is found only behind them.
    pub fn take_off(&mut self, names: &PublishedNames, parameters: &[&str]) {
        let recipes: Vec<Recipe> =
            parameters.iter().flat_map(|parameter| names.recipes(parameter)).collect();
        let there = |level: &str| {
            let has = |name: &str| self.tensors.info(&format!("{level}{name}")).is_some();
            recipes.iter().any(|recipe| recipe.names().all(has))
        };
        let level =
            shared(self.tensors.names()).into_iter().find(|level| there(level)).unwrap_or_default();
        if !level.is_empty() {
            let bare = |name: &str| name.strip_prefix(&level).unwrap_or(name).to_owned();
            self.tensors = self.tensors.clone().renamed(bare);
        }
    }

    /// Takes off shared levels in a file of one part.
    fn take_off_alone(&mut self, names: &PublishedNames, infos: &[Info]) {
        if self.alone.is_some() {
            let parameters: Vec<&str> = infos.iter().map(|info| info.name.as_str()).collect();
            self.take_off(names, &parameters);
        }
    }

    /// Returns the file.
    #[must_use]
    pub fn tensors(&self) -> &Tensors {
        &self.tensors
    }

    /// Returns `true` if the file has any of these parameters. In a file of one part, levels around
    /// all names are taken off first.
    #[must_use]
    pub fn has_any(&mut self, names: &PublishedNames, infos: &[Info]) -> bool {
        self.take_off_alone(names, infos);
        infos.iter().any(|info| self.find(names, info).is_some())
    }

    /// Returns the error that names have a level too many, if that is why none of these parameters
    /// was found.
    #[must_use]
    pub fn behind_a_level(&self, names: &PublishedNames, infos: &[Info]) -> Option<WeightsError> {
        let mut ways = Ways::default();
        infos.iter().for_each(|info| ways.add(names, &info.name, &info.name));
        let level = ways.level(self.tensors.names())?;
        // A few names that look alike are not the part.
        let most = level.tensors.len() * 2 >= infos.len();
        most.then(|| levels::mixed(&self.tensors, &level.name, &Mismatch::default()))
    }

    /// Returns the first way to make a parameter whose tensors are all in the file.
    fn find(&self, names: &PublishedNames, info: &Info) -> Option<Recipe> {
        let there = |recipe: &Recipe| recipe.names().all(|name| self.tensors.info(name).is_some());
        names.recipes(&info.name).into_iter().find(there)
    }

    /// Ends the planning.
    ///
    /// # Errors
    /// With every missing, unexpected and mis-shaped tensor, copies of tied tensors that differ
    /// included.
    pub fn check(&mut self) -> Result<(), WeightsError> {
        let mismatch = self.mismatch()?;
        if mismatch.is_empty() { Ok(()) } else { Err(self.refusal(mismatch)) }
    }

    /// Ends the planning, and returns everything that does not fit, for callers that can do
    /// without some of it.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn mismatch(&mut self) -> Result<Mismatch, WeightsError> {
        let unused: Vec<String> = self
            .tensors
            .names()
            .filter(|name| !self.used.contains(*name) && !ties::is_buffer(name))
            .map(str::to_owned)
            .collect();
        for name in unused {
            self.check_unused(name)?;
        }
        Ok(std::mem::take(&mut self.wrong))
    }

    /// Creates the error about a mismatch.
    #[must_use]
    pub fn refusal(&self, mismatch: Mismatch) -> WeightsError {
        let mut mismatch = Box::new(mismatch);
        if let Some(level) = self.ways.level(mismatch.unexpected.iter().map(String::as_str)) {
            let there: BTreeSet<&String> = level.tensors.values().flatten().collect();
            mismatch.missing.retain(|name| !there.contains(name));
            mismatch.unexpected.retain(|name| !level.tensors.contains_key(name));
            return levels::mixed(&self.tensors, &level.name, &mismatch);
        }
        WeightsError::Mismatch { file: self.tensors.path().display().to_string(), mismatch }
    }

    /// Reports a tensor that no parameter uses, unless it is an equal copy of one that is used or
    /// belongs to the rest of a model.
    fn check_unused(&mut self, name: String) -> Result<(), WeightsError> {
        let twin = ties::twins(&name).into_iter().flatten().find(|twin| self.used.contains(twin));
        if let Some(twin) = twin {
            if self.tensors.read(&name)? != self.tensors.read(&twin)? {
                let own_head = name.ends_with("lm_head.weight")
                    && !twin.ends_with("decoder.embed_tokens.weight");
                let more = if own_head {
                    "; with `tie_word_embeddings` = false it has a head of its own"
                } else {
                    ""
                };
                let line = format!("{name}: differs from {twin}, which the model ties it to{more}");
                self.wrong.misshaped.push(line);
            }
            return Ok(());
        }
        let is_rest =
            self.alone.as_ref().is_some_and(|(names, layers)| names.is_rest(&name, *layers));
        if !is_rest {
            self.wrong.unexpected.push(name);
        }
        Ok(())
    }
}
