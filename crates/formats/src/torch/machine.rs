//! Machine that runs pickles of protocols 2 to 5. It fills a list of [`Node`]s and never calls
//! anything.
//!
//! Memory is bounded by the length of the pickle (up to about 100 bytes for each of its own, if it
//! is made to take as much as it can) and by [`MAX_VALUES`]. An instruction makes at most one node.
//! Nothing is reserved from a claimed length before the bytes are known to be there. Copies of
//! lists are on a budget ([`Machine::copied`]).

use super::global::Global;
use super::node::{Id, Node, Pickle, text};
use crate::error::{ParseError, one_line};
use std::collections::HashMap;

/// Most bytes of a pickle. It has names and shapes, not numbers; that of the largest checkpoint is
/// a few megabytes.
const MAX_LEN: usize = 256 << 20;
/// Most values of a pickle. A tensor takes about 20.
const MAX_VALUES: usize = 8 << 20;

/// The machine: its program, its values, its stack and its memo.
pub(super) struct Machine<'a> {
    data: &'a [u8],
    at: usize,
    pub(super) nodes: Vec<Node>,
    pub(super) stack: Vec<Id>,
    /// Lengths of the stack at its marks.
    pub(super) marks: Vec<usize>,
    pub(super) memo: HashMap<u32, Id>,
    /// Elements of lists that may still be copied.
    budget: usize,
}

/// Runs the pickle at the start of `data`. Returns its values and its length.
pub(super) fn run(data: &[u8]) -> Result<(Pickle<'_>, usize), ParseError> {
    let data = &data[..data.len().min(MAX_LEN)];
    let mut machine = Machine {
        data,
        at: 0,
        nodes: vec![Node::None, Node::Bool(true), Node::Bool(false)],
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        budget: data.len(),
    };
    loop {
        let start = machine.at;
        match machine.step() {
            Ok(None)
                if machine.nodes.len().max(machine.stack.len()).max(machine.memo.len())
                    <= MAX_VALUES => {}
            Ok(None) => return Err(bad(format!("more than {MAX_VALUES} values")).offset(start)),
            Ok(Some(root)) => {
                let data = &data[..machine.at];
                return Ok((Pickle { data, nodes: machine.nodes, root }, data.len()));
            }
            // The byte of an error is counted from the start of the instruction.
            Err(error) => return Err(error.offset(start)),
        }
    }
}

/// Creates the error of an instruction. [`run`] adds its byte.
pub(super) fn bad(what: impl Into<String>) -> ParseError {
    ParseError::damaged(format!("bad pickle: {}", what.into()), 0)
}

