//! The bridge: image features to a fixed number of vectors for the language model.

use crate::published::PublishedNames;
use crate::slot::{Erased, Holder, Slot};
use crate::{BridgeShape, ShapeError, TextTower, VisionShape};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::de::DeserializeOwned;

/// The trainable part between a frozen encoder and a frozen language model: Q-Former, resampler,
/// MLP, linear layer.
///
/// Check an implementation with [`crate::conform::bridge`].
pub trait Bridge: Module + 'static {
    /// Type of `[config]` in a card of this family. Use `#[serde(deny_unknown_fields)]`.
    type Config: DeserializeOwned;

    /// Returns sizes and costs for features of this encoder, without making a tensor.
    ///
    /// # Errors
    /// If the configuration contradicts itself or the encoder.
    fn describe(config: &Self::Config, vision: &VisionShape) -> Result<BridgeShape, ShapeError>;

    /// Builds the module with parameters that are not drawn yet: the caller initialises or loads
    /// them.
    fn build(config: &Self::Config, vision: &VisionShape, device: &Device) -> Self;

    /// Maps features `[batch, tokens, vision width]` to `[batch, queries, width]`.
    fn queries(&self, features: Tensor<3>) -> Tensor<3>;

    /// Returns the text tower of a bridge that can do stage 1.
    fn text_tower(&self) -> Option<&dyn TextTower> {
        None
    }

    /// Returns the names that files of this family are published with.
    #[must_use]
    fn published() -> PublishedNames {
        PublishedNames::bridge()
    }
}

/// The object-safe form of [`Bridge`], implemented for every one of them.
pub trait DynBridge: Erased {
    /// Runs [`Bridge::queries`].
    fn queries(&self, features: Tensor<3>) -> Tensor<3>;
    /// Runs [`Bridge::text_tower`].
    fn text_tower(&self) -> Option<&dyn TextTower>;
    /// Copies the handles; tensors are shared.
    fn boxed(&self) -> Box<dyn DynBridge>;
}

impl<M: Bridge> DynBridge for Holder<M> {
    fn queries(&self, features: Tensor<3>) -> Tensor<3> {
        self.get().queries(features)
    }
    fn text_tower(&self) -> Option<&dyn TextTower> {
        self.get().text_tower()
    }
    fn boxed(&self) -> Box<dyn DynBridge> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn DynBridge> {
    fn clone(&self) -> Self {
        (**self).boxed()
    }
}

/// Any bridge, as a burn module.
pub type AnyBridge = Slot<dyn DynBridge>;

impl AnyBridge {
    /// Erases the type of `bridge`.
    pub fn new(bridge: impl Bridge) -> Self {
        Self::from_box(Box::new(Holder::new(bridge)))
    }
}
