//! Calls that a pickle asks for, done for the few functions that are known.

use super::global::Global;
use super::machine::{Machine, bad};
use super::node::{Id, NONE, Node};
use crate::error::ParseError;

impl Machine<'_> {
    /// Pushes the result of `callable(*args)`.
    ///
    /// Nothing is called: a known function's result is put together here, any other gives an object
    /// without content.
    pub(super) fn reduce(&mut self, callable: Id, args: Id) -> Result<(), ParseError> {
        let Node::Global(global) = self.nodes[callable as usize] else {
            self.push(Node::Object { script: false, state: NONE });
            return Ok(());
        };
        match global {
            Global::Dict => {
                let items = self.dict(args)?;
                self.push(Node::Dict(items));
            }
            Global::Tensor | Global::TypedTensor | Global::Parameter => {
                self.rebuild(global, args)?
            }
            Global::FromType => {
                let parts = self.tuple(args)?;
                let (Some(&function), Some(&inner)) = (parts.first(), parts.get(2)) else {
                    return Err(bad("_rebuild_from_type_v2 lacks arguments"));
                };
                match self.nodes[function as usize] {
                    Node::Global(
                        inner_global @ (Global::Tensor | Global::TypedTensor | Global::Parameter),
                    ) => {
                        self.rebuild(inner_global, inner)?;
                    }
                    _ => self.push(Node::Object { script: false, state: NONE }),
                }
            }
            Global::Size => match self.tuple(args)?.first() {
                Some(&size) => self.push_id(size),
                None => self.push(Node::Tuple(Box::default())),
            },
            Global::Script => self.push(Node::Object { script: true, state: NONE }),
            Global::Storage(_) | Global::Type(_) | Global::Opaque => {
                self.push(Node::Object { script: false, state: NONE });
            }
        }
        Ok(())
    }

    /// Returns the arguments of a call.
    fn tuple(&self, args: Id) -> Result<&[Id], ParseError> {
        match &self.nodes[args as usize] {
            Node::Tuple(items) => Ok(items),
            _ => Err(bad("arguments are no tuple")),
        }
    }

    /// Pushes the tensor that one of PyTorch's functions puts together.
    fn rebuild(&mut self, function: Global, args: Id) -> Result<(), ParseError> {
        let parts = self.tuple(args)?;
        if let Global::Parameter = function {
            // Anything but a tensor (a sparse one, say, which is opaque) is passed on as it is.
            let &tensor = parts.first().ok_or_else(|| bad("_rebuild_parameter lacks arguments"))?;
            self.push_id(tensor);
            return Ok(());
        }
        let &[storage, offset, size, stride, ..] = parts else {
            return Err(bad("_rebuild_tensor_v2 lacks arguments"));
        };
        let dtype = match (function, parts.get(6).map(|&id| &self.nodes[id as usize])) {
            (Global::TypedTensor, Some(Node::Global(Global::Type(dtype)))) => Some(*dtype),
            (Global::TypedTensor, _) => {
                return Err(bad("_rebuild_tensor_v3 names no known type of numbers"));
            }
            _ => None,
        };
        if !matches!(self.nodes[storage as usize], Node::Storage { .. }) {
            return Err(bad("a tensor without a storage"));
        }
        self.push(Node::Tensor { storage, offset, size, stride, dtype });
        Ok(())
    }

    /// Reads the arguments of `OrderedDict(..)` or `defaultdict(factory, ..)`: nothing, a dict, or
    /// a list of pairs, as Python 2 wrote it.
    fn dict(&mut self, args: Id) -> Result<Vec<(Id, Id)>, ParseError> {
        let Some(&last) = self.tuple(args)?.last() else { return Ok(Vec::new()) };
        let count = match &self.nodes[last as usize] {
            Node::Dict(items) => items.len(),
            Node::List(items) => items.len(),
            _ => 0,
        };
        self.copied(count)?;
        let pair = |&id: &Id| match &self.nodes[id as usize] {
            Node::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            Node::List(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            _ => Err(bad("OrderedDict of what are no pairs")),
        };
        match &self.nodes[last as usize] {
            Node::Dict(items) => Ok(items.clone()),
            Node::List(items) => items.iter().map(pair).collect(),
            _ => Ok(Vec::new()),
        }
    }

    /// Pushes the value of a persistent id.
    ///
    /// `("storage", type, key, device, length, view)` is bytes outside the pickle. The legacy
    /// format also has `("module", class, file, source)`, which stands for the class.
    pub(super) fn persistent(&mut self, id: Id) -> Result<(), ParseError> {
        let parts = self.tuple(id)?;
        let (&tag, &class) =
            parts.first().zip(parts.get(1)).ok_or_else(|| bad("a persistent id without parts"))?;
        if self.is_text(tag, "module") {
            self.push_id(class);
            return Ok(());
        }
        let Node::Global(Global::Storage(dtype)) = self.nodes[class as usize] else {
            return Err(bad("a storage of no known type"));
        };
        let key = parts
            .get(2)
            .copied()
            .filter(|&key| matches!(self.nodes[key as usize], Node::Text { .. }));
        let (true, Some(key)) = (self.is_text(tag, "storage"), key) else {
            return Err(bad("a persistent id that is no storage"));
        };
        let view = parts.get(5).copied().unwrap_or(NONE);
        self.push(Node::Storage { dtype, key, view });
        Ok(())
    }
}
