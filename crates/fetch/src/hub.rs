//! Files and folders of a model repository of the Hub, kept by commit.
//!
//! `hf/owner--name/<commit>/path` are the files, `refs/<branch>` the commit that a branch last stood for,
//! `listings/<commit>` the names of a whole folder, `parts/` what is half there, and `blobs/<sha256>` second names
//! (hard links) of large files, so that the next commit with the same weights does not fetch them again.
//!
//! The Hub names a sha256 for large files only. Small ones (configurations, vocabularies) are checked by length, unless
//! the caller knows a digest.

use crate::digest::{compare, sha256_hex, sha256_of};
use crate::download::{Download, Meta};
use crate::http::{Http, Trouble, network};
use crate::lock::lock;
use crate::paths::{is_commit, is_inside, is_sha256, percent};
use crate::progress::{Progress, Step};
use crate::{Digest, FetchError, Source, Store};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use ureq::http::Method;

/// One repository of the Hub at a revision, in a store.
pub(crate) struct Hub<'a> {
    store: &'a Store,
    repo: &'a str,
    rev: &'a str,
    folder: PathBuf,
}

/// The part of the Hub's answer that is used.
#[derive(Deserialize)]
struct Listing {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

impl<'a> Hub<'a> {
    pub(crate) fn new(store: &'a Store, repo: &'a str, rev: &'a str) -> Self {
        let folder = store.root().join("hf").join(repo.replace('/', "--"));
        Self { store, repo, rev, folder }
    }

    pub(crate) fn have(&self, path: Option<&str>) -> Option<PathBuf> {
        let commit = self.known_commit()?;
        let folder = self.folder.join(&commit);
        match path {
            Some(path) => Some(folder.join(path)).filter(|path| path.is_file()),
            None => {
                let names = self.known_listing(&commit)?;
                names.iter().all(|name| folder.join(name).is_file()).then_some(folder)
            }
        }
    }

