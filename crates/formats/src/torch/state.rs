//! Named tensors from the values of a pickle.

use super::find::{Found, find};
use super::node::{Id, NONE, Node, Pickle};
use crate::directory::Directory;
use crate::dtype::Format;
use crate::error::ParseError;
use crate::stored::{MAX_RANK, StoredTensor, TensorError};
use std::collections::BTreeMap;
use std::ops::Range;

/// Keys under which a checkpoint has its weights, beside the state of the training.
const WRAPPERS: [&str; 4] = ["model", "state_dict", "model_state_dict", "module"];

/// Parts of the keys of the state of a training.
const TRAINING: [&str; 11] = [
    "optim",
    "sched",
    "scaler",
    "rng",
    "ema",
    "args",
    "config",
    "epoch",
    "loss",
    "callbacks",
    "loops",
];

/// Reads the state dict of `pickle`. `locate` returns the bytes of the storage of a key.
pub(super) fn tensors(
    pickle: &Pickle,
    format: Format,
    file_len: usize,
    locate: impl Fn(&str) -> Result<Range<usize>, ParseError>,
) -> Result<Directory, ParseError> {
    let mut found = find(pickle)?;
    let mut directory = Directory::new(format);
    let is_dict = matches!(pickle.node(pickle.root), Node::Dict(_));
    let wrapper = wrapper(&found).filter(|_| is_dict);
    if let Some(wrapper) = wrapper {
        found.retain(|tensor| tensor.top == wrapper);
        directory.metadata = metadata(pickle);
    }
    for Found { top, name, id } in found {
        let name = match (wrapper.is_some(), top.is_empty(), name.is_empty()) {
            (true, ..) | (_, true, _) => name,
            (false, false, true) => top.to_owned(),
            (false, false, false) => format!("{top}.{name}"),
        };
        directory.insert(&name, tensor(pickle, id, file_len, &locate))?;
    }
    Ok(directory)
}

/// Returns the one wrapper with tensors, if no other key has any but the state of the training.
fn wrapper<'p>(found: &[Found<'p>]) -> Option<&'p str> {
    let first =
        found.iter().find(|tensor| WRAPPERS.contains(&tensor.top) && !tensor.name.is_empty())?.top;
    let alone = found.iter().all(|tensor| {
        let lower = tensor.top.to_ascii_lowercase();
        tensor.top == first || TRAINING.iter().any(|part| lower.contains(part))
    });
    alone.then_some(first)
}

/// Returns the numbers and texts of a dict that also has the weights, such as `epoch`.
fn metadata(pickle: &Pickle) -> BTreeMap<String, String> {
    let mut metadata = BTreeMap::new();
    let Node::Dict(items) = pickle.node(pickle.root) else { return metadata };
    for &(key, value) in items {
        let text = match pickle.node(value) {
            Node::Int(value) => value.to_string(),
            Node::Float(value) => value.to_string(),
            Node::Bool(value) => value.to_string(),
            Node::Text { .. } => pickle.text(value).unwrap_or_default().to_owned(),
            _ => continue,
        };
        // The same text may be named by many keys; notes of a training are short.
        if let (Some(key), true) = (pickle.text(key), text.len() <= 256) {
            metadata.insert(key.to_owned(), text);
        }
    }
    metadata
}

/// Returns the place of the tensor `id` in the file.
fn tensor(
    pickle: &Pickle,
    id: Id,
    file_len: usize,
    locate: impl Fn(&str) -> Result<Range<usize>, ParseError>,
) -> Result<StoredTensor, TensorError> {
    let damaged = TensorError::damaged;
    let &Node::Tensor { storage, offset, size, stride, dtype } = pickle.node(id) else {
        return Err(damaged("is none"));
    };
    let &Node::Storage { dtype: stored, key, view } = pickle.node(storage) else {
        return Err(damaged("has no storage"));
    };
    let torch_type = dtype.unwrap_or(stored);
    let Some(dtype) = torch_type.dtype else {
        let why = format!("is stored as {}, which is not read", torch_type.name);
        return Err(TensorError::Unread(why));
    };
    let (Some(shape), Some(strides)) =
        (pickle.sizes(size, MAX_RANK), pickle.sizes(stride, MAX_RANK))
    else {
        let what = format!("has a shape or strides that are no list of up to {MAX_RANK} numbers");
        return Err(TensorError::Damaged(what));
    };
    let offset = pickle.size(offset).ok_or_else(|| damaged("has an offset that is no number"))?;
    let key = pickle.text(key).ok_or_else(|| damaged("has a storage without a name"))?;
    let storage = locate(key).map_err(TensorError::File)?;
    // Before PyTorch 0.4 a storage could be a window of another: its key, first number, length.
    let first = match pickle.node(view) {
        Node::Tuple(parts) if view != NONE => parts
            .get(1)
            .and_then(|&first| pickle.size(first))
            .ok_or_else(|| damaged("has a broken storage view"))?,
        _ => 0,
    };
    let offset =
        offset.checked_add(first).ok_or_else(|| damaged("has an offset beyond all files"))?;
    StoredTensor::view(shape, strides, dtype, storage, offset, file_len)
}
