//! A cache of features under test: what was built and noted, and kills in the middle of the work.

use super::{Noise, PREPROCESS, encoder, vision};
use burn::tensor::Device;
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Arc;
use toolkit_core::{AnyVision, VisionShape};
use toolkit_data::Dataset;
use toolkit_system::progress::{Progress, Silent};
use toolkit_train::TrainError;
use toolkit_train::features::{Features, Recipe};

/// More than one batch of the encoder, and not a multiple of it.
pub const IMAGES: usize = 35;

/// An encoder, data and a folder for their cache.
pub struct Bench<'a> {
    pub dir: &'a Path,
    pub built: Cell<usize>,
    pub encoder: fn() -> AnyVision,
    pub shape: VisionShape,
    pub data: Noise,
    pub max_damaged: usize,
    pub notes: RefCell<Vec<String>>,
}

impl Bench<'_> {
    pub fn with<T>(&self, act: impl FnOnce(&Recipe<'_>, &dyn Fn(&str)) -> T) -> T {
        let build = || {
            self.built.set(self.built.get() + 1);
            Ok((self.encoder)())
        };
        let data: Arc<dyn Dataset> = Arc::new(self.data.clone());
        let recipe = Recipe {
            key: "key",
            encoder: &build,
            shape: &self.shape,
            preprocess: &PREPROCESS,
            dataset: &data,
            device: &Device::default(),
            max_damaged: self.max_damaged,
        };
        act(&recipe, &|line| self.notes.borrow_mut().push(line.to_owned()))
    }

    pub fn open(&self) -> Result<Features, TrainError> {
        self.with(|recipe, note| Features::open(self.dir, recipe, &Silent, note))
    }

    /// Opens, and is killed after `groups` more groups.
    pub fn killed(&self, groups: usize) {
        let stop = Stop { left: Cell::new(groups).into() };
        let open = || self.with(|recipe, note| Features::open(self.dir, recipe, &stop, note));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(open)).unwrap_err();
    }

    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir).unwrap();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// A kill in the middle of the work: the thread unwinds, and no code of the cache gets to tidy up.
struct Stop {
    left: std::sync::Mutex<Cell<usize>>,
}

impl Progress for Stop {
    fn start(&self, _: u64, _: u64) {}
    fn advance(&self, _: u64) {
        let left = self.left.lock().unwrap();
        left.set(left.get() - 1);
        let over = left.get() == 0;
        drop(left);
        assert!(!over, "killed");
    }
    fn finish(&self) {}
}

pub fn bench(dir: &Path) -> Bench<'_> {
    of(dir, IMAGES)
}

pub fn of(dir: &Path, images: usize) -> Bench<'_> {
    let (built, notes) = (Cell::new(0), RefCell::default());
    Bench {
        dir,
        built,
        encoder,
        shape: vision(5, 6),
        data: Noise::new(images),
        max_damaged: 0,
        notes,
    }
}

pub fn copy<'a>(r: &Recipe<'a>) -> Recipe<'a> {
    Recipe { ..*r }
}
