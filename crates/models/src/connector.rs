//! The connector: the part that is trained between the frozen parts. It is a bridge with the
//! projection of its outputs into the language model.

use crate::layers::{Linear, linear_params};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use toolkit_core::AnyBridge;

/// A bridge and BLIP-2's `language_projection` (LAVIS: `opt_proj`, `t5_proj`): one linear layer
/// with a bias.
#[derive(Module, Debug)]
pub struct Connector {
    /// Bridge from features to queries.
    pub bridge: AnyBridge,
    /// Projection from queries to the language model's embedding space.
    pub language_projection: Linear,
}

impl Connector {
    /// Adds a projection from `bridge_width` to `language_width` behind `bridge`; its weights are
    /// not drawn yet.
    #[must_use]
    pub fn new(
        bridge: AnyBridge,
        bridge_width: usize,
        language_width: usize,
        device: &Device,
    ) -> Self {
        Self { bridge, language_projection: Linear::new(bridge_width, language_width, device) }
    }

    /// Maps features `[batch, tokens, vision width]` to the soft prefix `[batch, queries, language
    /// width]`.
    #[must_use]
    pub fn prefix(&self, features: Tensor<3>) -> Tensor<3> {
        self.language_projection.forward(self.bridge.queries(features))
    }
}

/// Counts the parameters of the projection.
#[must_use]
pub fn projection_params(bridge_width: usize, language_width: usize) -> u64 {
    linear_params(bridge_width, language_width, true).get()
}
