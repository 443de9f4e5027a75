//! One file from the Hub to a `.part` on disk, through cut connections, changed files and restarts
//! of the program.

use crate::FetchError;
use crate::git::is_git_name;
use crate::http::{Http, Trouble, network};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use toolkit_store::paths::is_sha256;
use toolkit_store::{Step, StepProgress};
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, TRANSFER_ENCODING};
use ureq::http::{HeaderMap, Method, StatusCode};

/// What the Hub says of a file before it is fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The commit that the revision stands for.
    pub commit: Option<String>,
    /// Without quotes; of large files their sha256. Empty if the server names none.
    pub etag: String,
    /// In bytes.
    pub size: Option<u64>,
}

impl Meta {
    /// Asks for it. The Hub puts it on the redirect to its CDN, whose own headers are of another
    /// kind.
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

    /// Takes what is not yet known; from the last answer also its own etag and length.
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

fn plain_etag(etag: &str) -> String {
    etag.trim().trim_start_matches("W/").trim_matches('"').to_owned()
}

/// A download that may go on where an earlier one stopped. Its lock must be held.
pub(crate) struct Download<'a> {
    pub http: &'a Http,
    pub url: &'a str,
    pub meta: &'a Meta,
    /// Where the bytes go; next to it a file with the etag of the server that sent them.
    pub part: &'a Path,
    /// For progress.
    pub name: &'a str,
    /// The most bytes of a file whose size nobody tells.
    pub most: u64,
}

impl Download<'_> {
    /// Fetches all of it. On an error the part stays, to go on from.
    pub(crate) fn run(&self, progress: &dyn StepProgress) -> Result<(), FetchError> {
        let mut patience = self.http.patience();
        let mut most = self.length();
        loop {
            match self.attempt(progress) {
                Ok(()) => {
                    let _ = std::fs::remove_file(self.validator_file());
                    return Ok(());
                }
                Err(trouble) => {
                    let length = self.length();
                    patience.wait(trouble, length > most)?;
                    most = most.max(length);
                }
            }
        }
    }

    fn length(&self) -> u64 {
        self.part.metadata().map_or(0, |data| data.len())
    }

    /// The CDN's etag is another than the Hub's, and `If-Range` must name the former.
    fn validator_file(&self) -> PathBuf {
        self.part.with_added_extension("from")
    }

    fn attempt(&self, progress: &dyn StepProgress) -> Result<(), Trouble> {
        let write = |error| Trouble::fatal(FetchError::io("write", self.part)(error));
        let mut file = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(self.part)
            .map_err(write)?;
        let mut length = file.seek(SeekFrom::End(0)).map_err(write)?;
        let validator =
            std::fs::read_to_string(self.validator_file()).ok().filter(|etag| is_strong(etag));
        // Without the server's etag the rest may be that of another file; only a sha256 would tell.
        let resumable = validator.is_some() || is_sha256(&self.meta.etag);
        if (length > 0 && !resumable) || self.meta.size.is_some_and(|size| length > size) {
            restart(&mut file, &mut length).map_err(write)?;
        }
        let step = Step::new(progress, self.name, self.meta.size);
        if length > 0 && Some(length) == self.meta.size {
            step.kept(length);
            return Ok(());
        }
        let mut headers = Vec::new();
        if length > 0 {
            headers.push(("Range", format!("bytes={length}-")));
            headers.extend(validator.clone().map(|etag| ("If-Range", etag)));
        }
        let mut response = self.http.send(&Method::GET, self.url, &headers, |_| false)?;
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let etag = text(ETAG).filter(|etag| is_strong(etag)).map(str::to_owned);
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let starts = text(CONTENT_RANGE).and_then(range_start) == Some(length);
                let changed = validator.is_some() && etag.is_some() && etag != validator;
                if !starts || changed {
                    restart(&mut file, &mut length).map_err(write)?;
                    return Err(self.again(
                        "the file changed, or the server sent another range than asked for",
                    ));
                }
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                restart(&mut file, &mut length).map_err(write)?;
                return Err(self.again("the file is shorter than what has arrived"));
            }
            // All of it: the first time, or the file changed, or the server does not know ranges.
            _ => {
                restart(&mut file, &mut length).map_err(write)?;
                std::fs::write(self.validator_file(), etag.unwrap_or_default()).map_err(write)?;
            }
        }
        let rest = text(CONTENT_LENGTH).and_then(|rest| rest.parse::<u64>().ok());
        let size = self.meta.size.or(rest.map(|rest| length.saturating_add(rest)));
        let framed = text(TRANSFER_ENCODING)
            .is_some_and(|coding| coding.to_ascii_lowercase().contains("chunked"));
        if size.is_none() && !framed && !is_sha256(&self.meta.etag) && !is_git_name(&self.meta.etag)
        {
            // The end of such a body and a cut connection look the same.
            let (what, hint) =
                ("the server tells neither length nor digest of the file", "check HF_ENDPOINT");
            return Err(Trouble::fatal(network(what, self.url, hint)));
        }
        if length > 0 {
            step.kept(length);
        }
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => {
                    return Err(self.again(&format!("broke off after {length} bytes: {error}")));
                }
            };
            // Nothing is written beyond the bound.
            if length + read as u64 > size.unwrap_or(self.most) {
                restart(&mut file, &mut length).map_err(write)?;
                return Err(match size {
                    Some(_) => self.again("the server sent more than it said"),
                    None => {
                        let what = format!(
                            "it sends more than {} bytes and has not said how many",
                            self.most
                        );
                        Trouble::fatal(network(&what, self.url, crate::limits::HINT))
                    }
                });
            }
            file.write_all(&buffer[..read]).map_err(write)?;
            length += read as u64;
            step.advance(read as u64);
        }
        match size {
            Some(size) if length < size => {
                Err(self.again(&format!("broke off after {length} of {size} bytes")))
            }
            _ => file.sync_data().map_err(write),
        }
    }

    fn again(&self, what: &str) -> Trouble {
        Trouble::passing(
            network(what, self.url, "check the network and try again; what has arrived is kept"),
            None,
        )
    }
}

fn restart(file: &mut File, length: &mut u64) -> std::io::Result<()> {
    *length = 0;
    file.set_len(0)?;
    file.rewind()
}

/// `If-Range` takes no weak etag.
fn is_strong(etag: &str) -> bool {
    etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"')
}

/// The first byte of `bytes 5-9/10`.
fn range_start(range: &str) -> Option<u64> {
    range.trim().strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}
