//! The kept index.

use crate::make::{Place, png, tar, texts};
use std::path::PathBuf;
use toolkit_data::Dataset;

fn place() -> Place {
    let place = Place::new();
    for (name, text) in [("a.tar", "one"), ("b.tar", "two")] {
        place.write(name, tar(&[("1.png", &png(1)), ("1.txt", text.as_bytes())]));
    }
    place
}

fn indexes(place: &Place) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place.index()).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "index")).collect();
    found.sort();
    found
}

#[test]
fn shards_are_scanned_once() {
    let place = place();
    let first = place.open("*.tar").unwrap();
    let [index] = indexes(&place).try_into().unwrap();
    let written = std::fs::metadata(&index).unwrap().modified().unwrap();
    let second = place.open("*.tar").unwrap();
    assert_eq!(std::fs::metadata(&index).unwrap().modified().unwrap(), written);
    assert_eq!(texts(&first), texts(&second));
    assert_eq!(first.fingerprint(), second.fingerprint());
    assert_eq!(first.shards(), second.shards());
}

#[test]
fn a_changed_shard_is_scanned_again() {
    let place = place();
    let before = place.open("*.tar").unwrap();
    place.write("b.tar", tar(&[("1.png", &png(1)), ("1.txt", b"three")]));
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    std::fs::File::options()
        .write(true)
        .open(place.path("b.tar"))
        .unwrap()
        .set_modified(later)
        .unwrap();
    let error = before.image(1).unwrap_err().to_string();
    assert!(error.contains("changed since it was indexed"), "{error}");
    let after = place.open("*.tar").unwrap();
    assert_eq!(after.item(1).captions, ["three"]);
    assert_ne!(before.fingerprint(), after.fingerprint());
    assert_eq!(before.shards()[0], after.shards()[0]);
}

#[test]
fn a_damaged_index_is_built_again() {
    let place = place();
    let expected = texts(&place.open("*.tar").unwrap());
    let [path] = indexes(&place).try_into().unwrap();
    let whole = std::fs::read(&path).unwrap();
    for cut in (0..whole.len()).step_by(53) {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(texts(&place.open("*.tar").unwrap()), expected, "cut at {cut}");
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }
    for bit in (0..whole.len() * 8).step_by(123) {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &bytes).unwrap();
        // A header is compared at the start, a sample when it is read.
        let data = place.open("*.tar").unwrap();
        let damaged: Vec<usize> =
            (0..2).filter(|&at| data.item(at).captions != expected[at].1).collect();
        for at in damaged {
            assert!(data.item(at).captions.is_empty());
            let error = data.image(at).unwrap_err().to_string();
            assert!(error.contains("the index is damaged"), "{error}");
        }
    }
}

#[test]
fn another_list_takes_what_is_known() {
    let place = place();
    place.open("a.tar").unwrap();
    change_unseen(&place, "a.tar");
    let both = place.open("*.tar").unwrap();
    assert_eq!(both.item(0).captions, ["one"]);
    assert_eq!(indexes(&place).len(), 2);
}

#[test]
fn the_rule_for_captions_is_part_of_the_index() {
    use toolkit_data::{Opening, ShardOptions, Shards};
    let place = Place::new();
    let json = br#"{"caption": "web", "alt": ["one", "two"]}"#;
    place.write("a.tar", tar(&[("1.png", &png(1)), ("1.json", json)]));
    let open = |field: Option<&str>| {
        let options = ShardOptions {
            root: place.dir.path().to_owned(),
            caption: field.map(str::to_owned),
            ..ShardOptions::default()
        };
        let opening = Opening::new(place.index());
        Shards::open("t", &["a.tar".to_owned()], &options, &opening).unwrap()
    };
    let (web, alt) = (open(None), open(Some("alt")));
    assert_eq!(
        (&web.item(0).captions[..], &alt.item(0).captions[..]),
        (&["web".to_owned()][..], &["one".to_owned(), "two".to_owned()][..])
    );
    assert_ne!(web.fingerprint(), alt.fingerprint());
    assert_eq!(open(None).caption_count(), 1);
}

/// Writes other bytes of a caption and keeps size and time: only an index knows what was there.
fn change_unseen(place: &Place, name: &str) {
    let path = place.path(name);
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[1536..1539].copy_from_slice(b"new");
    std::fs::write(&path, bytes).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
}

#[test]
fn shards_that_were_scanned_before_a_kill_are_not_scanned_again() {
    let place = place();
    place.open("b.tar").unwrap();
    let [of_one] = indexes(&place).try_into().unwrap();
    let expected = texts(&place.open("*.tar").unwrap());
    let of_both = indexes(&place).into_iter().find(|path| *path != of_one).unwrap();
    // A kill leaves the index of each finished shard, and temporaries of those in work.
    let parts = of_both.with_extension("parts");
    std::fs::create_dir(&parts).unwrap();
    std::fs::rename(&of_one, parts.join("1.index")).unwrap();
    std::fs::write(parts.join(".0.index.1-abc.tmp"), "half").unwrap();
    std::fs::remove_file(&of_both).unwrap();
    change_unseen(&place, "a.tar");
    change_unseen(&place, "b.tar");
    let found = texts(&place.open("*.tar").unwrap());
    assert_eq!((&found[0].1[0], &found[1]), (&"new".to_owned(), &expected[1]));
    assert!(!parts.exists() && of_both.is_file());
}

#[test]
fn openings_at_the_same_time_build_one_index() {
    let place = place();
    let texts: Vec<_> = std::thread::scope(|scope| {
        let open = || texts(&place.open("*.tar").unwrap());
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(texts.iter().all(|one| *one == texts[0] && one.len() == 2));
    assert_eq!(indexes(&place).len(), 1);
}
