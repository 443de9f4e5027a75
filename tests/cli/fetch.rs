//! `data fetch` and `doctor --check`: no code of packages runs, and damage is found.

use crate::cli::support::{called, command};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The commit of everything that [`hub`] has.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Starts a Hub that gives `body` for each file it is asked for, and returns its address. It lives
/// as long as the tests.
fn hub(body: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nX-Repo-Commit: {COMMIT}\r\nETag: \"of-no-kind\"\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            if head.first().is_some_and(|line| line.starts_with("GET")) {
                let _ = stream.write_all(body);
            }
        }
    });
    url
}

/// The command with a cache of its own.
fn with_cache(cache: &Path, args: &[&str]) -> Command {
    let mut command = command();
    command.args(args).env("TOOLKIT_CACHE", cache);
    for name in
        ["TOOLKIT_OFFLINE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_TOKEN", "TOOLKIT_MAX_FETCH"]
    {
        command.env_remove(name);
    }
    command
}

#[test]
fn a_flipped_byte_of_fetched_weights_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let url = hub(b"these are the weights");
    let source = "hf:owner/name#model.safetensors";
    let fetch = || {
        called(with_cache(&cache, &["--json", "data", "fetch", source]).env("HF_ENDPOINT", &url))
    };
    let check = || called(&mut with_cache(&cache, &["--json", "doctor", "--check"]));
    let fetched = fetch().json();
    let path = PathBuf::from(fetched[0]["path"].as_str().unwrap());
    let whole = check().json();
    let row = whole.as_array().unwrap().last().unwrap().clone();
    assert_eq!(row["found"], "as fetched: 21 B in files: 1", "{row}");

    // The time is set back, so that only the bytes tell.
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, b"these are the weightz").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let damaged = check();
    damaged.fails_last_with(&["model.safetensors"]);
    let rows: serde_json::Value = serde_json::from_str(&damaged.stdout).unwrap();
    let bad: Vec<_> = rows.as_array().unwrap().iter().filter(|row| row["ok"] == false).collect();
    assert_eq!(bad.len(), 1, "{bad:?}");
    assert_eq!(bad[0]["what"].as_str(), path.to_str());

    let again = fetch();
    assert!(again.stderr.contains("is damaged"), "{}", again.stderr);
    again.ok();
    assert_eq!(fs::read(&path).unwrap(), b"these are the weights");
    check().ok();
}

#[test]
fn a_token_is_not_sent_without_encryption() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = with_cache(folder.path(), &["data", "fetch", "hf:owner/name#config.json"]);
    let called =
        called(command.env("HF_ENDPOINT", "http://hub.invalid").env("HF_TOKEN", "hf_SECRET"));
    called.fails_last_with(&["http://hub.invalid"]);
    let warnings = called
        .stderr
        .lines()
        .filter(|line| line.contains("HF_TOKEN is not sent to http://hub.invalid"));
    assert_eq!(warnings.count(), 1, "{}", called.stderr);
    assert!(!called.stderr.contains("hf_SECRET"), "{}", called.stderr);
}

#[test]
fn no_code_of_a_source_package_runs() {
    let has_pip = Command::new("python3").args(["-m", "pip", "--version"]).output();
    if !has_pip.is_ok_and(|output| output.status.success()) {
        eprintln!("no python3 with pip here: not tested");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let pwned = folder.path().join("PWNED");
    let package = folder.path().join("evilpkg-1.0");
    fs::create_dir(&package).unwrap();
    let backend = format!(
        "import os\nopen({:?}, 'w').write(str(os.environ.get('HF_TOKEN')))\n\
         def get_requires_for_build_wheel(config=None): return []\n\
         def prepare_metadata_for_build_wheel(to, config=None): raise SystemExit(1)\n\
         def build_wheel(*a, **k): raise SystemExit(1)\n",
        pwned.to_str().unwrap()
    );
    let files = [
        ("PKG-INFO", "Metadata-Version: 1.0\nName: evilpkg\nVersion: 1.0\n"),
        ("be.py", &backend),
        (
            "pyproject.toml",
            "[build-system]\nrequires = []\nbuild-backend = \"be\"\nbackend-path = [\".\"]\n",
        ),
    ];
    for (name, text) in files {
        fs::write(package.join(name), text).unwrap();
    }
    fs::create_dir(folder.path().join("my links")).unwrap();
    let script =
        "import tarfile; tarfile.open('my links/evilpkg-1.0.tar.gz', 'w:gz').add('evilpkg-1.0')";
    let tar =
        Command::new("python3").args(["-c", script]).current_dir(folder.path()).status().unwrap();
    assert!(tar.success());

    // A relative folder of links, as people write it, below a folder whose name has a space.
    let cache = folder.path().join("cache");
    let mut fetch = with_cache(&cache, &["data", "fetch", "pip:evilpkg==1.0"]);
    fetch.current_dir(folder.path().join("my links")).env("HF_TOKEN", "hf_SECRET");
    fetch.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", ".").env("PIP_NO_BINARY", ":all:");
    called(&mut fetch).fails_last_with(&["there is no wheel for evilpkg 1.0"]);
    assert!(!pwned.exists());
    assert!(!cache.join("pip").exists());
}
