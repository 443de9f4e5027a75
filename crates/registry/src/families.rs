//! What the registry keeps of a family: functions from its card, with the family's own types inside.

use crate::{Card, CardError};
use burn::tensor::Device;
use toolkit_core::{
    AnyBridge, AnyLanguage, AnyVision, Bridge, BridgeShape, LanguageModel, LanguageShape, ShapeError, VisionEncoder,
    VisionShape,
};

#[derive(Clone, Copy, Debug)]
pub(crate) struct VisionFamily {
    pub describe: fn(&Card) -> Result<VisionShape, CardError>,
    pub build: fn(&Card, &Device) -> Result<AnyVision, CardError>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct BridgeFamily {
    pub describe: fn(&Card, &VisionShape) -> Result<BridgeShape, CardError>,
    pub build: fn(&Card, &VisionShape, &Device) -> Result<AnyBridge, CardError>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct LanguageFamily {
    pub describe: fn(&Card) -> Result<LanguageShape, CardError>,
    pub build: fn(&Card, &Device) -> Result<AnyLanguage, CardError>,
}

/// A configuration that cannot be built, as an error at the table that holds it.
fn at_config(card: &Card) -> impl FnOnce(ShapeError) -> CardError {
    |error| card.text().error_at("config", error.what, error.hint)
}

impl VisionFamily {
    pub fn of<E: VisionEncoder>() -> Self {
        fn describe<E: VisionEncoder>(card: &Card) -> Result<(E::Config, VisionShape), CardError> {
            let config = card.config()?;
            let shape = E::describe(&config).map_err(at_config(card))?;
            if let Some(size) = card.preprocess.as_ref().map(|p| p.size).filter(|size| *size != shape.image) {
                let what = format!("images are made {size:?} but the encoder takes {:?}", shape.image);
                return Err(card.text().error_at("preprocess.size", what, "make `size` the image size of `[config]`"));
            }
            Ok((config, shape))
        }
        Self {
            describe: |card| describe::<E>(card).map(|(_, shape)| shape),
            build: |card, device| describe::<E>(card).map(|(config, _)| AnyVision::new(E::build(&config, device))),
        }
    }
}

impl BridgeFamily {
    pub fn of<B: Bridge>() -> Self {
        fn describe<B: Bridge>(card: &Card, vision: &VisionShape) -> Result<(B::Config, BridgeShape), CardError> {
            let config = card.config()?;
            let shape = B::describe(&config, vision).map_err(at_config(card))?;
            Ok((config, shape))
        }
        Self {
            describe: |card, vision| describe::<B>(card, vision).map(|(_, shape)| shape),
            build: |card, vision, device| {
                describe::<B>(card, vision).map(|(config, _)| AnyBridge::new(B::build(&config, vision, device)))
            },
        }
    }
}

impl LanguageFamily {
    pub fn of<L: LanguageModel>() -> Self {
        fn describe<L: LanguageModel>(card: &Card) -> Result<(L::Config, LanguageShape), CardError> {
            let config = card.config()?;
            let shape = L::describe(&config).map_err(at_config(card))?;
            Ok((config, shape))
        }
        Self {
            describe: |card| describe::<L>(card).map(|(_, shape)| shape),
            build: |card, device| describe::<L>(card).map(|(config, _)| AnyLanguage::new(L::build(&config, device))),
        }
    }
}
