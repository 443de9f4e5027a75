//! A checkpoint against what its source computed.
//!
//! A reference is a safetensors file whose tensors are called `input/..`, which is fed, and
//! `output/..`, which must come out; the metadata `kind` is absent (a whole model), `stage1` or
//! `pixels`. A folder with `expected.json` has generations to replay besides. Everything is
//! compared in `f32`: to 1e-4 of the largest magnitude of the tensor, losses to 1e-5 of themselves,
//! pixels to 1e-6, token ids exactly. An output that nobody here computes is a failure, not a pass,
//! and so is one that is not finite in the reference: everything is within 1e-4 of infinity.

mod compare;
mod gradients;
mod pixels;
mod replay;
mod stage1;
mod whole;

pub use compare::{Bound, Row};
pub use replay::Replay;

use crate::CheckpointError;
use crate::folder::{files, is_there};
use crate::processor;
use burn::tensor::{Device, Int, Tensor, TensorData};
use compare::Outputs;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toolkit_core::{VisionShape, params};
use toolkit_formats::Tensors;
use toolkit_models::bridge::qformer::QFormer;
use toolkit_vlm::Vlm;

/// What was compared.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    /// One row for each output of the reference.
    pub tensors: Vec<Row>,
    /// One for each generation of `expected.json`.
    pub generations: Vec<Replay>,
    /// Remarks to log about how it was computed.
    #[serde(skip)]
    pub notes: Vec<String>,
}

impl Report {
    /// Whether all of it holds, and there was something to hold.
    #[must_use]
    pub fn holds(&self) -> bool {
        let something = !self.tensors.is_empty() || !self.generations.is_empty();
        something
            && self.tensors.iter().all(|row| row.ok)
            && self.generations.iter().all(|replay| replay.ok)
    }
}

/// A reference file.
pub(crate) struct Reference {
    tensors: Tensors,
    pub(crate) folder: PathBuf,
}

impl Reference {
    fn open(path: &Path) -> Result<Self, CheckpointError> {
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Self { tensors: Tensors::open(path)?, folder })
    }

    fn kind(&self) -> Option<&str> {
        self.tensors.metadata().get("kind").map(String::as_str)
    }

    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        self.tensors.metadata().get(key).map(String::as_str)
    }

    pub(crate) fn place(&self) -> String {
        self.tensors.path().display().to_string()
    }

    /// The outputs, by name without `output/`.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &str> {
        self.tensors.names().filter_map(|name| name.strip_prefix("output/"))
    }

    pub(crate) fn wants(&self, output: &str) -> bool {
        self.tensors.info(&format!("output/{output}")).is_some()
    }

    pub(crate) fn has(&self, input: &str) -> bool {
        self.tensors.info(&format!("input/{input}")).is_some()
    }

    fn shape<const D: usize>(&self, input: &str) -> Result<[usize; D], CheckpointError> {
        let info = self.tensors.info(&format!("input/{input}"));
        let shape = info.map(|info| info.shape.clone()).ok_or_else(|| {
            let hint =
                "it does not say what was fed; make it again with the script that is described in \
                docs/checkpoints.md";
            CheckpointError::new(format!("the reference has no `input/{input}`"), self.place(), hint)
        })?;
        <[usize; D]>::try_from(shape.clone()).map_err(|_| {
            CheckpointError::new(
                format!("`input/{input}` is {shape:?}, wanted {D} dimensions"),
                self.place(),
                "make it again",
            )
        })
    }

    /// Floats that are fed.
    pub(crate) fn floats<const D: usize>(
        &self,
        input: &str,
        device: &Device,
    ) -> Result<Tensor<D>, CheckpointError> {
        let shape = self.shape::<D>(input)?;
        let values = self.tensors.read(&format!("input/{input}"))?;
        match compare::not_finite(&values, &shape) {
            Some(what) => Err(self.unfit(input, format!("holds {what}"))),
            None => Ok(Tensor::from_data(TensorData::new(values, shape), device)),
        }
    }

    /// Integers that are fed, row by row.
    pub(crate) fn rows(&self, input: &str) -> Result<Vec<Vec<i64>>, CheckpointError> {
        let [_, width] = self.shape::<2>(input)?;
        let all = self.tensors.read_ints(&format!("input/{input}"))?;
        Ok(all.chunks(width.max(1)).map(<[i64]>::to_vec).collect())
    }

    fn unfit(&self, input: &str, what: impl std::fmt::Display) -> CheckpointError {
        let hint = "the reference was made with another model: make it again with this one";
        CheckpointError::new(format!("`input/{input}` {what}"), self.place(), hint)
    }

    /// Pixels that are fed, of the size that the encoder takes.
    pub(crate) fn pixels(
        &self,
        shape: &VisionShape,
        device: &Device,
    ) -> Result<Tensor<4>, CheckpointError> {
        let all @ [batch, channels, height, width] = self.shape::<4>("pixel_values")?;
        if batch == 0 || channels != 3 || [height, width] != shape.image {
            let [height, width] = shape.image;
            return Err(self
                .unfit("pixel_values", format!("is {all:?}, wanted [.., 3, {height}, {width}]")));
        }
        self.floats("pixel_values", device)
    }

    /// Image features that are fed, as wide as the bridge reads them.
    pub(crate) fn features(
        &self,
        bridge: &QFormer,
        device: &Device,
    ) -> Result<Tensor<3>, CheckpointError> {
        let all @ [batch, tokens, width] = self.shape::<3>("image_embeds")?;
        let infos = params::list(bridge);
        let wanted = infos
            .iter()
            .find(|info| info.name == "ln_vision.weight")
            .and_then(|info| info.shape.first());
        if batch == 0 || tokens == 0 || wanted.is_some_and(|&wanted| wanted != width) {
            let wanted = wanted.copied().unwrap_or_default();
            return Err(
                self.unfit("image_embeds", format!("is {all:?}, wanted [.., .., {wanted}]"))
            );
        }
        self.floats("image_embeds", device)
    }

    /// Token ids that are fed: `batch` rows of at most `most` ids below `vocab`.
    pub(crate) fn tokens(
        &self,
        input: &str,
        batch: usize,
        most: usize,
        vocab: usize,
    ) -> Result<Vec<Vec<i64>>, CheckpointError> {
        let rows = self.rows(input)?;
        let width = rows.first().map_or(0, Vec::len);
        if rows.len() != batch || width > most {
            return Err(self.unfit(
                input,
                format!("is [{}, {width}], wanted [{batch}, up to {most}]", rows.len()),
            ));
        }
        match rows.iter().flatten().find(|id| !(0..vocab as i64).contains(*id)) {
            Some(id) => {
                Err(self.unfit(input, format!("has the id {id}, the model {vocab} tokens")))
            }
            None => Ok(rows),
        }
    }

    /// `[batch, width]` ids below `vocab` that a loss is of; none where there is -100, which is
    /// left out of it.
    pub(crate) fn labels(
        &self,
        batch: usize,
        width: usize,
        vocab: usize,
    ) -> Result<Vec<Vec<Option<i64>>>, CheckpointError> {
        let rows = self.rows("labels")?;
        if rows.len() != batch || rows.iter().any(|row| row.len() != width) {
            return Err(self.unfit(
                "labels",
                format!("is not [{batch}, {width}], as what the decoder reads is"),
            ));
        }
        let known = |id: &i64| *id == -100 || (0..vocab as i64).contains(id);
        match rows.iter().flatten().find(|id| !known(id)) {
            Some(id) => Err(self.unfit("labels", format!("has {id}, the model {vocab} tokens"))),
            None => Ok(rows
                .into_iter()
                .map(|row| row.into_iter().map(|id| (id >= 0).then_some(id)).collect())
                .collect()),
        }
    }

    /// A mask that is fed, as wide as `rows`; ones if there is none.
    pub(crate) fn mask(
        &self,
        input: &str,
        rows: &[Vec<i64>],
    ) -> Result<Vec<Vec<i64>>, CheckpointError> {
        if !self.has(input) {
            return Ok(rows.iter().map(|row| vec![1; row.len()]).collect());
        }
        let mask = self.rows(input)?;
        if !mask.iter().map(Vec::len).eq(rows.iter().map(Vec::len)) {
            return Err(self.unfit(input, "is not of the shape of the ids that it is for"));
        }
        match mask.iter().flatten().find(|m| !(0..=1).contains(*m)) {
            Some(m) => Err(self.unfit(input, format!("has {m}, wanted 0 and 1"))),
            None => Ok(mask),
        }
    }

    /// One row of integers that is fed.
    pub(crate) fn row(&self, input: &str) -> Result<Vec<usize>, CheckpointError> {
        let all = self.tensors.read_ints(&format!("input/{input}"))?;
        all.into_iter()
            .map(|n| {
                usize::try_from(n).map_err(|_| {
                    CheckpointError::new(
                        format!("`input/{input}` has {n}"),
                        self.place(),
                        "rows count from 0",
                    )
                })
            })
            .collect()
    }
}

