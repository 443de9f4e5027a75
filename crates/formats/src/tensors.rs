//! An opened set of weights.

use crate::bytes::FileBytes;
use crate::decode;
use crate::dtype::{Format, TensorInfo};
use crate::error::{FormatError, one_line};
use crate::gguf;
use crate::open;
use crate::opened::Opened;
use crate::stored::{Layout, StoredTensor};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The tensors of a file or folder of weights, read one at a time. Clones share the mapped file.
#[derive(Clone)]
pub struct Tensors(Arc<Opened>);

impl Tensors {
    /// Opens weights.
    ///
    /// `path` is one of
    /// - a safetensors file, a PyTorch checkpoint (zip or legacy), a GGUF file or an ONNX model,
    ///   recognised by its bytes, not by its name;
    /// - an index of shards, called `*.index.json`;
    /// - a folder with `model.safetensors`, `pytorch_model.bin`, or the index of either.
    ///
    /// The file is mapped and must stay as it is while any clone of this lives. If another process
    /// shortens it, a read ends this process; if it is rewritten, wrong numbers are read. Replace
    /// files by renaming.
    ///
    /// # Errors
    /// If the file cannot be read, is of no known kind, is damaged, or (a pickle) names functions
    /// that run code.
    pub fn open(path: &Path) -> Result<Self, FormatError> {
        Ok(Self(Arc::new(open::open(path)?)))
    }

    /// Opens the bytes of one file. Errors call it `name`.
    ///
    /// # Errors
    /// As [`Tensors::open`].
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, FormatError> {
        let file = FileBytes::in_memory(PathBuf::from(name), bytes);
        Ok(Self(Arc::new(Opened::parse(file)?)))
    }

    /// Returns the names of all tensors that can be read, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.directory.tensors.keys().map(String::as_str)
    }

    /// Renames all tensors of the file. If two would be called the same, all keep their names.
    #[must_use]
    pub fn renamed(self, rename: impl Fn(&str) -> String) -> Self {
        match self.0.directory.renamed(rename) {
            Some(directory) => {
                let (path, files, gguf) =
                    (self.0.path.clone(), self.0.files.clone(), self.0.gguf.clone());
                Self(Arc::new(Opened { path, files, directory, gguf }))
            }
            None => self,
        }
    }

    /// Returns the tensors that are in the file but cannot be read, each with the reason, such as a
    /// type that is not supported.
    pub fn skipped(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.directory.skipped.iter().map(|(name, why)| (name.as_str(), why.as_str()))
    }

    /// Returns shape and type of a tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.0.directory.tensors.get(name).map(|tensor| &tensor.info)
    }

    /// Reads the numbers of a tensor in row-major order; as many as the product of its shape.
    /// 64-bit types are rounded to `f32`.
    ///
    /// # Errors
    /// If there is no such tensor or it is of a type that is not read.
    pub fn read(&self, name: &str) -> Result<Vec<f32>, FormatError> {
        let (tensor, bytes) = self.stored(name)?;
        Ok(decode::floats(tensor, bytes))
    }

    /// Returns the bytes of a tensor as they lie in the file, if they are row-major without gaps.
    ///
    /// # Errors
    /// If there is no such tensor or it is of a type that is not read.
    pub fn read_bytes(&self, name: &str) -> Result<Option<&[u8]>, FormatError> {
        let (tensor, bytes) = self.stored(name)?;
        Ok(matches!(tensor.layout, Layout::Dense).then_some(bytes))
    }

    /// Reads the numbers of a tensor of integers or booleans, without rounding.
    ///
    /// # Errors
    /// As [`Tensors::read`], and if the tensor holds other numbers.
    pub fn read_ints(&self, name: &str) -> Result<Vec<i64>, FormatError> {
        let (tensor, bytes) = self.stored(name)?;
        decode::ints(tensor, bytes).ok_or_else(|| {
            let what = format!("holds {}, not whole numbers", tensor.info.dtype);
            FormatError::tensor(&self.0.path, name, what, "read it as floats")
        })
    }

    /// Returns the metadata of the file as text.
    ///
    /// It is the header's `__metadata__` of safetensors, the single values (not the arrays) of
    /// GGUF, producer and properties of ONNX, and the numbers and texts of a checkpoint, such as
    /// `epoch`.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.0.directory.metadata
    }

    /// Returns the typed metadata of a GGUF file, with its tokenizer; `None` for other files.
    pub fn gguf(&self) -> Option<&gguf::Metadata> {
        self.0.gguf.as_ref()
    }

    /// Returns the file or folder that was opened.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Returns the bytes of all files together.
    pub fn byte_len(&self) -> u64 {
        self.0.files.iter().map(|file| file.as_slice().len() as u64).sum()
    }

    /// Returns the format of the file.
    pub fn format(&self) -> Format {
        self.0.directory.format
    }

    /// Returns a tensor and its bytes.
    fn stored(&self, name: &str) -> Result<(&StoredTensor, &[u8]), FormatError> {
        let tensor = self.0.directory.tensors.get(name).ok_or_else(|| self.missing(name))?;
        let end = tensor.start.saturating_add(tensor.bytes);
        let file = self.0.files.get(tensor.file);
        // Cannot fail: places are checked when the file is opened, and a map does not shrink.
        let bytes =
            file.and_then(|file| file.as_slice().get(tensor.start..end)).ok_or_else(|| {
                FormatError::tensor(&self.0.path, name, "is outside the file", "get it again")
            })?;
        Ok((tensor, bytes))
    }

    /// Creates the error that there is no such tensor, with the name that is most alike.
    fn missing(&self, name: &str) -> FormatError {
        let path = &self.0.path;
        if let Some(why) = self.0.directory.skipped.get(name) {
            let hint = "convert it to f32 with the program it came from";
            return FormatError::tensor(path, name, why, hint);
        }
        let like = self.names().map(|other| (strsim::jaro_winkler(name, other), other));
        let hint = match like.max_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((_, like)) => {
                let count = self.names().count();
                format!("of its {count} tensors, `{}` is most alike", one_line(like))
            }
            None => "the file holds no tensors".to_owned(),
        };
        FormatError::tensor(path, name, "is not there", hint)
    }
}

impl std::fmt::Debug for Tensors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tensors = self.0.directory.tensors.len();
        f.debug_struct("Tensors")
            .field("path", &self.0.path)
            .field("tensors", &tensors)
            .finish_non_exhaustive()
    }
}
