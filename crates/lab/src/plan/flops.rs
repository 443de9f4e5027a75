//! Floating-point operations of a training step, counted from shapes.

use crate::experiment::spec::Stage1Spec;
use toolkit_core::{BridgeShape, LanguageShape};
use toolkit_train::fit::StepFlops;
use toolkit_train::stage1::{itc, itg, itm};

/// Forward passes that a training step costs: its own, and a backward pass of two.
const TRAINED_PASSES: f64 = 3.0;

/// Forward passes that a step costs a frozen model behind a trained one: its own, and a backward
/// pass of one, which gives gradients of inputs only.
const FROZEN_PASSES: f64 = 2.0;

/// Image and caption pairs that image-text matching scores for each image: the pair itself and two
/// hard negatives.
const MATCHED_PAIRS: f64 = 3.0;

/// Counts the operations of a step of stage 1. A loss without a weight costs nothing.
pub(crate) fn stage1_step(bridge: &BridgeShape, stage1: &Stage1Spec) -> StepFlops {
    let trained = |name: &str| f64::from(u8::from(stage1.losses.get(name) != 0.0));
    let (itc, itm, itg) = (trained(itc::NAME), trained(itm::NAME), trained(itg::NAME));
    let of_query_row = TRAINED_PASSES * bridge.cost.flops as f64;
    let of_token = of_query_row / bridge.queries as f64;
    // The queries alone, unless only matching is trained; the caption alone, both together for
    // matching, and captioning.
    let alone = if itm == 1.0 && itc + itg == 0.0 { 0.0 } else { 1.0 };
    StepFlops {
        per_image: of_query_row * (alone + MATCHED_PAIRS * itm),
        per_token: of_token * (itc + MATCHED_PAIRS * itm + itg),
    }
}

/// Counts the operations of a step of stage 2.
pub(crate) fn stage2_step(bridge: &BridgeShape, language: &LanguageShape) -> StepFlops {
    let of_token = FROZEN_PASSES * language.cost.flops as f64;
    let of_bridge = TRAINED_PASSES * bridge.cost.flops as f64;
    StepFlops { per_image: of_bridge + bridge.queries as f64 * of_token, per_token: of_token }
}

/// Adds the frozen encoder, which runs in the step if pictures are encoded as they are used.
pub(crate) fn with_encoder(step: StepFlops, encoder: u64) -> StepFlops {
    StepFlops { per_image: step.per_image + encoder as f64, ..step }
}
