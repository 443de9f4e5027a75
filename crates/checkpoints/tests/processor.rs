//! Processor files: pixels as transformers 5 makes them, and what is not built refused by the name
//! of its key.
#![allow(clippy::unwrap_used, missing_docs)]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use toolkit_checkpoints::processor;
use toolkit_data::{Alpha, Fit};

const OLD: &str = "preprocessor_config.json";
const NEW: &str = "processor_config.json";

fn picture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/hub-opt/wide.png")
}

fn folder(files: &Value) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files.as_object().unwrap() {
        std::fs::write(dir.path().join(name), content.to_string()).unwrap();
    }
    dir
}

#[test]
fn pixels_are_those_of_transformers() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/processors.json")).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 24);
    for case in cases {
        let dir = folder(&case["files"]);
        let processor = processor::read(dir.path(), 8)
            .unwrap_or_else(|error| panic!("{}: {error}", case["name"]));
        let ours = processor.pixels(&picture()).unwrap();
        let theirs: Vec<f64> =
            case["pixels"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        assert_eq!(ours.len(), theirs.len());
        let apart =
            ours.iter().zip(&theirs).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(apart <= 1e-6, "{}: {apart:e}", case["name"]);
    }
}

#[test]
fn where_the_settings_are_from_is_said() {
    let note = |files: Value| processor::read(folder(&files).path(), 8).unwrap().note;
    let (blip, half) = (json!({"size": 8}), json!({"size": 8, "image_mean": 0.5}));
    assert_eq!(note(json!({OLD: blip})), None);
    assert_eq!(note(json!({NEW: {"image_processor": blip}})), None);
    assert_eq!(
        note(json!({NEW: {"image_processor": blip}, OLD: {"size": [8, 8], "do_pad": false}})),
        None
    );
    let differs = note(json!({NEW: {"image_processor": blip}, OLD: half})).unwrap();
    assert!(differs.contains("says otherwise; `image_processor` counts"), "{differs}");
    let broken =
        note(json!({NEW: {"image_processor": blip}, OLD: {"size": 8, "crop_pct": 0.9}})).unwrap();
    assert!(broken.contains("says otherwise"), "{broken}");
    for files in [
        json!({}),
        json!({NEW: {"num_query_tokens": 6}}),
        json!({"video_preprocessor_config.json": half}),
    ] {
        let none = note(files).unwrap();
        assert!(none.contains("there is no image processor; pixels are LAVIS's: 8 x 8"), "{none}");
    }
    let made = processor::read(folder(&json!({})).path(), 8).unwrap();
    assert_eq!(
        (made.preprocess.size, made.preprocess.fit, made.alpha),
        (8, Fit::Stretch, Alpha::Drop)
    );
}

