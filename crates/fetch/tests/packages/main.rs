//! The packages' side of the store: pip, apt and npm are scripts here, which give tiny archives or
//! fail.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(unix)]

mod fake;
mod hostile;

use fake::{Entry, Setup, setup, tar, tgz, wheel};
use sha2::{Digest as _, Sha256};
use std::fs;
use tar::EntryType;
use toolkit_fetch::{FetchError, Fetcher};
use toolkit_store::{Digest, NoProgress, Source, Store};

const PIP: &str = "pip:tiny_model==1.0#tiny_model/w.safetensors";

/// Options that keep pip from running code of a package, from asking, and from writing elsewhere.
const SAFE: &str =
    "--only-binary=:all: --no-deps --no-input --no-cache-dir --disable-pip-version-check";

/// A pip that gives a wheel.
fn with_pip() -> Setup {
    let s = setup();
    let wheel_file = s.path("tiny_model-1.0-py3-none-any.whl");
    wheel(
        &wheel_file,
        &[("tiny_model/w.safetensors", "weights"), ("tiny_model-1.0.dist-info/METADATA", "m")],
    );
    s.tool("python3", &format!("cp '{}' \"$DIR\"", wheel_file.display()));
    s
}

fn source(text: &str) -> Source {
    text.parse().unwrap()
}

fn sha256_of(path: &std::path::Path) -> String {
    Sha256::digest(fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn package_digest(sha256: String) -> Digest {
    Digest { package_sha256: Some(sha256), ..Digest::default() }
}

#[test]
fn pip_gives_a_wheel_once() {
    let s = with_pip();
    assert_eq!(s.store.store().have(&source(PIP)), None);
    let root = s.store.store().root().display();
    let plan = s.store.plan(&source(PIP)).unwrap();
    let command = format!(
        "python3 -m pip download {SAFE} -d '{root}/tmp/pip-tiny-model@1.0' tiny_model==1.0"
    );
    assert_eq!(plan, [command], "quoted, for the root has a space");
    assert_eq!(s.log(), [""; 0]);

    let path = s.get(PIP).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "weights");
    assert_eq!(path, s.store.store().root().join("pip/tiny-model@1.0/tiny_model/w.safetensors"));
    assert_eq!(
        s.log(),
        [format!("python3 -m pip download {SAFE} -d TMP/pip-tiny-model@1.0 tiny_model==1.0")]
    );
    assert_eq!(s.store.store().have(&source(PIP)), Some(path.clone()));
    assert_eq!(s.store.plan(&source(PIP)).unwrap(), [""; 0]);
    s.assert_clean();

    // The same package by another of its names, offline, as a whole.
    let offline = s.store.clone().offline(true);
    let folder =
        offline.get(&source("pip:Tiny.Model==1.0"), &Digest::default(), &NoProgress).unwrap();
    assert!(path.starts_with(&folder));
    assert_eq!(s.log().len(), 1);
}

#[test]
fn pip_is_looked_for_under_three_names() {
    let s = with_pip();
    let pip = fs::read_to_string(s.path("bin/python3")).unwrap();
    s.tool("python3", "echo \"$0: No module named pip\" >&2; exit 1");
    let error = s.error(PIP);
    assert!(error.contains("no pip"), "{error}");
    s.tool("pip", pip.lines().last().unwrap());
    s.get(PIP).unwrap();
    assert!(
        s.log().last().unwrap().starts_with("pip download --only-binary=:all: --no-deps"),
        "{:?}",
        s.log()
    );
}

#[test]
fn npm_gives_a_scoped_package() {
    let s = setup();
    let archive = s.path("scope-tiny-1.2.3.tgz");
    let long = format!("package/{}/{}.json", "d".repeat(40), "f".repeat(40));
    tgz(
        &archive,
        &[
            ("package/package.json", Entry::File("{}")),
            (&long, Entry::File("long")),
            ("package/a", Entry::Symlink("package.json")),
        ],
    );
    s.tool("npm", &format!("cp '{}' \"$DIR\"; echo scope-tiny-1.2.3.tgz", archive.display()));
    let folder = s.get("npm:@scope/tiny@1.2.3").unwrap();
    assert_eq!(folder, s.store.store().root().join("npm/@scope%2Ftiny@1.2.3"));
    assert_eq!(fs::read_to_string(folder.join(&long[8..])).unwrap(), "long");
    assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "{}", "a link inside stays");
    assert_eq!(
        s.log(),
        ["npm pack --ignore-scripts --pack-destination TMP/npm-@scope%2Ftiny@1.2.3 \
            @scope/tiny@1.2.3"]
    );
}

