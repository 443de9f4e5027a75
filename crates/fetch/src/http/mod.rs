//! Requests to the Hub: redirects, retries and the meaning of error statuses.

mod address;

pub(crate) use address::is_private;

use crate::FetchError;
use crate::error::one_line;
use address::{resolve, same_host, shown};
use std::time::Duration;
use toolkit_system::problem::Problem;
use ureq::config::Config;
use ureq::http::header::{AUTHORIZATION, LOCATION, RETRY_AFTER};
use ureq::http::{HeaderMap, Method, Request, Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// Tries in a row that bring nothing new, then the error is final.
const TRIES: u32 = 5;
const REDIRECTS: usize = 10;
/// The longest wait between two tries, even if a server asks for more.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Another try would end the same.
    Final(Box<FetchError>),
    /// Another try may help, after a time the server may have named.
    Again(Box<FetchError>, Option<Duration>),
}

impl Trouble {
    pub(crate) fn fatal(error: FetchError) -> Self {
        Self::Final(Box::new(error))
    }

    pub(crate) fn passing(error: FetchError, wait: Option<Duration>) -> Self {
        Self::Again(Box::new(error), wait)
    }
}

/// Counts tries and waits between them, longer each time.
pub(crate) struct Patience {
    backoff: Duration,
    failures: u32,
}

impl Patience {
    /// Waits after a failure that may pass. Returns any other, and the last of too many.
    pub(crate) fn wait(&mut self, trouble: Trouble, progressed: bool) -> Result<(), FetchError> {
        let (error, asked) = match trouble {
            Trouble::Final(error) => return Err(*error),
            Trouble::Again(error, asked) => (error, asked),
        };
        self.failures = if progressed { 1 } else { self.failures + 1 };
        if self.failures >= TRIES {
            return Err(*error);
        }
        let own = self.backoff * 2u32.pow(self.failures - 1);
        std::thread::sleep(own.max(asked.unwrap_or_default()).min(LONGEST_WAIT));
        Ok(())
    }
}

/// A connection to the Hub, with its token.
pub(crate) struct Http {
    agent: Agent,
    endpoint: String,
    /// Never sent to an endpoint without encryption.
    token: Option<String>,
    /// There is a token, and the endpoint may not see it.
    withheld: bool,
    backoff: Duration,
}

impl Http {
    pub(crate) fn new(
        endpoint: &str,
        token: Option<&str>,
        backoff: Duration,
    ) -> Result<Self, FetchError> {
        if token.is_some_and(|token| token.contains(|c: char| !c.is_ascii_graphic())) {
            return Err(network(
                "the token has characters that no token has",
                endpoint,
                "check HF_TOKEN",
            ));
        }
        let mut tls = TlsConfig::builder();
        if let Some(roots) = own_roots()? {
            tls = tls.root_certs(roots);
        }
        let config: Config = Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            // Done here: the Hub's headers are on the redirect, and the token must not follow it
            // everywhere.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("toolkit-fetch/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_connect(Some(Duration::from_secs(20)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .timeout_per_read(Some(Duration::from_secs(60)))
            .build();
        let shown = token.filter(|_| is_private(endpoint)).map(str::to_owned);
        let withheld = token.is_some() && shown.is_none();
        Ok(Self {
            agent: config.new_agent(),
            endpoint: endpoint.to_owned(),
            token: shown,
            withheld,
            backoff,
        })
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience { backoff: self.backoff, failures: 0 }
    }

    /// Repeats `request` while it may help.
    pub(crate) fn patiently<T>(
        &self,
        mut request: impl FnMut() -> Result<T, Trouble>,
    ) -> Result<T, FetchError> {
        let mut patience = self.patience();
        loop {
            match request() {
                Ok(answer) => return Ok(answer),
                Err(trouble) => patience.wait(trouble, false)?,
            }
        }
    }

