//! Memory that a step takes, counted from shapes.
//!
//! The peak, by the order of work in `toolkit_train`, holds: weights,
//! gradients, AdamW's two moments, the features of a micro-batch and what the backward passes need.
//! `toolkit bench` shows the figure beside what it measures.

use toolkit_core::{BridgeShape, Count, LanguageShape, VisionShape, product};
use toolkit_train::features::ENCODED_TOGETHER;
use toolkit_train::losses::LOGIT_ROWS;
use toolkit_train::stage1::low_memory::PIECE_TOKENS;

/// Resident bytes before a model is built: program, threads, tokenizers, cards.
pub const BASE: u64 = 28_000_000;

/// Resident bytes before an encoder alone is built: without tokenizers.
const ENCODER_BASE: u64 = 19_000_000;

/// Resident bytes of a run before its models, with its data and the memory that its phases leave to
/// the allocator (measured on the nano ablation).
pub const RUN: u64 = 68_000_000;

/// Bytes of a number.
const F32: u64 = 4;

/// A weight, its gradient and two moments.
const TRAINED: u64 = 4 * F32;

/// Counts the bytes of the frozen encoder over a batch of pictures.
#[must_use]
pub fn encode(vision: &VisionShape, batch: usize) -> u64 {
    let one = product([3, vision.image[0], vision.image[1]]) + vision.cost.activations;
    ((one * batch + vision.cost.params) * F32 + ENCODER_BASE).get()
}

/// Counts the bytes of [`encode`] as a run does it.
#[must_use]
pub fn features(vision: &VisionShape) -> u64 {
    encode(vision, ENCODED_TOGETHER) - ENCODER_BASE + BASE
}

/// Counts the bytes of a step of stage 1 on micro-batches of `rows` images of `batch`, captions of `text` tokens; 0 for
/// a bridge that has no stage 1.
#[must_use]
pub fn stage1(
    vision: &VisionShape,
    bridge: &BridgeShape,
    batch: usize,
    rows: usize,
    text: usize,
) -> u64 {
    let Some(tower) = &bridge.text else { return 0 };
    let both = bridge.queries + text;
    let read = vision_numbers(vision) * rows;
    let of_image =
        Count::from(bridge.cost.activations).less(Count::from(tower.activations) * bridge.queries);
    // Keys and values with their gradients, of other micro-batches' images too, and a piece of
    // matching.
    let sources = if rows < batch { 2 * rows } else { rows };
    let piece = Count::from(PIECE_TOKENS.max(both)).min(product([3, rows, both]));
    let matching = of_image * 2_u64 * sources + piece * tower.activations;
    // The query pass, and a piece of captioning with its logits and their gradients.
    let written = Count::from(PIECE_TOKENS.max(text)).min(product([rows, text]));
    let captioning = Count::from(bridge.cost.activations) * rows
        + written * (product([2, tower.vocab]) + tower.activations);
    let values = (read + matching.max(captioning)) * F32;
    (Count::from(bridge.cost.params) * TRAINED + values + BASE).get()
}

/// Counts the bytes of a step of stage 2 on micro-batches of `rows` images of `batch`, captions of `text` tokens,
/// `trained` parameters being trained.
#[must_use]
pub fn stage2(
    vision: &VisionShape,
    bridge: &BridgeShape,
    language: &LanguageShape,
    trained: u64,
    [batch, rows, text]: [usize; 3],
    recompute: bool,
) -> u64 {
    let queries = bridge.queries;
    let weights = Count::from(bridge.cost.params.max(trained))
        + language.cost.params
        + Count::from(trained) * 2_u64;
    let read = vision_numbers(vision) * rows;
    // Gradients of logits take their place.
    let logits = product([rows, text]).min(LOGIT_ROWS.into()) * language.vocab;
    let of_tokens = if recompute && language.blocks > 0 {
        // The inputs of all blocks and the inside of one; an encoder reads at most half of a
        // caption.
        let inside = Count::from(language.cost.activations)
            .less(language.cross_activations)
            .over(language.blocks as u64);
        let inputs = product([language.blocks, language.width]);
        (inputs + inside) * (queries + text)
            + Count::from(language.cross_activations) * (queries + text / 2)
    } else {
        Count::from(language.cost.activations) * (queries + text)
    };
    let kept = (of_tokens + bridge.cost.activations) * rows + logits;
    // Gradients come as activations go.
    let moment = if rows < batch { kept + trained } else { kept.max(trained.into()) };
    ((weights + read + moment) * F32 + BASE).get()
}

/// Counts the numbers of an image's features as they are read and normalised.
fn vision_numbers(vision: &VisionShape) -> Count {
    product([2, vision.tokens, vision.width])
}
