//! What brings missing files into a store: from the Hub and from package managers.

use crate::FetchError;
use crate::http::{Http, is_private};
use crate::hub::Hub;
use crate::limits::{self, Limits};
use std::env;
use std::ffi::OsString;
use std::fmt::{Debug, Formatter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use toolkit_store::layout::Manager;
use toolkit_store::problem::{bad_source, io};
use toolkit_store::{Digest, Source, StepProgress, Store, no_digest};

/// A client that fetches what a [`Store`] lacks.
///
/// ```no_run
/// use toolkit_fetch::Fetcher;
/// use toolkit_store::{Digest, NoProgress};
///
/// let source = "hf:Salesforce/blip2-opt-2.7b#config.json".parse()?;
/// let path = Fetcher::standard().get(&source, &Digest::default(), &NoProgress)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Fetcher {
    store: Store,
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

impl Fetcher {
    /// Creates a client of `store`. Reads `TOOLKIT_OFFLINE` and `HF_HUB_OFFLINE`, `HF_ENDPOINT`,
    /// `HF_TOKEN`, `TOOLKIT_MAX_FETCH`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        let text = |name: &str| {
            env::var(name)
                .ok()
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let limit = text("TOOLKIT_MAX_FETCH");
        Self {
            store,
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

    /// Creates a client of the user's store ([`Store::standard`]).
    #[must_use]
    pub fn standard() -> Self {
        Self::new(Store::standard())
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

    /// Returns the store that files are fetched into.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
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
                std::fs::metadata(path).map_err(io("read", path))?;
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
        progress: &dyn StepProgress,
    ) -> Result<PathBuf, FetchError> {
        digest.check_form(source)?;
        if let Some(text) = &self.bad_limit {
            let what = "TOOLKIT_MAX_FETCH is no size";
            let hint = "write bytes, or a number with K, M, G or T, such as 20G";
            return Err(bad_source(text, what, hint).into());
        }
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
                self.store.verify(path, digest, progress)?;
                path.clone()
            }
        };
        if digest.sha256.is_some() && path.is_dir() {
            return Err(no_digest(source).into());
        }
        Ok(path)
    }

    pub(crate) fn hub(&self) -> &str {
        &self.hub
    }

    /// Tells once if the token is not shown to the Hub.
    pub(crate) fn http(&self, progress: &dyn StepProgress) -> Result<Http, FetchError> {
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
        let hint = format!(
            "unset TOOLKIT_OFFLINE and HF_HUB_OFFLINE, or fetch it where there is a network and \
            copy the folder{how}"
        );
        FetchError::offline(source, self.store.root(), hint)
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
impl Debug for Fetcher {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { store, offline, tools_path, hub, .. } = self;
        f.debug_struct("Fetcher")
            .field("store", store)
            .field("offline", offline)
            .field("tools_path", tools_path)
            .field("hub", hub)
            .finish_non_exhaustive()
    }
}

/// As the Hub's own tools read it: anything but empty, `0`, `false`, `no` and `off`.
fn is_on(value: Option<OsString>) -> bool {
    value.is_some_and(|value| {
        !["", "0", "false", "no", "off"].contains(&value.to_string_lossy().to_lowercase().as_str())
    })
}

#[cfg(test)]
#[path = "tests/fetcher.rs"]
mod tests;
