//! Searches of all kinds against transformers 4.57.1 (`tests/fixtures/make_generations.py`): beams,
//! lengths, penalties, the three rules of stopping, texts of unlike length; ids exactly, scores of
//! beam search to five digits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_checkpoints::{Loading, open};
use toolkit_core::Ends;
use toolkit_formats::Tensors;
use toolkit_vlm::{Decoding, EarlyStopping, Generated, Generator};

#[derive(Deserialize)]
struct Case {
    settings: Value,
    eos: u32,
    texts: Vec<Vec<u32>>,
    ids: Vec<Vec<u32>>,
    scores: Option<Vec<f64>>,
}

fn decoding(settings: &Value) -> Decoding {
    let early_stopping = match &settings["early_stopping"] {
        Value::Bool(true) => EarlyStopping::Always,
        Value::String(_) => EarlyStopping::Never,
        _ => EarlyStopping::Heuristic,
    };
    let count = |key: &str| settings[key].as_u64().unwrap() as usize;
    Decoding {
        beams: count("num_beams"),
        max_new_tokens: count("max_new_tokens"),
        min_new_tokens: count("min_new_tokens"),
        length_penalty: settings["length_penalty"].as_f64().unwrap_or(1.0),
        repetition_penalty: settings["repetition_penalty"].as_f64().unwrap(),
        early_stopping,
        ..Decoding::default()
    }
}

#[test]
fn searches_are_those_of_transformers() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let all: BTreeMap<String, Vec<Case>> =
        serde_json::from_slice(&std::fs::read(fixtures.join("generations.json")).unwrap()).unwrap();
    let device = Device::flex();
    let mut ended = 0;
    for (kind, cases) in all {
        let folder = fixtures.join(format!("blip2-{kind}-tiny"));
        let model = open(&folder, Loading::on(&device)).unwrap();
        let reference = Tensors::open(&folder.join("reference.safetensors")).unwrap();
        let shape = reference.info("input/pixel_values").unwrap().shape.clone();
        let pixels = TensorData::new(reference.read("input/pixel_values").unwrap(), shape);
        let features =
            model.vision().unwrap().model.encode(Tensor::<4>::from_data(pixels, &device));
        let language = model.language().unwrap();
        let prefix = language.prefix(model.queries(features));
        for case in cases {
            let d = decoding(&case.settings);
            let mut special_tokens = language.special_tokens;
            special_tokens.eos = Ends::one(case.eos);
            let generator = Generator { special_tokens, ..language.generator(None) };
            let written = generator.generate(Some(prefix.clone()), &case.texts, &d).unwrap();
            let best: Vec<&Generated> = written.iter().map(|texts| &texts[0]).collect();
            let whole = |text: &&Generated| -> Vec<u32> {
                text.ids.iter().copied().chain(text.end).collect()
            };
            let ids: Vec<Vec<u32>> = best.iter().map(whole).collect();
            assert_eq!(ids, case.ids, "{kind}, eos {}, {}", case.eos, case.settings);
            ended += best.iter().filter(|text| text.finished()).count();
            for (text, score) in best.iter().zip(case.scores.iter().flatten()) {
                let apart = (f64::from(text.score) - score).abs();
                assert!(
                    apart <= 2e-5 * score.abs().max(1.0),
                    "{kind}, {}: {} not {score}",
                    case.settings,
                    text.score
                );
            }
        }
    }
    assert!(ended > 40, "only {ended} texts end by themselves: stopping is not tested");
}
