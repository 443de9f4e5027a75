//! Torch files: a stored zip with a pickle that names the tensors, and a file of bytes for each.
//!
//! The pickle has only what `torch.load(weights_only=True)` allows: a dictionary `model` of
//! tensors.

use super::failing::Failing;
use super::{Fetch, Form, Target, shards};
use crate::CheckpointError;
use std::io::{Error, Seek, Write};
use std::path::Path;
use toolkit_models::weights::StoredDtype;
use toolkit_system::files::{FileError, write_atomic};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Writes `{"model": {name: tensor, ..}}`.
pub(super) fn write(
    path: &Path,
    targets: &[Target],
    values: &Fetch<'_>,
    form: Form,
) -> Result<(), CheckpointError> {
    let io = |error: &dyn std::fmt::Display| FileError::new(path, Error::other(error.to_string()));
    write_atomic(path, |file| {
        let mut failed = None;
        let written = archive(Failing::new(file, &mut failed), targets, values, form, &io);
        // The error of the file system is the reason of that of the archive.
        failed.map_or(written, |error| Err(FileError::new(path, error).into()))
    })
}

/// Writes the entries of the archive.
fn archive<W: Write + Seek>(
    file: W,
    targets: &[Target],
    values: &Fetch<'_>,
    form: Form,
    io: &dyn Fn(&dyn std::fmt::Display) -> FileError,
) -> Result<(), CheckpointError> {
    let mut zip = ZipWriter::new(file);
    let stored =
        SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    let mut entry = |name: &str, bytes: &[u8]| -> Result<(), CheckpointError> {
        zip.start_file(format!("archive/{name}"), stored).map_err(|error| io(&error))?;
        Ok(zip.write_all(bytes).map_err(|error| io(&error))?)
    };
    entry("data.pkl", &pickle(targets, form.dtype))?;
    entry("byteorder", b"little")?;
    for (at, target) in targets.iter().enumerate() {
        entry(&format!("data/{at}"), &shards::bytes(target, values, form.dtype)?)?;
    }
    entry("version", b"3\n")?;
    zip.finish().map_err(|error| io(&error))?;
    Ok(())
}

/// Makes the pickle (protocol 2). Letters are opcodes of Python's `pickletools`.
fn pickle(targets: &[Target], dtype: StoredDtype) -> Vec<u8> {
    let storage: &[u8] = match dtype {
        StoredDtype::F32 => b"ctorch\nFloatStorage\n",
        StoredDtype::F16 => b"ctorch\nHalfStorage\n",
        StoredDtype::Bf16 => b"ctorch\nBFloat16Storage\n",
    };
    let mut p = Pickle(vec![0x80, 2]);
    p.raw(b"}");
    p.raw(b"(");
    p.text("model");
    p.ordered_dict();
    p.raw(b"(");
    for (at, target) in targets.iter().enumerate() {
        p.text(&target.name);
        p.raw(b"ctorch._utils\n_rebuild_tensor_v2\n");
        p.raw(b"((");
        p.text("storage");
        p.raw(storage);
        p.text(&at.to_string());
        p.text("cpu");
        p.number(target.count());
        p.raw(b"tQ");
        p.number(0);
        p.tuple(&target.shape);
        let mut strides = vec![1; target.shape.len()];
        for axis in (1..strides.len()).rev() {
            strides[axis - 1] = strides[axis] * target.shape[axis];
        }
        p.tuple(&strides);
        p.raw(&[0x89]);
        p.ordered_dict();
        p.raw(b"tR");
    }
    p.raw(b"uu.");
    p.0
}

struct Pickle(Vec<u8>);

impl Pickle {
    fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.raw(b"X");
        self.raw(&(text.len() as u32).to_le_bytes());
        self.raw(text.as_bytes());
    }

    fn number(&mut self, number: usize) {
        match i32::try_from(number) {
            Ok(number) => {
                self.raw(b"J");
                self.raw(&number.to_le_bytes());
            }
            Err(_) => {
                self.raw(&[0x8a, 8]);
                self.raw(&(number as i64).to_le_bytes());
            }
        }
    }

    fn tuple(&mut self, numbers: &[usize]) {
        self.raw(b"(");
        numbers.iter().for_each(|&number| self.number(number));
        self.raw(b"t");
    }

    fn ordered_dict(&mut self) {
        self.raw(b"ccollections\nOrderedDict\n)R");
    }
}
