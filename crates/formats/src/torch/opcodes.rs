//! Instructions of pickles, protocols 2 to 5: one table from byte to effect.

use super::machine::{Machine, bad, pairs};
use super::node::{FALSE, Id, NONE, Node, TRUE};
use crate::error::ParseError;

impl Machine<'_> {
    /// Runs one instruction. Returns the result if it was the last.
    pub(super) fn step(&mut self) -> Result<Option<Id>, ParseError> {
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
}
