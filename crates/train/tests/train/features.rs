//! The cache of features.

use super::cache_bench::{Bench, IMAGES, bench, copy, of};
use super::{Noise, PREPROCESS, encoder, encoder_of, vision};
use burn::tensor::Device;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use toolkit_core::params::{floats, round_to_half};
use toolkit_data::Dataset;
use toolkit_data::Preprocess;
use toolkit_system::progress::Silent;
use toolkit_train::features::{Recipe, cache_key, pixels};

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
    let rounded = floats(round_to_half(live.clone()));
    assert_ne!(rounded, floats(live), "half precision is coarser");
    assert_eq!(floats(features.batch(&all, &device).unwrap()), rounded);
    // Any rows in any order, more than once; live encoding of few rows is the same.
    let some = [34, 0, 7, 7];
    let live = encoder().encode(pixels(&bench.data, &some, &PREPROCESS, &device).unwrap());
    let batch = features.batch(&some, &device).unwrap();
    assert_eq!(batch.dims(), [4, 5, 6]);
    super::check("some rows", &floats(batch), &floats(round_to_half(live)), 1e-3);
    assert!(features.batch(&[IMAGES], &device).is_err(), "there is no such row");

    // A second opening reads no picture and builds no encoder.
    let read = bench.data.read.load(Ordering::Relaxed);
    let again = bench.open().unwrap();
    assert_eq!((bench.built.get(), bench.data.read.load(Ordering::Relaxed)), (1, read));
    assert_eq!(floats(again.batch(&all, &device).unwrap()), rounded);
    assert_eq!(bench.names(), ["key.f16", "key.json"]);
    assert!(bench.notes.borrow().is_empty());
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
            std::fs::write(
                &header,
                std::fs::read_to_string(&header).unwrap().replace("\"width\":6", "\"width\":7"),
            )
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
    let notes = bench.notes.borrow();
    // A file that is not there needs no word.
    assert_eq!(notes.len(), 4, "{notes:?}");
    assert!(
        notes.iter().all(|line| line.contains("key.f16") && line.contains("computed again")),
        "{notes:?}"
    );
}

#[test]
fn a_header_that_cannot_be_read_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let bench = bench(dir.path());
    bench.open().unwrap();
    let header = dir.path().join("key.json");
    std::fs::remove_file(&header).unwrap();
    std::fs::create_dir(&header).unwrap();
    let error = bench.open().unwrap_err().to_string();
    assert!(error.contains("key.json") && error.contains("hint:"), "{error}");
    assert_eq!(bench.built.get(), 1, "nothing was computed");
}

#[test]
fn a_flipped_bit_of_the_header_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let bench = bench(dir.path());
    bench.open().unwrap();
    let (data, header) = (dir.path().join("key.f16"), dir.path().join("key.json"));
    let whole = (std::fs::read(&data).unwrap(), std::fs::read(&header).unwrap());
    for at in (0..whole.1.len()).step_by(3) {
        let mut bytes = whole.1.clone();
        bytes[at] ^= 1 << (at % 7);
        std::fs::write(&header, bytes).unwrap();
        bench.notes.borrow_mut().clear();
        bench.open().unwrap();
        assert_eq!(bench.notes.borrow().len(), 1, "byte {at}");
        assert!(
            std::fs::read(&header).unwrap() == whole.1 && std::fs::read(&data).unwrap() == whole.0,
            "byte {at}"
        );
    }
}

#[test]
fn a_damaged_block_is_told_and_mended() {
    let dir = tempfile::tempdir().unwrap();
    let bench = of(dir.path(), 100);
    let device = Device::default();
    bench.open().unwrap();
    let data = dir.path().join("key.f16");
    let whole = std::fs::read(&data).unwrap();
    // One bit of image 70, in the third group.
    let mut bytes = whole.clone();
    bytes[70 * 60 + 7] ^= 0x40;
    std::fs::write(&data, &bytes).unwrap();
    let features = bench.open().unwrap();
    assert!(features.batch(&[0, 63, 99], &device).is_ok() && !features.is_damaged());
    let error = features.batch(&[3, 64], &device).unwrap_err().to_string();
    assert!(
        error.contains("key.f16: block 2, images 64 to 95") && error.contains("hint:"),
        "{error}"
    );
    assert!(features.is_damaged());
    // Rows that were read ahead are no less checked, nor are those of another reader.
    features.read_ahead(vec![70]);
    assert!(
        features.batch(&[70], &device).is_err()
            && features.another().batch(&[71], &device).is_err()
    );
    bench.with(|recipe, note| features.mend(recipe, &Silent, note)).unwrap();
    assert!(!features.is_damaged() && std::fs::read(&data).unwrap() == whole);
    assert!(features.batch(&[70], &device).is_ok());
    assert!(
        bench
            .notes
            .borrow()
            .iter()
            .any(|line| line.contains("block 2 is damaged; images 64 to 95"))
    );

    // Another encoder does not make the same rows.
    std::fs::write(&data, &bytes).unwrap();
    let features = bench.open().unwrap();
    features.batch(&[70], &device).unwrap_err();
    let other: Arc<dyn Dataset> = Arc::new(Noise { seed: 9, ..Noise::new(100) });
    let error = bench
        .with(|recipe, note| {
            features.mend(&Recipe { dataset: &other, ..copy(recipe) }, &Silent, note)
        })
        .unwrap_err();
    assert!(error.to_string().contains("is not what it was"), "{error}");
    assert!(std::fs::read(&data).unwrap() == bytes);
}

