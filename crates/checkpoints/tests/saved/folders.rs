//! Folders: the hub's cache, adapters alone, byte-order marks.

use super::{Checkpoint, open};
use serde_json::json;

/// The folder `models--Someone--tiny` of a cache with these snapshots, each a copy of a checkpoint.
fn cache(snapshots: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let from = Checkpoint::of("hub-opt");
    for name in snapshots {
        let to = dir.path().join("models--Someone--tiny/snapshots").join(name);
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(from.0.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    std::fs::create_dir_all(dir.path().join("models--Someone--tiny/refs")).unwrap();
    dir
}

#[test]
fn the_folder_of_a_cache_stands_for_its_main_snapshot() {
    let dir = cache(&["0123abcd", "4567abcd"]);
    let folder = dir.path().join("models--Someone--tiny");
    let error = open(&folder).err().unwrap().to_string();
    assert!(error.contains("has 2 snapshots, and `refs/main` names none"), "{error}");
    for main in ["4567abcd\n", "4567abcd"] {
        std::fs::write(folder.join("refs/main"), main).unwrap();
        assert!(open(&folder).is_ok());
    }
    std::fs::remove_file(folder.join("snapshots/4567abcd/config.json")).unwrap();
    let error = open(&folder).err().unwrap().to_string();
    assert!(error.contains("there is no `config.json`") && error.contains("4567abcd"), "{error}");
    // A reference is the name of a snapshot and leads nowhere else.
    std::fs::write(folder.join("refs/main"), "../snapshots/0123abcd").unwrap();
    assert!(open(&folder).err().unwrap().to_string().contains("names none"));
    let error = open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("hint: give `") && error.contains("models--Someone--tiny`"), "{error}");
    let one = cache(&["0123abcd"]);
    assert!(
        open(&one.path().join("models--Someone--tiny")).is_ok(),
        "the only one needs no reference"
    );
}

#[test]
fn an_adapter_alone_names_its_base() {
    let checkpoint = Checkpoint::of("hub-opt");
    let adapter = json!({"base_model_name_or_path": "Salesforce/blip2-opt-2.7b", "peft_type": "LORA", "r": 4});
    checkpoint.write("adapter_config.json", adapter.to_string());
    assert!(checkpoint.open().is_ok(), "beside whole weights it is not looked at");
    for with_config in [true, false] {
        if checkpoint.path("model.safetensors").is_file() {
            checkpoint.remove("model.safetensors");
        }
        if !with_config {
            checkpoint.remove("config.json");
        }
        let error = checkpoint.error();
        assert!(
            error.starts_with("this is a LORA adapter of `Salesforce/blip2-opt-2.7b`"),
            "{error}"
        );
        assert!(error.contains("merge_and_unload()"), "{error}");
    }
}

#[test]
fn byte_order_marks_and_line_ends_of_windows_change_nothing() {
    let checkpoint = Checkpoint::of("hub-opt");
    for file in
        ["config.json", "generation_config.json", "tokenizer.json", "preprocessor_config.json"]
    {
        let text = std::fs::read_to_string(checkpoint.path(file)).unwrap();
        checkpoint.write(file, format!("\u{feff}{}", text.replace('\n', "\r\n")));
    }
    assert!(checkpoint.holds());
}

#[cfg(unix)]
#[test]
fn a_file_that_is_no_file_is_never_taken_for_absent() {
    use std::process::Command;
    let files = [
        "config.json",
        "generation_config.json",
        "processor_config.json",
        "preprocessor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "model.safetensors",
    ];
    for file in files {
        // As in a cache whose blob is lost; a pipe would be waited for.
        for make in ["ln -s ../blobs/gone", "mkfifo", "mkdir"] {
            let checkpoint = Checkpoint::of("hub-opt");
            if checkpoint.path(file).exists() {
                checkpoint.remove(file);
            }
            let mut words = make.split(' ');
            let mut command = Command::new(words.next().unwrap());
            assert!(command.args(words).arg(checkpoint.path(file)).status().unwrap().success());
            let error = checkpoint.error();
            assert!(
                error.starts_with("cannot read: ") && error.contains(&format!("/{file}; hint: ")),
                "{error}"
            );
        }
    }
    for file in ["expected.json", "reference.safetensors"] {
        let checkpoint = Checkpoint::of("hub-opt");
        checkpoint.remove(file);
        std::os::unix::fs::symlink("gone", checkpoint.path(file)).unwrap();
        let error = checkpoint.verified().unwrap_err().to_string();
        assert!(
            error.starts_with("cannot read: this is a link to nothing --> ")
                && error.contains(file),
            "{error}"
        );
    }
}

#[cfg(unix)]
#[test]
fn the_reference_of_a_cache_is_a_file() {
    let dir = cache(&["0123abcd"]);
    let folder = dir.path().join("models--Someone--tiny");
    std::os::unix::fs::symlink("gone", folder.join("refs/main")).unwrap();
    let error = open(&folder).err().unwrap().to_string();
    assert!(
        error.starts_with("cannot read: this is a link to nothing --> ")
            && error.contains("refs/main"),
        "{error}"
    );
}

#[test]
fn files_in_utf_16_are_called_so() {
    for file in
        ["config.json", "preprocessor_config.json", "generation_config.json", "tokenizer.json"]
    {
        for mark in [true, false] {
            let checkpoint = Checkpoint::of("hub-opt");
            let text = String::from_utf8(std::fs::read(checkpoint.path(file)).unwrap()).unwrap();
            let units = mark.then_some(0xfeff_u16).into_iter().chain(text.encode_utf16());
            checkpoint.write(file, units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
            let error = checkpoint.error();
            assert!(error.starts_with("this is UTF-16 --> "), "{error}");
            assert!(error.ends_with(&format!("{file}; hint: save the file as UTF-8")), "{error}");
        }
    }
}
