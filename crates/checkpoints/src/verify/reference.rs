//! A reference file: inputs that are fed, outputs that must come out.

use crate::CheckpointError;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::path::{Path, PathBuf};
use toolkit_core::{VisionShape, params};
use toolkit_formats::Tensors;
use toolkit_models::bridge::qformer::QFormer;

/// A reference file.
pub(crate) struct Reference {
    pub(super) tensors: Tensors,
    pub(crate) folder: PathBuf,
}

impl Reference {
    pub(super) fn open(path: &Path) -> Result<Self, CheckpointError> {
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Self { tensors: Tensors::open(path)?, folder })
    }

    pub(super) fn kind(&self) -> Option<&str> {
        self.metadata("kind")
    }

    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        self.tensors.metadata().get(key).map(String::as_str)
    }

    pub(crate) fn place(&self) -> String {
        self.tensors.path().display().to_string()
    }

    /// Lists the outputs by name, without `output/`.
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
            let what = format!("the reference has no `input/{input}`");
            CheckpointError::new(what, self.place(), hint)
        })?;
        <[usize; D]>::try_from(shape.clone()).map_err(|_| {
            CheckpointError::new(
                format!("`input/{input}` is {shape:?}, wanted {D} dimensions"),
                self.place(),
                "make it again",
            )
        })
    }

    /// Reads floats of an input.
    pub(crate) fn floats<const D: usize>(
        &self,
        input: &str,
        device: &Device,
    ) -> Result<Tensor<D>, CheckpointError> {
        let shape = self.shape::<D>(input)?;
        let values = self.tensors.read(&format!("input/{input}"))?;
        match not_finite(&values, &shape) {
            Some(what) => Err(self.unfit(input, format!("holds {what}"))),
            None => Ok(Tensor::from_data(TensorData::new(values, shape), device)),
        }
    }

    /// Reads integers of an input, row by row.
    pub(crate) fn rows(&self, input: &str) -> Result<Vec<Vec<i64>>, CheckpointError> {
        let [_, width] = self.shape::<2>(input)?;
        let all = self.tensors.read_ints(&format!("input/{input}"))?;
        Ok(all.chunks(width.max(1)).map(<[i64]>::to_vec).collect())
    }

    fn unfit(&self, input: &str, what: impl std::fmt::Display) -> CheckpointError {
        let hint = "the reference was made with another model: make it again with this one";
        CheckpointError::new(format!("`input/{input}` {what}"), self.place(), hint)
    }

    /// Reads pixels `[batch, 3, height, width]` of the size that the encoder takes.
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

    /// Reads image features `[batch, tokens, width]` of the width that the bridge takes.
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

    /// Reads token ids: `batch` rows of at most `most` ids below `vocab`.
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

    /// Reads the labels of a loss: `[batch, width]` ids below `vocab`, `None` for -100, which the
    /// loss leaves out.
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

    /// Reads a mask as wide as `rows`; ones if there is none.
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

    /// Reads a row of integers.
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

/// Makes a tensor `[rows, width]` of ids.
pub(crate) fn ids(rows: &[Vec<i64>], device: &Device) -> Tensor<2, Int> {
    let width = rows.first().map_or(0, Vec::len);
    let all: Vec<i32> = rows.iter().flatten().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(all, [rows.len(), width]), device)
}

/// Finds the first value that is not finite, with its place: nothing can be compared with it.
pub(super) fn not_finite(values: &[f32], shape: &[usize]) -> Option<String> {
    let at = values.iter().position(|value| !value.is_finite())?;
    let mut rest = at;
    let mut place: Vec<usize> = Vec::new();
    for side in shape.iter().rev() {
        place.push(rest % side);
        rest /= side;
    }
    place.reverse();
    Some(format!("{} at {place:?}", values[at]))
}