#[test]
fn all_damaged_blocks_are_mended_at_once_wherever_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let bench = of(dir.path(), 100);
    let device = Device::default();
    let all: Vec<usize> = (0..100).collect();
    let wanted = floats(bench.open().unwrap().batch(&all, &device).unwrap());
    let data = dir.path().join("key.f16");
    let whole = std::fs::read(&data).unwrap();
    let half = whole.len() / 2;
    // The damage, the images that are computed again, and the words for it.
    type Damage<'a> = (&'a dyn Fn(&mut [u8]), usize, &'a str);
    let damage: [Damage<'_>; 4] = [
        (
            &|bytes| bytes.iter_mut().skip(1).step_by(180).for_each(|byte| *byte ^= 0x40),
            100,
            "4 of 4 blocks",
        ),
        (&|bytes| bytes[..half].fill(0), 64, "2 of 4 blocks are damaged; 64 of 100 images"),
        (&|bytes| bytes[half..].fill(0), 68, "3 of 4 blocks are damaged; 68 of 100 images"),
        (&|bytes| bytes.fill(0xff), 100, "4 of 4 blocks"),
    ];
    for (damage, again, words) in damage {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        std::fs::write(&data, &bytes).unwrap();
        let features = bench.open().unwrap();
        // One block is met, all are mended.
        let met = if bytes[..60] == whole[..60] { 99 } else { 0 };
        features.batch(&[met], &device).unwrap_err();
        bench.data.read.store(0, Ordering::Relaxed);
        bench.notes.borrow_mut().clear();
        bench.with(|recipe, note| features.mend(recipe, &Silent, note)).unwrap();
        assert_eq!(bench.data.read.load(Ordering::Relaxed), again, "{words}");
        assert!(std::fs::read(&data).unwrap() == whole && !features.is_damaged(), "{words}");
        assert_eq!(floats(features.batch(&all, &device).unwrap()), wanted);
        assert!(
            matches!(&bench.notes.borrow()[..], [line] if line.contains(words)),
            "{:?}",
            bench.notes.borrow()
        );
    }
    // Nothing is damaged any more: no encoder is built.
    let (features, built) = (bench.open().unwrap(), bench.built.get());
    bench.with(|recipe, note| features.mend(recipe, &Silent, note)).unwrap();
    assert_eq!(bench.built.get(), built);
}

#[test]
fn a_group_is_computed_once_for_all_its_damaged_blocks() {
    let dir = tempfile::tempdir().unwrap();
    // Rows of 33 kB: 16 to a block, two blocks to a group of 32.
    let bench =
        Bench { encoder: || encoder_of(1, 256), shape: vision(65, 256), ..of(dir.path(), 70) };
    bench.open().unwrap();
    let data = dir.path().join("key.f16");
    let whole = std::fs::read(&data).unwrap();
    let row = 65 * 256 * 2;
    // Both blocks of the first group, the second of the second group, the last block, which is cut
    // short.
    for (rows, again, words) in [
        (&[3, 17, 50, 69][..], 70, "4 of 5 blocks are damaged; 54 of 70 images"),
        (&[20, 40][..], 64, "2 of 5 blocks are damaged; 32 of 70 images"),
        (&[66][..], 6, "block 4 is damaged; images 64 to 69"),
    ] {
        let mut bytes = whole.clone();
        rows.iter().for_each(|at| bytes[at * row..(at + 1) * row].fill(0));
        std::fs::write(&data, bytes).unwrap();
        let features = bench.open().unwrap();
        features.batch(&rows[..1], &Device::default()).unwrap_err();
        bench.data.read.store(0, Ordering::Relaxed);
        bench.with(|recipe, note| features.mend(recipe, &Silent, note)).unwrap();
        assert_eq!(bench.data.read.load(Ordering::Relaxed), again, "{words}");
        assert!(std::fs::read(&data).unwrap() == whole, "{words}");
        assert!(bench.notes.borrow().last().unwrap().contains(words), "{:?}", bench.notes.borrow());
    }
}

