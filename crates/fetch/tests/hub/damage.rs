//! Files that change after they came, and bodies of which nobody says how long they are.

use super::server::End;
use super::*;
use std::io::Write;

/// git's name of a file with the bytes `config`.
const NAME_OF_CONFIG: &str = "f3eb4f1ce3ba4d0b3ed2a3d8eb6cd8d6a3b9ce4f";

/// Changes one bit in the middle of a file. `quietly`: its time stays.
fn flip(path: &Path, quietly: bool) {
    let time = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all(&bytes).unwrap();
    let time = if quietly { time } else { time + Duration::from_secs(5) };
    file.set_modified(time).unwrap();
}

/// Asks for a file of the store as cards do before they use one.
fn used(s: &Setup, path: &Path) -> Result<PathBuf, FetchError> {
    s.store.clone().offline(true).get(
        &Source::File(path.to_owned()),
        &Digest::default(),
        &NoProgress,
    )
}

#[test]
fn a_changed_file_is_found_at_use_and_mended_by_fetching() {
    for name in ["model.safetensors", "config.json"] {
        let s = setup();
        s.large("model.safetensors");
        s.hub.put("config.json", b"{\"a\": 1}", false, "aaaa");
        let source = format!("hf:owner/name#{name}");
        let path = s.get(&source).unwrap();
        let right = fs::read(&path).unwrap();
        used(&s, &path).unwrap();
        used(&s, path.parent().unwrap()).unwrap();

        flip(&path, false);
        for used_path in [&path, path.parent().unwrap()] {
            let error = used(&s, used_path).unwrap_err().to_string();
            assert!(
                error.contains("damaged") && error.contains(name) && error.contains("data fetch"),
                "{error}"
            );
        }
        let offline = s.store.clone().offline(true);
        let error =
            offline.get(&read(&source), &Digest::default(), &NoProgress).unwrap_err().to_string();
        assert!(error.contains("damaged") && error.contains("its sha256 is"), "{error}");

        // Fetching again compares the bytes, so it also finds what left the time alone.
        for quietly in [false, true] {
            for source in [&source, &format!("hf:owner/name@{COMMIT}#{name}"), "hf:owner/name"] {
                let log = Log::default();
                s.store.get(&read(source), &Digest::default(), &log).unwrap();
                assert_eq!(fs::read(&path).unwrap(), right, "{source} {quietly}");
                assert!(
                    log.0.lock().unwrap().iter().any(|step| step.0.contains("is damaged")),
                    "it is said"
                );
                used(&s, &path).unwrap();
                flip(&path, quietly);
            }
        }
    }
}

#[test]
fn a_cut_file_is_found_at_use() {
    let s = setup();
    s.large("m");
    let path = s.get("hf:owner/name#m").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(299_999).unwrap();
    let error = used(&s, &path).unwrap_err().to_string();
    assert!(error.contains("it has 299999 bytes, 300000 came"), "{error}");
}

#[test]
fn another_time_alone_is_no_damage() {
    let s = setup();
    let bytes = s.large("m");
    let path = s.get("hf:owner/name#m").unwrap();
    // As a copy to another machine does.
    let later = fs::metadata(&path).unwrap().modified().unwrap() + Duration::from_secs(9);
    let touch =
        || fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    touch();
    used(&s, &path).unwrap();
    // The new time was kept, so that the bytes are not hashed again: damage that leaves it is not
    // seen here.
    flip(&path, true);
    used(&s, &path).unwrap();
    assert_eq!(s.store.store().check(&NoProgress).unwrap().damaged.len(), 1);
    fs::write(&path, bytes).unwrap();
}

#[test]
fn a_check_reads_every_file() {
    let s = setup();
    s.large("model.safetensors");
    s.hub.put("sub/config.json", b"config", false, "aaaa");
    assert_eq!(
        s.store.store().check(&NoProgress).unwrap(),
        toolkit_store::Checked::default(),
        "of no store at all"
    );
    let folder = s.get("hf:owner/name").unwrap();
    let checked = s.store.store().check(&NoProgress).unwrap();
    assert_eq!((checked.whole, checked.bytes, checked.unknown), (2, 300_006, 0));
    assert_eq!(checked.damaged, []);
    for name in ["model.safetensors", "sub/config.json"] {
        let path = folder.join(name);
        flip(&path, true);
        let checked = s.store.store().check(&NoProgress).unwrap();
        assert_eq!(checked.damaged.len(), 1, "{:?}", checked.damaged);
        assert_eq!(checked.damaged[0].path, path);
        flip(&path, true);
        assert_eq!(s.store.store().check(&NoProgress).unwrap().damaged, []);
    }

    // Stores of older versions have no inventory; large files are named by their digest all the
    // same.
    fs::remove_dir_all(s.store.store().root().join("hf/owner--name/inventories")).unwrap();
    flip(&folder.join("model.safetensors"), true);
    let checked = s.store.store().check(&NoProgress).unwrap();
    assert_eq!((checked.unknown, checked.damaged.len()), (1, 1));
    s.get("hf:owner/name").unwrap();
    let checked = s.store.store().check(&NoProgress).unwrap();
    assert_eq!(
        (checked.whole, checked.unknown, checked.damaged.len()),
        (2, 0, 0),
        "fetched again, it has one"
    );
}

