//! Files appear whole or not at all, and what a kill left is swept.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use toolkit_system::files::{
    FileError, sweep_beside, sweep_temporaries, write_atomic, write_bytes, write_folder,
};

type Outcome = Result<(), FileError>;

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn full(path: &Path) -> FileError {
    FileError::new(path, std::io::ErrorKind::StorageFull.into())
}

#[test]
fn a_file_is_replaced_only_by_a_whole_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    write_bytes(&path, b"old").unwrap();
    let failed: Outcome = write_atomic(&path, |file| {
        file.write_all(b"half").unwrap();
        assert_eq!(names(dir.path()).len(), 2, "the temporary lies beside");
        Err(full(&path))
    });
    let message = failed.unwrap_err().to_string();
    assert!(message.contains("a.json") && message.contains("hint: make room"), "{message}");
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(names(dir.path()), ["a.json"]);
    write_bytes(&path, b"new").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    // Its permissions are those of any new file.
    let plain = dir.path().join("plain");
    File::create(&plain).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions();
    assert_eq!(mode(&path), mode(&plain));
}

#[test]
fn what_is_no_file_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    assert!(write_bytes(&folder, b"x").unwrap_err().to_string().contains("this is no file"));
    assert!(write_bytes(&dir.path().join(".."), b"x").is_err());
    assert!(write_bytes(Path::new("/"), b"x").is_err());
    assert_eq!(names(dir.path()), ["folder"]);
}

#[test]
fn a_folder_appears_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("deep/out");
    let failed: Outcome = write_folder(&place, |folder| {
        std::fs::write(folder.join("config.json"), "{}").unwrap();
        Err(full(&place))
    });
    assert!(failed.is_err());
    assert_eq!(names(&dir.path().join("deep")), [""; 0]);
    let fill = |folder: &Path| -> Outcome {
        std::fs::create_dir(folder.join("sub")).unwrap();
        std::fs::write(folder.join("sub/a"), "a").unwrap();
        assert!(!place.join("sub").exists());
        Ok(())
    };
    write_folder(&place, fill).unwrap();
    assert_eq!(std::fs::read(place.join("sub/a")).unwrap(), b"a");
    assert_eq!(names(&dir.path().join("deep")), ["out"]);
    // A folder with something in it is not touched; an empty one is nothing to lose.
    let refused = write_folder(&place, fill).unwrap_err().to_string();
    assert!(refused.contains("not empty") && refused.contains("hint: give a name"), "{refused}");
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let made: Outcome = write_folder(&empty, |folder| write_bytes(&folder.join("b"), b"b"));
    made.unwrap();
    assert_eq!(names(&empty), ["b"]);
    let file = dir.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    let nothing = |_: &Path| -> Outcome { Ok(()) };
    assert!(
        write_folder(&file, nothing).unwrap_err().to_string().contains("there is a file already")
    );
    assert!(write_folder(Path::new("."), nothing).is_err());
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
}

/// Makes what killed writers of `out` leave, old and new names, and what only looks so.
fn litter(dir: &Path) {
    std::fs::create_dir_all(dir.join(".out.12-aB3.tmp/deep")).unwrap();
    std::fs::write(dir.join(".out.12-aB3.tmp/deep/model.safetensors"), "half").unwrap();
    for name in [
        ".out.7.tmp",
        ".out.8-0.tmp",
        ".out.x.tmp",
        ".out.tmp",
        ".output.7.tmp",
        ".tmpQ1w2E3",
        "out.7.tmp",
    ] {
        std::fs::write(dir.join(name), "").unwrap();
    }
}

#[test]
fn only_temporaries_of_the_dead_are_swept() {
    let dir = tempfile::tempdir().unwrap();
    litter(dir.path());
    let out = dir.path().join("out");
    let written: Outcome = write_atomic(&out, |_| {
        sweep_beside(&out);
        let left = names(dir.path());
        let live = left
            .iter()
            .filter(|name| name.starts_with(&format!(".out.{}-", std::process::id())))
            .count();
        assert_eq!((live, left.len()), (1, 6), "{left:?}");
        sweep_temporaries(dir.path());
        Ok(())
    });
    written.unwrap();
    assert_eq!(names(dir.path()), ["out", "out.7.tmp"]);
    // A folder that is being made is not swept either, and one that was left is gone when the next
    // is made.
    std::fs::remove_file(&out).unwrap();
    litter(dir.path());
    let made: Outcome = write_folder(&out, |folder| {
        assert!(!dir.path().join(".out.12-aB3.tmp").exists());
        sweep_temporaries(dir.path());
        write_bytes(&folder.join("whole"), b"whole")
    });
    made.unwrap();
    assert_eq!(names(&out), ["whole"]);
    assert_eq!(names(dir.path()), ["out", "out.7.tmp"]);
}
