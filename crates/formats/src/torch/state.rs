//! From the values of a pickle to named tensors.

use super::node::{Id, NONE, Node, Pickle};
use crate::dtype::Format;
use crate::entry::{Entry, MAX_RANK, Parsed};
use crate::error::{DAMAGED, Fault, one_line};
use std::ops::Range;

/// Keys under which a checkpoint keeps its weights beside the state of the training.
const WRAPPERS: [&str; 4] = ["model", "state_dict", "model_state_dict", "module"];

/// Parts of the names of what else a training keeps.
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

/// A tensor found: the key of the top level it is under, the rest of its name, itself.
struct Found<'p> {
    top: &'p str,
    name: String,
    id: Id,
}

/// The state dict in `pickle`. `locate` tells where in the file the storage of a key is.
pub(super) fn parsed(
    pickle: &Pickle,
    format: Format,
    file_len: usize,
    locate: impl Fn(&str) -> Result<Range<usize>, Fault>,
) -> Result<Parsed, Fault> {
    let mut found = find(pickle)?;
    let mut parsed = Parsed::new(format);
    let is_dict = matches!(pickle.node(pickle.root), Node::Dict(_));
    let wrapper = wrapper(&found).filter(|_| is_dict);
    if let Some(wrapper) = wrapper {
        found.retain(|tensor| tensor.top == wrapper);
        beside(pickle, &mut parsed);
    }
    for Found { top, name, id } in found {
        let name = match (wrapper.is_some(), top.is_empty(), name.is_empty()) {
            (true, ..) | (_, true, _) => name,
            (false, false, true) => top.to_owned(),
            (false, false, false) => format!("{top}.{name}"),
        };
        let twice = match entry(pickle, id, file_len, &locate) {
            Ok(entry) => {
                parsed.entries.insert(name.clone(), entry).is_some()
                    || parsed.skipped.contains_key(&name)
            }
            Err(Wrong::Unread(why)) => {
                parsed.skipped.insert(name.clone(), why).is_some()
                    || parsed.entries.contains_key(&name)
            }
            Err(Wrong::Broken(what)) => {
                return Err(Fault::new(format!("tensor `{}` {what}", one_line(&name)), DAMAGED));
            }
            Err(Wrong::File(fault)) => return Err(fault),
        };
        if twice {
            return Err(Fault::new(
                format!("two tensors are called `{}`", one_line(&name)),
                DAMAGED,
            ));
        }
    }
    Ok(parsed)
}

/// The one wrapper that holds tensors, if only the state of a training holds any beside it.
fn wrapper<'p>(found: &[Found<'p>]) -> Option<&'p str> {
    let first =
        found.iter().find(|tensor| WRAPPERS.contains(&tensor.top) && !tensor.name.is_empty())?.top;
    let alone = found.iter().all(|tensor| {
        let lower = tensor.top.to_ascii_lowercase();
        tensor.top == first || TRAINING.iter().any(|part| lower.contains(part))
    });
    alone.then_some(first)
}

/// Numbers and text beside the weights.
fn beside(pickle: &Pickle, parsed: &mut Parsed) {
    let Node::Dict(items) = pickle.node(pickle.root) else { return };
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
            parsed.metadata.insert(key.to_owned(), text);
        }
    }
}

