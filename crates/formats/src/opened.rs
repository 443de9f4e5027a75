//! Files recognised by their first bytes.

use crate::bytes::FileBytes;
use crate::directory::Directory;
use crate::error::{FormatError, ParseError};
use crate::{gguf, onnx, safetensors, torch};
use std::path::PathBuf;

/// Weights of one or several files, with their directory.
#[derive(Clone)]
pub(crate) struct Opened {
    /// File or folder that the user named.
    pub(crate) path: PathBuf,
    pub(crate) files: Vec<FileBytes>,
    pub(crate) directory: Directory,
    pub(crate) gguf: Option<gguf::Metadata>,
}

impl Opened {
    /// Reads the directory of one file.
    pub(crate) fn parse(file: FileBytes) -> Result<Self, FormatError> {
        let (directory, gguf) =
            parse(file.as_slice()).map_err(|error| error.in_file(&file.path))?;
        let path = file.path.clone();
        let gguf = gguf.map(|metadata| metadata.in_file(path.clone()));
        Ok(Self { path, files: vec![file], directory, gguf })
    }
}

fn parse(bytes: &[u8]) -> Result<(Directory, Option<gguf::Metadata>), ParseError> {
    if gguf::is_gguf(bytes) {
        let (directory, metadata) = gguf::parse(bytes)?;
        return Ok((directory, Some(metadata)));
    }
    let directory = if safetensors::is_safetensors(bytes) {
        safetensors::parse(bytes)
    } else if torch::zip::is_zip(bytes) {
        torch::from_zip(bytes)
    } else if torch::legacy::is_legacy(bytes) {
        torch::legacy::parse(bytes)
    } else if onnx::is_onnx(bytes) {
        onnx::parse(bytes)
    } else {
        Err(unknown(bytes))
    };
    Ok((directory?, None))
}

/// Names what a file is that holds no weights.
fn unknown(bytes: &[u8]) -> ParseError {
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
    ParseError::new(what, hint)
}