#[test]
fn a_kill_costs_one_group() {
    let dir = tempfile::tempdir().unwrap();
    let whole = of(dir.path(), 100);
    let device = Device::default();
    let all: Vec<usize> = (0..100).collect();
    let wanted = floats(whole.open().unwrap().batch(&all, &device).unwrap());
    let files = ["key.f16", "key.json"].map(|name| std::fs::read(dir.path().join(name)).unwrap());

    let other = tempfile::tempdir().unwrap();
    let bench = of(other.path(), 100);
    for kill in 1..=3 {
        bench.killed(1);
        let part = std::fs::metadata(other.path().join("key.f16.part")).unwrap();
        assert_eq!(part.len(), 32 * kill * 5 * 6 * 2, "kill {kill}");
        assert_eq!(bench.names(), ["key.f16.part", "key.sums.part"]);
        // What a kill tears: half a group, half a line.
        for (name, more) in [("key.f16.part", 700), ("key.sums.part", 9)] {
            let path = other.path().join(name);
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(path, [bytes, vec![b'7'; more]].concat()).unwrap();
        }
    }
    let features = bench.open().unwrap();
    assert_eq!(floats(features.batch(&all, &device).unwrap()), wanted);
    let found = ["key.f16", "key.json"].map(|name| std::fs::read(other.path().join(name)).unwrap());
    assert!(found == files && bench.names().len() == 2);
}

#[test]
fn a_part_that_is_damaged_or_of_other_features_is_not_gone_on_with() {
    let wanted = {
        let dir = tempfile::tempdir().unwrap();
        of(dir.path(), 100).open().unwrap();
        std::fs::read(dir.path().join("key.f16")).unwrap()
    };
    let damage: [(&str, usize, usize); 4] =
        // The last group's rows, its line, the first line; and rows of an earlier group, which are
        // found when they are read.
        [("key.f16.part", 50 * 60, 32), ("key.sums.part", usize::MAX, 32), ("key.sums.part", 20, 0), ("key.f16.part", 60, 64)];
    for (name, at, kept) in damage {
        let dir = tempfile::tempdir().unwrap();
        let bench = of(dir.path(), 100);
        bench.killed(2);
        let path = dir.path().join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.min(bytes.len() - 9);
        bytes[at] ^= 4;
        std::fs::write(&path, bytes).unwrap();
        bench.data.read.store(0, Ordering::Relaxed);
        let features = bench.open().unwrap();
        assert_eq!(bench.data.read.load(Ordering::Relaxed), 100 - kept, "{name} {at}");
        if kept == 64 {
            features.batch(&[1], &Device::default()).unwrap_err();
            bench.with(|recipe, note| features.mend(recipe, &Silent, note)).unwrap();
        }
        assert!(std::fs::read(dir.path().join("key.f16")).unwrap() == wanted, "{name} {at}");
    }
    // A kill after the rows got their name.
    let dir = tempfile::tempdir().unwrap();
    let bench = of(dir.path(), 100);
    bench.killed(4);
    std::fs::rename(dir.path().join("key.f16.part"), dir.path().join("key.f16")).unwrap();
    bench.data.read.store(0, Ordering::Relaxed);
    bench.open().unwrap();
    assert_eq!((bench.data.read.load(Ordering::Relaxed), bench.names().len()), (0, 2));
}

#[test]
fn unreadable_pictures_are_left_out_if_that_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = of(dir.path(), 100);
    let device = Device::default();
    bench.data.damaged = vec![5, 40];
    let error = bench.open().unwrap_err().to_string();
    assert!(
        error.contains("cannot decode the picture 5.png") && error.contains("max_damaged = 1"),
        "{error}"
    );
    assert_eq!(error.matches("hint:").count(), 1, "{error}");
    bench.max_damaged = 1;
    let error = bench.open().unwrap_err().to_string();
    assert!(error.contains("40.png") && error.contains("there are 2"), "{error}");
    bench.max_damaged = 2;
    let features = bench.open().unwrap();
    assert_eq!((features.rows(), features.unreadable()), (98, [5, 40].as_slice()));
    // The others are what they are without the damage.
    let other = tempfile::tempdir().unwrap();
    let whole = of(other.path(), 100).open().unwrap();
    let kept: Vec<usize> = (0..100).filter(|row| ![5, 40].contains(row)).collect();
    let all: Vec<usize> = (0..98).collect();
    assert_eq!(
        floats(features.batch(&all, &device).unwrap()),
        floats(whole.batch(&kept, &device).unwrap())
    );
    features.read_ahead(vec![97, 5]);
    assert_eq!(
        floats(features.batch(&[97, 5], &device).unwrap()),
        floats(whole.batch(&[99, 6], &device).unwrap())
    );
    assert!(features.batch(&[98], &device).is_err(), "there is no such row");
    // The cache remembers them, and a stricter run does not take it.
    assert_eq!(bench.open().unwrap().unreadable(), [5, 40]);
    bench.max_damaged = 1;
    let error = bench.open().unwrap_err().to_string();
    assert!(error.contains("2 images") && error.contains("max_damaged"), "{error}");
}

#[test]
fn an_error_keeps_the_groups_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = bench(dir.path());
    bench.data.broken = Some(33);
    bench.max_damaged = 9;
    let error = bench.open().unwrap_err().to_string();
    assert!(error.contains("33"), "{error}");
    assert_eq!(bench.names(), ["key.f16.part", "key.sums.part"]);
    bench.data.broken = None;
    bench.data.read.store(0, Ordering::Relaxed);
    assert_eq!(bench.open().unwrap().rows(), IMAGES);
    assert_eq!(bench.data.read.load(Ordering::Relaxed), 3);
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