impl<'a> Machine<'a> {
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], ParseError> {
        let bytes = self.at.checked_add(len).and_then(|end| self.data.get(self.at..end));
        let bytes = bytes.ok_or_else(|| bad("it ends in the middle"))?;
        self.at += len;
        Ok(bytes)
    }

    /// Reads a little-endian length of `bytes` bytes.
    pub(super) fn length(&mut self, bytes: usize) -> Result<usize, ParseError> {
        let value = self
            .take(bytes)?
            .iter()
            .rev()
            .fold(0u64, |value, &byte| (value << 8) | u64::from(byte));
        usize::try_from(value).map_err(|_| bad("a length that no memory holds"))
    }

    /// Reads text up to the end of the line.
    pub(super) fn line(&mut self) -> Result<&'a str, ParseError> {
        let rest = &self.data[self.at..];
        let len = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or_else(|| bad("it ends in the middle"))?;
        self.at += len + 1;
        std::str::from_utf8(&rest[..len]).map_err(|_| bad("a name is not UTF-8"))
    }

    pub(super) fn push(&mut self, node: Node) {
        // At most one a byte, and pickles are capped well below the range of an index.
        self.nodes.push(node);
        self.stack.push((self.nodes.len() - 1) as Id);
    }

    pub(super) fn text_of(&self, id: Id) -> Option<&'a str> {
        match self.nodes[id as usize] {
            Node::Text { start, len } => text(self.data, start, len),
            _ => None,
        }
    }

    pub(super) fn is_text(&self, id: Id, text: &str) -> bool {
        self.text_of(id) == Some(text)
    }

    pub(super) fn push_id(&mut self, id: Id) {
        self.stack.push(id);
    }

    /// Returns the stack's length without the top `count` values, which must not be below a mark.
    pub(super) fn floor(&self, count: usize) -> Result<usize, ParseError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack
            .len()
            .checked_sub(count)
            .filter(|from| *from >= floor)
            .ok_or_else(|| bad("nothing on the stack"))
    }

    pub(super) fn pop(&mut self) -> Result<Id, ParseError> {
        self.floor(1)?;
        self.stack.pop().ok_or_else(|| bad("nothing on the stack"))
    }

    pub(super) fn peek(&self) -> Result<Id, ParseError> {
        self.floor(1).map(|top| self.stack[top])
    }

    pub(super) fn pop_to_mark(&mut self) -> Result<Vec<Id>, ParseError> {
        let mark = self.marks.pop().ok_or_else(|| bad("no mark on the stack"))?;
        Ok(self.stack.split_off(mark))
    }

    pub(super) fn int(&mut self, bytes: usize) -> Result<(), ParseError> {
        let value = self.length(bytes)?;
        self.push(Node::Int(value as i64));
        Ok(())
    }

    /// Pushes a little-endian two's complement number of any length. Numbers beyond 64 bits become
    /// [`Node::Other`].
    pub(super) fn long(&mut self, bytes: usize) -> Result<(), ParseError> {
        let len = self.length(bytes)?;
        let digits = self.take(len)?;
        let sign = if digits.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        let (low, high) = digits.split_at(len.min(8));
        let mut wide = [sign; 8];
        wide[..low.len()].copy_from_slice(low);
        // The bytes beyond must only repeat the sign.
        let fits = high.iter().all(|&byte| byte == sign)
            && (high.is_empty() || (wide[7] ^ sign) & 0x80 == 0);
        let node = if fits { Node::Int(i64::from_le_bytes(wide)) } else { Node::Other };
        self.push(node);
        Ok(())
    }

    pub(super) fn text(&mut self, bytes: usize) -> Result<(), ParseError> {
        let len = self.length(bytes)?;
        let start = self.at as u32;
        self.take(len)?;
        self.push(Node::Text { start, len: len as u32 });
        Ok(())
    }

    pub(super) fn other(&mut self, bytes: usize) -> Result<(), ParseError> {
        let len = self.length(bytes)?;
        self.take(len)?;
        self.push(Node::Other);
        Ok(())
    }

    pub(super) fn put(&mut self, bytes: usize) -> Result<(), ParseError> {
        let index = self.length(bytes)? as u32;
        let top = self.peek()?;
        self.memo.insert(index, top);
        Ok(())
    }

    pub(super) fn get(&mut self, bytes: usize) -> Result<(), ParseError> {
        let index = self.length(bytes)? as u32;
        let id = *self
            .memo
            .get(&index)
            .ok_or_else(|| bad(format!("nothing is memorised as {index}")))?;
        self.stack.push(id);
        Ok(())
    }

    pub(super) fn append(&mut self, items: &[Id]) -> Result<(), ParseError> {
        let list = self.peek()?;
        match &mut self.nodes[list as usize] {
            Node::List(list) => list.extend_from_slice(items),
            // A subclass of list or a deque.
            Node::Object { .. } | Node::Other => {}
            _ => return Err(bad("items are added to what is no list")),
        }
        Ok(())
    }

    pub(super) fn set_items(&mut self, items: &[Id]) -> Result<(), ParseError> {
        let items = pairs(items)?;
        let dict = self.peek()?;
        match &mut self.nodes[dict as usize] {
            Node::Dict(dict) => dict.extend_from_slice(&items),
            // A subclass of dict.
            Node::Object { .. } => {}
            _ => return Err(bad("keys are added to what is no dict")),
        }
        Ok(())
    }

    pub(super) fn global(&mut self, module: &str, name: &str) -> Result<(), ParseError> {
        let global = Global::find(module, name).ok_or_else(|| {
            ParseError::unsafe_global(format!("{}.{}", one_line(module), one_line(name)))
        })?;
        self.push(Node::Global(global));
        Ok(())
    }

    /// Pushes `class.__new__(*args)`: the same as a call, for the classes that are known.
    pub(super) fn new_object(&mut self, class: Id, args: Id) -> Result<(), ParseError> {
        match self.nodes[class as usize] {
            Node::Global(Global::Dict) => self.push(Node::Dict(Vec::new())),
            _ => self.reduce(class, args)?,
        }
        Ok(())
    }

    /// Charges the copy of a list of `count` elements: the same list may be named again and again.
    pub(super) fn copied(&mut self, count: usize) -> Result<(), ParseError> {
        self.budget =
            self.budget.checked_sub(count).ok_or_else(|| bad("it copies more than it holds"))?;
        Ok(())
    }
}

/// Returns keys and values, which alternate in `items`.
pub(super) fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, ParseError> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(bad("a key without a value"));
    }
    Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
}
