//! Checkpoints as people have them today: the repository's tiny ones, changed as newer programs
//! save them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod choices;
mod configs;
mod folders;
mod ids;
mod names;
mod tokenizers;

use burn::tensor::Device;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use toolkit_checkpoints::verify::{Report, Subject, verify};
use toolkit_checkpoints::{CheckpointError, Loading};
use toolkit_core::params::Values;
use toolkit_formats::Tensors;
use toolkit_models::weights::{StoredDtype, write_safetensors};
use toolkit_vlm::Vlm;

/// A copy of a fixture's folder, to be changed.
struct Checkpoint(TempDir);

impl Checkpoint {
    /// A copy of `tests/fixtures/name`.
    fn of(name: &str) -> Self {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name);
        let dir = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            std::fs::write(
                dir.path().join(entry.file_name()),
                std::fs::read(entry.path()).unwrap(),
            )
            .unwrap();
        }
        Self(dir)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn write(&self, file: &str, bytes: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(file), bytes).unwrap();
        self
    }

    fn remove(&self, file: &str) -> &Self {
        std::fs::remove_file(self.path(file)).unwrap();
        self
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(file)).unwrap()).unwrap()
    }

    /// Changes a JSON file.
    fn edit(&self, file: &str, change: impl FnOnce(&mut Value)) -> &Self {
        let mut value = self.json(file);
        change(&mut value);
        self.write(file, value.to_string())
    }

    /// Changes the tensors of `model.safetensors`.
    fn tensors(
        &self,
        change: impl FnOnce(BTreeMap<String, Values>) -> BTreeMap<String, Values>,
    ) -> &Self {
        let file = self.path("model.safetensors");
        let tensors = Tensors::open(&file).unwrap();
        let values = |name: &str| Values {
            shape: tensors.info(name).unwrap().shape.clone(),
            data: tensors.read(name).unwrap(),
        };
        let all = tensors.names().map(|name| (name.to_owned(), values(name))).collect();
        let changed = change(all);
        let other = self.path("other.safetensors");
        write_safetensors(&other, &changed, StoredDtype::F32, BTreeMap::new()).unwrap();
        std::fs::rename(other, file).unwrap();
        self
    }

    fn open(&self) -> Result<Vlm, CheckpointError> {
        open(self.0.path())
    }

    /// The error of opening it, in one line.
    fn error(&self) -> String {
        let error = self.open().err().expect("it must not open").to_string();
        assert!(!error.contains('\n') && error.contains("hint: "), "{error}");
        error
    }

    fn verified(&self) -> Result<Report, CheckpointError> {
        let subject = Subject {
            folder: self.0.path().to_owned(),
            open: &|device, frozen| open_on(self.0.path(), device, frozen),
        };
        verify(&subject, None, &Device::flex())
    }

    /// Says whether everything comes out as transformers computed it for the fixture.
    fn holds(&self) -> bool {
        let report = self.verified().unwrap();
        assert!(!report.tensors.is_empty());
        report.holds()
    }
}

fn open(path: &Path) -> Result<Vlm, CheckpointError> {
    open_on(path, &Device::flex(), true)
}

fn open_on(path: &Path, device: &Device, frozen: bool) -> Result<Vlm, CheckpointError> {
    toolkit_checkpoints::open(path, Loading { frozen, ..Loading::on(device) })
}