/// A matrix of ids, and its mask as floats.
pub(crate) fn ids(rows: &[Vec<i64>], device: &Device) -> Tensor<2, Int> {
    let width = rows.first().map_or(0, Vec::len);
    let all: Vec<i32> = rows.iter().flatten().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(all, [rows.len(), width]), device)
}

/// The `kind` of a reference file, if it is there and has one.
#[must_use]
pub fn kind_of(file: &Path) -> Option<String> {
    Reference::open(file).ok()?.kind().map(str::to_owned)
}

/// What is verified.
pub struct Subject<'a> {
    /// Where references and pictures are looked for.
    pub folder: PathBuf,
    /// Opens the model on a device that may record gradients; if the flag is not set, of its frozen
    /// parts too.
    pub open: &'a dyn Fn(&Device, bool) -> Result<Vlm, CheckpointError>,
}

impl Subject<'_> {
    /// The folder of a published checkpoint.
    ///
    /// # Errors
    /// If there is none.
    pub fn folder_of(path: &Path) -> Result<PathBuf, CheckpointError> {
        let (_, config) = files(path)?;
        Ok(config.parent().unwrap_or(Path::new(".")).to_owned())
    }
}

/// Compares a checkpoint with `reference`, or with the `reference.safetensors` beside it.
///
/// # Errors
/// If files are missing or broken, or the checkpoint does not fit its configuration. A difference
/// is no error.
pub fn verify(
    subject: &Subject<'_>,
    reference: Option<&Path>,
    device: &Device,
) -> Result<Report, CheckpointError> {
    let beside = subject.folder.join("reference.safetensors");
    let reference = match reference {
        Some(file) => Some(Reference::open(file)?),
        None if is_there(&beside)? => Some(Reference::open(&beside)?),
        None => None,
    };
    let expected = subject.folder.join("expected.json");
    let replayed = is_there(&expected)?;
    if reference.is_none() && !replayed {
        let hint = "give `--reference FILE`; docs/checkpoints.md says how to make one";
        return Err(CheckpointError::new(
            "there is nothing to compare with",
            beside.display().to_string(),
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

impl Subject<'_> {
    /// Opens a model and keeps what there is to say about its files.
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

/// The outputs of one reference.
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
