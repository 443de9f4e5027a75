//! Addresses: where a redirect leads, and which hosts may see the token.

use crate::error::one_line;
use std::net::IpAddr;
use ureq::http::Uri;

/// Returns an address without its query. A signed address of a CDN is a password for a while.
pub(super) fn shown(url: &str) -> String {
    one_line(url.split(['?', '#']).next().unwrap_or_default())
}

/// Returns scheme, host and port, which decide if the token is sent.
fn host_of(url: &str) -> Option<(String, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}

/// Returns `true` if a token may be sent to a Hub at `url`: nobody on the way can read it.
pub(crate) fn is_private(url: &str) -> bool {
    host_of(url).is_some_and(|(scheme, host, _)| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let this_machine = || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        scheme == "https" || host == "localhost" || this_machine()
    })
}

/// Returns `true` if two addresses have one scheme, host and port.
pub(super) fn same_host(a: &str, b: &str) -> bool {
    host_of(a).is_some_and(|host| host_of(b) == Some(host))
}

/// Returns the address that `target`, from a `Location`, leads to from `url`; http and https only.
pub(super) fn resolve(url: &str, target: &str) -> Option<String> {
    let target = target.split('#').next().unwrap_or_default();
    let lower = target.to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") {
        return Some(target.to_owned());
    }
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?']).next()?;
    if target.starts_with("//") {
        Some(format!("{scheme}:{target}"))
    } else if target.starts_with('/') {
        Some(format!("{scheme}://{host}{target}"))
    } else if target.is_empty()
        || lower.split(['/', '?']).next().is_some_and(|first| first.contains(':'))
    {
        None
    } else {
        let path = rest.split('?').next()?;
        let folder = path.rfind('/').map_or(path, |slash| &path[..slash]);
        Some(format!("{scheme}://{folder}/{target}"))
    }
}

#[cfg(test)]
#[path = "../tests/http.rs"]
mod tests;
