//! What a file is, told by its bytes.

use crate::error::{Fault, FormatError};
use crate::source::Source;
use crate::tensors::Tensors;
use crate::{gguf, onnx, safetensors, shards, torch};
use std::path::{Path, PathBuf};

/// What a folder is looked through for, in this order.
const IN_FOLDER: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

pub(crate) fn open(path: &Path) -> Result<Tensors, FormatError> {
    let file = match path.is_dir() {
        true => match first(path)? {
            Some(file) => file,
            None => {
                let hint =
                    format!("one of {} is expected, or name the file itself", IN_FOLDER.join(", "));
                return Err(FormatError::file(path, "no weights in this folder", hint));
            }
        },
        false => path.to_owned(),
    };
    if file.to_string_lossy().ends_with(".index.json") {
        return shards::open(path, &file);
    }
    let (source, parsed) = parse(Source::map(&file)?)?;
    Ok(Tensors::new(path.to_owned(), vec![source], parsed))
}

/// Finds the weights of a folder. What has their name and is no file is an error, also where other
/// weights are there.
fn first(folder: &Path) -> Result<Option<PathBuf>, FormatError> {
    for file in IN_FOLDER.iter().map(|name| folder.join(name)) {
        let there = toolkit_system::input::is_there(&file);
        if there.map_err(|source| FormatError::Read { path: file.clone(), source })? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

pub(crate) fn one(source: Source) -> Result<Tensors, FormatError> {
    let (source, parsed) = parse(source)?;
    Ok(Tensors::new(source.path.clone(), vec![source], parsed))
}

pub(crate) fn parse(source: Source) -> Result<(Source, crate::entry::Parsed), FormatError> {
    let bytes = source.bytes();
    let parsed = if safetensors::is(bytes) {
        safetensors::parse(bytes)
    } else if torch::zip::is(bytes) {
        torch::from_zip(bytes)
    } else if torch::legacy::is(bytes) {
        torch::legacy::parse(bytes)
    } else if gguf::is(bytes) {
        gguf::parse(bytes)
    } else if onnx::is(bytes) {
        onnx::parse(bytes)
    } else {
        Err(unknown(bytes))
    };
    let mut parsed = parsed.map_err(|fault| fault.of(&source.path))?;
    if let Some(metadata) = &mut parsed.gguf {
        metadata.path = source.path.clone();
    }
    Ok((source, parsed))
}

fn unknown(bytes: &[u8]) -> Fault {
    let text = bytes.trim_ascii_start();
    let (what, hint) = if bytes.is_empty() {
        ("the file is empty", "get it again")
    } else if bytes.starts_with(b"version https://git-lfs") {
        ("this is a Git LFS pointer, not the weights", "run `git lfs pull` where it was cloned")
    } else if text.starts_with(b"<") {
        (
            "this is a web page, not weights",
            "the download was answered with a page, perhaps a login; get it again",
        )
    } else if text.starts_with(b"{") {
        ("this is JSON, not weights", "an index of shards must be called *.index.json")
    } else if bytes.get(257..262) == Some(b"ustar") {
        (
            "this is a tar archive, as PyTorch wrote before 0.2",
            "load and save it with PyTorch, or unpack it",
        )
    } else if bytes.starts_with(b"\x89HDF") {
        ("this is an HDF5 file", "convert it to safetensors")
    } else if bytes.starts_with(b"\x80") && bytes.len() > 2 && bytes[1] <= 5 {
        (
            "this is a pickle, but not one that PyTorch wrote",
            "convert it to safetensors with the program it came from",
        )
    } else {
        ("unknown file format", "safetensors, PyTorch checkpoints, GGUF and ONNX are read")
    };
    Fault::new(what, hint)
}
