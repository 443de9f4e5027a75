//! A file from the Hub to a `.part` on disk: resumed after a cut connection, restarted after a
//! change.

mod meta;
mod part;

pub(crate) use meta::Meta;

use crate::FetchError;
use crate::git::is_git_name;
use crate::http::{Http, Trouble, network};
use part::Part;
use std::io::Read;
use std::path::{Path, PathBuf};
use toolkit_store::paths::is_sha256;
use toolkit_store::{Step, StepProgress};
use ureq::Body;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, TRANSFER_ENCODING};
use ureq::http::{Method, Response, StatusCode};

/// A download that may go on where an earlier one stopped. The caller holds its lock.
pub(crate) struct Download<'a> {
    pub http: &'a Http,
    pub url: &'a str,
    pub meta: &'a Meta,
    /// File for the bytes. The file `.from` next to it has the etag of the server that sent them.
    pub part: &'a Path,
    /// Name in progress.
    pub name: &'a str,
    /// The most bytes of a file whose size the server does not state.
    pub most: u64,
}

impl Download<'_> {
    /// Fetches the whole file. After an error the part stays, and the next call resumes it.
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

    /// Returns the length of the part in bytes.
    fn length(&self) -> u64 {
        self.part.metadata().map_or(0, |data| data.len())
    }

    /// Returns the file with the etag of the CDN, which `If-Range` must name. The Hub's is another.
    fn validator_file(&self) -> PathBuf {
        self.part.with_added_extension("from")
    }

    /// Makes one request for the missing bytes and appends them to the part.
    fn attempt(&self, progress: &dyn StepProgress) -> Result<(), Trouble> {
        let mut part = Part::open(self.part)?;
        let validator =
            std::fs::read_to_string(self.validator_file()).ok().filter(|etag| is_strong(etag));
        // Without the server's etag the rest may be that of another file; only a sha256 finds that.
        let resumable = validator.is_some() || is_sha256(&self.meta.etag);
        if (part.length > 0 && !resumable) || self.meta.size.is_some_and(|size| part.length > size)
        {
            part.restart()?;
        }
        let step = Step::new(progress, self.name, self.meta.size);
        if part.length > 0 && Some(part.length) == self.meta.size {
            step.resumed(part.length);
            return Ok(());
        }
        let mut response = self.request(&part, validator.as_deref())?;
        self.resume_or_restart(&mut part, &response, validator.as_deref())?;
        let size = self.size(&part, &response)?;
        if part.length > 0 {
            step.resumed(part.length);
        }
        self.append(&mut part, &mut response.body_mut().as_reader(), size, &step)?;
        match size {
            Some(size) if part.length < size => {
                Err(self.again(&format!("broke off after {} of {size} bytes", part.length)))
            }
            _ => part.sync(),
        }
    }

    /// Asks for the bytes behind those of the part, on condition that the file is the same.
    fn request(&self, part: &Part<'_>, validator: Option<&str>) -> Result<Response<Body>, Trouble> {
        let mut headers = Vec::new();
        if part.length > 0 {
            headers.push(("Range", format!("bytes={}-", part.length)));
            headers.extend(validator.map(|etag| ("If-Range", etag.to_owned())));
        }
        self.http.send(&Method::GET, self.url, &headers, |_| false)
    }

    /// Empties the part unless the answer continues it; then stores the etag of the new file.
    fn resume_or_restart(
        &self,
        part: &mut Part<'_>,
        response: &Response<Body>,
        validator: Option<&str>,
    ) -> Result<(), Trouble> {
        let etag = text(response, ETAG).filter(|etag| is_strong(etag));
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let starts = text(response, CONTENT_RANGE).and_then(range_start);
                let changed = validator.is_some() && etag.is_some() && etag != validator;
                if starts != Some(part.length) || changed {
                    part.restart()?;
                    return Err(self.again(
                        "the file changed, or the server sent another range than asked for",
                    ));
                }
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                part.restart()?;
                return Err(self.again("the file is shorter than what has arrived"));
            }
            // All of it: the first time, or the file changed, or the server does not know ranges.
            _ => {
                part.restart()?;
                std::fs::write(self.validator_file(), etag.unwrap_or_default())
                    .map_err(|error| part.failed(error))?;
            }
        }
        Ok(())
    }

    /// Returns the size of the whole file in bytes; `None` if only its digest is known.
    fn size(&self, part: &Part<'_>, response: &Response<Body>) -> Result<Option<u64>, Trouble> {
        let rest = text(response, CONTENT_LENGTH).and_then(|rest| rest.parse::<u64>().ok());
        let size = self.meta.size.or(rest.map(|rest| part.length.saturating_add(rest)));
        let framed = text(response, TRANSFER_ENCODING)
            .is_some_and(|coding| coding.to_ascii_lowercase().contains("chunked"));
        let etag = &self.meta.etag;
        if size.is_none() && !framed && !is_sha256(etag) && !is_git_name(etag) {
            // The end of such a body and a cut connection look the same.
            let (what, hint) =
                ("the server tells neither length nor digest of the file", "check HF_ENDPOINT");
            return Err(Trouble::fatal(network(what, self.url, hint)));
        }
        Ok(size)
    }

    /// Appends a body to the part. Writes no byte beyond `size`, or beyond the bound without one.
    fn append(
        &self,
        part: &mut Part<'_>,
        body: &mut dyn Read,
        size: Option<u64>,
        step: &Step<'_>,
    ) -> Result<(), Trouble> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) => {
                    let what = format!("broke off after {} bytes: {error}", part.length);
                    return Err(self.again(&what));
                }
            };
            if part.length + read as u64 > size.unwrap_or(self.most) {
                part.restart()?;
                return Err(self.too_long(size));
            }
            part.write(&buffer[..read])?;
            step.advance(read as u64);
        }
    }

    /// Creates the error of a body that does not end at `size`, or at the bound.
    fn too_long(&self, size: Option<u64>) -> Trouble {
        if size.is_some() {
            return self.again("the server sent more than it said");
        }
        let what = format!("it sends more than {} bytes and has not said how many", self.most);
        Trouble::fatal(network(&what, self.url, crate::limits::HINT))
    }

    /// Creates the error of an attempt that may go better the next time.
    fn again(&self, what: &str) -> Trouble {
        Trouble::passing(
            network(what, self.url, "check the network and try again; what has arrived is kept"),
            None,
        )
    }
}

/// Returns a header as text.
fn text<T>(response: &Response<T>, name: HeaderName) -> Option<&str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Returns `true` for a strong etag; `If-Range` takes no weak one.
fn is_strong(etag: &str) -> bool {
    etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"')
}

/// Reads the first byte of a range: 5 of `bytes 5-9/10`.
fn range_start(range: &str) -> Option<u64> {
    range.trim().strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}
