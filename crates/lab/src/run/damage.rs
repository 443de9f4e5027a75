//! Files of a run that are no longer what was written.

use crate::run::folder::{AGAIN, DONE_FILE, MANIFEST_FILE, manifest_hint};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file that is not what was written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// SHA-256 of the file when it was written.
    pub written: String,
    /// SHA-256 of the file now; nothing if it is gone.
    pub found: Option<String>,
    /// Path of the file in the folder of the list.
    #[serde(skip)]
    pub(super) name: String,
}

impl Damage {
    /// Returns `true` if no result depends on the file: it holds times, or the optimiser's state of
    /// training that is over.
    #[must_use]
    pub fn is_needless(&self) -> bool {
        remedy(&self.name) == Remedy::Needless
    }

    /// Returns the hint that says how to get the file back.
    #[must_use]
    pub fn hint(&self) -> String {
        let dir = self
            .file
            .ancestors()
            .nth(Path::new(&self.name).components().count())
            .unwrap_or(&self.file);
        match remedy(&self.name) {
            Remedy::Needless => "no result depends on it".to_owned(),
            Remedy::Again if self.name == MANIFEST_FILE => manifest_hint(dir),
            Remedy::Again => AGAIN.to_owned(),
            Remedy::Train => {
                format!(
                    "remove {}: the same `toolkit run` command trains it again, to the same bits",
                    dir.display()
                )
            }
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, written) = (self.file.display(), &self.written);
        match &self.found {
            Some(found) => {
                write!(f, "{file}: its SHA-256 is {found}, `{DONE_FILE}` says {written}")
            }
            None => write!(f, "{file}: it is gone, `{DONE_FILE}` lists it"),
        }
    }
}

/// Way back from a damaged file.
#[derive(Debug, PartialEq)]
pub(super) enum Remedy {
    /// None is needed: nothing reads it any more, or it holds times only.
    Needless,
    /// The run makes it again from files that are whole.
    Again,
    /// Only training makes it.
    Train,
}

pub(super) fn remedy(name: &str) -> Remedy {
    let file = name.rsplit('/').next().unwrap_or(name);
    if file.ends_with(".optimizer.safetensors")
        || ["timing.jsonl", "timing-alerts.jsonl", "alerts.jsonl", "seconds.json", "cost.json"]
            .contains(&file)
    {
        return Remedy::Needless;
    }
    let kept = file.starts_with("step-") && file.ends_with(".json");
    let trained = file.ends_with(".safetensors")
        || kept
        || ["metrics.jsonl", "latest.json", "best.json"].contains(&file);
    if trained || name.starts_with("eval/") { Remedy::Train } else { Remedy::Again }
}

/// Returns the SHA-256 of a file in hexadecimal, reading it piece by piece.
pub(super) fn sha256_of(path: &Path) -> std::io::Result<String> {
    let (mut file, mut digest, mut buffer) =
        (toolkit_system::input::open(path)?, Sha256::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => digest.update(&buffer[..read]),
        }
    }
}
