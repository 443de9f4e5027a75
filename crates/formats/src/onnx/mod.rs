//! ONNX models: their initialisers, which are the weights.
//!
//! PyTorch's exporter loses the names of matrices that it transposes for `MatMul`: they are called
//! `onnx::MatMul_1966` and are `[in, out]`. Such a matrix (or one called by a bare number) is named
//! after the first `MatMul` *node* that multiplies by it, `/encoder/layer.0/key/MatMul` giving
//! `encoder.layer.0.key.weight`, and returned as `[out, in]`, as in a linear layer. If that name is
//! taken, the matrix stays as it is. All other initialisers are returned as stored.
//!
//! Not read: constants within nodes, and data in other files.

mod protobuf;
mod tensor;

use crate::directory::Directory;
use crate::dtype::Format;
use crate::error::{DAMAGED, ParseError};
use crate::stored::{Layout, StoredTensor};
use protobuf::{Message, Value};
use std::collections::HashSet;
use tensor::Initializer;

/// Returns `true` if `bytes` begin like an ONNX model: field 1 is its small version number, then a
/// field that a model has.
pub(crate) fn is_onnx(bytes: &[u8]) -> bool {
    let [0x08, version, next, ..] = bytes else { return false };
    *version < 0x80 && matches!(next, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42)
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Directory, ParseError> {
    let mut directory = Directory::new(Format::Onnx);
    let mut graph = None;
    let mut note = |key: &str, value: &str| {
        directory.metadata.insert(key.to_owned(), value.to_owned());
    };
    for field in Message::whole(bytes) {
        match field? {
            (2, Value::Bytes(text)) => note("producer_name", text.text()?),
            (3, Value::Bytes(text)) => note("producer_version", text.text()?),
            (7, Value::Bytes(message)) => graph = Some(message),
            (14, Value::Bytes(entry)) => {
                let (key, value) = property(entry)?;
                note(key, value);
            }
            _ => {}
        }
    }
    let graph = graph.ok_or_else(|| ParseError::new("an ONNX model without a graph", DAMAGED))?;
    for (weight, node) in initializers(graph, bytes.len(), &mut directory)? {
        rename(&mut directory, weight, node);
    }
    Ok(directory)
}

/// Reads a key and a value of the model's properties.
fn property(entry: Message<'_>) -> Result<(&str, &str), ParseError> {
    let (mut key, mut value) = ("", "");
    for field in entry {
        match field? {
            (1, Value::Bytes(text)) => key = text.text()?,
            (2, Value::Bytes(text)) => value = text.text()?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// Adds the initialisers of a graph to `directory`. Returns those without a name of their own that
/// a `MatMul` node multiplies by, each with the first such node.
fn initializers<'a>(
    graph: Message<'a>,
    file_len: usize,
    directory: &mut Directory,
) -> Result<Vec<(&'a str, &'a str)>, ParseError> {
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
                let tensor = Initializer::parse(message)?;
                directory.insert(tensor.name, tensor.locate(file_len))?;
            }
            _ => {}
        }
    }
    Ok(multiplied)
}

/// Returns second factor and name of a `MatMul` node, if that factor has no name of its own.
fn multiplication<'a>(node: Message<'a>) -> Result<Option<(&'a str, &'a str)>, ParseError> {
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
fn rename(directory: &mut Directory, weight: &str, node: &str) {
    let Some((module, operation)) = node.trim_start_matches('/').rsplit_once('/') else { return };
    let name = format!("{}.weight", module.replace('/', "."));
    let is_free = !directory.contains(&name);
    let Some(StoredTensor { info, layout: Layout::Dense, .. }) = directory.tensors.get(weight)
    else {
        return;
    };
    let &[rows, columns] = info.shape.as_slice() else { return };
    if !is_free || module.is_empty() || !operation.starts_with("MatMul") {
        return;
    }
    if let Some(mut tensor) = directory.tensors.remove(weight) {
        tensor.info.shape = vec![columns, rows];
        tensor.layout = Layout::Strided(vec![1, columns]);
        directory.tensors.insert(name, tensor);
    }
}
