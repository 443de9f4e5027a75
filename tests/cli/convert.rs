//! `convert` is whole or nothing, takes nothing away, and says what it makes of processors.

use super::published::copy;
use super::support::{command, fixture, folder, text, toolkit};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Every file below a folder, and its bytes; none if the folder is not there.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            all.extend(
                contents(&entry.path())
                    .into_iter()
                    .map(|(below, bytes)| (format!("{name}/{below}"), bytes)),
            );
        } else {
            // Between listing and reading it may have got its name.
            all.insert(name, std::fs::read(entry.path()).unwrap_or_default());
        }
    }
    all
}

/// Starts a command and kills it as soon as `seen` files lie in its temporaries. Whether it was
/// killed before its end.
fn killed_at(args: &[&str], dir: &Path, seen: usize) -> bool {
    let mut child =
        command().args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_secs(60), "it hangs");
        let temporaries = contents(dir).into_keys().filter(|name| name.starts_with('.')).count();
        if temporaries >= seen {
            child.kill().unwrap();
            break;
        }
    }
    !child.wait().unwrap().success()
}

#[test]
fn a_kill_leaves_nothing_that_looks_finished() {
    let model = fixture("hub-opt");
    let whole = folder();
    for (name, more) in
        [("out", &["--to", "hf", "--shard", "1000000"][..]), ("out.pth", &["--to", "lavis"][..])]
    {
        let right = whole.path().join(name);
        toolkit(&[&["convert", "--quiet", &model, text(&right)][..], more].concat()).ok();
        let right = if right.is_dir() { contents(&right) } else { contents(whole.path()) };
        let right: BTreeMap<_, _> =
            right.into_iter().filter(|(file, _)| !file.starts_with("out/")).collect();

        let dir = folder();
        let parent = dir.path().join("parent");
        let out = parent.join(name);
        let args = [&["convert", "--quiet", &model, text(&out)][..], more].concat();
        let mut kills = 0;
        for seen in [1, 1, 2, 5, 20, 60] {
            if !killed_at(&args, &parent, seen) {
                // It was faster than the look at the folder.
                assert!(out.exists());
                std::fs::remove_dir_all(&parent).unwrap();
                continue;
            }
            kills += 1;
            assert!(!out.exists(), "killed at {seen}, {:?}", contents(&parent).keys());
        }
        assert!(
            kills > 0
                && contents(&parent)
                    .keys()
                    .all(|file| file.starts_with('.') || file == "config.json")
        );
        toolkit(&args).ok();
        let made = if out.is_dir() { contents(&out) } else { contents(&parent) };
        assert_eq!(made.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>());
        assert!(made == right, "{name} has other bytes than without a kill");
        // What the kills left is swept.
        let left: Vec<String> =
            contents(&parent).into_keys().filter(|file| file.starts_with('.')).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn what_is_there_stays() {
    let dir = copy("hub-opt");
    let before = contents(dir.path());
    let out = dir.path().join("lavis.pth");
    toolkit(&["convert", "--quiet", text(dir.path()), text(&out), "--to", "lavis"])
        .fails_with(&["there is a `config.json` of another checkpoint", "a folder of its own"]);
    toolkit(&["convert", "--quiet", &fixture("hub-t5"), text(dir.path()), "--to", "hf"])
        .fails_with(&["there is a checkpoint already"]);
    let notes = folder();
    std::fs::write(notes.path().join("notes.txt"), "mine").unwrap();
    toolkit(&["convert", "--quiet", &fixture("hub-t5"), text(notes.path()), "--to", "hf"])
        .fails_with(&["it is not empty", "give a name that is not there yet"]);
    assert!(contents(dir.path()) == before && contents(notes.path()).len() == 1);
}

#[test]
fn processors_are_followed_and_named() {
    let dir = copy("hub-opt");
    let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let picture = fixture("hub-opt/wide.png");
    let caption = ["caption", text(dir.path()), &picture, "--beams", "1", "--max-new-tokens", "2"];
    let nested = r#"{"image_processor": {"size": 56, "image_mean": 0.5, "image_std": 0.5}}"#;

    put("processor_config.json", nested);
    let said = toolkit(&caption).ok().stderr;
    assert!(
        said.contains("`preprocessor_config.json` says otherwise; `image_processor` counts"),
        "{said}"
    );
    put("preprocessor_config.json", r#"{"size": 56, "image_mean": 0.5, "image_std": 0.5}"#);
    let said = toolkit(&caption).ok().stderr;
    assert!(!said.contains("image_processor"), "{said}");
    for name in ["processor_config.json", "preprocessor_config.json"] {
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    // Once, whichever command asks.
    let out = dir.path().join("out");
    for args in [
        &caption[..],
        &["convert", text(dir.path()), text(&out), "--to", "hf"],
        &["verify", text(dir.path())],
    ] {
        let said = toolkit(args).ok().stderr;
        assert_eq!(
            said.matches("there is no image processor; pixels are LAVIS's: 56 x 56").count(),
            1,
            "{said}"
        );
    }

    // What is not built is an error of every command, before anything is done.
    put("preprocessor_config.json", r#"{"size": {"shortest_edge": 56}}"#);
    let out = dir.path().join("again");
    for args in [
        &caption[..],
        &["convert", text(dir.path()), text(&out), "--to", "hf"],
        &["verify", text(dir.path())],
    ] {
        let args = [&["--quiet"][..], args].concat();
        toolkit(&args).fails_with(&["preprocessor_config.json", "`size` is the shortest edge"]);
    }
    assert!(!out.exists());
}

#[test]
fn a_weight_file_for_every_tensor_is_refused() {
    let dir = folder();
    for shard in ["0", "1", "999999", "-1"] {
        let out = dir.path().join("out");
        let wanted = if shard == "-1" { "--shard" } else { "is not in 1000000.." };
        toolkit(&[
            "convert",
            "--quiet",
            &fixture("hub-opt"),
            text(&out),
            "--to",
            "hf",
            &format!("--shard={shard}"),
        ])
        .fails_with(&[wanted]);
        assert!(!out.exists());
    }
}

#[test]
fn an_infinite_reference_is_no_pass() {
    let dir = copy("blip2-itm-tiny");
    let file = dir.path().join("reference.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let entries: serde_json::Value = serde_json::from_slice(&bytes[8..header]).unwrap();
    for (_, entry) in
        entries.as_object().unwrap().iter().filter(|(name, _)| name.starts_with("output/"))
    {
        let place = header + entry["data_offsets"][0].as_u64().unwrap() as usize;
        bytes[place..place + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    }
    std::fs::write(&file, bytes).unwrap();
    let called = toolkit(&["verify", "--quiet", text(dir.path())]);
    assert_eq!(
        called.stdout.matches("not compared: the reference holds inf at [0").count(),
        4,
        "{}",
        called.stdout
    );
    called.fails_with(&["4 of 4 outputs differ"]);
}
