//! A file of a repository: its facts, download, check and renaming.

use super::Hub;
use crate::FetchError;
use crate::download::{Download, Meta};
use crate::git::{git_checked_sha256, is_git_name};
use crate::http::Http;
use std::path::Path;
use toolkit_store::StepProgress;
use toolkit_store::digest::{compare, sha256_of};
use toolkit_store::lock::lock;
use toolkit_store::paths::{is_commit, is_sha256};
use toolkit_system::digest::sha256_hex;

impl Hub<'_> {
    /// Fetches a file and returns its commit. `listed` is its size in the listing of the folder, in
    /// bytes.
    pub(super) fn fetch_file(
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
        // Another process may have fetched it meanwhile, or an older version, which wrote no
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

    /// Compares a file with the size and digest that the Hub states, and returns its sha256.
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

    /// Downloads, checks and renames a file, and returns its sha256. The caller holds the lock.
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

    /// Returns the name of a `.part`, made of the etag so that a changed file starts anew.
    fn part_name(&self, meta: &Meta, commit: &str, path: &str) -> String {
        let etag: String = meta
            .etag
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
            .take(80)
            .collect();
        if etag.is_empty() { sha256_hex(format!("{commit} {path}").as_bytes()) } else { etag }
    }
}
