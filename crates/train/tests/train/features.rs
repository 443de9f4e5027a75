//! The cache of features.

use super::{Noise, PREPROCESS, encoder, vision};
use burn::tensor::Device;
use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::Ordering;
use toolkit_core::VisionShape;
use toolkit_core::params::floats;
use toolkit_data::Preprocess;
use toolkit_train::features::{Features, cache_key, pixels, round_like_cache};
use toolkit_train::{Silent, TrainError};

/// More than one batch of the encoder, and not a multiple of it.
const IMAGES: usize = 35;

struct Bench<'a> {
    dir: &'a Path,
    built: Cell<usize>,
    shape: VisionShape,
    data: Noise,
}

impl Bench<'_> {
    fn open(&self) -> Result<Features, TrainError> {
        let build = || {
            self.built.set(self.built.get() + 1);
            Ok(encoder())
        };
        Features::open(self.dir, "key", &build, &self.shape, &PREPROCESS, &self.data, &Device::default(), &Silent)
    }
}

fn bench(dir: &Path) -> Bench<'_> {
    Bench { dir, built: Cell::new(0), shape: vision(5, 6), data: Noise::new(IMAGES) }
}

#[test]
fn cached_features_are_the_encoders_rounded() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("made/on/demand");
    let bench = bench(&inner);
    let features = bench.open().unwrap();
    assert_eq!(features.rows(), IMAGES);
    let device = Device::default();
    let all: Vec<usize> = (0..IMAGES).collect();
    let live = encoder().encode(pixels(&bench.data, &all, &PREPROCESS, &device).unwrap());
    let rounded = floats(round_like_cache(live.clone()));
    assert_ne!(rounded, floats(live), "half precision is coarser");
    assert_eq!(floats(features.batch(&all, &device).unwrap()), rounded);
    // Any rows in any order, more than once; live encoding of few rows is the same.
    let some = [34, 0, 7, 7];
    let live = encoder().encode(pixels(&bench.data, &some, &PREPROCESS, &device).unwrap());
    let batch = features.batch(&some, &device).unwrap();
    assert_eq!(batch.dims(), [4, 5, 6]);
    super::check("some rows", &floats(batch), &floats(round_like_cache(live)), 1e-3);
    assert!(features.batch(&[IMAGES], &device).is_err(), "there is no such row");

    // A second opening reads no picture and builds no encoder.
    let read = bench.data.read.load(Ordering::Relaxed);
    let again = bench.open().unwrap();
    assert_eq!((bench.built.get(), bench.data.read.load(Ordering::Relaxed)), (1, read));
    assert_eq!(floats(again.batch(&all, &device).unwrap()), rounded);
    let names: Vec<_> = std::fs::read_dir(&inner).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn what_does_not_fit_is_computed_again() {
    let dir = tempfile::tempdir().unwrap();
    let bench = bench(dir.path());
    let device = Device::default();
    let whole = floats(bench.open().unwrap().batch(&[0, 34], &device).unwrap());
    let (data, header) = (dir.path().join("key.f16"), dir.path().join("key.json"));
    let damage: [&dyn Fn(); 6] = [
        &|| std::fs::write(&data, &std::fs::read(&data).unwrap()[..100]).unwrap(),
        &|| std::fs::write(&data, [std::fs::read(&data).unwrap(), vec![0]].concat()).unwrap(),
        &|| std::fs::remove_file(&data).unwrap(),
        &|| std::fs::remove_file(&header).unwrap(),
        &|| std::fs::write(&header, "{\"key\":\"k").unwrap(),
        &|| {
            std::fs::write(&header, std::fs::read_to_string(&header).unwrap().replace("\"width\":6", "\"width\":7"))
                .unwrap()
        },
    ];
    for (i, damage) in damage.iter().enumerate() {
        damage();
        let features = bench.open().unwrap();
        assert_eq!(bench.built.get(), i + 2, "damage {i}");
        assert_eq!(floats(features.batch(&[0, 34], &device).unwrap()), whole, "damage {i}");
        bench.open().unwrap();
        assert_eq!(bench.built.get(), i + 2, "repaired {i}");
    }
}

#[test]
fn an_unreadable_picture_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = bench(dir.path());
    bench.data.broken = Some(33);
    let error = bench.open().unwrap_err().to_string();
    assert!(error.contains("33"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a partial file was left");
    bench.data.broken = None;
    assert_eq!(bench.open().unwrap().rows(), IMAGES);
}

#[test]
fn keys_name_every_input() {
    let data = Noise::new(3);
    let key = |sha: &str, p: &Preprocess, data: &Noise| cache_key(sha, p, data);
    let base = key("a", &PREPROCESS, &data);
    assert_eq!(base, key("a", &PREPROCESS, &Noise::new(3)));
    let mut keys = vec![base, key("b", &PREPROCESS, &data), key("a", &PREPROCESS, &Noise::new(4))];
    keys.push(key("a", &PREPROCESS, &Noise { seed: 2, ..Noise::new(3) }));
    keys.push(key("a", &Preprocess { size: 9, ..PREPROCESS }, &data));
    keys.push(key("a", &Preprocess { mean: [0.5, 0.5, 0.500_000_1], ..PREPROCESS }, &data));
    keys.push(key("a", &Preprocess { std: [0.25, 0.250_000_1, 0.25], ..PREPROCESS }, &data));
    let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len());
}
