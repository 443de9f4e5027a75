//! Checks of a vision encoder.

use super::{assert_close, round_trip, same_count, sample};
use crate::{AnyVision, VisionEncoder, params};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// Checks a vision encoder.
///
/// Sizes and counts are as described. An image's features do not depend on the others in the batch.
/// Every parameter gets a gradient, and none once frozen. Parameters are exported and imported
/// through the erased form.
pub fn vision<E: VisionEncoder>(config: &E::Config) {
    let device = Device::default().autodiff();
    let shape = E::describe(config).expect("the configuration under test must be valid");
    let encoder =
        params::initialise(AnyVision::new(E::build(config, &device)), 1, params::bert_rule);
    same_count(&encoder, shape.cost.params);
    let images = sample::<4>("conform/images", [3, 3, shape.image[0], shape.image[1]], &device);
    let features = encoder.encode(images.clone());
    assert_eq!(
        features.dims(),
        [3, shape.tokens, shape.width],
        "features must be [batch, tokens, width] as described"
    );
    let alone = encoder.encode(images.clone().narrow(0, 1, 1));
    assert_close("one image alone and in a batch", features.clone().narrow(0, 1, 1), alone);
    let encoder = round_trip(encoder);
    trained_then_frozen(encoder, |e| e.encode(images.clone()));
}

/// Panics unless every parameter gets a gradient from a random projection of the output, and none
/// does after `no_grad`.
fn trained_then_frozen<M: Module, const D: usize>(part: M, run: impl Fn(&M) -> Tensor<D>) {
    let loss = |part: &M| {
        let out = run(part);
        let weights = sample::<D>("conform/loss", out.dims(), &out.device());
        (out * weights).sum()
    };
    let grads = burn::optim::GradientsParams::from_grads(loss(&part).backward(), &part);
    assert_eq!(grads.len(), params::list(&part).len(), "every parameter must get a gradient");
    let frozen = part.no_grad();
    assert!(
        params::list(&frozen).iter().all(|info| !info.trained),
        "`no_grad` must reach every parameter"
    );
}
