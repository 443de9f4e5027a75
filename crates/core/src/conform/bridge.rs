//! Checks of a bridge.

use super::{assert_close, round_trip, same_count, sample};
use crate::{AnyBridge, Bridge, VisionShape, params};
use burn::tensor::Device;

/// Checks a bridge for features of the given encoder.
///
/// Sizes and counts are as described, and an image's queries do not depend on the others in the
/// batch. The text tower has checks of its own, in the tests of the Q-Former.
pub fn bridge<B: Bridge>(config: &B::Config, vision: &VisionShape) {
    let device = Device::default().autodiff();
    let shape = B::describe(config, vision).expect("the configuration under test must be valid");
    let bridge =
        params::initialise(AnyBridge::new(B::build(config, vision, &device)), 1, params::bert_rule);
    same_count(&bridge, shape.cost.params);
    assert_eq!(
        bridge.text_tower().is_some(),
        shape.text.is_some(),
        "`describe` must say whether there is a text tower"
    );
    let features = sample::<3>("conform/features", [3, vision.tokens, vision.width], &device);
    let queries = bridge.queries(features.clone());
    assert_eq!(
        queries.dims(),
        [3, shape.queries, shape.width],
        "queries must be [batch, queries, width] as described"
    );
    let alone = bridge.queries(features.narrow(0, 2, 1));
    assert_close("one image alone and in a batch", queries.narrow(0, 2, 1), alone);
    round_trip(bridge);
}
