//! Files and folders of a model repository of the Hub, stored by commit.
//!
//! `hf/owner--name/<commit>/path` are the files, `refs/<branch>` the commit that a branch last
//! stood for, `listings/<commit>` the names of a whole folder, `inventories/<commit>.json` the
//! digest of each file that came, `parts/` what is half there, and `blobs/<sha256>` second names
//! (hard links) of large files, so that the next commit with the same weights does not fetch them
//! again.
//!
//! The Hub names a sha256 of large files, and git's name of small ones (configurations,
//! vocabularies), which is a sha1. Files of a server that names neither are checked by length.

mod file;
mod mend;

use crate::http::Http;
use crate::listing::Listing;
use crate::{FetchError, Fetcher};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use toolkit_store::digest::{compare, sha256_of};
use toolkit_store::layout::Repository;
use toolkit_store::paths::{is_commit, percent, write_renamed};
use toolkit_store::{Digest, Source, StepProgress};

/// A repository of the Hub at a revision, in a store.
pub(crate) struct Hub<'a> {
    fetcher: &'a Fetcher,
    repo: &'a str,
    rev: &'a str,
    place: Repository,
    /// Files whose bytes were compared by this value already.
    compared: RefCell<BTreeSet<PathBuf>>,
}

impl<'a> Hub<'a> {
    pub(crate) fn new(fetcher: &'a Fetcher, repo: &'a str, rev: &'a str) -> Self {
        let place = Repository::new(fetcher.store().root(), repo, rev);
        Self { fetcher, repo, rev, place, compared: RefCell::default() }
    }

    pub(crate) fn plan(&self, path: Option<&str>) -> Vec<String> {
        if self.place.have(path).is_some() {
            return Vec::new();
        }
        let Some(path) = path else {
            let known = Some(self.rev)
                .filter(|rev| is_commit(rev))
                .and_then(|commit| self.place.known_listing(commit));
            return match known {
                Some(mut names) => {
                    names.retain(|name| !self.place.folder().join(self.rev).join(name).is_file());
                    names.iter().map(|name| self.url(self.rev, name)).collect()
                }
                // Each file that the first one lists.
                None => vec![self.listing_url(), format!("{}*", self.url(self.rev, ""))],
            };
        };
        vec![self.url(self.rev, path)]
    }

    pub(crate) fn get(
        &self,
        path: Option<&str>,
        digest: &Digest,
        progress: &dyn StepProgress,
    ) -> Result<PathBuf, FetchError> {
        let here = self.place.have(path);
        let recorded = here.is_some() && self.mend(path, progress)?;
        // Files that were damaged are gone now.
        let here = here.and_then(|_| self.place.have(path));
        let place = match here {
            Some(here) if self.fetcher.is_offline() || (is_commit(self.rev) && recorded) => here,
            None if self.fetcher.is_offline() => {
                let path = path.map(str::to_owned);
                let source = Source::Hf {
                    repo: self.repo.to_owned(),
                    rev: self.rev.to_owned(),
                    path: path.clone(),
                };
                return Err(self.fetcher.offline_error(&source, &self.plan(path.as_deref())));
            }
            here => match (self.fetch(path, progress), here) {
                (Err(error @ FetchError::Network(_)), Some(here)) => {
                    progress.note(&format!(
                        "{} of {} as it was here, for the Hub does not answer ({error})",
                        self.rev, self.repo
                    ));
                    here
                }
                (fetched, _) => fetched?,
            },
        };
        if let Some(expected) = digest.sha256.as_ref().filter(|_| path.is_some()) {
            let got = sha256_of(&place, progress)?;
            if let Err(error) =
                compare(path.unwrap_or_default(), expected, &got, &place, self.fetcher.removed())
            {
                self.fetcher.remove(&place)?;
                return Err(error.into());
            }
        }
        Ok(place)
    }

    fn fetch(
        &self,
        path: Option<&str>,
        progress: &dyn StepProgress,
    ) -> Result<PathBuf, FetchError> {
        let http = self.fetcher.http(progress)?;
        let (commit, place) = match path {
            Some(path) => {
                let commit = self.fetch_file(&http, self.rev, path, None, progress)?;
                let place = self.place.folder().join(&commit).join(path);
                (commit, place)
            }
            None => {
                let commit = self.fetch_folder(&http, progress)?;
                let place = self.place.folder().join(&commit);
                (commit, place)
            }
        };
        if self.rev != commit {
            // Last, so that a branch never names a commit that is not there.
            write_renamed(&self.place.ref_file(), &format!("{commit}\n"))?;
        }
        Ok(place)
    }

    fn fetch_folder(&self, http: &Http, progress: &dyn StepProgress) -> Result<String, FetchError> {
        let known = Some(self.rev.to_owned()).filter(|rev| is_commit(rev));
        let known =
            known.and_then(|commit| self.place.known_listing(&commit).map(|names| (commit, names)));
        let (commit, names, sizes) = match known {
            Some((commit, names)) => (commit, names, Vec::new()),
            None => {
                let listing = self.ask_listing(http)?;
                (listing.commit, listing.names, listing.sizes)
            }
        };
        write_renamed(&self.place.listing_file(&commit), &(names.join("\n") + "\n"))?;
        for (at, name) in names.iter().enumerate() {
            if !self.is_whole(&commit, name, progress)? {
                self.fetch_file(http, &commit, name, sizes.get(at).copied().flatten(), progress)?;
            }
        }
        Ok(commit)
    }

    /// Asks the Hub for the files of the revision.
    fn ask_listing(&self, http: &Http) -> Result<Listing, FetchError> {
        Listing::ask(http, &self.listing_url())
    }

    fn url(&self, rev: &str, path: &str) -> String {
        format!(
            "{}/{}/resolve/{}/{}",
            self.fetcher.hub(),
            self.repo,
            percent(rev, ""),
            percent(path, "/")
        )
    }

    fn listing_url(&self) -> String {
        // With the sizes of files.
        format!(
            "{}/api/models/{}/revision/{}?blobs=true",
            self.fetcher.hub(),
            self.repo,
            percent(self.rev, "")
        )
    }
}
