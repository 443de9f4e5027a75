//! Facts of a file, from the headers of a `HEAD` request.

use crate::FetchError;
use crate::http::Http;
use ureq::http::{HeaderMap, Method};

/// Facts of a file that the Hub states before it is fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Commit of the revision.
    pub commit: Option<String>,
    /// Etag without quotes; the sha256 of a large file. Empty if the server names none.
    pub etag: String,
    /// Size in bytes.
    pub size: Option<u64>,
}

impl Meta {
    /// Asks the Hub, which states them on the redirect to its CDN. The CDN's own headers differ.
    pub(crate) fn ask(http: &Http, url: &str) -> Result<Self, FetchError> {
        http.patiently(|| {
            let mut meta = Self::default();
            let response = http.send(&Method::HEAD, url, &[], |headers| {
                meta.learn(headers, false);
                !meta.etag.is_empty()
            })?;
            let last = !response.status().is_redirection();
            meta.learn(response.headers(), last);
            Ok(meta)
        })
    }

    /// Takes the facts that are not known yet; of the last answer also its own etag and length.
    fn learn(&mut self, headers: &HeaderMap, last: bool) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if self.commit.is_none() {
            self.commit = text("x-repo-commit").map(str::to_owned);
        }
        let own = |name: &'static str| text(name).filter(|_| last);
        if self.etag.is_empty() {
            self.etag = text("x-linked-etag").or(own("etag")).map(plain_etag).unwrap_or_default();
        }
        if self.size.is_none() {
            self.size =
                text("x-linked-size").or(own("content-length")).and_then(|size| size.parse().ok());
        }
    }
}

/// Removes quotes and the sign of a weak etag.
fn plain_etag(etag: &str) -> String {
    etag.trim().trim_start_matches("W/").trim_matches('"').to_owned()
}