/// An apt whose archive is a plain tar, which its dpkg-deb hands on.
fn with_apt(entries: &[(&str, Entry<'_>)]) -> Setup {
    let s = setup();
    let archive = s.path("content");
    fs::write(&archive, tar(entries)).unwrap();
    s.tool(
        "apt-get",
        &format!("echo 'W: unsandboxed' >&2; cp '{}' tiny_1%3a2-3_all.deb", archive.display()),
    );
    s.tool("dpkg-deb", "cat \"$LAST\"");
    s
}

#[test]
fn apt_gives_files_and_links_inside() {
    let s = with_apt(&[
        ("./", Entry::Folder),
        ("./usr/share/tiny/", Entry::Folder),
        ("./usr/share/tiny/a.txt", Entry::File("a")),
        ("./usr/share/tiny/inside", Entry::Symlink("../tiny/a.txt")),
        ("./usr/share/tiny/twin", Entry::Hardlink("./usr/share/tiny/a.txt")),
        ("./usr/share/tiny/outside", Entry::Symlink("../../../../../etc/passwd")),
        ("./usr/share/tiny/absolute", Entry::Symlink("/etc/passwd")),
        ("./usr/share/tiny/nowhere", Entry::Symlink("of-another-package")),
    ]);
    let plan = s.store.plan(&source("apt:tiny=1:2-3")).unwrap();
    assert_eq!(plan.len(), 2);
    assert!(
        plan[0].starts_with("cd '") && plan[0].ends_with("&& apt-get download tiny=1:2-3"),
        "{plan:?}"
    );
    assert!(plan[1].starts_with("dpkg-deb --fsys-tarfile "), "{plan:?}");
    let folder = s.get("apt:tiny=1:2-3#usr/share/tiny").unwrap();
    for name in ["a.txt", "inside", "twin"] {
        assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), "a", "{name}");
    }
    for name in ["outside", "absolute", "nowhere"] {
        assert!(
            folder.join(name).symlink_metadata().is_err(),
            "{name} leads to another package and is left out"
        );
    }
    assert_eq!(s.log()[0], "apt-get download tiny=1:2-3");
}

#[test]
fn a_version_that_apt_has_not_names_those_it_has() {
    let s = setup();
    s.tool("apt-get", "echo \"E: Version '9' for 'tiny' was not found\" >&2; exit 100");
    let policy = "tiny:\n  Installed: (none)\n  Candidate: 1.2-3\n  Version table:\n *** 1.2-3 500\n\
        \x20       500 http://x stable/main\n     1.1-1 -1\n        100 /var/lib/dpkg/status\n";
    s.tool("apt-cache", &format!("cat <<'END'\n{policy}END"));
    let error = s.error("apt:tiny=9");
    assert!(
        error.contains("does not offer tiny 9") && error.contains("it offers 1.2-3, 1.1-1;"),
        "{error}"
    );

    s.tool("apt-get", "echo 'E: Unable to locate package tiny' >&2; exit 100");
    let error = s.error("apt:tiny=9");
    assert!(
        error.contains("Unable to locate package tiny") && error.contains("apt-get update"),
        "{error}"
    );
    s.assert_clean();
}

