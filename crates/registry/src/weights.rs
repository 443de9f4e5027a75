//! Reading safetensors, and fitting them to a part: all or nothing, with everything that does not
//! fit listed.

use crate::names::{self, Part};
use crate::reader::Reader;
use crate::{Card, Kind, LoadError, found};
use burn::module::Module;
use burn::tensor::DType;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use toolkit_core::params::{self, Values};
use toolkit_formats::Tensors;

/// How float tensors are stored in a file. In memory they are `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoredDtype {
    /// Single precision.
    #[default]
    F32,
    /// Half precision.
    F16,
    /// Read only: what many published checkpoints have.
    Bf16,
}

impl StoredDtype {
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        }
    }

    fn is(self, dtype: toolkit_formats::Dtype) -> bool {
        match self {
            Self::F32 => dtype == toolkit_formats::Dtype::F32,
            Self::F16 => dtype == toolkit_formats::Dtype::F16,
            Self::Bf16 => dtype == toolkit_formats::Dtype::Bf16,
        }
    }

    fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F32 => Some(Self::F32),
            Dtype::F16 => Some(Self::F16),
            Dtype::BF16 => Some(Self::Bf16),
            _ => None,
        }
    }

    fn floats(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F32 => bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect(),
            Self::F16 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|two| half::f16::from_le_bytes(*two).to_f32())
                .collect(),
            Self::Bf16 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|two| half::bf16::from_le_bytes(*two).to_f32())
                .collect(),
        }
    }
}

/// Lower-case hex SHA-256.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Tensors by name, and the metadata of the file.
pub type Contents = (BTreeMap<String, Values>, BTreeMap<String, String>);

/// Tensors (`f32`, `f16` or `bf16`) and metadata of a safetensors file.
///
/// # Errors
/// If the bytes are cut short, are no safetensors, or hold a tensor of another type.
pub fn read_safetensors(bytes: &[u8]) -> Result<Contents, LoadError> {
    let file = "safetensors";
    let broken = |error| {
        LoadError::format(
            file,
            format!("not a safetensors file: {error}"),
            "copy or fetch the file again",
        )
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let metadata = header
        .metadata()
        .iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let mut tensors = BTreeMap::new();
    // Sorted, so that the same file gives the same error.
    let stored_tensors = SafeTensors::deserialize(bytes).map_err(broken)?;
    for (name, view) in stored_tensors.iter().collect::<BTreeMap<_, _>>() {
        let Some(stored) = StoredDtype::of(view.dtype()) else {
            let what = format!("tensor `{name}` is {}", view.dtype());
            return Err(LoadError::format(
                file,
                what,
                "only F32, F16 and BF16 are read: leave buffers out of the file",
            ));
        };
        tensors.insert(
            name.to_owned(),
            Values { shape: view.shape().to_vec(), data: stored.floats(view.data()) },
        );
    }
    Ok((tensors, metadata))
}

/// Loads `values` into `module`, all or nothing; `file` is named in the error.
///
/// # Errors
/// With everything that is missing, unexpected or mis-shaped.
pub fn import<M: Module>(
    module: M,
    values: BTreeMap<String, Values>,
    file: &str,
) -> Result<M, LoadError> {
    params::import(module, values).map_err(|(_, mismatch)| LoadError::Mismatch {
        file: file.to_owned(),
        mismatch: Box::new(mismatch),
    })
}

impl Card {
    /// The weight file that `[weights]` names, its digest and stored type checked; tensors are read
    /// one by one.
    ///
    /// # Errors
    /// If there is no `[weights]`, or the file is missing, changed, not fetched, or of no known
    /// format.
    pub fn open_weights(&self) -> Result<Tensors, LoadError> {
        let Some(weights) = &self.weights else {
            let what = format!("{} `{}` has no `[weights]`", self.kind.noun(), self.name);
            return Err(self
                .text()
                .error(0..0, what, "choose a card with weights, or initialise this one")
                .into());
        };
        let found = self.find("weights.source", &weights.source, weights.sha256.as_deref())?;
        let shown = self.origin.show(weights.source.trim_start_matches("file:"));
        let tensors = found::tensors(found, &shown)?;
        if let Some(expected) = weights.dtype {
            let other = tensors
                .names()
                .find(|name| tensors.info(name).is_some_and(|info| !expected.is(info.dtype)));
            if let Some(name) = other {
                let stored = tensors
                    .info(name)
                    .map(|info| format!("{:?}", info.dtype).to_uppercase())
                    .unwrap_or_default();
                let what = format!(
                    "tensor `{name}` is stored as {stored}, the card says {}",
                    expected.tag()
                );
                return Err(LoadError::format(&shown, what, "correct `dtype` in `[weights]`"));
            }
        }
        Ok(tensors)
    }

    /// The weights of this card into `module`, whose part and family are the card's. Names and
    /// layouts are those of any published form ([`crate::names`]).
    ///
    /// # Errors
    /// As [`Card::open_weights`], and with everything that is missing, unexpected or mis-shaped.
    pub fn load_into<M: Module>(&self, module: M) -> Result<M, LoadError> {
        let part = match self.kind {
            Kind::Vision => Part::Vision,
            Kind::Language => Part::Language,
            _ => Part::Bridge,
        };
        let mut reader = Reader::of_part(self.open_weights()?, part, &self.family);
        let plan =
            reader.plan(part, &self.family, &params::list(&module), names::corners(&self.family));
        reader.check()?;
        reader.load(module, &plan, DType::F32, |_| {})
    }
}
