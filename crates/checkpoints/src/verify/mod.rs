//! Verification: a checkpoint compared with outputs that its source computed.
//!
//! A reference is a safetensors file. Its tensors are called `input/..`, which is fed, and
//! `output/..`, which must come out. The metadata `kind` is absent (a whole model), `stage1` or
//! `pixels`. A folder with `expected.json` also has generations to replay.
//!
//! Everything is compared in `f32`: to 1e-4 of the largest magnitude of the tensor, losses to 1e-5
//! of themselves, pixels to 1e-6, token ids exactly. An output that is not computed here is a
//! failure. So is one that is not finite in the reference: everything is within 1e-4 of infinity.

mod compare;
mod decoding;
mod gradients;
mod language;
mod pixels;
mod reference;
mod replay;
mod stage1;
mod text;
mod whole;

pub use compare::{Bound, Row};
pub use replay::Replay;

use crate::CheckpointError;
use crate::folder::files;
use crate::input::is_there;
use crate::processor;
use burn::tensor::Device;
use compare::Outputs;
use reference::Reference;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toolkit_vlm::Vlm;

/// The outcome of a verification.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    /// Rows, one for each output of the reference.
    pub tensors: Vec<Row>,
    /// Replays, one for each generation of `expected.json`.
    pub generations: Vec<Replay>,
    /// Remarks to log about how it was computed.
    #[serde(skip)]
    pub notes: Vec<String>,
}

impl Report {
    /// Returns `true` if all comparisons hold and there is at least one.
    #[must_use]
    pub fn holds(&self) -> bool {
        let something = !self.tensors.is_empty() || !self.generations.is_empty();
        something
            && self.tensors.iter().all(|row| row.ok)
            && self.generations.iter().all(|replay| replay.ok)
    }
}

/// Returns the `kind` of a reference file, if it is there and has one.
#[must_use]
pub fn kind_of(file: &Path) -> Option<String> {
    Reference::open(file).ok()?.kind().map(str::to_owned)
}

/// The model that is verified.
pub struct Subject<'a> {
    /// Folder of references and pictures.
    pub folder: PathBuf,
    /// Function that opens the model on a device, which may record gradients. If the flag is not
    /// set, the frozen parts get gradients too.
    pub open: &'a dyn Fn(&Device, bool) -> Result<Vlm, CheckpointError>,
}

impl Subject<'_> {
    /// Returns the folder of a published checkpoint.
    ///
    /// # Errors
    /// If there is none.
    pub fn folder_of(path: &Path) -> Result<PathBuf, CheckpointError> {
        let (_, config) = files(path)?;
        Ok(config.parent().unwrap_or(Path::new(".")).to_owned())
    }

    /// Opens a model and collects the notes about its files.
    fn open(
        &self,
        device: &Device,
        frozen: bool,
        notes: &mut BTreeSet<String>,
    ) -> Result<Vlm, CheckpointError> {
        let model = (self.open)(device, frozen)?;
        notes.extend(model.processor.as_ref().and_then(|processor| processor.note.clone()));
        notes.extend(model.notes.iter().cloned());
        Ok(model)
    }
}

/// Compares a checkpoint with `reference`, or with the `reference.safetensors` next to it.
///
/// # Errors
/// If files are missing or broken, or the checkpoint does not fit its configuration. A difference
/// is no error.
pub fn verify(
    subject: &Subject<'_>,
    reference: Option<&Path>,
    device: &Device,
) -> Result<Report, CheckpointError> {
    let default = subject.folder.join("reference.safetensors");
    let reference = match reference {
        Some(file) => Some(Reference::open(file)?),
        None if is_there(&default)? => Some(Reference::open(&default)?),
        None => None,
    };
    let expected = subject.folder.join("expected.json");
    let replayed = is_there(&expected)?;
    if reference.is_none() && !replayed {
        let hint = "give `--reference FILE`; docs/checkpoints.md says how to make one";
        return Err(CheckpointError::new(
            "there is nothing to compare with",
            default.display().to_string(),
            hint,
        ));
    }
    let mut notes = BTreeSet::new();
    let tensors = match &reference {
        None => Vec::new(),
        Some(reference) => tensors(subject, reference, device, &mut notes)?,
    };
    let generations = match replayed {
        true => replay::run(&subject.open(device, true, &mut notes)?, &expected)?,
        false => Vec::new(),
    };
    Ok(Report { tensors, generations, notes: notes.into_iter().collect() })
}

/// Compares the outputs of one reference.
fn tensors(
    subject: &Subject<'_>,
    reference: &Reference,
    device: &Device,
    notes: &mut BTreeSet<String>,
) -> Result<Vec<Row>, CheckpointError> {
    let folder = &subject.folder;
    let with_gradients = device.clone().autodiff();
    let mut outputs = Outputs::new(reference);
    match reference.kind() {
        Some("pixels") => {
            let processor = match is_there(&folder.join("config.json"))? {
                true => processor::of_folder(folder)?,
                false => subject.open(device, true, notes)?.processor()?.clone(),
            };
            pixels::run(reference, folder, &processor, &mut outputs)?;
            notes.extend(processor.note);
        }
        Some("stage1") => {
            stage1::run(&subject.open(&with_gradients, true, notes)?, reference, &mut outputs)?
        }
        None => {
            let frozen = !reference.outputs().any(gradients::is_of_frozen_part);
            let wanted = reference.outputs().any(|name| name.contains(".grad."));
            let device = if wanted { &with_gradients } else { device };
            whole::run(&subject.open(device, frozen, notes)?, reference, &mut outputs)?;
        }
        Some(other) => {
            let what = format!("the reference is of kind `{other}`");
            return Err(CheckpointError::new(
                what,
                reference.place(),
                "known: none (a whole model), `stage1`, `pixels`",
            ));
        }
    }
    outputs.rows()
}
