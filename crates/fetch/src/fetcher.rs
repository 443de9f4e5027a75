//! The client that fetches what a store lacks: settings, and the rules that all sources share.

use crate::FetchError;
use crate::http::{Http, is_private};
use crate::limits::Limits;
use std::env;
use std::ffi::OsString;
use std::fmt::{Debug, Formatter};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use toolkit_store::problem::bad_source;
use toolkit_store::{Source, StepProgress, Store};
use toolkit_system::size::parse_size;

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
    /// `true` once the warning about a token that is not sent was given.
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
            limits: Limits { allowed: limit.as_deref().and_then(parse_size) },
            bad_limit: limit.filter(|text| parse_size(text).is_none()),
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

    /// Sets if the network may not be asked; overrides `TOOLKIT_OFFLINE` and `HF_HUB_OFFLINE`.
    #[must_use]
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// Sets the folders that pip, apt and npm are looked for in, written like `PATH`. The default
    /// is `PATH`.
    #[must_use]
    pub fn tools_path(mut self, path: impl Into<OsString>) -> Self {
        self.tools_path = Some(path.into());
        self
    }

    /// Sets the address of the Hub, `https://host`. The default is `HF_ENDPOINT`, or else the
    /// public Hub.
    #[must_use]
    pub fn hub_at(mut self, url: impl Into<String>) -> Self {
        self.hub = url.into().trim_end_matches('/').to_owned();
        self
    }

    /// Sets the token that is sent to the Hub and to no other host; the default is `HF_TOKEN`.
    #[must_use]
    pub fn token(mut self, token: Option<String>) -> Self {
        self.token = token;
        self
    }

    /// Sets the wait before the second try of a request, half a second by default. It doubles with
    /// each further try.
    #[must_use]
    pub fn backoff(mut self, backoff: Duration) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets the most bytes that a package may have, packed and unpacked, and a file whose size the
    /// server does not state.
    ///
    /// The default is `TOOLKIT_MAX_FETCH`, or what a package of its size usually has.
    #[must_use]
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

    /// Checks `TOOLKIT_MAX_FETCH`.
    pub(crate) fn check_limit(&self) -> Result<(), FetchError> {
        let Some(text) = &self.bad_limit else { return Ok(()) };
        let what = "TOOLKIT_MAX_FETCH is no size";
        let hint = "write bytes, or a number with K, M, G or T, such as 20G";
        Err(bad_source(text, what, hint).into())
    }

    pub(crate) fn hub(&self) -> &str {
        &self.hub
    }

    /// Opens a connection to the Hub. Warns once if the token is not sent there.
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

    /// Returns the hint of an error after [`Self::remove`].
    pub(crate) fn removed(&self) -> &'static str {
        if self.offline {
            "it was left, being offline; check the digest, or fetch it again"
        } else {
            "it was removed; check the digest, then try again"
        }
    }
}

// By hand: the token stays out of logs.
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

/// Returns `true` for any value but empty, `0`, `false`, `no` and `off`, as the Hub's own tools do.
fn is_on(value: Option<OsString>) -> bool {
    value.is_some_and(|value| {
        !["", "0", "false", "no", "off"].contains(&value.to_string_lossy().to_lowercase().as_str())
    })
}

#[cfg(test)]
#[path = "tests/fetcher.rs"]
mod tests;
