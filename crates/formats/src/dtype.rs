//! Types of numbers, and formats of files.

use std::fmt::{Display, Formatter};

/// Type of the numbers of a tensor in its file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(non_camel_case_types, reason = "the names GGUF gives its block types")]
pub enum Dtype {
    /// IEEE double.
    F64,
    /// IEEE single.
    F32,
    /// IEEE half.
    F16,
    /// The upper half of an IEEE single.
    Bf16,
    /// Signed, 8 bytes.
    I64,
    /// Signed, 4 bytes.
    I32,
    /// Signed, 2 bytes.
    I16,
    /// Signed, 1 byte.
    I8,
    /// Unsigned, 1 byte.
    U8,
    /// 1 byte; 0 is false, any other value is true.
    Bool,
    /// GGUF blocks of 32 signed bytes with one half scale: 8.5 bits a number.
    Q8_0,
    /// GGUF blocks of 32 four-bit numbers with one half scale: 4.5 bits a number.
    Q4_0,
    /// GGUF blocks of 32 four-bit numbers with a half scale and a half minimum: 5 bits a number.
    Q4_1,
    /// GGUF blocks of 256 four-bit numbers in 8 groups, each with a six-bit scale and minimum: 4.5
    /// bits a number.
    Q4_K,
    /// GGUF blocks of 256 six-bit numbers in 16 groups, each with an eight-bit scale: 6.5625 bits a
    /// number.
    Q6_K,
}

impl Dtype {
    /// Returns the numbers in a block and the bytes of that block. Plain types have blocks of one
    /// number.
    pub fn block(self) -> (usize, usize) {
        match self {
            Self::F64 | Self::I64 => (1, 8),
            Self::F32 | Self::I32 => (1, 4),
            Self::F16 | Self::Bf16 | Self::I16 => (1, 2),
            Self::I8 | Self::U8 | Self::Bool => (1, 1),
            Self::Q8_0 => (32, 34),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q4_K => (256, 144),
            Self::Q6_K => (256, 210),
        }
    }

    /// Returns `true` if [`crate::Tensors::read_ints`] reads these numbers.
    pub fn is_int(self) -> bool {
        matches!(self, Self::I64 | Self::I32 | Self::I16 | Self::I8 | Self::U8 | Self::Bool)
    }

    /// Returns the bytes of `count` numbers in whole blocks; `None` if they do not fill the blocks
    /// or the product overflows.
    pub(crate) fn bytes(self, count: usize) -> Option<usize> {
        let (numbers, bytes) = self.block();
        count.is_multiple_of(numbers).then(|| (count / numbers).checked_mul(bytes)).flatten()
    }
}

impl Display for Dtype {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::I64 => "i64",
            Self::I32 => "i32",
            Self::I16 => "i16",
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::Bool => "bool",
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
            Self::Q4_1 => "q4_1",
            Self::Q4_K => "q4_k",
            Self::Q6_K => "q6_k",
        })
    }
}

/// Shape and type of a tensor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TensorInfo {
    /// Dimensions in PyTorch's order, slowest first; empty for a single number.
    pub shape: Vec<usize>,
    /// Type of the numbers in the file.
    pub dtype: Dtype,
}

/// Format of a file of weights.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Format {
    /// One safetensors file or several with an index.
    Safetensors,
    /// A zip archive as `torch.save` writes since PyTorch 1.6, or as `torch.jit.save` does.
    TorchZip,
    /// Bare pickles followed by storages, as `torch.save` wrote before 1.6.
    TorchLegacy,
    /// The file format of llama.cpp.
    Gguf,
    /// An ONNX model.
    Onnx,
}

impl Display for Format {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::TorchZip => "torch zip",
            Self::TorchLegacy => "torch legacy",
            Self::Gguf => "gguf",
            Self::Onnx => "onnx",
        })
    }
}
