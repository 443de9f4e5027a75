//! Types of the floats in a weight file.

use safetensors::Dtype;
use serde::Deserialize;

/// Type of float tensors in a file. In memory they are `f32`.
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
    /// Returns the name that safetensors headers have for it.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        }
    }

    /// Returns `true` if a tensor of a file is stored so.
    #[must_use]
    pub fn is(self, dtype: toolkit_formats::Dtype) -> bool {
        match self {
            Self::F32 => dtype == toolkit_formats::Dtype::F32,
            Self::F16 => dtype == toolkit_formats::Dtype::F16,
            Self::Bf16 => dtype == toolkit_formats::Dtype::Bf16,
        }
    }

    pub(super) fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F32 => Some(Self::F32),
            Dtype::F16 => Some(Self::F16),
            Dtype::BF16 => Some(Self::Bf16),
            _ => None,
        }
    }

    pub(super) fn floats(self, bytes: &[u8]) -> Vec<f32> {
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
