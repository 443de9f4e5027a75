//! How much memory a step takes, from shapes alone.
//!
//! What is held at the moment of the peak, by the order of work in `toolkit_train`: weights, gradients, AdamW's two moments,
//! the features of a micro-batch and what the backward passes need. `toolkit bench` shows the figure beside what it measures.

use toolkit_core::{BridgeShape, LanguageShape, VisionShape};
use toolkit_train::features::ENCODED_TOGETHER;
use toolkit_train::losses::LOGIT_ROWS;
use toolkit_train::stage1::PIECE_TOKENS;

/// Resident before a model is built: program, threads, tokenizers, cards.
pub const BASE: u64 = 28_000_000;

/// The same of an encoder alone: without tokenizers.
const ENCODER_BASE: u64 = 19_000_000;

/// The same of a run, with its data and what its phases leave to the allocator (the nano ablation).
pub const RUN: u64 = 68_000_000;

/// Bytes of a number.
const F32: u64 = 4;

/// A weight, its gradient and two moments.
const TRAINED: u64 = 4 * F32;

/// The frozen encoder over a batch of pictures.
#[must_use]
pub fn encode(vision: &VisionShape, batch: usize) -> u64 {
    let pixels = (3 * vision.image[0] * vision.image[1]) as u64;
    ENCODER_BASE + F32 * (vision.cost.params + batch as u64 * (vision.cost.kept + pixels))
}

/// [`encode`] as a run does it.
#[must_use]
pub fn features(vision: &VisionShape) -> u64 {
    encode(vision, ENCODED_TOGETHER) - ENCODER_BASE + BASE
}

/// A step of stage 1 on micro-batches of `rows` images of `batch`, captions of `text` tokens; 0 for a bridge that has no stage 1.
#[must_use]
pub fn stage1(vision: &VisionShape, bridge: &BridgeShape, batch: usize, rows: usize, text: usize) -> u64 {
    let Some(tower) = &bridge.text else { return 0 };
    let [images, queries, text] = [rows, bridge.queries, text].map(|n| n as u64);
    let read = images * vision_numbers(vision);
    let of_image = bridge.cost.kept.saturating_sub(queries * tower.kept);
    // Keys and values with their gradients, of other micro-batches' images too, and a piece of matching.
    let sources = if rows < batch { 2 * images } else { images };
    let piece = (PIECE_TOKENS as u64).max(queries + text).min(3 * images * (queries + text));
    let matching = 2 * sources * of_image + piece * tower.kept;
    // The query pass, and a piece of captioning with its logits and their gradients.
    let written = (PIECE_TOKENS as u64).max(text).min(images * text);
    let captioning = images * bridge.cost.kept + written * (tower.kept + 2 * tower.vocab as u64);
    BASE + TRAINED * bridge.cost.params + F32 * (read + matching.max(captioning))
}

/// A step of stage 2 on micro-batches of `rows` images of `batch`, captions of `text` tokens, `trained` parameters being trained.
#[must_use]
pub fn stage2(
    vision: &VisionShape,
    bridge: &BridgeShape,
    language: &LanguageShape,
    trained: u64,
    [batch, rows, text]: [usize; 3],
    recompute: bool,
) -> u64 {
    let [images, queries, text] = [rows, bridge.queries, text].map(|n| n as u64);
    let weights = bridge.cost.params.max(trained) + language.cost.params + 2 * trained;
    let read = images * vision_numbers(vision);
    // Gradients of logits take their place.
    let logits = (images * text).min(LOGIT_ROWS as u64) * language.vocab as u64;
    let of_tokens = if recompute && language.blocks > 0 {
        // The inputs of all blocks and the inside of one; an encoder reads at most half of a caption.
        let inside = (language.cost.kept - language.beside) / language.blocks as u64;
        let inputs = (language.blocks * language.width) as u64;
        (queries + text) * (inputs + inside) + (queries + text / 2) * language.beside
    } else {
        (queries + text) * language.cost.kept
    };
    let kept = images * (bridge.cost.kept + of_tokens) + logits;
    // Gradients come as activations go.
    let moment = if rows < batch { kept + trained } else { kept.max(trained) };
    BASE + F32 * (weights + read + moment)
}

/// Features of an image as they are read and normalised.
fn vision_numbers(vision: &VisionShape) -> u64 {
    2 * (vision.tokens * vision.width) as u64
}
