//! Search for the tensors below the root of a pickle.

use super::node::{Id, Node, Pickle};
use crate::error::ParseError;

/// A tensor of a pickle and the parts of its name.
pub(super) struct Found<'p> {
    /// Key of the top level; empty if the root is no dict.
    pub(super) top: &'p str,
    /// Rest of the name, joined with `.`.
    pub(super) name: String,
    pub(super) id: Id,
}

/// Returns all tensors below the root.
///
/// Values may be shared or contain themselves, so names and visits are on a budget that grows with
/// the pickle: a real tensor takes about 60 bytes of it and is charged fewer than eight times that.
///
/// # Errors
/// If the budget is spent.
pub(super) fn find<'p>(pickle: &Pickle<'p>) -> Result<Vec<Found<'p>>, ParseError> {
    let root = Place { id: pickle.root, top: "", name: String::new(), is_root: true };
    let budget = pickle.data.len().saturating_mul(8) + 4096;
    let mut search = Search { pickle, budget, open: vec![root], found: Vec::new() };
    while let Some(place) = search.open.pop() {
        search.visit(place)?;
    }
    Ok(search.found)
}

/// A value to visit and the parts of its name.
struct Place<'p> {
    id: Id,
    top: &'p str,
    name: String,
    is_root: bool,
}

/// The part of a name that a container adds.
enum Part<'p> {
    Key(&'p str),
    Number(usize),
}

struct Search<'a, 'p> {
    pickle: &'a Pickle<'p>,
    /// Characters of names and visits that are left.
    budget: usize,
    open: Vec<Place<'p>>,
    found: Vec<Found<'p>>,
}

impl<'p> Search<'_, 'p> {
    fn visit(&mut self, place: Place<'p>) -> Result<(), ParseError> {
        match self.pickle.node(place.id) {
            Node::Tensor { .. } => {
                let is_bare = place.name.is_empty() && place.top.is_empty();
                let name = if is_bare { "tensor".to_owned() } else { place.name };
                self.found.push(Found { top: place.top, name, id: place.id });
                Ok(())
            }
            Node::Dict(items) => self.dict(&place, items),
            Node::List(items) => self.list(&place, items),
            Node::Tuple(items) => self.list(&place, items),
            &Node::Object { script, state } => self.object(&place, script, state),
            _ => Ok(()),
        }
    }

    fn dict(&mut self, parent: &Place<'p>, items: &[(Id, Id)]) -> Result<(), ParseError> {
        for &(key, value) in items {
            if let Some(key) = self.pickle.text(key) {
                self.push(parent, value, Part::Key(key))?;
            } else if let Some(number) = self.pickle.size(key) {
                self.push(parent, value, Part::Number(number))?;
            }
        }
        Ok(())
    }

    fn list(&mut self, parent: &Place<'p>, items: &[Id]) -> Result<(), ParseError> {
        items.iter().enumerate().try_for_each(|(i, &item)| self.push(parent, item, Part::Number(i)))
    }

    /// Visits the tensors and submodules of an object with the attributes `state`.
    fn object(&mut self, parent: &Place<'p>, script: bool, state: Id) -> Result<(), ParseError> {
        let Node::Dict(attributes) = self.pickle.node(state) else { return Ok(()) };
        for &(key, value) in attributes {
            let Some(key) = self.pickle.text(key) else { continue };
            match self.pickle.node(value) {
                // TorchScript has tensors and submodules among the attributes.
                Node::Tensor { .. } | Node::Object { .. } if script => {
                    self.push(parent, value, Part::Key(key))?;
                }
                // An `nn.Module` has them in three dicts.
                Node::Dict(items)
                    if !script && matches!(key, "_parameters" | "_buffers" | "_modules") =>
                {
                    for &(key, value) in items {
                        let key = self.pickle.text(key).unwrap_or_default();
                        self.push(parent, value, Part::Key(key))?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Queues a value for a visit, if there may be tensors in it.
    fn push(&mut self, parent: &Place<'p>, id: Id, part: Part<'p>) -> Result<(), ParseError> {
        let may_have_tensors = matches!(
            self.pickle.node(id),
            Node::Tensor { .. }
                | Node::Dict(_)
                | Node::List(_)
                | Node::Tuple(_)
                | Node::Object { .. }
        );
        let key_len = if let Part::Key(key) = part { key.len() } else { 0 };
        let cost = if may_have_tensors { parent.name.len() + key_len + 32 } else { 1 };
        self.budget = self.budget.checked_sub(cost).ok_or_else(|| {
            let hint = "it is made to exhaust memory; do not trust it";
            ParseError::new("the checkpoint nests without end", hint)
        })?;
        if may_have_tensors {
            self.open.push(parent.child(id, part));
        }
        Ok(())
    }
}

impl<'p> Place<'p> {
    fn child(&self, id: Id, part: Part<'p>) -> Self {
        let (top, name) = match part {
            Part::Key(key) if self.is_root => (key, String::new()),
            Part::Key(key) => (self.top, joined(&self.name, key)),
            Part::Number(number) => (self.top, joined(&self.name, &number.to_string())),
        };
        Self { id, top, name, is_root: false }
    }
}

fn joined(name: &str, part: &str) -> String {
    let dot = if name.is_empty() || part.is_empty() { "" } else { "." };
    format!("{name}{dot}{part}")
}
