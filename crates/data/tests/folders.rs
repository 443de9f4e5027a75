//! Files of folders: every picture is read or counted.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use tempfile::TempDir;
use toolkit_data::{
    Check, CheckOptions, Dataset, Fault, Folder, Published, PublishedConfig, check, check_folder,
    pictures_below,
};

const PNG: &[u8] = include_bytes!("fixtures/plain.png");

fn folder(files: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in files {
        put(dir.path(), name, PNG);
    }
    dir
}

fn put(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn checked(dir: &Path) -> Check {
    check_folder(dir, CheckOptions { examples: 50, decode: true }, &|_, _| {}).unwrap().report
}

/// Unread pictures, without the folder and the hint.
fn passed_over(dir: &Path) -> Vec<String> {
    let report = checked(dir);
    let Some(found) = report.findings.get(&Fault::UnreadFormat) else { return vec![] };
    let start = format!("{}/", dir.display());
    found
        .examples
        .iter()
        .map(|text| text.to_string().replace(&start, "").split(';').next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_pictures_of_a_folder_are_those_of_the_data_set() {
    let dir = folder(&[
        "b.png",
        "a.PNG",
        "deep/er/c.jpg",
        ".hidden.png",
        ".cache/d.png",
        "__MACOSX/e.png",
        "x.heic",
        "y.heic",
    ]);
    put(dir.path(), "captions.txt", "not a picture");
    let (pictures, notes) = pictures_below(dir.path()).unwrap();
    let data = Folder::open(dir.path()).unwrap();
    let named: Vec<_> = (0..data.len()).map(|at| dir.path().join(&data.item(at).id)).collect();
    assert_eq!(pictures, named);
    assert_eq!(pictures, ["a.PNG", "b.png", "deep/er/c.jpg"].map(|name| dir.path().join(name)));
    assert_eq!(notes, ["2 pictures are passed over, x.heic, y.heic: HEIC is not read"]);
    assert!(pictures_below(&dir.path().join("gone")).unwrap_err().to_string().contains("gone"));
    for error in
        [pictures_below(Path::new("")).unwrap_err(), Folder::open(Path::new("")).err().unwrap()]
    {
        assert_eq!(
            error.to_string(),
            "no folder is named; hint: write its path, as in `folder:my-photos`"
        );
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_counted_and_named() {
    use std::os::unix::fs::symlink;
    let dir = folder(&["a.png", "set.png/b.png"]);
    std::fs::create_dir_all(dir.path().join("dir.png/empty")).unwrap();
    symlink("/nonexistent", dir.path().join("dangling.png")).unwrap();
    symlink("/nonexistent", dir.path().join("dangling.heic")).unwrap();
    symlink("round.jpg", dir.path().join("round.jpg")).unwrap();
    symlink("/nonexistent", dir.path().join("notes")).unwrap();
    let pipe = dir.path().join("fifo.png");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(
        std::process::Command::new("mkfifo")
            .arg(dir.path().join("pipe"))
            .status()
            .unwrap()
            .success()
    );
    let found = passed_over(dir.path());
    assert_eq!(found.len(), 5, "{found:?}");
    for right in [
        "dangling.heic is passed over: a link to nothing",
        "dangling.png is passed over: a link to nothing",
        "dir.png is passed over: a folder, not a picture",
        "fifo.png is passed over: no ordinary file but a pipe or a device",
    ] {
        assert!(found.iter().any(|said| said == right), "{right}: {found:?}");
    }
    assert!(found[4].starts_with("round.jpg is passed over: "), "{found:?}");
    let data = Folder::open(dir.path()).unwrap();
    assert_eq!((data.len(), data.left_out()[&Fault::UnreadFormat].count), (2, 5));
    assert_eq!(pictures_below(dir.path()).unwrap().0.len(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_utf8_are_counted_one_by_one() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let dir = folder(&["a.png"]);
    for name in [&b"\xff.png"[..], b"\xfe.png", b"\xff.heic"] {
        std::fs::write(dir.path().join(OsStr::from_bytes(name)), PNG).unwrap();
    }
    std::fs::create_dir(dir.path().join(OsStr::from_bytes(b"d\xff"))).unwrap();
    std::fs::write(dir.path().join(OsStr::from_bytes(b".\xff.png")), PNG).unwrap();
    std::fs::write(dir.path().join(OsStr::from_bytes(b"\xff.txt")), "a").unwrap();
    let found = passed_over(dir.path());
    let right = [
        "\\xfe.png is passed over: its name is no UTF-8",
        "\\xff.heic is passed over: its name is no UTF-8",
        "\\xff.png is passed over: its name is no UTF-8",
        "d\\xff/ is passed over: the folder's name is no UTF-8",
    ];
    assert_eq!(found, right);
}

#[cfg(unix)]
#[test]
fn texts_that_cannot_be_read_are_errors() {
    use std::os::unix::fs::symlink;
    for name in ["captions.jsonl", "captions.csv", "metadata.jsonl", "a.txt"] {
        for target in ["/nonexistent", "/dev/zero"] {
            let dir = folder(&["a.png"]);
            symlink(target, dir.path().join(name)).unwrap();
            let error = Folder::open(dir.path()).err().unwrap().to_string();
            assert!(
                error.contains(name) && error.contains("cannot read"),
                "{name} {target}: {error}"
            );
            assert_eq!(checked(dir.path()).count(Fault::DamagedFile), 1, "{name} {target}");
        }
    }
    // A published list, too.
    let dir = folder(&["images/a.png"]);
    symlink("/dev/zero", dir.path().join("list.json")).unwrap();
    let card = "[splits.train]\nformat = \"lavis-captions\"\nfiles = [\"list.json\"]\n";
    let config: PublishedConfig = toml::from_str(card).unwrap();
    let error = Published::open(&config, dir.path(), "train").err().unwrap().to_string();
    assert!(error.contains("list.json is a folder, a pipe or a device"), "{error}");
    let report = check(&config, dir.path(), "train", CheckOptions::default(), &|_, _| {}).unwrap();
    assert_eq!(report.count(Fault::DamagedFile), 1, "{report:?}");
}

#[test]
fn formats_that_are_not_read_are_counted() {
    let endings = "sgi icns xbm xpm msp im jxr wdp wmf emf bpg tga pcx mp4 webm mov MP4 heic";
    let names: Vec<String> = endings.split(' ').map(|ending| format!("x.{ending}")).collect();
    let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
    all.extend(["a.png", "b.jfi", "c.dib", "d.avifs"]);
    let dir = folder(&all);
    let report = checked(dir.path());
    assert_eq!(
        (report.images, report.count(Fault::UnreadFormat)),
        (4, names.len() as u64),
        "{report:?}"
    );
    let passed = passed_over(dir.path());
    assert!(passed.contains(&"x.mov is passed over: video is not read".to_owned()), "{passed:?}");
}

#[test]
fn cocos_form_is_read_where_the_pictures_lie() {
    let coco = r#"{"info": {}, "images": [{"id": 7, "file_name": "a.png", "width": 12}, {"id": 9, "file_name": "b.png"}],
        "annotations": [{"id": 1, "image_id": 7, "caption": "a dog"}, {"id": 7, "image_id": 9, "caption": "a cat"},
        {"id": 9, "image_id": 7, "caption": "one dog"}]}"#;
    for (list, pictures) in
        [("captions.json", ["a.png", "b.png"]), ("captions.json", ["x/a.png", "x/b.png"])]
    {
        let dir = folder(&pictures);
        put(dir.path(), list, coco);
        let data = Folder::open(dir.path()).unwrap();
        assert_eq!(
            (data.len(), &data.item(0).captions[..]),
            (2, &["a dog".to_owned(), "one dog".to_owned()][..])
        );
        assert_eq!(data.item(1).captions, ["a cat"]);
        assert!(checked(dir.path()).is_clean());
    }
    // Pictures that are elsewhere are named as the list names them.
    let dir = folder(&["c.png"]);
    put(dir.path(), "captions.json", coco);
    let error = Folder::open(dir.path()).err().unwrap().to_string();
    assert!(
        error.contains("there is no picture")
            && error.contains("a.png")
            && error.contains("captions.json:2"),
        "{error}"
    );
    // An annotation of no picture, and one without a caption.
    let dir = folder(&["a.png"]);
    let bad = r#"{"images": [{"id": 7, "file_name": "a.png"}], "annotations": [{"image_id": 8, "caption": "x"}, {"image_id": 7, "caption": "y"}]}"#;
    put(dir.path(), "captions.json", bad);
    let report = checked(dir.path());
    assert_eq!((report.captions, report.count(Fault::BadRow)), (1, 1), "{report:?}");
    let said = &report.findings[&Fault::BadRow].examples[0];
    assert!(
        said.to_string()
            .contains("row 1 of \"annotations\": `images` has no picture with the id 8"),
        "{said}"
    );
}
