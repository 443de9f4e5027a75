//! The pickle machine: protocols 2 to 5. It fills a list of [`Node`]s and never calls anything.
//!
//! Memory is bounded by the length of the pickle (up to about 100 bytes for each of its own, if it
//! is made to take as much as it can) and by [`MAX_VALUES`]: an instruction makes at most one node,
//! nothing is reserved from a claimed length before the bytes are known to be there, and what
//! copies lists ([`Machine::copied`]) is on a budget.

use super::names::{self, Known};
use super::node::{FALSE, Id, NONE, Node, Pickle, TRUE, text};
use crate::error::{Fault, one_line};
use std::collections::HashMap;

/// Pickles of checkpoints hold names and shapes, not numbers; even of the largest they are a few
/// megabytes.
const MAX_LEN: usize = 256 << 20;
/// A tensor takes about 20 values.
const MAX_VALUES: usize = 8 << 20;

pub(super) struct Machine<'a> {
    data: &'a [u8],
    at: usize,
    pub(super) nodes: Vec<Node>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    budget: usize,
}

/// Runs the pickle at the start of `data` and tells how long it is.
pub(super) fn run(data: &[u8]) -> Result<(Pickle<'_>, usize), Fault> {
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
            // A fault that knows its byte was found while this instruction ran; the instruction is
            // the better place.
            Err(fault) => return Err(fault.offset(start)),
        }
    }
}

/// A fault of the instruction at hand; [`run`] adds where it is.
pub(super) fn bad(what: impl Into<String>) -> Fault {
    Fault::damaged(format!("bad pickle: {}", what.into()), 0)
}

