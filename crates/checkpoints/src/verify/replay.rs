//! Generations of `expected.json`: pictures and prompts, with the expected ids and text.

use super::decoding::settings_of;
use crate::CheckpointError;
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::path::Path;
use toolkit_core::noise;
use toolkit_vlm::Vlm;

/// The replay of one generation.
#[derive(Clone, Debug, Serialize)]
pub struct Replay {
    /// Picture file.
    pub image: String,
    /// Prompt.
    pub prompt: Option<String>,
    /// Text that was generated.
    pub text: String,
    /// Text of the reference.
    pub expected: String,
    /// Token ids that were generated, the end included.
    pub ids: Vec<u32>,
    /// Token ids of the reference.
    pub expected_ids: Vec<u32>,
    /// `true` if ids and text are equal.
    pub ok: bool,
}

#[derive(Deserialize)]
struct Expected {
    image: String,
    #[serde(default)]
    prompt: Option<String>,
    ids: Vec<u32>,
    text: String,
    #[serde(flatten)]
    settings: serde_json::Map<String, serde_json::Value>,
}

pub(super) fn run(model: &Vlm, file: &Path) -> Result<Vec<Replay>, CheckpointError> {
    let place = file.display().to_string();
    let folder = file.parent().unwrap_or(Path::new("."));
    let text = toolkit_system::input::read_to_string(file)
        .map_err(|error| CheckpointError::io("read", file, error))?;
    let all: Vec<Expected> = serde_json::from_str(&text).map_err(|error| {
        let hint =
            "it is a list of objects with `image`, `prompt`, `ids`, `text` and generation settings";
        CheckpointError::new(
            format!("this is no list of generations: {error}"),
            place.clone(),
            hint,
        )
    })?;
    let (vision, language, tokenizer) = (model.vision()?, model.language()?, model.tokenizer()?);
    let device = vision.model.devices().first().cloned().unwrap_or_default();
    let processor = model.processor()?;
    let side = processor.preprocess.size as usize;
    let mut replays = Vec::new();
    for expected in all {
        let decoding =
            settings_of(&serde_json::Value::Object(expected.settings).to_string(), &place)?;
        let pixels = processor.pixels(&folder.join(&expected.image))?;
        let pixels = Tensor::<4>::from_data(TensorData::new(pixels, [1, 3, side, side]), &device);
        let prefix = noise::off(|| language.prefix(model.queries(vision.model.encode(pixels))));
        let prompt = tokenizer.prompt(
            expected.prompt.as_deref().unwrap_or(""),
            language.special_tokens,
            language.shape.kind,
        )?;
        let written = language.generator(None).generate(Some(prefix), &[prompt], &decoding)?;
        let best = written.into_iter().flatten().next();
        let mut ids = best.as_ref().map(|text| text.ids.clone()).unwrap_or_default();
        ids.extend(best.and_then(|text| text.end));
        let text = tokenizer.text(&ids)?;
        let ok = ids == expected.ids && text == expected.text;
        let (expected_ids, expected_text) = (expected.ids, expected.text);
        replays.push(Replay {
            image: expected.image,
            prompt: expected.prompt,
            text,
            expected: expected_text,
            ids,
            expected_ids,
            ok,
        });
    }
    Ok(replays)
}