#[test]
fn a_tool_that_is_not_there_is_named() {
    for (text, tool) in [
        ("pip:a==1", "no python3, pip3, pip on PATH"),
        ("apt:a=1", "no apt-get"),
        ("npm:a@1.0.0", "no npm"),
    ] {
        let s = setup();
        let error = s.error(text);
        assert!(error.contains(tool), "{error}");
        assert!(!s.store.plan(&source(text)).unwrap().is_empty(), "the plan shows what is missing");
    }
    let s = with_apt(&[]);
    fs::remove_file(s.path("bin/dpkg-deb")).unwrap();
    assert!(s.error("apt:tiny=1:2-3").contains("no dpkg-deb"));
    // A file that may not be run is no tool.
    let s = setup();
    fs::write(s.path("bin/npm"), "#!/bin/sh\n").unwrap();
    assert!(s.error("npm:a@1.0.0").contains("no npm"));
}

#[test]
fn a_tool_that_fails_is_quoted() {
    let cases = [
        (
            "pip:a==1",
            "python3",
            "ERROR: Could not find a version that satisfies the requirement a==1 (from versions: 0.1, 0.2)\n\
             ERROR: No matching distribution found for a==1\n\n[notice] A new release of pip",
            "there is no wheel for a 1 (there are wheels for 0.1, 0.2) -->",
        ),
        (
            "pip:a==1",
            "python3",
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(no route)': /a/\n\
             ERROR: Could not find a version that satisfies the requirement a==1 (from versions: none)\n\
             ERROR: No matching distribution found for a==1",
            "pip cannot ask its index: 'NewConnectionError(no route)': /a/ -->",
        ),
        (
            "pip:a==1",
            "python3",
            "  error: subprocess-exited-with-error\n  \n  × python setup.py egg_info did not run successfully.\n\
             \x20 │ exit code: 1\n  ╰─> [1 lines of output]\n  note: This error originates from a subprocess, and is \
             likely not a problem with pip.\nerror: metadata-generation-failed\n\n× Encountered error while generating \
             package metadata.\n╰─> See above for output.\n\nnote: This is an issue with the package mentioned above, \
             not pip.\nhint: See above for details.",
            "pip failed: error: metadata-generation-failed Encountered error while generating \
            package metadata. -->",
        ),
        (
            "npm:a@1.0.0",
            "npm",
            "npm warn x\nnpm error code ETARGET\n\
             npm error notarget No matching version found for a@1.0.0.\n\
             npm error A complete log of this run can be found in: /x",
            "npm failed: code ETARGET: notarget No matching version found for a@1.0.0. -->",
        ),
        ("apt:a=1", "apt-get", "", "apt failed: it says nothing -->"),
    ];
    for (text, tool, stderr, expected) in cases {
        let s = setup();
        s.tool(tool, &format!("cat >&2 <<'END'\n{stderr}\nEND\nexit 3"));
        let error = s.error(text);
        assert!(error.contains(expected), "{error}");
        s.assert_clean();
    }
    let s = with_apt(&[]);
    s.tool("dpkg-deb", "echo 'dpkg-deb: error: not a Debian format archive' >&2; exit 2");
    assert!(s.error("apt:tiny=1:2-3").contains("not a Debian format archive"));
    assert!(s.store.store().have(&source("apt:tiny=1:2-3")).is_none());
}

#[test]
fn a_tool_that_leaves_nothing_or_nonsense_is_an_error() {
    let s = setup();
    s.tool("npm", "true");
    assert!(s.error("npm:a@1.0.0").contains("left 0 archives"));
    s.tool("npm", "echo nonsense > \"$DIR\"/a.tgz");
    assert!(s.error("npm:a@1.0.0").contains("bad tar"));
    s.tool("python3", "echo nonsense > \"$DIR\"/a.whl");
    assert!(s.error("pip:a==1").contains("bad zip"));
    // Of Python nothing but wheels: the metadata of other archives is made by their own code.
    for name in ["a.tar.bz2", "a-1.tar.gz", "a-1.zip", "a.tgz"] {
        s.tool("python3", &format!("echo nonsense > \"$DIR\"/{name}"));
        let error = s.error("pip:a==1");
        assert!(error.contains(&format!("`{name}`, not .whl")), "{error}");
    }
    s.tool("python3", "ln -s /etc/passwd \"$DIR\"/a.whl");
    assert!(s.error("pip:a==1").contains("left 0 archives"));
    s.assert_clean();
}