impl<'a> Machine<'a> {
    /// Runs one instruction; gives the result if it was the last.
    fn step(&mut self) -> Result<Option<Id>, Fault> {
        let op = self.take(1)?[0];
        match op {
            0x80 => {
                let version = self.take(1)?[0];
                if !(2..=5).contains(&version) {
                    return Err(bad(format!("protocol {version}, not 2 to 5")));
                }
            }
            // A frame only says how far to read ahead.
            0x95 => drop(self.take(8)?),
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => match self.marks.last() {
                Some(&mark) if mark == self.stack.len() => drop(self.marks.pop()),
                _ => drop(self.pop()?),
            },
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.peek()?;
                self.stack.push(top);
            }
            b'N' => self.stack.push(NONE),
            0x88 => self.stack.push(TRUE),
            0x89 => self.stack.push(FALSE),
            b'K' => self.int(1)?,
            b'M' => self.int(2)?,
            b'J' => {
                let value =
                    self.take(4)?.first_chunk().map_or(0, |bytes| i32::from_le_bytes(*bytes));
                self.push(Node::Int(value.into()));
            }
            0x8a => self.long(1)?,
            0x8b => self.long(4)?,
            b'G' => {
                let value =
                    self.take(8)?.first_chunk().map_or(0.0, |bytes| f64::from_be_bytes(*bytes));
                self.push(Node::Float(value));
            }
            0x8c | b'U' => self.text(1)?,
            b'X' | b'T' => self.text(4)?,
            0x8d => self.text(8)?,
            b'C' => self.other(1)?,
            b'B' => self.other(4)?,
            0x8e | 0x96 => self.other(8)?,
            b')' => self.push(Node::Tuple(Box::default())),
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Tuple(items.into()));
            }
            0x85..=0x87 => {
                let from = self.floor(usize::from(op - 0x84))?;
                let items = self.stack.split_off(from);
                self.push(Node::Tuple(items.into()));
            }
            b']' => self.push(Node::List(Vec::new())),
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Node::List(items));
            }
            b'}' => self.push(Node::Dict(Vec::new())),
            b'd' => {
                let items = pairs(&self.pop_to_mark()?)?;
                self.push(Node::Dict(items));
            }
            0x8f => self.push(Node::Other),
            0x91 => {
                self.pop_to_mark()?;
                self.push(Node::Other);
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(&items)?;
            }
            // Items of a set.
            0x90 => drop(self.pop_to_mark()?),
            b's' => {
                let from = self.floor(2)?;
                let items = self.stack.split_off(from);
                self.set_items(&items)?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
            b'q' => self.put(1)?,
            b'r' => self.put(4)?,
            0x94 => {
                let (index, top) = (self.memo.len() as u32, self.peek()?);
                self.memo.insert(index, top);
            }
            b'h' => self.get(1)?,
            b'j' => self.get(4)?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Some(module), Some(name)) = (self.text_of(module), self.text_of(name)) else {
                    return Err(bad("the name of a class is not text"));
                };
                self.global(module, name)?;
            }
            b'R' => {
                let (args, callable) = (self.pop()?, self.pop()?);
                self.reduce(callable, args)?;
            }
            0x81 => {
                let (args, class) = (self.pop()?, self.pop()?);
                self.new_object(class, args)?;
            }
            0x92 => {
                let (_, args, class) = (self.pop()?, self.pop()?, self.pop()?);
                self.new_object(class, args)?;
            }
            b'b' => {
                let state = self.pop()?;
                let object = self.peek()?;
                // Attributes of a dict or a tensor are not part of the weights.
                if let Node::Object { state: old, .. } = &mut self.nodes[object as usize] {
                    *old = state;
                }
            }
            b'Q' => {
                let id = self.pop()?;
                self.persistent(id)?;
            }
            b'F' | b'I' | b'L' | b'P' | b'S' | b'V' | b'g' | b'p' | b'i' | b'o' => {
                return Err(bad(format!("instruction `{}` of protocol 0 or 1", op as char)));
            }
            0x82..=0x84 | 0x97 | 0x98 => {
                return Err(bad(format!("instruction {op:#04x} needs what is not in the file")));
            }
            _ => return Err(bad(format!("unknown instruction {op:#04x}"))),
        }
        Ok(None)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let bytes = self.at.checked_add(len).and_then(|end| self.data.get(self.at..end));
        let bytes = bytes.ok_or_else(|| bad("it ends in the middle"))?;
        self.at += len;
        Ok(bytes)
    }

    /// A little-endian length of `bytes` bytes.
    fn length(&mut self, bytes: usize) -> Result<usize, Fault> {
        let value = self
            .take(bytes)?
            .iter()
            .rev()
            .fold(0u64, |value, &byte| (value << 8) | u64::from(byte));
        usize::try_from(value).map_err(|_| bad("a length that no memory holds"))
    }

    /// Text up to the end of the line.
    fn line(&mut self) -> Result<&'a str, Fault> {
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

    fn text_of(&self, id: Id) -> Option<&'a str> {
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

    /// The stack length without the top `count` values, which must not be below a mark.
    fn floor(&self, count: usize) -> Result<usize, Fault> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack
            .len()
            .checked_sub(count)
            .filter(|from| *from >= floor)
            .ok_or_else(|| bad("nothing on the stack"))
    }

    fn pop(&mut self) -> Result<Id, Fault> {
        self.floor(1)?;
        self.stack.pop().ok_or_else(|| bad("nothing on the stack"))
    }

    fn peek(&self) -> Result<Id, Fault> {
        self.floor(1).map(|top| self.stack[top])
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, Fault> {
        let mark = self.marks.pop().ok_or_else(|| bad("no mark on the stack"))?;
        Ok(self.stack.split_off(mark))
    }

    fn int(&mut self, bytes: usize) -> Result<(), Fault> {
        let value = self.length(bytes)?;
        self.push(Node::Int(value as i64));
        Ok(())
    }

    /// A little-endian two's complement number of any length; those beyond 64 bits are of no use
    /// here.
    fn long(&mut self, bytes: usize) -> Result<(), Fault> {
        let len = self.length(bytes)?;
        let digits = self.take(len)?;
        let sign = if digits.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        let (low, high) = digits.split_at(len.min(8));
        let mut wide = [sign; 8];
        wide[..low.len()].copy_from_slice(low);
        // What is beyond must only repeat the sign.
        let fits = high.iter().all(|&byte| byte == sign)
            && (high.is_empty() || (wide[7] ^ sign) & 0x80 == 0);
        let node = if fits { Node::Int(i64::from_le_bytes(wide)) } else { Node::Other };
        self.push(node);
        Ok(())
    }

    fn text(&mut self, bytes: usize) -> Result<(), Fault> {
        let len = self.length(bytes)?;
        let start = self.at as u32;
        self.take(len)?;
        self.push(Node::Text { start, len: len as u32 });
        Ok(())
    }

    fn other(&mut self, bytes: usize) -> Result<(), Fault> {
        let len = self.length(bytes)?;
        self.take(len)?;
        self.push(Node::Other);
        Ok(())
    }

    fn put(&mut self, bytes: usize) -> Result<(), Fault> {
        let index = self.length(bytes)? as u32;
        let top = self.peek()?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn get(&mut self, bytes: usize) -> Result<(), Fault> {
        let index = self.length(bytes)? as u32;
        let id = *self
            .memo
            .get(&index)
            .ok_or_else(|| bad(format!("nothing is memorised as {index}")))?;
        self.stack.push(id);
        Ok(())
    }

    fn append(&mut self, items: &[Id]) -> Result<(), Fault> {
        let list = self.peek()?;
        match &mut self.nodes[list as usize] {
            Node::List(list) => list.extend_from_slice(items),
            // A subclass of list or a deque.
            Node::Object { .. } | Node::Other => {}
            _ => return Err(bad("items are added to what is no list")),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), Fault> {
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

    fn global(&mut self, module: &str, name: &str) -> Result<(), Fault> {
        let known = names::known(module, name)
            .ok_or_else(|| Fault::global(format!("{}.{}", one_line(module), one_line(name)), 0))?;
        self.push(Node::Global(known));
        Ok(())
    }

    /// `class.__new__(*args)`: the same as a call, for the classes that are known.
    fn new_object(&mut self, class: Id, args: Id) -> Result<(), Fault> {
        match self.nodes[class as usize] {
            Node::Global(Known::Dict) => self.push(Node::Dict(Vec::new())),
            _ => self.reduce(class, args)?,
        }
        Ok(())
    }

    /// Copies of lists are on a budget: the same list may be named again and again.
    pub(super) fn copied(&mut self, count: usize) -> Result<(), Fault> {
        self.budget =
            self.budget.checked_sub(count).ok_or_else(|| bad("it copies more than it holds"))?;
        Ok(())
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, Fault> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(bad("a key without a value"));
    }
    Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
}
