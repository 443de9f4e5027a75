//! The two questions to a [`Fetcher`], answered by kind of source.

use crate::hub::Hub;
use crate::{FetchError, Fetcher};
use std::path::PathBuf;
use toolkit_store::layout::Manager;
use toolkit_store::problem::io;
use toolkit_store::{Digest, Source, StepProgress, no_digest};

impl Fetcher {
    /// Lists what [`Self::get`] would run: commands or addresses, one a line. Asks no network.
    ///
    /// The list is empty when the file or folder is there. `get` still asks the Hub for the newest
    /// commit of a branch that is there.
    ///
    /// # Errors
    /// If a `file:` is not there: nothing can fetch it.
    pub fn plan(&self, source: &Source) -> Result<Vec<String>, FetchError> {
        Ok(match source {
            Source::Hf { repo, rev, path } => Hub::new(self, repo, rev).plan(path.as_deref()),
            Source::Pip(package) => self.plan_package(Manager::Pip, package),
            Source::Apt(package) => self.plan_package(Manager::Apt, package),
            Source::Npm(package) => self.plan_package(Manager::Npm, package),
            Source::File(path) => {
                std::fs::metadata(path).map_err(io("read", path))?;
                Vec::new()
            }
        })
    }

    /// Returns the path of the file or folder, after fetching what is missing and comparing it with
    /// `digest`.
    ///
    /// # Errors
    /// Any of [`FetchError`]. After a wrong digest the file (or the package it is in) is
    /// removed, unless the store is offline.
    pub fn get(
        &self,
        source: &Source,
        digest: &Digest,
        progress: &dyn StepProgress,
    ) -> Result<PathBuf, FetchError> {
        digest.check_form(source)?;
        self.check_limit()?;
        let path = match source {
            Source::Hf { path: None, .. } if digest.sha256.is_some() => {
                return Err(no_digest(source).into());
            }
            Source::Hf { repo, rev, path } => {
                Hub::new(self, repo, rev).get(path.as_deref(), digest, progress)?
            }
            Source::Pip(package) => self.get_package(Manager::Pip, package, digest, progress)?,
            Source::Apt(package) => self.get_package(Manager::Apt, package, digest, progress)?,
            Source::Npm(package) => self.get_package(Manager::Npm, package, digest, progress)?,
            Source::File(path) => {
                self.store().verify(path, digest, progress)?;
                path.clone()
            }
        };
        if digest.sha256.is_some() && path.is_dir() {
            return Err(no_digest(source).into());
        }
        Ok(path)
    }
}
