//! The variables that a package manager inherits.
//!
//! A list of what is allowed, not of what is refused: secrets have no common name, while the
//! variables that pip, apt and npm need are few. `HF_TOKEN`, `AWS_*`, `GITHUB_TOKEN` and the
//! like stay here.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use toolkit_store::layout::Manager;
use toolkit_store::paths::percent;

/// Variables about the user, the language, the network and the places of interpreters.
const NAMES: &[&str] = &[
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NIX_SSL_CERT_FILE",
    // Windows programs do not start without these.
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "PROGRAMFILES",
];

/// Beginnings of names: locales, folders of the desktop.
const STARTS: &[&str] = &["LC_", "XDG_"];

/// Variables about the index that pip asks. `PIP_REQUIREMENT`, `PIP_NO_BINARY`, `PIP_TARGET` and
/// others are absent: they would make pip do another thing than is asked for here.
const PIP: &[&str] = &[
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_NO_INDEX",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_TRUSTED_HOST",
    "PIP_PROXY",
    "PIP_TIMEOUT",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_RETRIES",
    "PIP_CONFIG_FILE",
    "PIP_KEYRING_PROVIDER",
    "PIP_USE_FEATURE",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONUSERBASE",
    "PYTHONNOUSERSITE",
];

/// Values that hold addresses, split at spaces; a folder will do for each of them.
const ADDRESSES: &[&str] = &["PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"];

/// Returns `true` if a program of `manager` may see the variable.
fn is_allowed(manager: Manager, name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    if NAMES.contains(&name.as_str()) || STARTS.iter().any(|start| name.starts_with(start)) {
        return true;
    }
    match manager {
        Manager::Pip => {
            PIP.contains(&name.as_str())
                || ["PYENV_", "ASDF_"].iter().any(|start| name.starts_with(start))
        }
        Manager::Apt => ["APT_CONFIG", "DPKG_ADMINDIR"].contains(&name.as_str()),
        // npm's own settings, among them the login to a registry, which only npm itself gets.
        Manager::Npm => {
            (name.starts_with("NPM_CONFIG_") && name != "NPM_CONFIG_CACHE")
                || ["NODE_EXTRA_CA_CERTS", "NODE_PATH"].contains(&name.as_str())
                || ["NVM_", "ASDF_", "VOLTA_", "FNM_"].iter().any(|start| name.starts_with(start))
        }
    }
}

/// Picks the variables for a child that runs in `folder`.
pub(crate) fn inherited(
    manager: Manager,
    all: impl Iterator<Item = (OsString, OsString)>,
    folder: &Path,
) -> Vec<(OsString, OsString)> {
    let allowed =
        all.filter(|(name, _)| name.to_str().is_some_and(|name| is_allowed(manager, name)));
    let mut picked: Vec<_> = allowed
        .map(|(name, value)| {
            let value = from_here(&name, &value);
            (name, value)
        })
        .collect();
    // Messages are read, so they must be English. Temporary files stay where they are counted and
    // cleaned up, caches too: nobody may write elsewhere after this process has ended.
    let mut put = |name: &str, value: &OsStr| picked.push((name.into(), value.to_owned()));
    put("LC_ALL", "C".as_ref());
    for name in ["TMPDIR", "TEMP", "TMP"] {
        put(name, folder.as_os_str());
    }
    match manager {
        Manager::Pip => {
            put("PIP_NO_INPUT", "1".as_ref());
            put("PYTHONSAFEPATH", "1".as_ref());
        }
        Manager::Apt => put("DEBIAN_FRONTEND", "noninteractive".as_ref()),
        Manager::Npm => {
            put("npm_config_cache", folder.join("npm-cache").as_os_str());
            put("npm_config_update_notifier", "false".as_ref());
        }
    }
    picked
}

/// Makes relative paths absolute, for children run in another folder.
fn from_here(name: &OsStr, value: &OsStr) -> OsString {
    let here = |word: &str| {
        let path = Path::new(word);
        (path.is_relative() && path.exists()).then(|| std::path::absolute(path).ok()).flatten()
    };
    let (Some(name), Some(text)) = (name.to_str(), value.to_str()) else { return value.to_owned() };
    if ADDRESSES.contains(&name.to_ascii_uppercase().as_str()) {
        // As an address, since pip splits the value at spaces, and the folder may have one.
        let address = |word: &str| match here(word) {
            Some(path) => format!("file://{}", percent(&path.to_string_lossy(), "/")),
            None => word.to_owned(),
        };
        return text.split_whitespace().map(address).collect::<Vec<_>>().join(" ").into();
    }
    let is_file = ["_CERT", "_FILE", "_BUNDLE", "_CERTS", "_DIR", "APT_CONFIG", "USERCONFIG"];
    let is_file = is_file.iter().any(|end| name.to_ascii_uppercase().ends_with(end));
    here(text).filter(|_| is_file).map_or_else(|| value.to_owned(), Into::into)
}

#[cfg(test)]
#[path = "tests/environment.rs"]
mod tests;
