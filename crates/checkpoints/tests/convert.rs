//! Files that `convert` writes beside weights, and those that it leaves alone.
#![allow(clippy::unwrap_used, missing_docs)]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use toolkit_checkpoints::CheckpointError;
use toolkit_checkpoints::convert::{To, convert};
use toolkit_checkpoints::processor::{self, CLIP_MEAN, CLIP_STD};
use toolkit_checkpoints::write::Form;
use toolkit_core::params::Kept;
use toolkit_data::{Fit, Preprocess};
use toolkit_models::weights::StoredDtype;

const OLD: &str = "preprocessor_config.json";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

/// A copy of a fixture's files.
fn copy(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture(name)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    dir
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn to_lavis(from: &Path, out: &Path) -> Result<(), CheckpointError> {
    convert(from, out, To::Lavis { all: false }, Form::default()).map(drop)
}

#[test]
fn the_processor_that_was_read_is_written() {
    let blip = json!({"size": {"height": 56, "width": 56}, "image_mean": 0.5, "image_std": [0.1, 0.25, 0.3]});
    let edge = json!({"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 64}, "crop_size": 56});
    let square = json!({"do_center_crop": true, "size": 64, "crop_size": 56});
    let made = |fit, mean, std| Preprocess { size: 56, fit, mean, std };
    let cases = [
        (
            json!({"processor_config.json": {"image_processor": blip}}),
            made(Fit::Stretch, [0.5; 3], [0.1, 0.25, 0.3]),
        ),
        (json!({OLD: edge}), made(Fit::ShortestEdgeThenCrop(64), CLIP_MEAN, CLIP_STD)),
        (
            json!({"processor_config.json": {"image_processor": edge}}),
            made(Fit::ShortestEdgeThenCrop(64), CLIP_MEAN, CLIP_STD),
        ),
        (json!({OLD: square}), made(Fit::StretchThenCrop(64), CLIP_MEAN, CLIP_STD)),
        (json!({}), made(Fit::Stretch, CLIP_MEAN, CLIP_STD)),
    ];
    for (files, preprocess) in cases {
        let from = copy("hub-opt");
        for name in [OLD, "processor_config.json"] {
            std::fs::remove_file(from.path().join(name)).unwrap();
        }
        for (name, content) in files.as_object().unwrap() {
            std::fs::write(from.path().join(name), content.to_string()).unwrap();
        }
        let read = processor::read(from.path(), 56).unwrap();
        assert_eq!(read.preprocess, preprocess, "{files}");
        let out = from.path().join("out");
        let summary = convert(from.path(), &out, To::HuggingFace, Form::default()).unwrap();
        assert_eq!(summary.files, [out.join("model.safetensors")]);
        let again = processor::read(&out, 56).unwrap();
        assert_eq!((again.preprocess, again.note.clone()), (preprocess, None), "{files}");
        assert_eq!(again, processor::of_folder(&out).unwrap());
        // Readers of version 4 look at the file alone, and at its class.
        let text: Value = serde_json::from_slice(&std::fs::read(out.join(OLD)).unwrap()).unwrap();
        let class = if preprocess.fit == Fit::Stretch {
            "BlipImageProcessor"
        } else {
            "CLIPImageProcessor"
        };
        assert_eq!(
            (&text["image_processor_type"], text["resample"].as_u64()),
            (&json!(class), Some(3))
        );
        assert_eq!(
            text["do_center_crop"],
            if preprocess.fit == Fit::Stretch { Value::Null } else { json!(true) }
        );
    }
}

#[test]
fn the_files_of_another_checkpoint_are_left_alone() {
    // In the folder that is converted.
    let from = copy("hub-opt");
    let config = std::fs::read(from.path().join("config.json")).unwrap();
    let before = names(from.path());
    let refused = to_lavis(from.path(), &from.path().join("lavis.pth")).unwrap_err().to_string();
    assert!(
        refused.contains("`config.json` of another checkpoint")
            && refused.contains("hint: name a file"),
        "{refused}"
    );
    assert_eq!(names(from.path()), before);
    assert_eq!(std::fs::read(from.path().join("config.json")).unwrap(), config);

    // Two files of one folder that need the same configuration, and one that needs another.
    let dir = tempfile::tempdir().unwrap();
    let (one, two, other) =
        (dir.path().join("one.pth"), dir.path().join("two.pth"), dir.path().join("other.pth"));
    to_lavis(from.path(), &one).unwrap();
    let config = std::fs::read(dir.path().join("config.json")).unwrap();
    to_lavis(from.path(), &two).unwrap();
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
    let refused = to_lavis(&fixture("stage1-tiny/checkpoint.pth"), &other).unwrap_err().to_string();
    assert!(refused.contains("of another checkpoint"), "{refused}");
    assert_eq!(std::fs::read(dir.path().join("config.json")).unwrap(), config);
    assert_eq!(names(dir.path()), ["config.json", "one.pth", "two.pth"]);

    // Nothing that is there is replaced, and a folder is no place for a file.
    let held = std::fs::read(&one).unwrap();
    assert!(
        to_lavis(from.path(), &one)
            .unwrap_err()
            .to_string()
            .contains("there is a checkpoint already")
    );
    assert_eq!(std::fs::read(&one).unwrap(), held);
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert!(
        to_lavis(from.path(), &empty)
            .unwrap_err()
            .to_string()
            .contains("there is a folder of that name")
    );
    assert_eq!(names(dir.path()), ["config.json", "empty", "one.pth", "two.pth"]);
    std::fs::write(empty.join("mine"), "mine").unwrap();
    let refused =
        convert(from.path(), &empty, To::HuggingFace, Form::default()).unwrap_err().to_string();
    assert!(refused.contains("it is not empty") && refused.contains("hint: "), "{refused}");
    assert_eq!(names(&empty), ["mine"]);
}

#[test]
fn what_cannot_be_written_leaves_nothing() {
    // The encoder's keys have a bias, which is found in the middle of the file.
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("b.pth");
    let refused =
        convert(&fixture("blip2-opt-tiny"), &out, To::Lavis { all: true }, Form::default());
    assert!(refused.unwrap_err().to_string().contains("have a bias"));
    assert!(names(dir.path()).is_empty(), "{:?}", names(dir.path()));
    // A weight that half precision has no number for is not written as an infinity.
    let from = copy("hub-opt");
    let file = from.path().join("model.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let entries: Value = serde_json::from_slice(&bytes[8..header]).unwrap();
    let place = header + entries["query_tokens"]["data_offsets"][0].as_u64().unwrap() as usize;
    bytes[place..place + 4].copy_from_slice(&70_000_f32.to_le_bytes());
    std::fs::write(&file, bytes).unwrap();
    let store = |dtype| {
        convert(
            from.path(),
            &dir.path().join("h"),
            To::HuggingFace,
            Form { dtype, ..Form::default() },
        )
    };
    let refused = store(StoredDtype::F16).unwrap_err().to_string();
    assert!(refused.contains("70000, too large for f16 --> query_tokens; hint: "), "{refused}");
    assert!(names(dir.path()).is_empty());
    assert_eq!(store(StoredDtype::Bf16).unwrap().left_out, Vec::<String>::new());
    std::fs::remove_dir_all(dir.path().join("h")).unwrap();
    // The parent is a file.
    std::fs::write(dir.path().join("file"), "").unwrap();
    let below = dir.path().join("file/out");
    let refused = convert(&fixture("hub-opt"), &below, To::HuggingFace, Form::default())
        .unwrap_err()
        .to_string();
    assert!(refused.contains("/file; hint: "), "{refused}");
}

#[test]
fn a_file_of_what_was_trained_says_how_to_get_the_rest() {
    use burn::tensor::Device;
    use toolkit_checkpoints::{Loading, open};
    for name in ["hub-opt", "hub-t5"] {
        let dir = tempfile::tempdir().unwrap();
        let open = |file: &Path| {
            let device = Device::flex();
            let how = Loading {
                device: &device,
                kept: Kept::F32,
                frozen: true,
                progress: &toolkit_system::progress::Silent,
            };
            open(file, how).map(drop).map_err(|error| error.to_string())
        };
        let trained = dir.path().join("trained/x.pth");
        to_lavis(&fixture(name), &trained).unwrap();
        let error = open(&trained).unwrap_err();
        let start = "this file has only what was trained: the frozen parts (encoder, language \
            model) are not in it --> ";
        assert!(error.starts_with(start) && error.contains("x.pth; hint: "), "{error}");
        assert!(
            error.contains("`toolkit convert RUN NEW.pth --to lavis --all`")
                && !error.contains('\n'),
            "{error}"
        );
    }
}
