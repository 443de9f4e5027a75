//! The vision encoder: images to a sequence of feature vectors.

use crate::published::PublishedNames;
use crate::slot::{Erased, Holder, Slot};
use crate::{ShapeError, VisionShape};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::de::DeserializeOwned;

/// A frozen image encoder (BLIP-2, section 3: "any off-the-shelf frozen image encoder").
///
/// The [crate's front page](crate) has a complete example. Check an implementation with
/// [`crate::conform::vision`].
pub trait VisionEncoder: Module + 'static {
    /// Type of `[config]` in a card of this family. Use `#[serde(deny_unknown_fields)]`.
    type Config: DeserializeOwned;

    /// Returns sizes and costs, without making a tensor.
    ///
    /// # Errors
    /// If the configuration contradicts itself.
    fn describe(config: &Self::Config) -> Result<VisionShape, ShapeError>;

    /// Builds the module with parameters that are not drawn yet: the caller initialises or loads
    /// them. It is called only with a configuration that [`VisionEncoder::describe`] accepted.
    fn build(config: &Self::Config, device: &Device) -> Self;

    /// Encodes normalised images `[batch, 3, height, width]` to features `[batch, tokens, width]`.
    /// An image's features do not depend on the others in the batch.
    fn encode(&self, images: Tensor<4>) -> Tensor<3>;

    /// Returns the names that files of this family are published with.
    #[must_use]
    fn published() -> PublishedNames {
        PublishedNames::vision()
    }
}

/// The object-safe form of [`VisionEncoder`], implemented for every one of them.
pub trait DynVision: Erased {
    /// Runs [`VisionEncoder::encode`].
    fn encode(&self, images: Tensor<4>) -> Tensor<3>;
    /// Copies the handles; tensors are shared.
    fn boxed(&self) -> Box<dyn DynVision>;
}

impl<M: VisionEncoder> DynVision for Holder<M> {
    fn encode(&self, images: Tensor<4>) -> Tensor<3> {
        self.get().encode(images)
    }
    fn boxed(&self) -> Box<dyn DynVision> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn DynVision> {
    fn clone(&self) -> Self {
        (**self).boxed()
    }
}

/// Any vision encoder, as a burn module.
pub type AnyVision = Slot<dyn DynVision>;

impl AnyVision {
    /// Erases the type of `encoder`.
    pub fn new(encoder: impl VisionEncoder) -> Self {
        Self::from_box(Box::new(Holder::new(encoder)))
    }
}