#[test]
fn a_broken_inventory_is_no_reason_to_trust() {
    let s = setup();
    s.large("m");
    let path = s.get("hf:owner/name#m").unwrap();
    let inventory =
        s.store.store().root().join(format!("hf/owner--name/inventories/{COMMIT}.json"));
    fs::write(&inventory, "{").unwrap();
    assert!(used(&s, &path).unwrap_err().to_string().contains("bad inventory"));
    assert_eq!(s.store.store().check(&NoProgress).unwrap().damaged.len(), 1);
    s.get("hf:owner/name#m").unwrap();
    used(&s, &path).unwrap();
}

#[test]
fn a_small_file_is_what_git_calls_it() {
    let s = setup();
    s.hub.put("config.json", b"config", false, NAME_OF_CONFIG);
    assert_ne!(git_name(b"config"), NAME_OF_CONFIG);
    let error = s.get("hf:owner/name#config.json").unwrap_err().to_string();
    assert!(
        error.contains("wrong git sha1 of config.json:") && error.contains(NAME_OF_CONFIG),
        "{error}"
    );
    assert_eq!(s.store.store().have(&read("hf:owner/name#config.json")), None);
    s.hub.put("config.json", b"config", false, &git_name(b"config"));
    s.get("hf:owner/name#config.json").unwrap();
}

fn git_name(bytes: &[u8]) -> String {
    use sha1::Sha1;
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", bytes.len()));
    hasher.update(bytes);
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_body_without_a_length_is_taken_only_if_its_end_can_be_told() {
    let body = vec![b'x'; 1000];
    let hub = |end: End, etag: &str, cuts: usize| {
        let s = setup();
        s.hub.put("c", &body, false, etag);
        s.hub.world().end = end;
        // After half of it, then at once, as often as it is asked for.
        s.hub.world().cuts = (0..cuts).map(|at| if at == 0 { 500 } else { 0 }).collect();
        s
    };
    // Closed after half of it: nothing tells that this is not all.
    let s = hub(End::Closed, "aaaa", 0);
    let error = s.get("hf:owner/name#c").unwrap_err().to_string();
    assert!(error.contains("neither length nor digest"), "{error}");
    // A digest tells.
    let s = hub(End::Closed, &git_name(&body), 0);
    assert_eq!(fs::read(s.get("hf:owner/name#c").unwrap()).unwrap(), body);
    let s = hub(End::Closed, &git_name(&body), 9);
    assert!(s.get("hf:owner/name#c").unwrap_err().to_string().contains("wrong git sha1"));
    // Chunks tell too.
    let s = hub(End::Chunked, "aaaa", 0);
    assert_eq!(fs::read(s.get("hf:owner/name#c").unwrap()).unwrap(), body);
    let s = hub(End::Chunked, "aaaa", 9);
    let error = s.get("hf:owner/name#c").unwrap_err().to_string();
    assert!(error.contains("broke off after 500 bytes"), "{error}");

    // Within the bound of what nobody told the size of.
    for end in [End::Chunked, End::Closed] {
        let s = hub(end, &git_name(&body), 0);
        let bounded = |most| {
            s.store.clone().max_fetch(most).get(
                &read("hf:owner/name#c"),
                &Digest::default(),
                &NoProgress,
            )
        };
        let error = bounded(999).unwrap_err().to_string();
        assert!(
            error.contains("sends more than 999 bytes") && error.contains("TOOLKIT_MAX_FETCH"),
            "{error}"
        );
        bounded(1000).unwrap();
    }
}

#[test]
fn what_is_listed_is_what_is_offered() {
    let s = setup();
    s.hub.put("config.json", b"config", false, "aaaa");
    s.hub.world().listed_more = 5;
    let error = s.get("hf:owner/name").unwrap_err().to_string();
    assert!(error.contains("lists 11 bytes and offers 6"), "{error}");
    // Without a length the listing's is what must arrive.
    s.hub.world().end = End::Closed;
    let error = s.get("hf:owner/name").unwrap_err().to_string();
    assert!(error.contains("broke off after 6 of 11 bytes"), "{error}");
    s.hub.world().listed_more = 0;
    s.get("hf:owner/name").unwrap();
}

#[test]
fn the_token_is_withheld_without_encryption_and_that_is_said_once() {
    let s = setup();
    // No such host is asked: the name ends in `.invalid`.
    let store = s.store.clone().hub_at("http://hub.invalid");
    let log = Log::default();
    for _ in 0..2 {
        store.get(&read("hf:owner/name#c"), &Digest::default(), &log).unwrap_err();
    }
    let log = log.0.lock().unwrap();
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].0.contains("HF_TOKEN is not sent to http://hub.invalid"), "{log:?}");
}