/// Reads a file of `keys` and gives the error, which must be one line that names `key`.
fn refused(keys: &Value, key: &str) -> String {
    let error = match processor::read(folder(&json!({OLD: keys})).path(), 8) {
        Ok(made) => panic!("{keys} made {made:?}"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains(&format!("`{key}`")) && !error.contains('\n'), "{keys}: {error}");
    assert!(error.contains(OLD) && error.contains("hint: "), "{error}");
    error
}

#[test]
fn what_changes_pixels_and_is_not_built_is_refused() {
    for key in ["do_resize", "do_rescale", "do_normalize", "do_convert_rgb"] {
        refused(&json!({"size": 8, key: false}), key);
    }
    for (resample, name) in
        [(0, "nearest"), (1, "lanczos"), (2, "bilinear"), (4, "box"), (5, "hamming"), (9, "9")]
    {
        assert!(refused(&json!({"size": 8, "resample": resample}), "resample").contains(name));
    }
    refused(&json!({"size": 8, "rescale_factor": 1.0 / 127.5}), "rescale_factor");
    for (key, value) in [
        ("do_flip_channel_order", json!(true)),
        ("do_thumbnail", json!(true)),
        ("do_align_long_axis", json!(true)),
        ("do_reduce_labels", json!(true)),
        ("do_image_splitting", json!(true)),
        ("crop_pct", json!(0.875)),
        ("patch_size", json!(14)),
        ("max_pixels", json!(1_003_520)),
        ("size_divisor", json!(32)),
        ("offset", json!(false)),
        (
            "a_key_of_next_year",
            json!({"with": ["much", "in", "it", "that", "goes", "on", "and", "on"]}),
        ),
    ] {
        refused(&json!({"size": 8, key: value}), key);
    }
    assert!(
        refused(&json!({"image_processor_type": "Qwen2VLImageProcessor"}), "image_processor_type")
            .contains("Qwen2")
    );
    refused(&json!({"feature_extractor_type": "DetrFeatureExtractor"}), "feature_extractor_type");
    // ViT's own filter, where the file does not say another.
    assert!(
        refused(&json!({"image_processor_type": "ViTImageProcessor", "size": 8}), "resample")
            .contains("bilinear")
    );
}

#[test]
fn sizes_that_give_no_square_are_refused() {
    let edge = json!({"shortest_edge": 8});
    refused(&json!({"size": edge}), "size");
    refused(&json!({"size": edge, "do_center_crop": false}), "size");
    refused(&json!({"size": {"height": 8, "width": 9}}), "size");
    refused(&json!({"size": [9, 8]}), "size");
    refused(&json!({"size": [8]}), "size");
    refused(&json!({"size": []}), "size");
    refused(&json!({"size": {}}), "size");
    refused(&json!({"size": {"height": 8}}), "size");
    refused(&json!({"size": {"height": 8, "width": 8, "shortest_edge": 8}}), "size");
    refused(&json!({"size": {"longest_edge": 8}}), "size.longest_edge");
    refused(
        &json!({"size": {"shortest_edge": 8, "longest_edge": 12}, "do_center_crop": true}),
        "size.longest_edge",
    );
    refused(&json!({"size": {"max_height": 8, "max_width": 8}}), "size.max_height");
    refused(&json!({"size": "8"}), "size");
    refused(&json!({"size": 0}), "size");
    refused(&json!({"size": {"height": 0, "width": 0}}), "size");
    refused(&json!({"size": 100_000}), "size");
    refused(&json!({"size": [1e9, 1e9]}), "size");
    refused(&json!({"size": 8, "do_center_crop": true, "crop_size": edge}), "crop_size");
    refused(
        &json!({"size": 8, "do_center_crop": true, "crop_size": {"height": 8, "width": 4}}),
        "crop_size",
    );
    refused(&json!({"size": 8, "do_pad": true, "pad_size": 12}), "pad_size");
    // Squares of another side than the encoder's.
    assert!(refused(&json!({"size": 9}), "size").contains("the encoder takes 8"));
    assert!(
        refused(&json!({"size": 9, "do_center_crop": true, "crop_size": 7}), "crop_size")
            .contains("takes 8")
    );
}

#[test]
fn values_of_the_wrong_kind_are_refused() {
    refused(&json!({"do_resize": [true]}), "do_resize");
    refused(&json!({"do_normalize": 1}), "do_normalize");
    refused(&json!({"resample": [3]}), "resample");
    refused(&json!({"resample": "bicubic"}), "resample");
    refused(&json!({"rescale_factor": [0.1]}), "rescale_factor");
    refused(&json!({"image_mean": [0.5]}), "image_mean");
    refused(&json!({"image_mean": [[0.5, 0.5, 0.5]]}), "image_mean");
    refused(&json!({"image_mean": [0.5, 0.5, 1e39]}), "image_mean");
    refused(&json!({"image_std": [0.5, 0.0, 0.5]}), "image_std");
    refused(&json!({"image_std": "0.5"}), "image_std");
    for wrong in [0.0, -0.0, -0.5, 1e-60] {
        let error = refused(&json!({"image_std": [0.5, 0.5, wrong]}), "image_std");
        assert!(error.contains("a deviation is a finite number above 0"), "{error}");
        refused(&json!({"image_std": wrong}), "image_std");
    }
    refused(&json!({"image_mean": 1e38, "image_std": 1e-3}), "image_mean");
    refused(&json!({"image_processor_type": ["BlipImageProcessor"]}), "image_processor_type");
    for wrong in [json!([1]), json!("BlipImageProcessor"), json!(null)] {
        let error =
            processor::read(folder(&json!({OLD: wrong})).path(), 8).unwrap_err().to_string();
        assert!(error.contains("the file is no JSON object"), "{error}");
        if !wrong.is_null() {
            let nested =
                processor::read(folder(&json!({NEW: {"image_processor": wrong}})).path(), 8);
            let error = nested.unwrap_err().to_string();
            assert!(error.contains("`image_processor` is") && error.contains(NEW), "{error}");
        }
    }
    let nested =
        processor::read(folder(&json!({NEW: {"image_processor": {"crop_pct": 0.9}}})).path(), 8);
    assert!(nested.unwrap_err().to_string().contains("`image_processor.crop_pct` is 0.9"));
}

#[test]
fn numbers_that_only_python_knows_are_refused_by_their_key() {
    for (key, number) in
        [("image_std", "NaN"), ("image_mean", "-Infinity"), ("rescale_factor", "1e999")]
    {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            r#"{{"a \"key\"": "NaN", "size": 8, "{key}": [0.5, {number}, 0.5], "b": "x: Infinity"}}"#
        );
        std::fs::write(dir.path().join(OLD), text).unwrap();
        let error = processor::read(dir.path(), 8).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("`{key}` has {number}, which is no finite number --> ")),
            "{error}"
        );
        assert!(error.contains(OLD) && error.contains("hint: "), "{error}");
    }
    // A file that is broken otherwise is called so.
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(OLD), r#"{"a": "NaN", "size": "#).unwrap();
    let error = processor::read(dir.path(), 8).unwrap_err().to_string();
    assert!(error.starts_with("this is no JSON: "), "{error}");
}
