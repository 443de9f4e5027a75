//! Packages and package managers that mean harm, or are killed.

use super::*;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use zip::write::SimpleFileOptions;

/// A wheel with one file, deflated.
fn dense_wheel(path: &Path, bytes: usize) {
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    zip.start_file(
        "zeros",
        SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated),
    )
    .unwrap();
    for _ in 0..bytes / 1_000_000 {
        zip.write_all(&vec![0; 1_000_000]).unwrap();
    }
    zip.finish().unwrap();
}

/// A store whose pip brings what `make` writes.
fn brings(make: impl FnOnce(&Path)) -> Setup {
    let s = setup();
    let path = s.path("a-1-py3-none-any.whl");
    make(&path);
    s.tool("pip", &format!("cp '{}' \"$DIR\"", path.display()));
    s
}

fn refused(s: &Setup, store: &Fetcher, text: &str, what: &str) {
    let error = store.get(&source(text), &Digest::default(), &NoProgress).unwrap_err().to_string();
    assert!(error.contains(what) && error.contains("; hint: ") && !error.contains('\n'), "{error}");
    assert!(store.store().have(&source(text)).is_none());
    s.assert_clean();
}

/// Where the Python of this machine is, if it has pip.
fn python() -> Option<String> {
    let script = "import sys, pip; print(sys.executable)";
    let output = Command::new("python3").args(["-c", script]).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn no_code_of_a_python_package_is_run() {
    let Some(python) = python() else {
        eprintln!("no python3 with pip here: not tested");
        return;
    };
    let s = setup();
    let (links, pwned) = (s.path("links"), s.path("PWNED"));
    fs::create_dir(&links).unwrap();
    let backend = format!(
        "open('{}', 'w').write('x')\nimport os\n\
         def get_requires_for_build_wheel(config=None): return []\n\
         def prepare_metadata_for_build_wheel(to, config=None):\n\
         \x20   os.makedirs(to + '/evilpkg-1.0.dist-info')\n\
         \x20   open(to + '/evilpkg-1.0.dist-info/METADATA', 'w').write(\
         'Metadata-Version: 2.1\\nName: evilpkg\\nVersion: 1.0\\n')\n\
         \x20   return 'evilpkg-1.0.dist-info'\n\
         def build_wheel(*a, **k): raise SystemExit(1)\n",
        pwned.display()
    );
    tgz(
        &links.join("evilpkg-1.0.tar.gz"),
        &[
            (
                "evilpkg-1.0/PKG-INFO",
                Entry::File("Metadata-Version: 1.0\nName: evilpkg\nVersion: 1.0\n"),
            ),
            ("evilpkg-1.0/be.py", Entry::File(&backend)),
            (
                "evilpkg-1.0/pyproject.toml",
                Entry::File(
                    "[build-system]\nrequires = []\nbuild-backend = \"be\"\nbackend-path = \
                    [\".\"]\n",
                ),
            ),
        ],
    );
    let index = format!("PIP_NO_INDEX=1 PIP_FIND_LINKS='{}'", links.display());
    s.tool("python3", &format!("{index} exec '{python}' \"$@\""));
    // Without the option pip does run it, so the test means something.
    let mut plain = Command::new(s.path("bin/python3"));
    plain.args(["-m", "pip", "download", "--no-deps", "evilpkg==1.0", "-d"]).arg(s.path("plain"));
    assert!(plain.output().unwrap().status.success());
    fs::remove_file(&pwned).unwrap();

    refused(&s, &s.store, "pip:evilpkg==1.0", "there is no wheel for evilpkg 1.0 -->");
    assert!(!pwned.exists());
}

#[test]
fn an_archive_unpacks_to_what_its_size_lets_expect() {
    let s = brings(|path| dense_wheel(path, 80_000_000));
    refused(&s, &s.store, "pip:a==1", "bytes unpack to more than 64000000 bytes");
    // Unless the card says so, or the user.
    let card = Digest { package_bytes: Some(80_000_000), ..Digest::default() };
    let folder = s.store.get(&source("pip:a==1"), &card, &NoProgress).unwrap();
    assert_eq!(fs::metadata(folder.join("zeros")).unwrap().len(), 80_000_000);
    fs::remove_dir_all(&folder).unwrap();
    let store = s.store.clone().max_fetch(80_000_000);
    store.get(&source("pip:a==1"), &Digest::default(), &NoProgress).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    refused(&s, &s.store.clone().max_fetch(79_999_999), "pip:a==1", "more than 79999999 bytes");
}

#[test]
fn a_size_that_lies_is_refused() {
    let s = brings(|path| {
        dense_wheel(path, 2_000_000);
        // 2,000,000 in every header becomes 2,000: the file goes on after what it states.
        let mut bytes = fs::read(path).unwrap();
        let (old, new) = (2_000_000u32.to_le_bytes(), 2_000u32.to_le_bytes());
        let places: Vec<usize> =
            (0..bytes.len() - 4).filter(|at| bytes[*at..at + 4] == old).collect();
        assert!(!places.is_empty());
        for at in places {
            bytes[at..at + 4].copy_from_slice(&new);
        }
        fs::write(path, bytes).unwrap();
    });
    let error = s.error("pip:a==1");
    assert!(error.contains("states 2000 bytes") || error.contains("cannot unpack"), "{error}");
    s.assert_clean();
}

#[test]
fn links_count_as_what_they_take() {
    let text = "x".repeat(1000);
    let names: Vec<String> = (0..100).map(|at| format!("package/{at}")).collect();
    let mut entries = vec![("package/a", Entry::File(&text))];
    entries.extend(names.iter().map(|name| (name.as_str(), Entry::Hardlink("package/a"))));
    let s = setup();
    tgz(&s.path("a.tgz"), &entries);
    s.tool("npm", &format!("cp '{}' \"$DIR\"", s.path("a.tgz").display()));
    refused(&s, &s.store.clone().max_fetch(100_999), "npm:a@1.0.0", "more than 100999 bytes");
    s.store
        .clone()
        .max_fetch(101_000)
        .get(&source("npm:a@1.0.0"), &Digest::default(), &NoProgress)
        .unwrap();
}

/// A header of a tar, for an entry that says it has `size` bytes.
fn header(kind: EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_path("package/x").unwrap();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_cksum();
    header
}

#[test]
fn a_tar_that_is_no_end_is_refused_at_once() {
    let gzip = |path: &Path, head: &tar::Header, zeros: usize| {
        let mut gz = flate2::write::GzEncoder::new(
            fs::File::create(path).unwrap(),
            flate2::Compression::fast(),
        );
        gz.write_all(head.as_bytes()).unwrap();
        gz.write_all(&vec![0; zeros]).unwrap();
        gz.finish().unwrap();
    };
    let cases = [
        (header(EntryType::Regular, 1 << 43), 1000, "unpack to more than"),
        // A name is kept in memory.
        (header(EntryType::GNULongName, 40_000_000), 40_000_000, "belong to no file"),
        (header(EntryType::XHeader, 40_000_000), 40_000_000, "belong to no file"),
        (header(EntryType::Regular, 0), 40_000_000, "belong to no file"),
    ];
    for (head, zeros, what) in cases {
        let s = setup();
        gzip(&s.path("a.tgz"), &head, zeros);
        s.tool("npm", &format!("cp '{}' \"$DIR\"", s.path("a.tgz").display()));
        refused(&s, &s.store, "npm:a@1.0.0", what);
    }
    // dpkg-deb, which never ends by itself, is ended.
    let s = with_apt(&[]);
    let mut stream = header(EntryType::Regular, 1 << 33).as_bytes().to_vec();
    stream.resize(512, 0);
    fs::write(s.path("head"), stream).unwrap();
    s.tool("dpkg-deb", &format!("cat '{}' /dev/zero", s.path("head").display()));
    refused(&s, &s.store.clone().max_fetch(1_000_000), "apt:tiny=1:2-3", "more than 1000000 bytes");
}

#[test]
fn a_download_that_does_not_end_is_stopped() {
    let s = setup();
    s.tool("pip", "while :; do head -c 100000 /dev/zero; sleep 0.01; done > \"$DIR\"/a.whl");
    refused(
        &s,
        &s.store.clone().max_fetch(1_000_000),
        "pip:a==1",
        "brings more than 1000000 bytes and was stopped",
    );
}

#[test]
fn a_child_sees_nothing_that_is_not_listed() {
    let s = with_pip();
    let own = fs::read_to_string(s.path("bin/python3")).unwrap();
    s.tool(
        "python3",
        &format!("env > '{}'\n{}", s.path("env").display(), own.lines().last().unwrap()),
    );
    s.get(PIP).unwrap();
    let seen = fs::read_to_string(s.path("env")).unwrap();
    // cargo tells a test these; no package manager needs them.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert!(!seen.contains("CARGO_"), "{seen}");
    assert!(
        seen.contains("PATH=") && seen.contains("LC_ALL=C\n") && seen.contains("PIP_NO_INPUT=1"),
        "{seen}"
    );
}

#[test]
fn pip_has_bounded_memory_since_it_unpacks_metadata() {
    let s = with_pip();
    let own = fs::read_to_string(s.path("bin/python3")).unwrap();
    s.tool(
        "python3",
        &format!("ulimit -v > '{}'\n{}", s.path("memory").display(), own.lines().last().unwrap()),
    );
    s.get(PIP).unwrap();
    if cfg!(target_os = "linux") {
        assert_eq!(fs::read_to_string(s.path("memory")).unwrap().trim(), "2000000");
    }
    s.tool(
        "python3",
        "printf 'ERROR: Exception:\\nTraceback (most recent call last):\\n  x\\nMemoryError\\n' \
        >&2; exit 2",
    );
    assert!(s.error("pip:b==1").contains("pip used up the 2 GB"));
    s.tool(
        "python3",
        "printf 'ERROR: Exception:\\nTraceback (most recent call last):\\n  x\\nKeyError: 1\\n' \
        >&2; exit 2",
    );
    assert!(s.error("pip:b==1").contains("pip failed: KeyError: 1 -->"));
}

const STORE_OF_THE_KILLED: &str = "TOOLKIT_TEST_STORE_OF_THE_KILLED";

/// Runs in a process of its own, which [`programs_end_with_the_process`] kills.
#[test]
#[ignore = "another test starts it"]
fn a_process_to_kill() {
    let folder = std::path::PathBuf::from(std::env::var_os(STORE_OF_THE_KILLED).unwrap());
    let store = Fetcher::new(Store::new(folder.join("the store")))
        .offline(false)
        .tools_path(folder.join("bin"));
    let _ = store.get(&source("pip:slow==1"), &Digest::default(), &NoProgress);
}

fn lives(pid: &str) -> bool {
    Command::new("kill").args(["-0", pid]).stderr(Stdio::null()).status().unwrap().success()
}

fn wait_for(what: &str, mut happens: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happens() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn programs_end_with_the_process() {
    for signal in ["KILL", "TERM", "INT"] {
        let s = setup();
        let pid_file = s.path("pid");
        // It has a child too, and does not care for polite signals.
        s.tool(
            "python3",
            &format!(
                "trap '' TERM INT HUP\n(trap '' TERM; while :; do echo x >> \"$DIR\"/a.whl; sleep 0.01; done) &\n\
                 echo $! $$ > '{0}.new'; mv '{0}.new' '{0}'; wait",
                pid_file.display()
            ),
        );
        let mut process = Command::new(std::env::current_exe().unwrap());
        process.args(["--exact", "hostile::a_process_to_kill", "--ignored"]).stdout(Stdio::null());
        let mut process = process.env(STORE_OF_THE_KILLED, s.folder.path()).spawn().unwrap();
        wait_for("it starts", || pid_file.exists());
        let pids = fs::read_to_string(&pid_file).unwrap();
        assert!(pids.split_whitespace().all(lives));
        let name = format!("-{signal}");
        assert!(
            Command::new("kill")
                .args([&name, &process.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
        process.wait().unwrap();
        wait_for(signal, || !pids.split_whitespace().any(lives));

        // Nothing of it is used by the next run, which clears what it left.
        let wheel_file = s.path("slow-1-py3-none-any.whl");
        wheel(&wheel_file, &[("a", "right")]);
        s.tool("python3", &format!("cp '{}' \"$DIR\"", wheel_file.display()));
        assert_eq!(fs::read_to_string(s.get("pip:slow==1#a").unwrap()).unwrap(), "right");
        s.assert_clean();
    }
}
