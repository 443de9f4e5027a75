//! An opened set of weights.

use crate::decode;
use crate::dtype::{Format, Info};
use crate::entry::{Entry, Parsed};
use crate::error::{FormatError, one_line};
use crate::gguf;
use crate::open;
use crate::source::Source;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The tensors of a file or folder of weights, read one at a time. Cloning shares the mapped file.
#[derive(Clone)]
pub struct Tensors(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) path: PathBuf,
    pub(crate) sources: Arc<Vec<Source>>,
    pub(crate) parsed: Parsed,
}

impl Tensors {
    pub(crate) fn new(path: PathBuf, sources: Vec<Source>, parsed: Parsed) -> Self {
        Self(Arc::new(Inner { path, sources: Arc::new(sources), parsed }))
    }

    /// Opens weights by what the file holds, whatever its name: a safetensors file, a PyTorch
    /// checkpoint (zip or legacy), a GGUF file or an ONNX model; or a folder with
    /// `model.safetensors`, `pytorch_model.bin` or the `*.index.json` of either, or such an index
    /// file itself.
    ///
    /// The file is mapped and must stay as it is while any clone of this lives: if another process
    /// shortens it, a read ends this process; if it is rewritten, wrong numbers are read. Replace
    /// files by renaming.
    ///
    /// # Errors
    /// If the file cannot be read, is of no known kind, is damaged, or (a pickle) names functions
    /// that run code.
    pub fn open(path: &Path) -> Result<Self, FormatError> {
        open::open(path)
    }

    /// The same for the bytes of one file; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Tensors::open`].
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, FormatError> {
        open::one(Source::held(PathBuf::from(name), bytes))
    }

    /// The names of all tensors that can be read, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.parsed.entries.keys().map(String::as_str)
    }

    /// The same file with other names for its tensors: `name` gets each one and says what to call
    /// it. If two tensors would be called the same, all keep their names.
    #[must_use]
    pub fn renamed(self, name: impl Fn(&str) -> String) -> Self {
        let parsed = &self.0.parsed;
        let entries: BTreeMap<String, Entry> =
            parsed.entries.iter().map(|(old, entry)| (name(old), entry.clone())).collect();
        let skipped: BTreeMap<String, String> =
            parsed.skipped.iter().map(|(old, why)| (name(old), why.clone())).collect();
        if entries.len() != parsed.entries.len() || skipped.len() != parsed.skipped.len() {
            return self;
        }
        let (metadata, gguf, format) =
            (parsed.metadata.clone(), parsed.gguf.clone(), parsed.format);
        let parsed = Parsed { format, entries, skipped, metadata, gguf };
        Self(Arc::new(Inner { path: self.0.path.clone(), sources: self.0.sources.clone(), parsed }))
    }

    /// Tensors that are in the file but cannot be read, each with the reason (a type that is not
    /// supported).
    pub fn skipped(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.parsed.skipped.iter().map(|(name, why)| (name.as_str(), why.as_str()))
    }

    /// Shape and type of a tensor.
    pub fn info(&self, name: &str) -> Option<&Info> {
        self.0.parsed.entries.get(name).map(|entry| &entry.info)
    }

    /// The numbers of a tensor in row-major order; as many as the product of its shape. 64-bit
    /// types are rounded to `f32`.
    ///
    /// # Errors
    /// If there is no such tensor or it is of a type that is not read.
    pub fn read(&self, name: &str) -> Result<Vec<f32>, FormatError> {
        let (entry, bytes) = self.stored(name)?;
        Ok(decode::floats(entry, bytes))
    }

    /// The numbers of a tensor of whole numbers or truth values, without rounding.
    ///
    /// # Errors
    /// As [`Tensors::read`], and if the tensor holds no whole numbers.
    pub fn read_ints(&self, name: &str) -> Result<Vec<i64>, FormatError> {
        let (entry, bytes) = self.stored(name)?;
        decode::ints(entry, bytes).ok_or_else(|| {
            let what = format!("holds {}, not whole numbers", entry.info.dtype);
            FormatError::tensor(&self.0.path, name, what, "read it as floats")
        })
    }

    /// What the file says of itself as text: the header's `__metadata__` of safetensors, the single
    /// values (not the arrays) of GGUF, producer and properties of ONNX, the numbers and text
    /// beside a checkpoint's weights (`epoch`).
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.0.parsed.metadata
    }

    /// The typed metadata of a GGUF file, with its tokenizer; `None` for other files.
    pub fn gguf(&self) -> Option<&gguf::Metadata> {
        self.0.parsed.gguf.as_ref()
    }

    /// The file or folder that was opened.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Bytes of all files together.
    pub fn byte_len(&self) -> u64 {
        self.0.sources.iter().map(|source| source.bytes().len() as u64).sum()
    }

    /// Which kind of file it is.
    pub fn format(&self) -> Format {
        self.0.parsed.format
    }

    fn stored(&self, name: &str) -> Result<(&Entry, &[u8]), FormatError> {
        let entry = self.0.parsed.entries.get(name).ok_or_else(|| self.missing(name))?;
        let end = entry.start.saturating_add(entry.bytes);
        let bytes =
            self.0.sources.get(entry.file).and_then(|source| source.bytes().get(entry.start..end));
        // Cannot happen: entries are checked when the file is opened, and a map does not shrink.
        let bytes = bytes.ok_or_else(|| {
            FormatError::tensor(&self.0.path, name, "is outside the file", "get it again")
        });
        Ok((entry, bytes?))
    }

    fn missing(&self, name: &str) -> FormatError {
        let path = &self.0.path;
        if let Some(why) = self.0.parsed.skipped.get(name) {
            return FormatError::tensor(
                path,
                name,
                why.as_str(),
                "convert it to f32 with the program it came from",
            );
        }
        let like = self.names().map(|other| (strsim::jaro_winkler(name, other), other));
        let hint = match like.max_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((_, like)) => format!(
                "of its {} tensors, `{}` is most alike",
                self.names().count(),
                one_line(like)
            ),
            None => "the file holds no tensors".to_owned(),
        };
        FormatError::tensor(path, name, "is not there", hint)
    }
}

impl std::fmt::Debug for Tensors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tensors = self.0.parsed.entries.len();
        f.debug_struct("Tensors")
            .field("path", &self.0.path)
            .field("tensors", &tensors)
            .finish_non_exhaustive()
    }
}
