//! Values that a pickle builds.
//!
//! They are elements of one list and name each other by index, so that neither a deep nor a
//! circular structure needs recursion, not even to free it.

use super::global::{Global, TorchType};

/// Index of a value.
pub(super) type Id = u32;

pub(super) const NONE: Id = 0;
pub(super) const TRUE: Id = 1;
pub(super) const FALSE: Id = 2;

/// A value.
pub(super) enum Node {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A text, by its place in the pickle.
    Text {
        start: u32,
        len: u32,
    },
    /// Bytes, sets, long integers: nothing that a tensor is made of.
    Other,
    Tuple(Box<[Id]>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// An instance of a class or the result of a function that is not known: nothing was called.
    Object {
        script: bool,
        state: Id,
    },
    Storage {
        dtype: &'static TorchType,
        key: Id,
        view: Id,
    },
    /// The parts of a tensor, checked only if it is part of the state dict.
    Tensor {
        storage: Id,
        offset: Id,
        size: Id,
        stride: Id,
        dtype: Option<&'static TorchType>,
    },
}

/// The values of a pickle that has run.
pub(super) struct Pickle<'a> {
    pub(super) data: &'a [u8],
    pub(super) nodes: Vec<Node>,
    pub(super) root: Id,
}

impl<'a> Pickle<'a> {
    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    /// Returns a text.
    pub(super) fn text(&self, id: Id) -> Option<&'a str> {
        match *self.node(id) {
            Node::Text { start, len } => text(self.data, start, len),
            _ => None,
        }
    }

    /// Returns the value of a text key of a dict.
    pub(super) fn get(&self, dict: Id, key: &str) -> Option<Id> {
        let Node::Dict(items) = self.node(dict) else { return None };
        items.iter().rev().find(|(k, _)| self.text(*k) == Some(key)).map(|&(_, value)| value)
    }

    /// Returns the numbers of a tuple or list of non-negative integers; `None` if it is anything
    /// else or longer than `max`.
    pub(super) fn sizes(&self, id: Id, max: usize) -> Option<Vec<usize>> {
        let items = match self.node(id) {
            Node::Tuple(items) => items,
            Node::List(items) => items.as_slice(),
            _ => return None,
        };
        (items.len() <= max).then(|| items.iter().map(|&id| self.size(id)).collect()).flatten()
    }

    /// Returns a non-negative integer.
    pub(super) fn size(&self, id: Id) -> Option<usize> {
        match *self.node(id) {
            Node::Int(value) => usize::try_from(value).ok(),
            _ => None,
        }
    }
}

/// Returns the text at a place of a pickle; `None` if it is not UTF-8.
pub(super) fn text(data: &[u8], start: u32, len: u32) -> Option<&str> {
    let (start, len) = (start as usize, len as usize);
    data.get(start..start.checked_add(len)?).and_then(|bytes| std::str::from_utf8(bytes).ok())
}
