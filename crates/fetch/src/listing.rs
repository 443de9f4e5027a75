//! The files of a repository of the Hub, as it lists them.

use crate::FetchError;
use crate::http::{Http, Trouble, network};
use serde::Deserialize;
use toolkit_store::paths::{is_commit, is_inside};
use ureq::http::Method;

/// Most bytes of a listing.
const LONGEST: u64 = 1 << 26;

/// A folder at a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) commit: String,
    /// Names of the files that are wanted.
    pub(crate) names: Vec<String>,
    /// Sizes in bytes, in the order of `names`; `None` where the Hub does not state one.
    pub(crate) sizes: Vec<Option<u64>>,
}

/// The part of the answer that is used.
#[derive(Deserialize)]
struct Answer {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
}

impl Listing {
    /// Asks the Hub.
    pub(crate) fn ask(http: &Http, url: &str) -> Result<Self, FetchError> {
        let bad = |what: String| FetchError::answer(what, url);
        let text = http.patiently(|| {
            let mut response = http.send(&Method::GET, url, &[], |_| false)?;
            let text = response.body_mut().with_config().limit(LONGEST).read_to_string();
            text.map_err(|error| {
                Trouble::passing(network(&error.to_string(), url, "try again"), None)
            })
        })?;
        let answer: Answer =
            serde_json::from_str(&text).map_err(|error| bad(format!("bad listing: {error}")))?;
        if !is_commit(&answer.sha) {
            return Err(bad(format!("`{}` is no commit", answer.sha)));
        }
        if let Some(file) = answer.siblings.iter().find(|file| !is_inside(&file.rfilename)) {
            return Err(bad(format!(
                "it lists `{}`, which is no path inside the folder",
                file.rfilename
            )));
        }
        let names = wanted(answer.siblings.iter().map(|file| file.rfilename.clone()).collect());
        let size = |name: &String| {
            answer.siblings.iter().find(|file| file.rfilename == *name).and_then(|file| file.size)
        };
        let sizes = names.iter().map(size).collect();
        Ok(Self { commit: answer.sha, names, sizes })
    }
}

/// Drops the repository's own dot files. If there are safetensors, drops the same weights in other
/// formats too.
fn wanted(mut names: Vec<String>) -> Vec<String> {
    let extension =
        |name: &str| name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let is = |name: &str, kinds: &[&str]| {
        extension(name).is_some_and(|own| kinds.contains(&own.as_str()))
    };
    names.retain(|name| !name.rsplit('/').next().is_some_and(|last| last.starts_with('.')));
    if names.iter().any(|name| is(name, &["safetensors"])) {
        let other = ["bin", "msgpack", "h5", "ot", "onnx", "onnx_data"];
        names.retain(|name| {
            !is(name, &other) && !name.split('/').rev().skip(1).any(|folder| folder == "onnx")
        });
    }
    names
}

#[cfg(test)]
#[path = "tests/listing.rs"]
mod tests;
