//! Globals: the functions and classes that a pickle names, those that are understood and those that
//! are refused.

use crate::dtype::Dtype;

/// A storage or number type of PyTorch.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct TorchType {
    /// Name of its storage class; empty if it has none.
    storage: &'static str,
    pub(super) name: &'static str,
    /// Bytes of a number.
    pub(super) size: usize,
    /// `None` if such tensors are not read.
    pub(super) dtype: Option<Dtype>,
}

const fn torch_type(
    storage: &'static str,
    name: &'static str,
    size: usize,
    dtype: Option<Dtype>,
) -> TorchType {
    TorchType { storage, name, size, dtype }
}

static TYPES: [TorchType; 24] = [
    torch_type("FloatStorage", "float32", 4, Some(Dtype::F32)),
    torch_type("DoubleStorage", "float64", 8, Some(Dtype::F64)),
    torch_type("HalfStorage", "float16", 2, Some(Dtype::F16)),
    torch_type("BFloat16Storage", "bfloat16", 2, Some(Dtype::Bf16)),
    torch_type("LongStorage", "int64", 8, Some(Dtype::I64)),
    torch_type("IntStorage", "int32", 4, Some(Dtype::I32)),
    torch_type("ShortStorage", "int16", 2, Some(Dtype::I16)),
    torch_type("CharStorage", "int8", 1, Some(Dtype::I8)),
    torch_type("ByteStorage", "uint8", 1, Some(Dtype::U8)),
    torch_type("BoolStorage", "bool", 1, Some(Dtype::Bool)),
    torch_type("UntypedStorage", "bytes", 1, Some(Dtype::U8)),
    torch_type("ComplexFloatStorage", "complex64", 8, None),
    torch_type("ComplexDoubleStorage", "complex128", 16, None),
    torch_type("QInt8Storage", "qint8", 1, None),
    torch_type("QUInt8Storage", "quint8", 1, None),
    torch_type("QInt32Storage", "qint32", 4, None),
    torch_type("QUInt4x2Storage", "quint4x2", 1, None),
    torch_type("QUInt2x4Storage", "quint2x4", 1, None),
    torch_type("", "uint16", 2, None),
    torch_type("", "uint32", 4, None),
    torch_type("", "uint64", 8, None),
    torch_type("", "float8_e4m3fn", 1, None),
    torch_type("", "float8_e5m2", 1, None),
    torch_type("", "complex32", 4, None),
];

/// A function or class that a pickle names.
#[derive(Clone, Copy)]
pub(super) enum Global {
    /// `OrderedDict` and its like.
    Dict,
    /// `_rebuild_tensor`, `_rebuild_tensor_v2`: storage, offset, size, stride, ..
    Tensor,
    /// `_rebuild_tensor_v3`: the same with the number type at place 6.
    TypedTensor,
    /// `_rebuild_parameter`: a tensor, ..
    Parameter,
    /// `_rebuild_from_type_v2`: one of the above, a class, its arguments, ..
    FromType,
    /// `torch.Size`: a tuple.
    Size,
    /// A storage class, such as `torch.FloatStorage`.
    Storage(&'static TorchType),
    /// A type, such as `torch.float32`.
    Type(&'static TorchType),
    /// A module of TorchScript.
    Script,
    /// Anything else. It has no content and is never called.
    Opaque,
}

impl Global {
    /// Finds `module.name`; `None` if it runs programs or code.
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        if runs_code(module, name) {
            return None;
        }
        Some(match (module, name) {
            ("collections", "OrderedDict" | "defaultdict" | "Counter") => Self::Dict,
            ("builtins" | "__builtin__", "dict") => Self::Dict,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::Tensor,
            ("torch._utils", "_rebuild_tensor_v3") => Self::TypedTensor,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                Self::Parameter
            }
            ("torch._tensor", "_rebuild_from_type_v2") => Self::FromType,
            ("torch", "Size") => Self::Size,
            ("torch" | "torch.cuda" | "torch.storage", _) => Self::storage_or_type(name),
            _ if module.split('.').any(|part| part.starts_with("__torch__")) => Self::Script,
            _ => Self::Opaque,
        })
    }

    fn storage_or_type(name: &str) -> Self {
        let storage = TYPES.iter().find(|known| known.storage == name).map(Self::Storage);
        let plain = || TYPES.iter().find(|known| known.name == name).map(Self::Type);
        storage.or_else(plain).unwrap_or(Self::Opaque)
    }
}

/// Modules that exist to run programs, load code or reach the system. No state dict names them.
const SYSTEM: [&str; 30] = [
    "posix",
    "posixpath",
    "nt",
    "ntpath",
    "subprocess",
    "sys",
    "shutil",
    "socket",
    "runpy",
    "imp",
    "pkgutil",
    "pty",
    "commands",
    "cffi",
    "webbrowser",
    "pickle",
    "_pickle",
    "cPickle",
    "marshal",
    "code",
    "codeop",
    "timeit",
    "pdb",
    "bdb",
    "cProfile",
    "profile",
    "signal",
    "popen2",
    "httplib",
    "_posixsubprocess",
];

/// Packages of that kind, with all modules in them.
const SYSTEM_PACKAGES: [&str; 5] = ["os", "importlib", "ctypes", "dill", "cloudpickle"];

/// Built-in functions that checkpoints do name. Bound methods and members of enums are written as
/// `getattr(..)`.
const BUILT_IN: [&str; 21] = [
    "set",
    "frozenset",
    "list",
    "tuple",
    "dict",
    "int",
    "float",
    "bool",
    "str",
    "bytes",
    "bytearray",
    "complex",
    "slice",
    "range",
    "xrange",
    "object",
    "unicode",
    "long",
    "type",
    "getattr",
    "print",
];

/// Returns `true` if `module.name` runs programs or code.
fn runs_code(module: &str, name: &str) -> bool {
    let root = module.split('.').next().unwrap_or_default();
    // A name with dots (protocol 4) reaches attributes: `eval.__call__` of `builtins`.
    let first = name.split('.').next().unwrap_or_default();
    SYSTEM.contains(&module)
        || SYSTEM_PACKAGES.contains(&root)
        || match root {
            "builtins" | "__builtin__" | "__builtins__" => !BUILT_IN.contains(&first),
            "io" | "_io" | "codecs" | "_codecs" => matches!(first, "open" | "open_code" | "FileIO"),
            "types" => matches!(first, "CodeType" | "FunctionType" | "LambdaType"),
            "numpy" => module.starts_with("numpy.testing") && first == "runstring",
            "torch" => {
                module.starts_with("torch.hub")
                    || matches!(first, "load" | "_load" | "compile" | "load_inline" | "hub")
            }
            _ => false,
        }
}
