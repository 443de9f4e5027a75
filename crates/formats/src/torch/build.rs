//! What a pickle asks to be called, done for the few functions that are known.

use super::machine::{Machine, bad};
use super::names::Known;
use super::node::{Id, NONE, Node};
use crate::error::Fault;

impl Machine<'_> {
    /// The result of `callable(*args)`. Nothing is called: a known function's result is put
    /// together here, any other gives an object without content.
    pub(super) fn reduce(&mut self, callable: Id, args: Id) -> Result<(), Fault> {
        let Node::Global(known) = self.nodes[callable as usize] else {
            self.push(Node::Object { script: false, state: NONE });
            return Ok(());
        };
        match known {
            Known::Dict => {
                let items = self.dict(args)?;
                self.push(Node::Dict(items));
            }
            Known::Tensor | Known::TypedTensor | Known::Parameter => self.rebuild(known, args)?,
            Known::FromType => {
                let parts = self.tuple(args)?;
                let (Some(&function), Some(&inner)) = (parts.first(), parts.get(2)) else {
                    return Err(bad("_rebuild_from_type_v2 lacks arguments"));
                };
                match self.nodes[function as usize] {
                    Node::Global(
                        inner_known @ (Known::Tensor | Known::TypedTensor | Known::Parameter),
                    ) => {
                        self.rebuild(inner_known, inner)?;
                    }
                    _ => self.push(Node::Object { script: false, state: NONE }),
                }
            }
            Known::Size => match self.tuple(args)?.first() {
                Some(&size) => self.push_id(size),
                None => self.push(Node::Tuple(Box::default())),
            },
            Known::Script => self.push(Node::Object { script: true, state: NONE }),
            Known::Storage(_) | Known::Number(_) | Known::Opaque => {
                self.push(Node::Object { script: false, state: NONE });
            }
        }
        Ok(())
    }

    fn tuple(&self, args: Id) -> Result<&[Id], Fault> {
        match &self.nodes[args as usize] {
            Node::Tuple(items) => Ok(items),
            _ => Err(bad("arguments are no tuple")),
        }
    }

    fn rebuild(&mut self, function: Known, args: Id) -> Result<(), Fault> {
        let parts = self.tuple(args)?;
        if let Known::Parameter = function {
            // What is no tensor (a sparse one, say, which is opaque) is passed on as it is.
            let &tensor = parts.first().ok_or_else(|| bad("_rebuild_parameter lacks arguments"))?;
            self.push_id(tensor);
            return Ok(());
        }
        let &[storage, offset, size, stride, ..] = parts else {
            return Err(bad("_rebuild_tensor_v2 lacks arguments"));
        };
        let kind = match (function, parts.get(6).map(|&id| &self.nodes[id as usize])) {
            (Known::TypedTensor, Some(Node::Global(Known::Number(kind)))) => Some(*kind),
            (Known::TypedTensor, _) => {
                return Err(bad("_rebuild_tensor_v3 names no known type of numbers"));
            }
            _ => None,
        };
        if !matches!(self.nodes[storage as usize], Node::Storage { .. }) {
            return Err(bad("a tensor without a storage"));
        }
        self.push(Node::Tensor { storage, offset, size, stride, kind });
        Ok(())
    }

    /// The arguments of `OrderedDict(..)` or `defaultdict(factory, ..)`: nothing, a dict, or a list
    /// of pairs, which is how Python 2 wrote it.
    fn dict(&mut self, args: Id) -> Result<Vec<(Id, Id)>, Fault> {
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

    /// `("storage", type, key, device, length, view)`: bytes kept outside the pickle. In the legacy
    /// format also `("module", class, file, source)`, which stands for the class.
    pub(super) fn persistent(&mut self, id: Id) -> Result<(), Fault> {
        let parts = self.tuple(id)?;
        let (&tag, &class) =
            parts.first().zip(parts.get(1)).ok_or_else(|| bad("a persistent id without parts"))?;
        if self.is_text(tag, "module") {
            self.push_id(class);
            return Ok(());
        }
        let Node::Global(Known::Storage(kind)) = self.nodes[class as usize] else {
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
        self.push(Node::Storage { kind, key, view });
        Ok(())
    }
}
