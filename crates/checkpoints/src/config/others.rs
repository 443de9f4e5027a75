//! Models that resemble a BLIP-2 and are not built here, recognised by their class or `model_type`.

use crate::CheckpointError;
use crate::json::Json;

/// Beginning of the class name, `model_type`, description of the model, hint.
const OTHERS: [(&str, &str, &str, &str); 5] = [
    (
        "InstructBlipVideo",
        "instructblipvideo",
        "this is an InstructBLIP for videos; its Q-Former reads the question, which is not built \
        here",
        "use a BLIP-2 checkpoint, such as `Salesforce/blip2-opt-2.7b`",
    ),
    (
        "InstructBlip",
        "instructblip",
        "this is an InstructBLIP; its Q-Former reads the question, which is not built here",
        "use the BLIP-2 checkpoint that it was trained from, such as `Salesforce/blip2-flan-t5-xl`",
    ),
    (
        "Blip",
        "blip",
        "this is a BLIP (version 1), which has no Q-Former",
        "use a BLIP-2 checkpoint, such as `Salesforce/blip2-opt-2.7b`",
    ),
    (
        "Llava",
        "llava",
        "this is a LLaVA, which has no Q-Former",
        "use a BLIP-2 checkpoint, such as `Salesforce/blip2-opt-2.7b`",
    ),
    (
        "Kosmos2",
        "kosmos-2",
        "this is a Kosmos-2, which has no Q-Former",
        "use a BLIP-2 checkpoint, such as `Salesforce/blip2-opt-2.7b`",
    ),
];

/// Refuses another model, and quantised weights.
pub(super) fn refuse(root: &Json) -> Result<(), CheckpointError> {
    let architectures = root.object("architectures");
    let class = architectures.value().get(0).and_then(|name| name.as_str()).unwrap_or_default();
    let kind = root.text("model_type")?.unwrap_or_default();
    // `BlipFor..` and `BlipModel`, not `Blip2For..`.
    let other = |(start, model_type, ..): &&(&str, &str, &str, &str)| {
        let rest = class.strip_prefix(start);
        kind == *model_type
            || rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    if let Some((.., what, hint)) = OTHERS.iter().find(other) {
        return Err(CheckpointError::new(*what, root.file(), *hint));
    }
    for part in [root.clone(), root.object("text_config"), root.object("vision_config")] {
        if part.has("quantization_config") {
            return Err(quantised(&part));
        }
    }
    Ok(())
}

/// Creates the error of quantised weights.
fn quantised(part: &Json) -> CheckpointError {
    let settings = part.object("quantization_config");
    let settings = settings.value();
    let flag = |key: &str| settings.get(key).and_then(serde_json::Value::as_bool).unwrap_or(false);
    let text = |key: &str| settings.get(key).and_then(|value| value.as_str().map(str::to_owned));
    let method = text("quant_method").unwrap_or_else(|| "bitsandbytes".to_owned());
    let bits = match settings.get("bits").and_then(serde_json::Value::as_u64) {
        Some(bits) => Some(bits),
        None if flag("load_in_8bit") => Some(8),
        None if flag("load_in_4bit") => Some(4),
        None => None,
    };
    let bits = bits.map(|bits| format!(" to {bits} bits")).unwrap_or_default();
    let what = format!(
        "the weights are quantised by {method}{bits} (`quantization_config`), which is not read"
    );
    let hint = "take the checkpoint it was made from, or save it dequantised in `bfloat16`; \
        `--dtype q8` then keeps it in 8 bits";
    CheckpointError::new(what, part.file(), hint)
}
