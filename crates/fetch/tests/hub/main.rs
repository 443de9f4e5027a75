//! The Hub's side of the store, against a server of the same habits.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod refusals;
mod server;

use server::Hub;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;
use toolkit_fetch::{FetchError, Fetcher};
use toolkit_store::{Digest, NoProgress, Source, StepProgress, Store};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const LATER: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// The requests of an undisturbed large file: its headers, then the redirect, then the bytes.
const PLAIN: [&str; 3] = ["hub HEAD", "hub GET", "cdn GET"];

struct Setup {
    hub: Hub,
    store: Fetcher,
    folder: tempfile::TempDir,
}

fn setup() -> Setup {
    let (hub, folder) = (Hub::start(COMMIT), tempfile::tempdir().unwrap());
    let store = Fetcher::new(Store::new(folder.path().join("store")))
        .offline(false)
        .hub_at(format!("{}/", hub.url));
    let store = store.token(Some("hf_secret".to_owned())).backoff(Duration::from_millis(1));
    Setup { hub, store, folder }
}

impl Setup {
    fn large(&self, path: &str) -> Vec<u8> {
        let bytes: Vec<u8> =
            (0..75_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        self.hub.put(path, &bytes, true, &sha256(&bytes));
        bytes
    }

    fn get(&self, source: &str) -> Result<PathBuf, FetchError> {
        self.store.get(&read(source), &Digest::default(), &NoProgress)
    }

    fn parts(&self) -> Vec<String> {
        let folder = self.store.store().root().join("hf/owner--name/parts");
        let names = fs::read_dir(folder).into_iter().flatten();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn read(source: &str) -> Source {
    source.parse().unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(sha256: &str) -> Digest {
    Digest { sha256: Some(sha256.to_owned()), ..Digest::default() }
}

#[derive(Default)]
struct Log(Mutex<Vec<Step>>);

/// Name, total bytes, bytes so far, `true` if it ended.
type Step = (String, Option<u64>, u64, bool);

impl StepProgress for Log {
    fn begin(&self, what: &str, total: Option<u64>) {
        let mut log = self.0.lock().unwrap();
        assert!(log.last().is_none_or(|step| step.3), "a step begins in a step");
        log.push((what.to_owned(), total, 0, false));
    }

    fn advance(&self, bytes: u64) {
        self.0.lock().unwrap().last_mut().unwrap().2 += bytes;
    }

    fn end(&self) {
        self.0.lock().unwrap().last_mut().unwrap().3 = true;
    }

    fn note(&self, line: &str) {
        self.0.lock().unwrap().push((line.to_owned(), None, 0, true));
    }
}

#[test]
fn a_large_file_comes_from_the_cdn_without_the_token() {
    let s = setup();
    let bytes = s.large("model.safetensors");
    let source = read("hf:owner/name#model.safetensors");
    assert_eq!(s.store.store().have(&source), None);
    let url = format!("{}/owner/name/resolve/main/model.safetensors", s.hub.url);
    assert_eq!(s.store.plan(&source).unwrap(), [url]);
    assert_eq!(s.hub.requests(), [""; 0], "have and plan ask nobody");

    let log = Log::default();
    let path = s.store.get(&source, &digest(&sha256(&bytes)), &log).unwrap();
    assert_eq!(
        path,
        s.store.store().root().join("hf/owner--name").join(COMMIT).join("model.safetensors")
    );
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(s.hub.requests(), PLAIN);
    for request in &s.hub.world().log {
        let token = (request.host == "hub").then_some("Bearer hf_secret");
        assert_eq!(request.header("authorization"), token, "{} {}", request.host, request.target);
    }
    assert_eq!(
        *log.0.lock().unwrap(),
        [("model.safetensors".to_owned(), Some(300_000), 300_000, true)]
    );
    assert_eq!(s.store.store().have(&source), Some(path));
    assert_eq!(s.store.plan(&source).unwrap(), [""; 0]);
    assert_eq!(s.parts(), [""; 0]);
}

#[test]
fn a_small_file_comes_from_the_hub_itself() {
    let s = setup();
    s.hub.put("sub dir/config.json", b"{}", false, "9e26dfeeb6e641a33dae4961196235bdb965b21b");
    let path = s.get("hf:owner/name@v1#sub dir/config.json").unwrap();
    assert_eq!(fs::read(path).unwrap(), b"{}");
    assert_eq!(s.hub.requests(), ["hub HEAD", "hub GET"]);
    // The branch is asked for once, the bytes at the commit it stood for.
    let targets: Vec<String> =
        s.hub.world().log.iter().map(|request| request.target.clone()).collect();
    assert_eq!(targets[0], "/owner/name/resolve/v1/sub%20dir/config.json");
    assert_eq!(targets[1], format!("/owner/name/resolve/{COMMIT}/sub%20dir/config.json"));
    assert_eq!(
        fs::read_to_string(s.store.store().root().join("hf/owner--name/refs/v1")).unwrap().trim(),
        COMMIT
    );
}

#[test]
fn an_empty_file_is_a_file() {
    let s = setup();
    s.hub.put("empty", b"", false, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    assert_eq!(fs::read(s.get("hf:owner/name#empty").unwrap()).unwrap(), b"");
}

#[test]
fn a_cut_connection_goes_on_where_it_was_cut() {
    let s = setup();
    let bytes = s.large("m");
    s.hub.world().cuts = [100_000, 50_000].into();
    let path = s.get("hf:owner/name#m").unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
    let cdn: Vec<String> =
        s.hub.requests().into_iter().filter(|line| line.starts_with("cdn")).collect();
    assert_eq!(cdn, ["cdn GET", "cdn GET bytes=100000-", "cdn GET bytes=150000-"]);
    // The etag of the CDN, not that of the Hub: with another the CDN would start anew each time.
    let world = s.hub.world();
    let last = world.log.iter().rfind(|request| request.host == "cdn").unwrap();
    assert_eq!(last.header("if-range"), Some("\"cdn-1\""));
}

#[test]
fn a_later_run_goes_on_where_an_earlier_one_gave_up() {
    let s = setup();
    let bytes = s.large("m");
    s.hub.world().cuts = [120_000, 0, 0, 0, 0, 0, 0, 0].into();
    let error = s.get("hf:owner/name#m").unwrap_err();
    assert!(matches!(&error, FetchError::Network(_)), "{error}");
    assert!(error.to_string().contains("120000 "), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    let tries = s.hub.requests().iter().filter(|line| line.starts_with("cdn")).count();
    assert_eq!(tries, 5, "the first brings bytes, so four more are made without any");
    assert_eq!(s.store.store().have(&read("hf:owner/name#m")), None);

    s.hub.world().cuts.clear();
    s.hub.world().log.clear();
    let log = Log::default();
    let path = s.store.get(&read("hf:owner/name#m"), &Digest::default(), &log).unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
    assert_eq!(s.hub.requests(), ["hub HEAD", "hub GET bytes=120000-", "cdn GET bytes=120000-"]);
    assert_eq!(log.0.lock().unwrap()[0].2, 300_000, "what was there counts");
}

#[test]
fn a_whole_part_is_only_checked() {
    let s = setup();
    let bytes = s.large("m");
    let parts = s.store.store().root().join("hf/owner--name/parts");
    fs::create_dir_all(&parts).unwrap();
    fs::write(parts.join(format!("{}.part", sha256(&bytes))), &bytes).unwrap();
    assert_eq!(fs::read(s.get("hf:owner/name#m").unwrap()).unwrap(), bytes);
    assert_eq!(s.hub.requests(), ["hub HEAD"]);
}

#[test]
fn a_server_without_ranges_starts_anew() {
    let s = setup();
    let bytes = s.large("m");
    s.hub.world().ranges = false;
    s.hub.world().cuts = [100_000].into();
    let log = Log::default();
    let path = s.store.get(&read("hf:owner/name#m"), &Digest::default(), &log).unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
    let log: Vec<u64> = log.0.lock().unwrap().iter().map(|step| step.2).collect();
    assert_eq!(log, [100_000, 300_000]);
}

#[test]
fn a_file_that_changes_on_the_way_starts_anew() {
    let s = setup();
    let bytes = s.large("m");
    s.hub.world().instead = [(vec![7; 300_000], "\"old\"".to_owned())].into();
    s.hub.world().cuts = [100_000].into();
    let path = s.get("hf:owner/name#m").unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
    let world = s.hub.world();
    assert_eq!(world.log.last().unwrap().header("if-range"), Some("\"old\""));
}

#[test]
fn a_range_that_does_not_fit_is_not_taken() {
    let s = setup();
    let bytes = s.large("m");
    s.hub.world().ignores_if_range = true;
    s.hub.world().instead = [(vec![7; 300_000], "\"old\"".to_owned())].into();
    s.hub.world().cuts = [100_000].into();
    assert_eq!(fs::read(s.get("hf:owner/name#m").unwrap()).unwrap(), bytes);

    let s = setup();
    let bytes = s.large("m");
    s.hub.world().skew = 1;
    s.hub.world().cuts = [100_000].into();
    assert_eq!(fs::read(s.get("hf:owner/name#m").unwrap()).unwrap(), bytes);
    assert_eq!(
        s.hub.requests().len(),
        1 + 3 * 2,
        "the wrong range is seen at once, and then all is asked for"
    );
}

#[test]
fn a_changed_small_file_never_joins_the_rest_of_the_old_one() {
    let s = setup();
    s.hub.put("c", b"old old old", false, "aaaa");
    s.hub.world().cuts = [4, 0, 0, 0, 0].into();
    s.get("hf:owner/name#c").unwrap_err();
    assert_eq!(s.parts().len(), 2, "the part and its etag");
    s.hub.put("c", b"new new new", false, "bbbb");
    s.hub.world().commit = LATER.to_owned();
    assert_eq!(fs::read(s.get("hf:owner/name#c").unwrap()).unwrap(), b"new new new");
}

#[test]
fn other_bytes_than_the_hub_promised_are_thrown_away() {
    let s = setup();
    let bytes = s.large("m");
    s.hub.world().instead = [(vec![7; 300_000], "\"x\"".to_owned())].into();
    let error = s.get("hf:owner/name#m").unwrap_err().to_string();
    assert!(error.contains(&format!("wrong sha256 of m: expected {}", sha256(&bytes))), "{error}");
    assert!(error.contains(&format!("got {}", sha256(&[7; 300_000]))), "{error}");
    assert_eq!(s.parts(), [""; 0]);
    assert_eq!(s.store.store().have(&read("hf:owner/name#m")), None);
    assert_eq!(fs::read(s.get("hf:owner/name#m").unwrap()).unwrap(), bytes);
}

#[test]
fn other_bytes_than_the_caller_wants_are_removed_except_offline() {
    let s = setup();
    let bytes = s.large("m");
    let source = read("hf:owner/name#m");
    let wrong = digest(&"ab".repeat(32));
    let error = s.store.get(&source, &wrong, &NoProgress).unwrap_err().to_string();
    assert!(
        error.contains(&"ab".repeat(32))
            && error.contains(&sha256(&bytes))
            && error.contains("removed"),
        "{error}"
    );
    assert_eq!(s.store.store().have(&source), None);

    let right = digest(&sha256(&bytes).to_uppercase());
    let path = s.store.get(&source, &right, &NoProgress).unwrap();
    let offline = s.store.clone().offline(true);
    let error = offline.get(&source, &wrong, &NoProgress).unwrap_err().to_string();
    assert!(error.contains("was left"), "{error}");
    assert!(path.is_file());

    let error = s.store.get(&source, &digest("abc"), &NoProgress).unwrap_err().to_string();
    assert!(error.contains("no sha256"), "{error}");
    assert!(path.is_file(), "a digest that is none removes nothing");
}

#[test]
fn offline_finds_what_is_there_and_names_what_is_not() {
    let s = setup();
    s.large("m");
    let path = s.get("hf:owner/name#m").unwrap();
    s.hub.world().log.clear();
    let offline = s.store.clone().offline(true);
    let get = |source: &str| offline.get(&read(source), &Digest::default(), &NoProgress);
    assert_eq!(get("hf:owner/name#m").unwrap(), path);
    assert_eq!(get(&format!("hf:owner/name@{COMMIT}#m")).unwrap(), path);
    for source in ["hf:owner/name#other", "hf:owner/name@v2#m", "hf:owner/name", "hf:owner/other"] {
        let error = get(source).unwrap_err();
        assert!(matches!(&error, FetchError::Offline(_)), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(source) && text.contains("TOOLKIT_OFFLINE") && text.contains(&s.hub.url),
            "{text}"
        );
    }
    assert_eq!(s.hub.requests(), [""; 0]);
}

#[test]
fn a_commit_that_is_there_is_not_asked_for_but_a_branch_is() {
    let s = setup();
    let bytes = s.large("m");
    s.get("hf:owner/name#m").unwrap();
    s.hub.world().log.clear();
    s.get(&format!("hf:owner/name@{COMMIT}#m")).unwrap();
    assert_eq!(s.hub.requests(), [""; 0]);
    s.get("hf:owner/name#m").unwrap();
    assert_eq!(s.hub.requests(), ["hub HEAD"]);

    // The branch moves, the weights stay: they are not fetched again.
    s.hub.world().commit = LATER.to_owned();
    s.hub.world().log.clear();
    let path = s.get("hf:owner/name#m").unwrap();
    assert!(path.to_str().unwrap().contains(LATER));
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(s.hub.requests(), ["hub HEAD"]);
}

#[test]
fn a_damaged_blob_is_fetched_again() {
    let s = setup();
    let bytes = s.large("m");
    let path = s.get("hf:owner/name#m").unwrap();
    fs::write(&path, b"damaged").unwrap();
    s.hub.world().commit = LATER.to_owned();
    assert_eq!(fs::read(s.get("hf:owner/name#m").unwrap()).unwrap(), bytes);
}

#[test]
fn without_an_answer_the_known_commit_is_taken() {
    let s = setup();
    s.large("m");
    let path = s.get("hf:owner/name#m").unwrap();
    let gone = s.store.clone().hub_at("http://127.0.0.1:9");
    let log = Log::default();
    assert_eq!(gone.get(&read("hf:owner/name#m"), &Digest::default(), &log).unwrap(), path);
    assert!(log.0.lock().unwrap()[0].0.contains("does not answer"), "it is said");
    let error = gone.get(&read("hf:owner/name#n"), &Digest::default(), &NoProgress).unwrap_err();
    assert!(matches!(error, FetchError::Network(_)), "{error}");
}

#[test]
fn a_folder_is_what_is_listed_less_other_formats() {
    let s = setup();
    s.large("model.safetensors");
    for name in
        ["config.json", "pytorch_model.bin", "onnx/model.onnx", ".gitattributes", "sub/vocab.txt"]
    {
        s.hub.put(name, name.as_bytes(), false, &format!("e{}", name.len()));
    }
    let source = read("hf:owner/name");
    let plan = s.store.plan(&source).unwrap();
    assert_eq!(plan[0], format!("{}/api/models/owner/name/revision/main?blobs=true", s.hub.url));
    let folder = s.store.get(&source, &Digest::default(), &NoProgress).unwrap();
    assert_eq!(fs::read(folder.join("sub/vocab.txt")).unwrap(), b"sub/vocab.txt");
    assert!(folder.join("model.safetensors").is_file() && folder.join("config.json").is_file());
    for name in ["pytorch_model.bin", "onnx", ".gitattributes"] {
        assert!(!folder.join(name).exists(), "{name}");
    }
    let offline = s.store.clone().offline(true);
    assert_eq!(offline.get(&source, &Digest::default(), &NoProgress).unwrap(), folder);

    // One file less is not the folder.
    fs::remove_file(folder.join("config.json")).unwrap();
    assert_eq!(s.store.store().have(&source), None);
    let pinned = format!("hf:owner/name@{COMMIT}");
    let missing = format!("{}/owner/name/resolve/{COMMIT}/config.json", s.hub.url);
    assert_eq!(s.store.plan(&read(&pinned)).unwrap(), [missing]);
    s.hub.world().log.clear();
    s.get(&pinned).unwrap();
    assert_eq!(s.hub.requests(), ["hub HEAD", "hub GET"]);

    let error =
        s.store.get(&source, &digest(&"a".repeat(64)), &NoProgress).unwrap_err().to_string();
    assert!(error.contains("a folder has no sha256"), "{error}");
}

#[test]
fn many_at_once_fetch_once() {
    let s = setup();
    let bytes = s.large("m");
    s.hub.world().cuts = [1000, 1000, 1000].into();
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| s.get("hf:owner/name#m").unwrap())).collect();
        for thread in threads {
            assert_eq!(fs::read(thread.join().unwrap()).unwrap(), bytes);
        }
    });
    let starts = s.hub.requests().iter().filter(|line| *line == "cdn GET").count();
    assert_eq!(starts, 1, "{:?}", s.hub.requests());
}

#[test]
fn a_local_file_is_where_it_is() {
    let s = setup();
    let path = s.folder.path().join("x");
    let source = Source::File(path.clone());
    assert!(s.store.plan(&source).is_err());
    fs::write(&path, b"x").unwrap();
    assert_eq!(s.store.plan(&source).unwrap(), [""; 0]);
    assert_eq!(s.store.get(&source, &digest(&sha256(b"x")), &NoProgress).unwrap(), path);
    assert!(s.store.get(&source, &digest(&sha256(b"y")), &NoProgress).is_err());
    assert!(Path::new(&path).is_file(), "what is not of the store is not removed");
}
