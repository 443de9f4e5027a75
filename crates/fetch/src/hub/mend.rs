//! Files of the store compared with their inventory; damaged ones are removed.

use super::Hub;
use crate::FetchError;
use toolkit_store::StepProgress;
use toolkit_store::inventory::{Depth, Inventory};

impl Hub<'_> {
    /// Compares the files of the known commit with its inventory. A damaged one is removed, so that
    /// it is fetched again; offline it is an error. Returns `true` if the inventory has them all.
    pub(super) fn mend(
        &self,
        path: Option<&str>,
        progress: &dyn StepProgress,
    ) -> Result<bool, FetchError> {
        let Some(commit) = self.place.known_commit() else { return Ok(false) };
        let names = match path {
            Some(path) => vec![path.to_owned()],
            None => self.place.known_listing(&commit).unwrap_or_default(),
        };
        let mut recorded = true;
        for name in &names {
            recorded &= self.is_recorded(&commit, name)?;
            self.is_whole(&commit, name, progress)?;
        }
        Ok(recorded)
    }

    pub(super) fn inventory(&self, commit: &str) -> Inventory {
        Inventory::of_commit(self.fetcher.store().root(), self.place.folder(), commit)
    }

    /// Returns `true` if the inventory of the commit has the file.
    fn is_recorded(&self, commit: &str, name: &str) -> Result<bool, FetchError> {
        match self.inventory(commit).read() {
            Ok(entries) => Ok(entries.is_some_and(|entries| entries.contains_key(name))),
            Err(error) if self.fetcher.is_offline() => Err(error.into()),
            // The Hub's facts replace it.
            Err(_) => Ok(false),
        }
    }

    /// Returns `true` if a file is here with the digest of its entry. A damaged one is removed;
    /// offline it is an error.
    pub(super) fn is_whole(
        &self,
        commit: &str,
        name: &str,
        progress: &dyn StepProgress,
    ) -> Result<bool, FetchError> {
        let place = self.place.folder().join(commit).join(name);
        if !place.is_file() || !self.is_recorded(commit, name)? {
            return Ok(false);
        }
        if self.compared.borrow().contains(&place) {
            return Ok(true);
        }
        let damaged = self.inventory(commit).damaged(name, Depth::Whole, progress)?;
        let Some((file, what)) = damaged.into_iter().next() else {
            self.compared.borrow_mut().insert(place);
            return Ok(true);
        };
        if self.fetcher.is_offline() {
            return Err(FetchError::damaged(
                &file,
                &what,
                "fetch it again where there is a network",
            ));
        }
        progress.note(&format!("{} is damaged: {what}; it is fetched again", file.display()));
        self.fetcher.remove(&file)?;
        Ok(false)
    }
}
