//! The families that come with the toolkit. No other file of this crate names them.

use crate::{Origin, Registry};
use toolkit_data::{EasyVqa, Mixture, Published, Scenes, Shards, Small};
use toolkit_models::bridge::projector::{LinearBridge, MlpBridge};
use toolkit_models::bridge::qformer::QFormer;
use toolkit_models::bridge::resampler::Resampler;
use toolkit_models::language::llama::Llama;
use toolkit_models::language::opt::Opt;
use toolkit_models::language::t5::T5;
use toolkit_models::vision::dinov2::Dinov2;
use toolkit_models::vision::efficientnet::EfficientNetLite;
use toolkit_models::vision::eva::Eva;
use toolkit_models::vision::vit::Vit;

impl Registry {
    /// Creates the registry of the toolkit: its families and its embedded folder `registry/`.
    ///
    /// It reads no folder on disk unless [`Registry::overlay`] adds one: a command does the same
    /// wherever it is started.
    #[must_use]
    pub fn builtin() -> Self {
        register(Self::empty().with_origin(Origin::Embedded))
    }
}

/// Adds the families.
fn register(registry: Registry) -> Registry {
    registry
        .vision::<Dinov2>("dinov2")
        .vision::<EfficientNetLite>("efficientnet-lite")
        .vision::<Eva>("eva")
        .vision::<Vit>("vit")
        .bridge::<QFormer>("qformer")
        .bridge::<LinearBridge>("linear")
        .bridge::<MlpBridge>("mlp")
        .bridge::<Resampler>("resampler")
        .language::<Llama>("llama")
        .language::<Opt>("opt")
        .language::<T5>("t5")
        .dataset::<EasyVqa>("easy-vqa")
        .dataset::<Mixture>("mixture")
        .dataset::<Published>("published")
        .dataset::<Scenes>("scenes")
        .dataset::<Shards>("shards")
        .dataset::<Small>("small")
}