    pub(crate) fn plan(&self, path: Option<&str>) -> Vec<String> {
        if self.have(path).is_some() {
            return Vec::new();
        }
        let Some(path) = path else {
            let known = Some(self.rev).filter(|rev| is_commit(rev)).and_then(|commit| self.known_listing(commit));
            return match known {
                Some(mut names) => {
                    names.retain(|name| !self.folder.join(self.rev).join(name).is_file());
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
        progress: &dyn Progress,
    ) -> Result<PathBuf, FetchError> {
        let here = self.have(path);
        let place = match here {
            Some(here) if is_commit(self.rev) || self.store.is_offline() => here,
            None if self.store.is_offline() => {
                let path = path.map(str::to_owned);
                let source = Source::Hf { repo: self.repo.to_owned(), rev: self.rev.to_owned(), path: path.clone() };
                return Err(self.store.offline_error(&source, &self.plan(path.as_deref())));
            }
            here => match (self.fetch(path, progress), here) {
                (Err(error @ FetchError::Network { .. }), Some(here)) => {
                    let what =
                        format!("{} of {} as it was here, for the Hub does not answer ({error})", self.rev, self.repo);
                    drop(Step::new(progress, &what, None));
                    here
                }
                (fetched, _) => fetched?,
            },
        };
        if let Some(expected) = digest.sha256.as_ref().filter(|_| path.is_some()) {
            let got = sha256_of(&place, progress)?;
            if let Err(error) = compare(path.unwrap_or_default(), expected, &got, &place, self.store.removed()) {
                self.store.remove(&place)?;
                return Err(error);
            }
        }
        Ok(place)
    }

    fn fetch(&self, path: Option<&str>, progress: &dyn Progress) -> Result<PathBuf, FetchError> {
        let http = self.store.http()?;
        let (commit, place) = match path {
            Some(path) => {
                let commit = self.fetch_file(&http, self.rev, path, progress)?;
                let place = self.folder.join(&commit).join(path);
                (commit, place)
            }
            None => {
                let commit = self.fetch_folder(&http, progress)?;
                let place = self.folder.join(&commit);
                (commit, place)
            }
        };
        if self.rev != commit {
            // Last, so that a branch never stands for a commit that is not there.
            write_renamed(&self.ref_file(), &format!("{commit}\n"))?;
        }
        Ok(place)
    }

    fn fetch_folder(&self, http: &Http, progress: &dyn Progress) -> Result<String, FetchError> {
        let known = Some(self.rev.to_owned()).filter(|rev| is_commit(rev));
        let known = known.and_then(|commit| self.known_listing(&commit).map(|names| (commit, names)));
        let (commit, names) = match known {
            Some(known) => known,
            None => self.ask_listing(http)?,
        };
        write_renamed(&self.listing_file(&commit), &(names.join("\n") + "\n"))?;
        for name in &names {
            if !self.folder.join(&commit).join(name).is_file() {
                self.fetch_file(http, &commit, name, progress)?;
            }
        }
        Ok(commit)
    }

    /// Gets a file and gives its commit.
    fn fetch_file(&self, http: &Http, rev: &str, path: &str, progress: &dyn Progress) -> Result<String, FetchError> {
        let mut meta = Meta::ask(http, &self.url(rev, path))?;
        let commit = match meta.commit.take() {
            _ if is_commit(rev) => rev.to_owned(),
            Some(commit) if is_commit(&commit) => commit,
            _ => self.ask_listing(http)?.0,
        };
        let place = self.folder.join(&commit).join(path);
        if place.is_file() {
            return Ok(commit);
        }
        let part = self.part_name(&meta, &commit, path);
        let _lock = lock(self.store.root(), &format!("hf-{}-{part}", self.repo.replace('/', "--")), progress)?;
        if !place.is_file() {
            let part = self.folder.join("parts").join(format!("{part}.part"));
            // At the commit, so that a push in between changes nothing.
            let url = self.url(&commit, path);
            self.bring(&Download { http, url: &url, meta: &meta, part: &part, name: path }, &place, progress)?;
        }
        Ok(commit)
    }

    /// Downloads, checks and names; the lock is held.
    fn bring(&self, download: &Download<'_>, place: &Path, progress: &dyn Progress) -> Result<(), FetchError> {
        let (part, etag) = (download.part, &download.meta.etag);
        for folder in [part, place].iter().filter_map(|path| path.parent()) {
            std::fs::create_dir_all(folder).map_err(FetchError::io("create", folder))?;
        }
        if !is_sha256(etag) {
            download.run(progress)?;
            return std::fs::rename(part, place).map_err(FetchError::io("write", place));
        }
        let blob = self.folder.join("blobs").join(etag);
        if blob.is_file() {
            if sha256_of(&blob, progress)? == *etag && std::fs::hard_link(&blob, place).is_ok() {
                return Ok(());
            }
            std::fs::remove_file(&blob).map_err(FetchError::io("remove", &blob))?;
        }
        download.run(progress)?;
        if let Err(error) = compare(download.name, etag, &sha256_of(part, progress)?, part, "it was removed; try again")
        {
            std::fs::remove_file(part).map_err(FetchError::io("remove", part))?;
            return Err(error);
        }
        // Some file systems have no second names; then there is no blob.
        let _ = std::fs::create_dir_all(self.folder.join("blobs")).and_then(|()| std::fs::hard_link(part, &blob));
        std::fs::rename(part, place).map_err(FetchError::io("write", place))
    }

    /// Of the etag, so that a changed file starts anew.
    fn part_name(&self, meta: &Meta, commit: &str, path: &str) -> String {
        let etag: String =
            meta.etag.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).take(80).collect();
        if etag.is_empty() { sha256_hex(format!("{commit} {path}").as_bytes()) } else { etag }
    }

    fn ask_listing(&self, http: &Http) -> Result<(String, Vec<String>), FetchError> {
        let url = self.listing_url();
        let bad = |what: String| FetchError::Answer { what: crate::error::one_line(&what), url: url.clone() };
        let text = http.patiently(|| {
            let mut response = http.send(&Method::GET, &url, &[], |_| false)?;
            let text = response.body_mut().with_config().limit(1 << 26).read_to_string();
            text.map_err(|error| Trouble::passing(network(&error.to_string(), &url, "try again"), None))
        })?;
        let listing: Listing = serde_json::from_str(&text).map_err(|error| bad(format!("bad listing: {error}")))?;
        if !is_commit(&listing.sha) {
            return Err(bad(format!("`{}` is no commit", listing.sha)));
        }
        let names: Vec<String> = listing.siblings.into_iter().map(|sibling| sibling.rfilename).collect();
        if let Some(name) = names.iter().find(|name| !is_inside(name)) {
            return Err(bad(format!("it lists `{name}`, which is no path inside the folder")));
        }
        Ok((listing.sha, wanted(names)))
    }

    fn url(&self, rev: &str, path: &str) -> String {
        format!("{}/{}/resolve/{}/{}", self.store.hub(), self.repo, percent(rev, ""), percent(path, "/"))
    }

    fn listing_url(&self) -> String {
        format!("{}/api/models/{}/revision/{}", self.store.hub(), self.repo, percent(self.rev, ""))
    }

    fn ref_file(&self) -> PathBuf {
        self.folder.join("refs").join(percent(self.rev, ""))
    }

    fn listing_file(&self, commit: &str) -> PathBuf {
        self.folder.join("listings").join(commit)
    }

    /// The commit of the revision, as far as the store knows.
    fn known_commit(&self) -> Option<String> {
        if is_commit(self.rev) {
            return Some(self.rev.to_owned());
        }
        let text = std::fs::read_to_string(self.ref_file()).ok()?;
        Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    fn known_listing(&self, commit: &str) -> Option<Vec<String>> {
        let text = std::fs::read_to_string(self.listing_file(commit)).ok()?;
        Some(text.lines().map(str::to_owned).collect())
    }
}

/// Without the repository's own dot files; with safetensors there, also without the same weights in other formats.
fn wanted(mut names: Vec<String>) -> Vec<String> {
    let extension = |name: &str| name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let is = |name: &str, kinds: &[&str]| extension(name).is_some_and(|own| kinds.contains(&own.as_str()));
    names.retain(|name| !name.rsplit('/').next().is_some_and(|last| last.starts_with('.')));
    if names.iter().any(|name| is(name, &["safetensors"])) {
        let other = ["bin", "msgpack", "h5", "ot", "onnx", "onnx_data"];
        names.retain(|name| !is(name, &other) && !name.split('/').rev().skip(1).any(|folder| folder == "onnx"));
    }
    names
}

/// Writes a small file in one go, whoever else writes it.
fn write_renamed(path: &Path, text: &str) -> Result<(), FetchError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(FetchError::io("create", folder))?;
    }
    let thread = format!("{:?}", std::thread::current().id());
    let own = format!("{}-{}.tmp", std::process::id(), percent(&thread, ""));
    let temp = path.with_added_extension(own);
    std::fs::write(&temp, text).map_err(FetchError::io("write", &temp))?;
    std::fs::rename(&temp, path).map_err(FetchError::io("write", path))
}

#[cfg(test)]
#[path = "tests/hub.rs"]
mod tests;
