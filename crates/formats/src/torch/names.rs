//! The names a pickle may use: those that mean something here, and those that are refused.

use crate::dtype::Dtype;

/// A storage or number type of PyTorch.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Kind {
    storage: &'static str,
    pub(super) name: &'static str,
    pub(super) size: usize,
    /// `None` if such tensors are not read.
    pub(super) dtype: Option<Dtype>,
}

const fn kind(
    storage: &'static str,
    name: &'static str,
    size: usize,
    dtype: Option<Dtype>,
) -> Kind {
    Kind { storage, name, size, dtype }
}

static KINDS: [Kind; 24] = [
    kind("FloatStorage", "float32", 4, Some(Dtype::F32)),
    kind("DoubleStorage", "float64", 8, Some(Dtype::F64)),
    kind("HalfStorage", "float16", 2, Some(Dtype::F16)),
    kind("BFloat16Storage", "bfloat16", 2, Some(Dtype::Bf16)),
    kind("LongStorage", "int64", 8, Some(Dtype::I64)),
    kind("IntStorage", "int32", 4, Some(Dtype::I32)),
    kind("ShortStorage", "int16", 2, Some(Dtype::I16)),
    kind("CharStorage", "int8", 1, Some(Dtype::I8)),
    kind("ByteStorage", "uint8", 1, Some(Dtype::U8)),
    kind("BoolStorage", "bool", 1, Some(Dtype::Bool)),
    kind("UntypedStorage", "bytes", 1, Some(Dtype::U8)),
    kind("ComplexFloatStorage", "complex64", 8, None),
    kind("ComplexDoubleStorage", "complex128", 16, None),
    kind("QInt8Storage", "qint8", 1, None),
    kind("QUInt8Storage", "quint8", 1, None),
    kind("QInt32Storage", "qint32", 4, None),
    kind("QUInt4x2Storage", "quint4x2", 1, None),
    kind("QUInt2x4Storage", "quint2x4", 1, None),
    kind("", "uint16", 2, None),
    kind("", "uint32", 4, None),
    kind("", "uint64", 8, None),
    kind("", "float8_e4m3fn", 1, None),
    kind("", "float8_e5m2", 1, None),
    kind("", "complex32", 4, None),
];

/// What a name of a module means here.
#[derive(Clone, Copy)]
pub(super) enum Known {
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
    Storage(&'static Kind),
    Number(&'static Kind),
    /// A module of TorchScript.
    Script,
    /// Anything else: it has no content and is never called.
    Opaque,
}

/// The meaning of `module.name`, or `None` if it runs programs or code.
pub(super) fn known(module: &str, name: &str) -> Option<Known> {
    if runs_code(module, name) {
        return None;
    }
    Some(match (module, name) {
        ("collections", "OrderedDict" | "defaultdict" | "Counter") => Known::Dict,
        ("builtins" | "__builtin__", "dict") => Known::Dict,
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Known::Tensor,
        ("torch._utils", "_rebuild_tensor_v3") => Known::TypedTensor,
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
            Known::Parameter
        }
        ("torch._tensor", "_rebuild_from_type_v2") => Known::FromType,
        ("torch", "Size") => Known::Size,
        ("torch" | "torch.cuda" | "torch.storage", _) => {
            match KINDS.iter().find(|kind| kind.storage == name) {
                Some(kind) => Known::Storage(kind),
                None => {
                    KINDS.iter().find(|kind| kind.name == name).map_or(Known::Opaque, Known::Number)
                }
            }
        }
        _ if module.split('.').any(|part| part.starts_with("__torch__")) => Known::Script,
        _ => Known::Opaque,
    })
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

/// The same, with all that is in them.
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
