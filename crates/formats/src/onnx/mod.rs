//! ONNX models: their initialisers, which are the weights.
//!
//! PyTorch's exporter loses the names of matrices that it transposes for `MatMul`: they are called
//! `onnx::MatMul_1966` and are `[in, out]`. Such a matrix (or one called by a bare number) is named
//! after the first `MatMul` *node* that multiplies by it, `/encoder/layer.0/key/MatMul` giving
//! `encoder.layer.0.key.weight`, and given as `[out, in]`, as a linear layer keeps it. If that name
//! is taken, it stays as it is. All other initialisers are given as stored.
//!
//! Not read: constants within nodes, and data kept in other files.

mod protobuf;
mod tensor;

use crate::dtype::Format;
use crate::entry::{Entry, Layout, Parsed};
use crate::error::{DAMAGED, Fault, one_line};
use protobuf::{Message, Value};
use std::collections::HashSet;

/// Whether `bytes` begin like an ONNX model: field 1 is its small version number, then a field that
/// a model has.
pub(crate) fn is(bytes: &[u8]) -> bool {
    let [0x08, version, next, ..] = bytes else { return false };
    *version < 0x80 && matches!(next, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42)
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, Fault> {
    let mut parsed = Parsed::new(Format::Onnx);
    let mut graph = None;
    for field in Message::whole(bytes) {
        match field? {
            (2, Value::Bytes(text)) => note(&mut parsed, "producer_name", text.text()?),
            (3, Value::Bytes(text)) => note(&mut parsed, "producer_version", text.text()?),
            (7, Value::Bytes(message)) => graph = Some(message),
            (14, Value::Bytes(entry)) => {
                let (mut key, mut value) = ("", "");
                for field in entry {
                    match field? {
                        (1, Value::Bytes(text)) => key = text.text()?,
                        (2, Value::Bytes(text)) => value = text.text()?,
                        _ => {}
                    }
                }
                note(&mut parsed, key, value);
            }
            _ => {}
        }
    }
    let graph = graph.ok_or_else(|| Fault::new("an ONNX model without a graph", DAMAGED))?;
    let (mut multiplied, mut seen) = (Vec::new(), HashSet::new());
    for field in graph {
        match field? {
            (1, Value::Bytes(node)) => {
                if let Some((weight, name)) = multiplication(node)?
                    && seen.insert(weight)
                {
                    multiplied.push((weight, name));
                }
            }
            (5, Value::Bytes(message)) => {
                let (name, entry) = tensor::parse(message, bytes.len())?;
                let twice = match entry {
                    Ok(entry) => {
                        parsed.entries.insert(name.to_owned(), entry).is_some()
                            || parsed.skipped.contains_key(name)
                    }
                    Err(why) => {
                        parsed.skipped.insert(name.to_owned(), why).is_some()
                            || parsed.entries.contains_key(name)
                    }
                };
                if twice {
                    return Err(Fault::new(
                        format!("two tensors are called `{}`", one_line(name)),
                        DAMAGED,
                    ));
                }
            }
            _ => {}
        }
    }
    for (weight, node) in multiplied {
        rename(&mut parsed, weight, node);
    }
    Ok(parsed)
}

fn note(parsed: &mut Parsed, key: &str, value: &str) {
    parsed.metadata.insert(key.to_owned(), value.to_owned());
}

/// Of a `MatMul` node that has a name: the second factor and the name.
fn multiplication<'a>(node: Message<'a>) -> Result<Option<(&'a str, &'a str)>, Fault> {
    let (mut inputs, mut second, mut name, mut kind) = (0, "", "", "");
    for field in node {
        match field? {
            (1, Value::Bytes(input)) => {
                inputs += 1;
                if inputs == 2 {
                    second = input.text()?;
                }
            }
            (3, Value::Bytes(text)) => name = text.text()?,
            (4, Value::Bytes(text)) => kind = text.text()?,
            _ => {}
        }
    }
    let anonymous = second.contains("::")
        || (!second.is_empty() && second.bytes().all(|byte| byte.is_ascii_digit()));
    Ok((kind == "MatMul" && anonymous).then_some((second, name)))
}

/// Names the matrix `weight` after `node` and transposes it.
fn rename(parsed: &mut Parsed, weight: &str, node: &str) {
    let Some((module, operation)) = node.trim_start_matches('/').rsplit_once('/') else { return };
    let name = format!("{}.weight", module.replace('/', "."));
    let free = !parsed.entries.contains_key(&name) && !parsed.skipped.contains_key(&name);
    let Some(Entry { info, layout: Layout::Dense, .. }) = parsed.entries.get(weight) else {
        return;
    };
    let &[rows, columns] = info.shape.as_slice() else { return };
    if !free || module.is_empty() || !operation.starts_with("MatMul") {
        return;
    }
    if let Some(mut entry) = parsed.entries.remove(weight) {
        entry.info.shape = vec![columns, rows];
        entry.layout = Layout::Strided(vec![1, columns]);
        parsed.entries.insert(name, entry);
    }
}