#[test]
fn the_archive_must_be_the_promised_one() {
    let s = with_pip();
    let real = sha256_of(&s.path("tiny_model-1.0-py3-none-any.whl"));
    let get = |store: &Fetcher, digest: &Digest| store.get(&source(PIP), digest, &NoProgress);
    let wrong = package_digest("0".repeat(64));
    let error = get(&s.store, &wrong).unwrap_err().to_string();
    assert!(error.contains(&format!("expected {}, got {real}", "0".repeat(64))), "{error}");
    assert_eq!(s.store.store().have(&source(PIP)), None);
    s.assert_clean();

    get(&s.store, &package_digest(real.clone())).unwrap();
    get(&s.store, &package_digest(real)).unwrap();
    // The record keeps the digest after the archive is gone.
    let offline = s.store.clone().offline(true);
    assert!(get(&offline, &wrong).unwrap_err().to_string().contains("was left"));
    assert!(s.store.store().have(&source(PIP)).is_some());
    assert!(get(&s.store, &wrong).unwrap_err().to_string().contains("was removed"));
    assert_eq!(s.store.store().have(&source(PIP)), None);
}

#[test]
fn the_member_must_be_the_promised_one() {
    let s = with_pip();
    let right: String =
        Sha256::digest(b"weights").iter().map(|byte| format!("{byte:02x}")).collect();
    let digest = |sha256: String| Digest { sha256: Some(sha256), ..Digest::default() };
    s.store.get(&source(PIP), &digest(right.clone()), &NoProgress).unwrap();
    let wrong = digest("0".repeat(64));
    let error = s.store.get(&source(PIP), &wrong, &NoProgress).unwrap_err().to_string();
    assert!(error.contains("tiny_model/w.safetensors") && error.contains(&right), "{error}");
    // It was removed, so the next call repairs it.
    let path = s.store.get(&source(PIP), &digest(right.clone()), &NoProgress).unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), "weights");
    let error = s
        .store
        .get(&source("pip:tiny_model==1.0"), &digest(right), &NoProgress)
        .unwrap_err()
        .to_string();
    assert!(error.contains("a folder has no sha256"), "{error}");
    assert!(s.store.store().have(&source(PIP)).is_some());
}

#[test]
fn a_member_that_is_not_there_names_its_neighbours() {
    let s = with_pip();
    let error = s.error("pip:tiny_model==1.0#tiny_model/x.bin");
    assert!(error.contains("`tiny_model` has w.safetensors"), "{error}");
    let error = s.error("pip:tiny_model==1.0#no/such/x.bin");
    assert!(error.contains("it has tiny_model, tiny_model-1.0.dist-info"), "{error}");
    assert_eq!(s.log().len(), 1, "the package is not fetched again for that");
}

#[test]
fn offline_runs_nothing() {
    let s = with_pip();
    let error = s
        .store
        .clone()
        .offline(true)
        .get(&source(PIP), &Digest::default(), &NoProgress)
        .unwrap_err();
    assert!(matches!(&error, FetchError::Offline(_)), "{error}");
    assert!(
        error.to_string().contains(PIP) && error.to_string().contains("python3 -m pip download"),
        "{error}"
    );
    assert_eq!(s.log(), [""; 0]);
}