/// All tensors below the root. Values may be shared or contain themselves, so names and visits are
/// on a budget that grows with the pickle: a real tensor takes about 60 bytes of it and is charged
/// fewer than eight times that.
fn find<'p>(pickle: &Pickle<'p>) -> Result<Vec<Found<'p>>, Fault> {
    let mut budget = pickle.data.len().saturating_mul(8) + 4096;
    let mut found = Vec::new();
    let mut open: Vec<(Id, &'p str, String)> = vec![(pickle.root, "", String::new())];
    let mut first = true;
    while let Some((id, top, name)) = open.pop() {
        let top_level = std::mem::take(&mut first);
        let mut visit = |id: Id, key: &'p str, number: Option<usize>| -> Result<(), Fault> {
            let holds = matches!(
                pickle.node(id),
                Node::Tensor { .. }
                    | Node::Dict(_)
                    | Node::List(_)
                    | Node::Tuple(_)
                    | Node::Object { .. }
            );
            let cost = if holds { name.len() + key.len() + 32 } else { 1 };
            budget = budget.checked_sub(cost).ok_or_else(|| {
                Fault::new(
                    "the checkpoint nests without end",
                    "it is made to exhaust memory; do not trust it",
                )
            })?;
            if !holds {
                return Ok(());
            }
            let number = number.map(|number| number.to_string());
            let part = number.as_deref().unwrap_or(key);
            if top_level && number.is_none() {
                open.push((id, key, String::new()));
            } else {
                let dot = if name.is_empty() || part.is_empty() { "" } else { "." };
                open.push((id, top, format!("{name}{dot}{part}")));
            }
            Ok(())
        };
        match pickle.node(id) {
            Node::Tensor { .. } => {
                let name =
                    if name.is_empty() && top.is_empty() { "tensor".to_owned() } else { name };
                found.push(Found { top, name, id });
            }
            Node::Dict(items) => {
                for &(key, value) in items {
                    match (pickle.text(key), pickle.size(key)) {
                        (Some(key), _) => visit(value, key, None)?,
                        (None, Some(number)) => visit(value, "", Some(number))?,
                        _ => {}
                    }
                }
            }
            Node::List(items) => {
                items.iter().enumerate().try_for_each(|(i, &item)| visit(item, "", Some(i)))?
            }
            Node::Tuple(items) => {
                items.iter().enumerate().try_for_each(|(i, &item)| visit(item, "", Some(i)))?
            }
            &Node::Object { script, state } => {
                let Node::Dict(attributes) = pickle.node(state) else { continue };
                // An `nn.Module` keeps its tensors in three dicts, a TorchScript module among its
                // attributes.
                for &(key, value) in attributes {
                    let Some(key) = pickle.text(key) else { continue };
                    match (script, key) {
                        (false, "_parameters" | "_buffers" | "_modules") => {
                            let Node::Dict(items) = pickle.node(value) else { continue };
                            for &(key, value) in items {
                                visit(value, pickle.text(key).unwrap_or_default(), None)?;
                            }
                        }
                        (true, _)
                            if matches!(
                                pickle.node(value),
                                Node::Tensor { .. } | Node::Object { .. }
                            ) =>
                        {
                            visit(value, key, None)?;
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Why a tensor has no [`Entry`].
enum Wrong {
    /// It is of a type that is not read.
    Unread(String),
    /// It contradicts itself or the file.
    Broken(String),
    /// Its storage is not there.
    File(Fault),
}

/// Where the tensor `id` is in the file.
fn entry(
    pickle: &Pickle,
    id: Id,
    file_len: usize,
    locate: impl Fn(&str) -> Result<Range<usize>, Fault>,
) -> Result<Entry, Wrong> {
    let broken = |what: &str| Wrong::Broken(what.to_owned());
    let &Node::Tensor { storage, offset, size, stride, kind } = pickle.node(id) else {
        return Err(broken("is none"));
    };
    let &Node::Storage { kind: stored, key, view } = pickle.node(storage) else {
        return Err(broken("has no storage"));
    };
    let kind = kind.unwrap_or(stored);
    let Some(dtype) = kind.dtype else {
        return Err(Wrong::Unread(format!("is stored as {}, which is not read", kind.name)));
    };
    let (Some(shape), Some(strides)) =
        (pickle.sizes(size, MAX_RANK), pickle.sizes(stride, MAX_RANK))
    else {
        return Err(Wrong::Broken(format!(
            "has a shape or strides that are no list of up to {MAX_RANK} numbers"
        )));
    };
    let offset = pickle.size(offset).ok_or_else(|| broken("has an offset that is no number"))?;
    let key = pickle.text(key).ok_or_else(|| broken("has a storage without a name"))?;
    let place = locate(key).map_err(Wrong::File)?;
    // Before PyTorch 0.4 a storage could be a window of another: its key, first number, length.
    let first = match pickle.node(view) {
        Node::Tuple(parts) if view != NONE => parts
            .get(1)
            .and_then(|&first| pickle.size(first))
            .ok_or_else(|| broken("has a broken storage view"))?,
        _ => 0,
    };
    let offset =
        offset.checked_add(first).ok_or_else(|| broken("has an offset beyond all files"))?;
    Entry::view(shape, strides, dtype, (place.start, place.len()), offset, file_len)
        .map_err(Wrong::Broken)
}