    /// Follows redirects to an answer that is neither a redirect nor an error (or `416`, which the
    /// caller understands). `enough` sees the headers of each redirect and may stop there.
    pub(crate) fn send(
        &self,
        method: &Method,
        url: &str,
        headers: &[(&str, String)],
        mut enough: impl FnMut(&HeaderMap) -> bool,
    ) -> Result<Response<Body>, Trouble> {
        let mut url = url.to_owned();
        for _ in 0..=REDIRECTS {
            let mut request = Request::builder().method(method).uri(&url);
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            if let Some(token) = self.token.as_ref().filter(|_| same_host(&url, &self.endpoint)) {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            let request = request.body(()).map_err(|error| {
                Trouble::fatal(network(&format!("bad address: {error}"), &url, "check HF_ENDPOINT"))
            })?;
            let response = self.agent.run(request).map_err(|error| broken(&error, &url))?;
            let status = response.status();
            if !status.is_redirection() {
                return match status {
                    _ if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE => {
                        Ok(response)
                    }
                    _ => Err(self.refused(&response, &url)),
                };
            }
            if enough(response.headers()) {
                return Ok(response);
            }
            let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let target = target.and_then(|target| resolve(&url, target)).ok_or_else(|| {
                Trouble::fatal(network("a redirect leads nowhere", &url, "check HF_ENDPOINT"))
            })?;
            if url.starts_with("https:") && !target.starts_with("https:") {
                let hint = "a proxy or mirror takes away the encryption; check HF_ENDPOINT";
                return Err(Trouble::fatal(network(
                    "a redirect leads from https to http",
                    &url,
                    hint,
                )));
            }
            url = target;
        }
        Err(Trouble::fatal(network("too many redirects", &url, "check HF_ENDPOINT and proxies")))
    }

    /// Explains an error status.
    fn refused(&self, response: &Response<Body>, url: &str) -> Trouble {
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let status = response.status();
        let with_token = self.token.is_some();
        let (what, hint) = match (status.as_u16(), header("x-error-code")) {
            (401 | 403, _) if with_token => (
                "the token may not read it, or it does not exist",
                "accept the terms on the model's page with the account of HF_TOKEN, or check the \
                name",
            ),
            (401 | 403, _) if self.withheld => (
                "it needs a login, and HF_TOKEN is not sent without encryption",
                "write https:// in HF_ENDPOINT",
            ),
            (401 | 403, _) => (
                "it needs a login, or does not exist",
                "check the name; for a gated or private model accept its terms on its page and set \
                HF_TOKEN",
            ),
            (404, Some("RevisionNotFound")) => {
                ("no such revision", "check the branch, tag or commit after `@`")
            }
            (404, Some("EntryNotFound")) => {
                ("no such file in this revision", "check the path after `#`")
            }
            (404, Some("RepoNotFound")) => {
                ("no such model", "check owner/name; a private model needs HF_TOKEN")
            }
            (404 | 410, _) => {
                ("not there", "check owner/name, the revision after `@` and the path after `#`")
            }
            (429, _) => {
                ("too many requests", "wait some minutes; a login (HF_TOKEN) is allowed more")
            }
            (500.., _) => ("the server failed", "try again later; what has arrived is kept"),
            _ => ("the server refused", "check the source and HF_ENDPOINT"),
        };
        let error = FetchError::status(what, status.as_u16(), &shown(url), hint);
        if matches!(status.as_u16(), 408 | 429 | 500..) {
            let wait = header(RETRY_AFTER.as_str()).and_then(|seconds| seconds.trim().parse().ok());
            Trouble::passing(error, wait.map(Duration::from_secs))
        } else {
            Trouble::fatal(error)
        }
    }
}

/// Reads the certificates of `SSL_CERT_FILE`, which a network with a proxy that decrypts needs.
/// `None` if it is not set.
fn own_roots() -> Result<Option<RootCerts>, FetchError> {
    let Some(file) = std::env::var_os("SSL_CERT_FILE")
        .filter(|file| !file.is_empty())
        .map(std::path::PathBuf::from)
    else {
        return Ok(None);
    };
    let pem = std::fs::read(&file).map_err(FetchError::io("read", &file))?;
    let items = ureq::tls::parse_pem(&pem).flatten();
    let certificates: Vec<Certificate<'static>> = items
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(FetchError::archive(
            &file,
            "no certificate in SSL_CERT_FILE",
            "point it to a PEM file, or unset it",
        ));
    }
    Ok(Some(RootCerts::new_with_certs(&certificates)))
}

pub(crate) fn network(what: &str, url: &str, hint: &str) -> FetchError {
    let what = format!("network: {}", one_line(what));
    FetchError::Network(Problem::new(what).at(shown(url)).hint(hint))
}

/// Explains a request that brought no answer.
fn broken(error: &ureq::Error, url: &str) -> Trouble {
    use ureq::Error as E;
    let offline =
        "check the network, proxies and HF_ENDPOINT; without a network set TOOLKIT_OFFLINE=1";
    let certificate =
        "set SSL_CERT_FILE to the certificates of your proxy (PEM), or check the clock";
    match error {
        E::HostNotFound => Trouble::fatal(network("no such host", url, offline)),
        // Without a network this is what fails, and waiting does not help.
        E::Io(inner) if inner.to_string().contains("lookup address") => {
            Trouble::fatal(network(&inner.to_string(), url, offline))
        }
        E::BadUri(_) | E::Http(_) | E::InvalidProxyUrl | E::TlsRequired => {
            Trouble::fatal(network(&error.to_string(), url, "check HF_ENDPOINT and the proxy"))
        }
        E::Rustls(_) | E::Tls(_) | E::Pem(_) => {
            Trouble::fatal(network(&error.to_string(), url, certificate))
        }
        E::Io(inner) if inner.to_string().contains("certificate") => {
            Trouble::fatal(network(&inner.to_string(), url, certificate))
        }
        _ => Trouble::passing(
            network(
                &error.to_string(),
                url,
                "check the network, or try again; what has arrived is kept",
            ),
            None,
        ),
    }
}
