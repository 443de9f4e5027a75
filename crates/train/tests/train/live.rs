//! Live pictures against cached features, damage, and any number of threads.

use crate::{Noise, PREPROCESS, captions, encoder, noise_features};
use burn::tensor::{Device, Tensor};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use toolkit_core::params::floats;
use toolkit_data::{Augment, Dataset};
use toolkit_train::TrainError;
use toolkit_train::order::Order;
use toolkit_train::source::{
    Cached, DATA_LOG, DamageLine, Live, LiveConfig, Sample, Source, encoded,
};

// Groups of the encoder are as large as those of a cache: products of other sizes may differ in the
// last bit before they are rounded.
const IMAGES: usize = 96;
const BATCH: usize = 32;

fn order() -> Order {
    Order::new(5, "stage1/order", IMAGES, BATCH)
}

fn live(data: Noise, threads: usize, max_damaged: f64, dir: &Path) -> Live {
    augmented(data, threads, max_damaged, dir, Augment::default())
}

fn augmented(data: Noise, threads: usize, max_damaged: f64, dir: &Path, augment: Augment) -> Live {
    let dataset: Arc<dyn Dataset> = Arc::new(data);
    let config = LiveConfig {
        dataset,
        texts: encoded(captions(IMAGES, 20, &[1], &[2])),
        encoder: encoder(),
        preprocess: PREPROCESS,
        augment,
        order: order(),
        seed: 5,
        threads,
        max_damaged,
        dir: dir.to_owned(),
        device: Device::default(),
    };
    Live::new(config).unwrap()
}

type Step = (Vec<Sample>, Vec<f32>);

fn step(source: &dyn Source, step: u64) -> Result<Step, TrainError> {
    let places: Vec<usize> = (0..BATCH).rev().collect();
    let samples = source.samples(step)?;
    let features: Tensor<3> = source.features(step, &places, &Device::default())?;
    Ok((samples, floats(features)))
}

fn lines(dir: &Path) -> Vec<DamageLine> {
    let text = std::fs::read_to_string(dir.join(DATA_LOG)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// To the last bit, whatever the number of threads and the step that comes first.
#[test]
fn live_features_are_those_of_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let texts = encoded(captions(IMAGES, 20, &[1], &[2]));
    let cached = Cached::new(noise_features(IMAGES), texts, order());
    for threads in [1, 2, 5] {
        let live = live(Noise::new(IMAGES), threads, 0.0, dir.path());
        // Steps are passed over, as after a resume.
        for at in [0, 1, 2, 5, 6, 7, 30] {
            assert_eq!(step(&live, at).unwrap(), step(&cached, at).unwrap(), "{threads}, {at}");
        }
    }
    assert!(lines(dir.path()).is_empty());
}

/// Another sample takes its place: a function of the seed and the position alone.
#[test]
fn a_damaged_picture_is_replaced_and_named() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = || Noise { damaged: vec![3, 17], ..Noise::new(IMAGES) };
    let run = |dir: &Path, threads, steps: &[u64]| -> Vec<Step> {
        let live = live(data(), threads, 0.5, dir);
        steps.iter().map(|&at| step(&live, at).unwrap()).collect()
    };
    let expected = run(whole.path(), 1, &(0..14).collect::<Vec<_>>());
    run(parts.path(), 3, &[0, 1, 2, 3, 4, 5, 6, 7]);
    // Killed after step 7, with a checkpoint of step 4.
    let resumed = run(parts.path(), 2, &(4..14).collect::<Vec<_>>());
    assert_eq!(resumed, expected[4..]);
    assert_eq!(lines(parts.path()), lines(whole.path()));
    let found = lines(whole.path());
    let ids: BTreeSet<&str> = found.iter().map(|line| line.id.as_str()).collect();
    assert!(ids.len() == 2 && found.len() >= 4, "{found:?}");
    for line in &found {
        let at = (line.position % BATCH as u64) as usize;
        let used = expected[line.step as usize].0[at].row;
        assert_eq!(line.replaced_by, used.to_string());
        assert!(line.reason.contains("cannot decode") && ![3, 17].contains(&used));
    }
}

#[test]
fn too_much_damage_ends_the_training() {
    let dir = tempfile::tempdir().unwrap();
    let data = Noise { damaged: vec![3, 17], ..Noise::new(IMAGES) };
    let live = live(data, 2, 0.01, dir.path());
    // Ten of the first thousand samples are allowed; one of 48 is damaged.
    let failed = (0..200).find_map(|at| step(&live, at).err().map(|error| (at, error)));
    let (at, error) = failed.unwrap();
    assert!((10..40).contains(&at), "{at}");
    let error = error.to_string();
    assert!(error.contains("could not be used") && error.contains("data.max_damaged"), "{error}");
}

#[test]
fn nothing_but_damage_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let data = Noise { damaged: (0..IMAGES).collect(), ..Noise::new(IMAGES) };
    let error = step(&live(data, 2, 1.0, dir.path()), 0).unwrap_err().to_string();
    assert!(error.contains("in turn") && error.contains("hint:"), "{error}");
}

/// Draws depend on seed, sample and pass: not on threads, nor on the steps that were asked for.
#[test]
fn augmented_pictures_are_the_same_after_a_resume_and_other_in_the_next_pass() {
    let dir = tempfile::tempdir().unwrap();
    let open = |threads| {
        let preset = Augment::preset("blip_image_train").unwrap();
        augmented(Noise::new(IMAGES), threads, 0.0, dir.path(), preset)
    };
    let (one, other) = (open(1), open(3));
    let first: Vec<Step> = (0..6).map(|at| step(&one, at).unwrap()).collect();
    assert_eq!(step(&other, 4).unwrap(), first[4]);
    // Row by row, the features of the second pass are not those of the first.
    let rows = |steps: &[Step]| {
        let mut all = Vec::new();
        for (samples, features) in steps {
            let width = features.len() / BATCH;
            let each = samples.iter().rev().zip(features.chunks(width));
            all.extend(each.map(|(sample, features)| (sample.row, features.to_vec())));
        }
        all.sort_by_key(|(row, _)| *row);
        all
    };
    let (before, after) = (rows(&first[..3]), rows(&first[3..]));
    let same = before.iter().zip(&after).filter(|(a, b)| a == b).count();
    assert!(same < IMAGES / 10, "{same}");
}
