//! The number types of a right factor: f32, and bf16 that is widened where it is read.

use burn::tensor::DType;
use burn_flex::FlexTensor;
use half::bf16;

use crate::cpu::simd::Simd;

/// A number that is widened to f32 without a loss.
pub(crate) trait Element: Copy + Default + Send + Sync + 'static {
    /// Widens one number.
    fn wide(self) -> f32;
    /// Loads and widens eight numbers.
    fn load<S: Simd>(simd: S, x: &[Self; 8]) -> S::Eight;
}

impl Element for f32 {
    #[inline(always)]
    fn wide(self) -> f32 {
        self
    }

    #[inline(always)]
    fn load<S: Simd>(simd: S, x: &[f32; 8]) -> S::Eight {
        simd.load(x)
    }
}

impl Element for bf16 {
    #[inline(always)]
    fn wide(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    #[inline(always)]
    fn load<S: Simd>(simd: S, x: &[bf16; 8]) -> S::Eight {
        simd.load_bf16(x)
    }
}

/// The values of a right factor.
#[derive(Clone, Copy)]
pub(super) enum Values<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
}

impl<'a> Values<'a> {
    pub(super) fn of(x: &'a FlexTensor) -> Self {
        match x.dtype() {
            DType::BF16 => Self::Bf16(x.storage()),
            _ => Self::F32(x.storage()),
        }
    }

    pub(super) fn len(self) -> usize {
        match self {
            Self::F32(x) => x.len(),
            Self::Bf16(x) => x.len(),
        }
    }
}

/// Binds the slice of some [`Values`], of either type, to a name within a block.
macro_rules! of_any_type {
    ($values:expr, $x:ident => $body:expr) => {
        match $values {
            $crate::matmul::element::Values::F32($x) => $body,
            $crate::matmul::element::Values::Bf16($x) => $body,
        }
    };
}

pub(super) use of_any_type;