#[test]
fn nothing_is_written_outside() {
    let hostile: [&[(&str, Entry<'_>)]; 8] = [
        &[("package/../../../evil", Entry::File("x"))],
        &[("/evil", Entry::File("x"))],
        &[("package/out", Entry::Symlink("../../.."))],
        &[("package/out", Entry::Symlink("/tmp"))],
        &[
            ("package/a", Entry::Folder),
            ("package/b", Entry::Symlink("a")),
            ("package/c", Entry::Symlink("b/../..")),
        ],
        &[("package/out", Entry::Hardlink("package/../../../log"))],
        &[("package/out", Entry::Hardlink("/etc/passwd"))],
        &[("package/dev", Entry::Device)],
    ];
    for (at, entries) in hostile.iter().enumerate() {
        let s = setup();
        tgz(&s.path("a.tgz"), entries);
        s.tool("npm", &format!("cp '{}' \"$DIR\"", s.path("a.tgz").display()));
        let error = s.get("npm:a@1.0.0").unwrap_err();
        assert!(matches!(&error, FetchError::Archive(_)), "{at}: {error}");
        assert!(
            !s.path("evil").exists() && s.store.store().have(&source("npm:a@1.0.0")).is_none(),
            "{at}"
        );
        s.assert_clean();
    }
    for name in ["../evil", "a/../../evil", "/evil", "a\\..\\..\\evil"] {
        let s = setup();
        wheel(&s.path("a.whl"), &[(name, "x")]);
        s.tool("pip", &format!("cp '{}' \"$DIR\"", s.path("a.whl").display()));
        let error = s.get("pip:a==1").unwrap_err();
        assert!(matches!(&error, FetchError::Archive(_)), "{name}: {error}");
        s.assert_clean();
    }
}

#[test]
fn no_file_is_written_through_a_link() {
    // The link comes first and the file after it; the folder `d` is then a real one, and the link
    // is what goes.
    let outside = tempfile::tempdir().unwrap();
    let link = Entry::Symlink(outside.path().to_str().unwrap());
    let s = with_apt(&[("./d", link), ("./d/evil", Entry::File("x"))]);
    let folder = s.get("apt:tiny=1:2-3").unwrap();
    assert!(!outside.path().join("evil").exists());
    assert_eq!(fs::read_to_string(folder.join("d/evil")).unwrap(), "x");
    assert!(folder.join("d").symlink_metadata().unwrap().is_dir());
}

#[test]
fn what_a_killed_process_left_is_cleared() {
    let s = with_pip();
    let stale = s.store.store().root().join("tmp/pip-tiny-model@1.0/unpacked");
    fs::create_dir_all(&stale).unwrap();
    fs::write(stale.join("old"), "old").unwrap();
    fs::write(stale.with_file_name("old.whl"), "old").unwrap();
    let folder = s.get("pip:tiny_model==1.0").unwrap();
    assert!(!folder.join("old").exists());
}

#[test]
fn many_at_once_fetch_once() {
    let s = with_pip();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| s.get(PIP).unwrap())).collect();
        for thread in threads {
            assert_eq!(fs::read_to_string(thread.join().unwrap()).unwrap(), "weights");
        }
    });
    assert_eq!(s.log().len(), 1);
}

#[test]
fn a_damaged_package_is_found_at_use_and_fetched_again() {
    let s = with_pip();
    let path = s.get(PIP).unwrap();
    let folder = path.parent().unwrap().parent().unwrap().to_owned();
    let used = |path: &std::path::Path| {
        s.store.clone().offline(true).get(
            &Source::File(path.to_owned()),
            &Digest::default(),
            &NoProgress,
        )
    };
    used(&path).unwrap();
    let checked = s.store.store().check(&NoProgress).unwrap();
    assert_eq!((checked.whole, checked.unknown, checked.damaged.len()), (2, 0, 0));

    fs::remove_file(folder.join("tiny_model-1.0.dist-info/METADATA")).unwrap();
    used(&path).unwrap();
    let error = used(&folder).unwrap_err().to_string();
    assert!(error.contains("it is gone") && error.contains("METADATA"), "{error}");
    assert_eq!(s.store.store().check(&NoProgress).unwrap().damaged.len(), 1);
    s.get(PIP).unwrap();
    used(&folder).unwrap();

    fs::write(&path, "WEIGHTS").unwrap();
    let error = s
        .store
        .clone()
        .offline(true)
        .get(&source(PIP), &Digest::default(), &NoProgress)
        .unwrap_err();
    assert!(matches!(&error, FetchError::Damaged(_)), "{error}");
    assert_eq!(s.store.store().check(&NoProgress).unwrap().damaged[0].path, path);
    assert_eq!(fs::read_to_string(s.get(PIP).unwrap()).unwrap(), "weights");
}
