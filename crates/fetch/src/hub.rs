//! Files and folders of a model repository of the Hub, kept by commit.
//!
//! `hf/owner--name/<commit>/path` are the files, `refs/<branch>` the commit that a branch last
//! stood for, `listings/<commit>` the names of a whole folder, `inventories/<commit>.json` the
//! digest of each file that came, `parts/` what is half there, and `blobs/<sha256>` second names
//! (hard links) of large files, so that the next commit with the same weights does not fetch them
//! again.
//!
//! The Hub names a sha256 of large files, and git's name of small ones (configurations,
//! vocabularies), which is a sha1. Files of a server that names neither are checked by length.

use crate::download::{Download, Meta};
use crate::git::{git_checked_sha256, is_git_name};
use crate::http::Http;
use crate::listing::Listing;
use crate::{FetchError, Fetcher};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toolkit_store::digest::{compare, sha256_of};
use toolkit_store::inventory::{Depth, Inventory};
use toolkit_store::layout::Repository;
use toolkit_store::lock::lock;
use toolkit_store::paths::{is_commit, is_sha256, percent, write_renamed};
use toolkit_store::{Digest, Source, StepProgress};
use toolkit_system::digest::sha256_hex;

/// One repository of the Hub at a revision, in a store.
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

    /// Compares what is here of the known commit with its inventory, and removes what is damaged so
    /// that it is fetched again; offline that is an error. Says whether there is an entry for all.
    fn mend(&self, path: Option<&str>, progress: &dyn StepProgress) -> Result<bool, FetchError> {
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

    fn inventory(&self, commit: &str) -> Inventory {
        Inventory::of_commit(self.fetcher.store().root(), self.place.folder(), commit)
    }

    fn is_recorded(&self, commit: &str, name: &str) -> Result<bool, FetchError> {
        match self.inventory(commit).read() {
            Ok(entries) => Ok(entries.is_some_and(|entries| entries.contains_key(name))),
            Err(error) if self.fetcher.is_offline() => Err(error.into()),
            // What the Hub says replaces it.
            Err(_) => Ok(false),
        }
    }

    /// Says whether a file is here as its entry has it. A damaged one is removed; offline it is an
    /// error.
    fn is_whole(
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
            // Last, so that a branch never stands for a commit that is not there.
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

    /// Gets a file and gives its commit. `listed` is its size as the listing of the folder has it.
    fn fetch_file(
        &self,
        http: &Http,
        rev: &str,
        path: &str,
        listed: Option<u64>,
        progress: &dyn StepProgress,
    ) -> Result<String, FetchError> {
        let url = self.url(rev, path);
        let mut meta = Meta::ask(http, &url)?;
        if let (Some(listed), Some(size)) = (listed, meta.size.filter(|size| Some(*size) != listed))
        {
            let what = format!("it lists {listed} bytes and offers {size}");
            return Err(FetchError::answer(what, &url));
        }
        meta.size = meta.size.or(listed);
        let commit = match meta.commit.take() {
            _ if is_commit(rev) => rev.to_owned(),
            Some(commit) if is_commit(&commit) => commit,
            _ => self.ask_listing(http)?.commit,
        };
        let place = self.place.folder().join(&commit).join(path);
        if self.is_whole(&commit, path, progress)? {
            return Ok(commit);
        }
        let part = self.part_name(&meta, &commit, path);
        let _lock = lock(
            self.fetcher.store().root(),
            &format!("hf-{}-{part}", self.repo.replace('/', "--")),
            progress,
        )?;
        // Somebody else may have brought it meanwhile, or an older version, which kept no
        // inventory.
        if place.is_file() && !self.is_whole(&commit, path, progress)? {
            match self.promised(&meta, path, &place, progress) {
                Ok(sha256) => self.inventory(&commit).put(path, &sha256, progress)?,
                Err(error) => {
                    progress.note(&format!("it is fetched again: {error}"));
                    self.fetcher.remove(&place)?;
                }
            }
        }
        if !place.is_file() {
            let part = self.place.folder().join("parts").join(format!("{part}.part"));
            // At the commit, so that a push in between changes nothing.
            let url = self.url(&commit, path);
            let most = self.fetcher.limits().unsized_download();
            let download = Download { http, url: &url, meta: &meta, part: &part, name: path, most };
            let sha256 = self.bring(&download, &place, progress)?;
            self.inventory(&commit).put(path, &sha256, progress)?;
            self.compared.borrow_mut().insert(place);
        }
        Ok(commit)
    }

    /// Checks that a file is what the Hub names, as far as it does, and gives its sha256.
    fn promised(
        &self,
        meta: &Meta,
        name: &str,
        file: &Path,
        progress: &dyn StepProgress,
    ) -> Result<String, FetchError> {
        let hint = "it was removed; try again";
        let size = std::fs::metadata(file).map_err(FetchError::io("read", file))?.len();
        if let Some(expected) = meta.size.filter(|expected| *expected != size) {
            return Err(FetchError::damaged(
                file,
                &format!("it has {size} bytes, not {expected}"),
                hint,
            ));
        }
        if is_git_name(&meta.etag) {
            return Ok(git_checked_sha256(name, file, &meta.etag, hint)?);
        }
        let sha256 = sha256_of(file, progress)?;
        if is_sha256(&meta.etag) {
            compare(name, &meta.etag, &sha256, file, hint)?;
        }
        Ok(sha256)
    }

    /// Downloads, checks and names a file, and gives its sha256; the lock is held.
    fn bring(
        &self,
        download: &Download<'_>,
        place: &Path,
        progress: &dyn StepProgress,
    ) -> Result<String, FetchError> {
        let (part, etag) = (download.part, &download.meta.etag);
        for folder in [part, place].iter().filter_map(|path| path.parent()) {
            std::fs::create_dir_all(folder).map_err(FetchError::io("create", folder))?;
        }
        let blob = self.place.folder().join("blobs").join(etag);
        let has_blob = is_sha256(etag);
        if has_blob && blob.is_file() {
            if sha256_of(&blob, progress)? == *etag && std::fs::hard_link(&blob, place).is_ok() {
                return Ok(etag.clone());
            }
            std::fs::remove_file(&blob).map_err(FetchError::io("remove", &blob))?;
        }
        download.run(progress)?;
        let sha256 = match self.promised(download.meta, download.name, part, progress) {
            Ok(sha256) => sha256,
            Err(error) => {
                std::fs::remove_file(part).map_err(FetchError::io("remove", part))?;
                return Err(error);
            }
        };
        if has_blob {
            // Some file systems have no second names; then there is no blob.
            let _ = std::fs::create_dir_all(self.place.folder().join("blobs"))
                .and_then(|()| std::fs::hard_link(part, &blob));
        }
        std::fs::rename(part, place).map_err(FetchError::io("write", place))?;
        Ok(sha256)
    }

    /// Of the etag, so that a changed file starts anew.
    fn part_name(&self, meta: &Meta, commit: &str, path: &str) -> String {
        let etag: String = meta
            .etag
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
            .take(80)
            .collect();
        if etag.is_empty() { sha256_hex(format!("{commit} {path}").as_bytes()) } else { etag }
    }

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
