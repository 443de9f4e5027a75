//! The folder on disk that all fetched files are in.

use crate::digest::{compare, sha256_of};
use crate::http::{Http, is_private};
use crate::hub::Hub;
use crate::inventory::{Depth, Inventory};
use crate::limits::{self, Limits};
use crate::manager::Manager;
use crate::{Digest, FetchError, Progress, Source, paths};
use std::env;
use std::ffi::OsString;
use std::fmt::{Debug, Formatter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Fetches what is missing and says where it is.
///
/// Below the root: `hf/owner--name/<commit>/path`, and `pip`, `apt`, `npm` with a folder
/// `name@version` per unpacked package, a `name@version.json` that says which archive it was and a
/// `name@version.files.json` with the digest of each file. Files in it are shared, also between
/// processes: do not write to them.
#[derive(Clone)]
pub struct Store {
    root: PathBuf,
    offline: bool,
    tools_path: Option<OsString>,
    hub: String,
    token: Option<String>,
    backoff: Duration,
    limits: Limits,
    /// A value of `TOOLKIT_MAX_FETCH` that is no size.
    bad_limit: Option<String>,
    /// That the token is not shown was told.
    warned: Arc<AtomicBool>,
}

/// The public Hub, unless `HF_ENDPOINT` names another.
const HUB: &str = "https://huggingface.co";

impl Store {
    /// A store at `root`, which is made when something is fetched. Reads `TOOLKIT_OFFLINE` and
    /// `HF_HUB_OFFLINE`, `HF_ENDPOINT`, `HF_TOKEN`, `TOOLKIT_MAX_FETCH`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let text = |name: &str| {
            env::var(name)
                .ok()
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let limit = text("TOOLKIT_MAX_FETCH");
        Self {
            // Tools run in another folder.
            root: std::path::absolute(&root).unwrap_or(root),
            offline: ["TOOLKIT_OFFLINE", "HF_HUB_OFFLINE"]
                .iter()
                .any(|name| is_on(env::var_os(name))),
            tools_path: None,
            hub: HUB.to_owned(),
            token: None,
            backoff: Duration::from_millis(500),
            limits: Limits { allowed: limit.as_deref().and_then(limits::parse_size) },
            bad_limit: limit.filter(|text| limits::parse_size(text).is_none()),
            warned: Arc::default(),
        }
        .hub_at(text("HF_ENDPOINT").unwrap_or_else(|| HUB.to_owned()))
        .token(text("HF_TOKEN"))
    }

    /// The user's store: `$TOOLKIT_CACHE`, or `$XDG_CACHE_HOME/toolkit`, or `~/.cache/toolkit`.
    pub fn standard() -> Self {
        Self::new(standard_root(|name| env::var_os(name)))
    }

    /// Whether the network may not be asked.
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// The folders to look for pip, apt and npm in, as in `PATH`; `PATH` itself unless set.
    pub fn tools_path(mut self, path: impl Into<OsString>) -> Self {
        self.tools_path = Some(path.into());
        self
    }

    /// The Hub to ask, `https://host`; `HF_ENDPOINT`, or the public Hub, unless set.
    pub fn hub_at(mut self, url: impl Into<String>) -> Self {
        self.hub = url.into().trim_end_matches('/').to_owned();
        self
    }

    /// The token to show to the Hub, and to no other host; `HF_TOKEN` unless set.
    pub fn token(mut self, token: Option<String>) -> Self {
        self.token = token;
        self
    }

    /// How long to wait before the second try of a request; doubles with each further one. Half a
    /// second unless set.
    pub fn backoff(mut self, backoff: Duration) -> Self {
        self.backoff = backoff;
        self
    }

    /// The most bytes that a package may have, packed and unpacked, and a file whose size the
    /// server does not tell; `TOOLKIT_MAX_FETCH`, or what a package of its size usually has, unless
    /// set.
    pub fn max_fetch(mut self, bytes: u64) -> Self {
        self.limits.allowed = Some(bytes);
        self.bad_limit = None;
        self
    }

    /// Where the store is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the file or folder is, if it is there. Asks no network, checks no digest.
    pub fn have(&self, source: &Source) -> Option<PathBuf> {
        match source {
            Source::Hf { repo, rev, path } => Hub::new(self, repo, rev).have(path.as_deref()),
            Source::Pip(package) => self.have_package(Manager::Pip, package),
            Source::Apt(package) => self.have_package(Manager::Apt, package),
            Source::Npm(package) => self.have_package(Manager::Npm, package),
            Source::File(path) => path.exists().then(|| path.clone()),
        }
    }

    /// What [`Self::get`] would run: commands or addresses, one a line; empty when the file or
    /// folder is there. Asks no network. (A branch that is there is still asked for its newest
    /// commit by `get`.)
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
                self.local(path)?;
                Vec::new()
            }
        })
    }

    /// The path of the file or folder, fetched first if it is not there, and checked against
    /// `digest`.
    ///
    /// # Errors
    /// What [`FetchError`] lists. After a wrong digest the file (or the package it is in) is
    /// removed, unless the store is offline.
    pub fn get(
        &self,
        source: &Source,
        digest: &Digest,
        progress: &dyn Progress,
    ) -> Result<PathBuf, FetchError> {
        for sha256 in [&digest.sha256, &digest.package_sha256].into_iter().flatten() {
            if !paths::is_sha256(&sha256.to_ascii_lowercase()) {
                return Err(FetchError::source(
                    &source.to_string(),
                    &format!("`{sha256}` is no sha256"),
                    "it has 64 hex digits",
                ));
            }
        }
        if let Some(text) = &self.bad_limit {
            let what = "TOOLKIT_MAX_FETCH is no size";
            return Err(FetchError::source(
                text,
                what,
                "write bytes, or a number with K, M, G or T, such as 20G",
            ));
        }
        let path = match source {
            Source::Hf { path: None, .. } if digest.sha256.is_some() => {
                return Err(no_digest(source));
            }
            Source::Hf { repo, rev, path } => {
                Hub::new(self, repo, rev).get(path.as_deref(), digest, progress)?
            }
            Source::Pip(package) => self.get_package(Manager::Pip, package, digest, progress)?,
            Source::Apt(package) => self.get_package(Manager::Apt, package, digest, progress)?,
            Source::Npm(package) => self.get_package(Manager::Npm, package, digest, progress)?,
            Source::File(path) => {
                self.local(path)?;
                self.as_it_came(path, progress)?;
                if let Some(expected) = digest.sha256.as_ref().filter(|_| path.is_file()) {
                    let hint = "it is not the file that was meant; it was left as it is";
                    compare("the file", expected, &sha256_of(path, progress)?, path, hint)?;
                }
                path.clone()
            }
        };
        if digest.sha256.is_some() && path.is_dir() {
            return Err(no_digest(source));
        }
        Ok(path)
    }

    fn local(&self, path: &Path) -> Result<(), FetchError> {
        std::fs::metadata(path).map(|_| ()).map_err(FetchError::io("read", path))
    }

    /// Refuses a file or folder of this store that changed since it was fetched, as far as length
    /// and time tell.
    fn as_it_came(&self, path: &Path, progress: &dyn Progress) -> Result<(), FetchError> {
        let Some((inventory, name)) = Inventory::of(&self.root, path) else { return Ok(()) };
        match inventory.damaged(&name, Depth::Quick, progress)?.into_iter().next() {
            None => Ok(()),
            Some((file, what)) => {
                let hint = "`toolkit data fetch` of the same name fetches it again; `toolkit \
                    doctor --check` looks at all";
                Err(FetchError::damaged(&file, &what, hint))
            }
        }
    }

    pub(crate) fn hub(&self) -> &str {
        &self.hub
    }

    /// Tells once if the token is not shown to the Hub.
    pub(crate) fn http(&self, progress: &dyn Progress) -> Result<Http, FetchError> {
        if self.token.is_some()
            && !is_private(&self.hub)
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            progress.note(&format!(
                "warning: HF_TOKEN is not sent to {}, where others could read it",
                self.hub
            ));
        }
        Http::new(&self.hub, self.token.as_deref(), self.backoff)
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn is_offline(&self) -> bool {
        self.offline
    }

    pub(crate) fn program_path(&self) -> OsString {
        self.tools_path.clone().or_else(|| env::var_os("PATH")).unwrap_or_default()
    }

    pub(crate) fn offline_error(&self, source: &Source, plan: &[String]) -> FetchError {
        let how = plan.first().map_or(String::new(), |line| format!("; there it runs: {line}"));
        FetchError::Offline {
            source_text: source.to_string(),
            store: self.root.clone(),
            hint: format!(
                "unset TOOLKIT_OFFLINE and HF_HUB_OFFLINE, \
                 or fetch it where there is a network and copy the folder{how}"
            ),
        }
    }

    /// Removes a file or folder whose content is wrong. Not offline: it could not be fetched again,
    /// and the digest may be what is wrong.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), FetchError> {
        if self.offline {
            return Ok(());
        }
        let removed =
            if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        removed.map_err(FetchError::io("remove", path))
    }

    /// What [`Self::remove`] does, for an error.
    pub(crate) fn removed(&self) -> &'static str {
        if self.offline {
            "it was left, being offline; check the digest, or fetch it again"
        } else {
            "it was removed; check the digest, then try again"
        }
    }
}

/// The token stays out of logs.
impl Debug for Store {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { root, offline, tools_path, hub, .. } = self;
        f.debug_struct("Store")
            .field("root", root)
            .field("offline", offline)
            .field("tools_path", tools_path)
            .field("hub", hub)
            .finish_non_exhaustive()
    }
}

fn standard_root(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || set("HOME").or_else(|| set("USERPROFILE")).unwrap_or_else(env::temp_dir);
    let cache = || set("XDG_CACHE_HOME").unwrap_or_else(|| home().join(".cache")).join("toolkit");
    set("TOOLKIT_CACHE").unwrap_or_else(cache)
}

fn no_digest(source: &Source) -> FetchError {
    FetchError::source(
        &source.to_string(),
        "a folder has no sha256",
        "name a file after `#`, or use package_sha256",
    )
}

/// As the Hub's own tools read it: anything but empty, `0`, `false`, `no` and `off`.
fn is_on(value: Option<OsString>) -> bool {
    value.is_some_and(|value| {
        !["", "0", "false", "no", "off"].contains(&value.to_string_lossy().to_lowercase().as_str())
    })
}

#[cfg(test)]
#[path = "tests/store.rs"]
mod tests;
