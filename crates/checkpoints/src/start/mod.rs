//! Weights that a training starts from, taken from anybody's checkpoint.
//!
//! Unlike [`open`](crate::open()), which wants a whole model, this takes the bridge, and the
//! projection if it was trained for a language model of the same family and width. A LAVIS `.pth`
//! needs no `config.json` next to it: the sizes are those of the experiment's cards. Every tensor
//! of the file and every parameter of the connector is in the [`StartReport`]. What is not taken
//! without one of the known reasons is an error.
//!
//! | module | purpose |
//! |---|---|
//! | `report` | the tensors that were taken, left and not used |
//! | `groups` | reasons for which a tensor may be left out |

mod groups;
mod report;

pub use report::StartReport;

use crate::CheckpointError;
use crate::config::{Config, LanguageConfig};
use crate::folder::files;
use crate::input::is_there;
use crate::layout::{projected_width, usable};
use groups::{LEFT_PROJECTION, LeftInBridge, unused_reason};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toolkit_core::params::{Info, Values};
use toolkit_core::published::PublishedNames;
use toolkit_models::weights::reader::{Plan, Reader};

/// Level of the bridge's parameters in a connector.
const BRIDGE: &str = "bridge.";

/// Level of the projection's parameters in a connector.
const PROJECTION: &str = "language_projection.";

/// Stage that is trained first.
pub enum Stage {
    /// Stage 1: it trains all of the bridge.
    One,
    /// Stage 2 in front of this language model.
    Two(Projection),
}

/// Projection that stage 2 trains.
pub struct Projection {
    /// Parameters, named `weight` and `bias`.
    pub infos: Vec<Info>,
    /// Published names.
    pub names: PublishedNames,
    /// Family of the language model.
    pub family: String,
    /// Width of the language model.
    pub width: usize,
}

/// Parameters that a training can start from a file.
pub struct Wanted {
    /// Parameters of the bridge.
    pub bridge: Vec<Info>,
    /// Published names of the bridge.
    pub names: PublishedNames,
    /// Stage that is trained first.
    pub stage: Stage,
}

/// An open file with the places of the tensors that a training starts from.
pub struct Start {
    reader: Reader,
    bridge: (Vec<Info>, Plan),
    projection: Option<(Vec<Info>, Plan)>,
    /// Tensors that are taken, left and not used.
    pub report: StartReport,
}

impl Start {
    /// Opens the file or folder `path`, which errors and the report call `name`. `language` is the
    /// family of the language model that its projection was trained for, if that is known.
    ///
    /// # Errors
    /// If the file cannot be read, or tensors are missing, unexpected or misshaped that have to
    /// fit: all of them are named at once.
    pub fn open(
        path: &Path,
        name: &str,
        language: Option<&str>,
        wanted: Wanted,
    ) -> Result<Self, CheckpointError> {
        let mut reader = Reader::new(usable(&weights_of(path)?)?);
        let plan = reader.plan(&wanted.names, &wanted.bridge);
        let mut report = StartReport::new(name);
        report.take(BRIDGE, &wanted.bridge, &plan);
        let first = matches!(wanted.stage, Stage::One);
        let left = LeftInBridge::of(&wanted, &plan);
        let projection = match wanted.stage {
            Stage::One => None,
            Stage::Two(projection) => projected(&mut reader, &mut report, projection, language),
        };
        let mut mismatch = reader.mismatch()?;
        mismatch.unexpected.retain(|tensor| match unused_reason(tensor, first) {
            Some(reason) => {
                report.unused.insert(tensor.clone(), reason.to_owned());
                false
            }
            None => true,
        });
        if !mismatch.is_empty() {
            return Err(reader.refusal(mismatch).into());
        }
        left.report(&mut report, first)?;
        let mut start = Self { reader, bridge: (wanted.bridge, plan), projection, report };
        start.report.sha256 = start.digest()?;
        Ok(start)
    }

    /// Reads the values that are taken, by the names of a connector's parameters.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn values(&self) -> Result<BTreeMap<String, Values>, CheckpointError> {
        let mut all = BTreeMap::new();
        self.each(|name, values| drop(all.insert(name, values)))?;
        Ok(all)
    }

    /// Returns the hash of the values that are taken.
    fn digest(&self) -> Result<String, CheckpointError> {
        let mut digest = Sha256::new();
        self.each(|name, values| {
            digest.update(format!("{name} {:?}\n", values.shape));
            values.data.iter().for_each(|value| digest.update(value.to_le_bytes()));
        })?;
        Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn each(&self, mut see: impl FnMut(String, Values)) -> Result<(), CheckpointError> {
        let bridge = (BRIDGE, &self.bridge);
        let projection = self.projection.iter().map(|projection| (PROJECTION, projection));
        for (level, (infos, plan)) in [bridge].into_iter().chain(projection) {
            for info in infos {
                if let Some(values) = self.reader.value(plan, info)? {
                    see(format!("{level}{}", info.name), values);
                }
            }
        }
        Ok(())
    }
}

/// Plans the projection, if the file has that of such a language model.
fn projected(
    reader: &mut Reader,
    report: &mut StartReport,
    wanted: Projection,
    language: Option<&str>,
) -> Option<(Vec<Info>, Plan)> {
    // LAVIS's names tell the family; those of others do not.
    let stored = |level: &str| reader.tensors().names().any(|name| name.starts_with(level));
    let named = ["opt_proj.", "t5_proj."].iter().any(|level| stored(level));
    let same = named || language.is_some_and(|family| family == wanted.family);
    let width = projected_width(reader.tensors());
    let there = reader.has_any(&wanted.names, &wanted.infos);
    if !there || !same || width != Some(wanted.width) {
        report.leave(PROJECTION, &wanted.infos, LEFT_PROJECTION);
        return None;
    }
    let plan = reader.plan(&wanted.names, &wanted.infos);
    report.take(PROJECTION, &wanted.infos, &plan);
    Some((wanted.infos, plan))
}

/// Returns the weights of a checkpoint: a file alone, or those of a folder.
fn weights_of(path: &Path) -> Result<PathBuf, CheckpointError> {
    if path.is_file() { Ok(path.to_owned()) } else { Ok(files(path)?.0) }
}

/// Returns the family of the language model that a checkpoint was trained with, if a `config.json`
/// says it.
///
/// # Errors
/// If the `config.json` of a folder is not that of a BLIP-2.
pub fn language_of(path: &Path) -> Result<Option<&'static str>, CheckpointError> {
    let family = |config: &Config| config.language.as_ref().map(LanguageConfig::family);
    if !path.is_file() {
        return Ok(family(&Config::read(&files(path)?.1)?));
    }
    let beside = path.with_file_name("config.json");
    // Beside a file may be the configuration of anything.
    let read = is_there(&beside)?.then(|| Config::read(&beside).ok()).flatten();
    Ok(read.as_ref().and_then(family))
}
