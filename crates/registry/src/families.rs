//! A family: functions of its card, with the family's own types inside.

use crate::{Card, Kind};
use burn::tensor::Device;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use toolkit_core::published::PublishedNames;
use toolkit_core::{
    AnyBridge, AnyLanguage, AnyVision, Bridge, BridgeShape, LanguageModel, LanguageShape,
    ShapeError, VisionEncoder, VisionShape, check_size,
};
use toolkit_system::problem::Problem;

/// A family of vision encoders.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VisionFamily {
    pub describe: fn(&Card) -> Result<VisionShape, Problem>,
    pub build: fn(&Card, &Device) -> Result<AnyVision, Problem>,
    pub published: PublishedNames,
}

/// A family of bridges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BridgeFamily {
    pub describe: fn(&Card, &VisionShape) -> Result<BridgeShape, Problem>,
    pub build: fn(&Card, &VisionShape, &Device) -> Result<AnyBridge, Problem>,
    pub published: PublishedNames,
}

/// A family of language models.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LanguageFamily {
    pub describe: fn(&Card) -> Result<LanguageShape, Problem>,
    pub build: fn(&Card, &Device) -> Result<AnyLanguage, Problem>,
    pub published: PublishedNames,
}

/// Reads a part's `[config]`, after its sizes were compared with what any model has.
fn config<T: DeserializeOwned>(card: &Card) -> Result<T, Problem> {
    let root = card.text().table();
    let table = root.get("config").and_then(|config| config.get_ref().as_table());
    for (key, value) in table.into_iter().flatten() {
        if let Some(size) = value.get_ref().as_integer() {
            // A number that fits no 128 bits is larger than any limit.
            let size = i128::from_str_radix(size.as_str(), size.radix()).unwrap_or(i128::MAX);
            let place = format!("config.{}", key.get_ref());
            check_size(key.get_ref(), size)
                .map_err(|error| card.text().error_at(&place, error.what, error.hint))?;
        }
    }
    card.config()
}

/// Returns a function for `map_err`: `[config]` cannot be built.
fn at_config(card: &Card) -> impl FnOnce(ShapeError) -> Problem {
    |error| card.text().error_at("config", error.what, error.hint)
}

impl VisionFamily {
    pub fn of<E: VisionEncoder>() -> Self {
        fn describe<E: VisionEncoder>(card: &Card) -> Result<(E::Config, VisionShape), Problem> {
            let config = config(card)?;
            let shape = E::describe(&config).map_err(at_config(card))?;
            shape.cost.check().map_err(at_config(card))?;
            if let Some(size) =
                card.preprocess.as_ref().map(|p| p.size).filter(|size| *size != shape.image)
            {
                let what =
                    format!("images are made {size:?} but the encoder takes {:?}", shape.image);
                return Err(card.text().error_at(
                    "preprocess.size",
                    what,
                    "make `size` the image size of `[config]`",
                ));
            }
            Ok((config, shape))
        }
        Self {
            describe: |card| describe::<E>(card).map(|(_, shape)| shape),
            build: |card, device| {
                describe::<E>(card).map(|(config, _)| AnyVision::new(E::build(&config, device)))
            },
            published: E::published(),
        }
    }
}

impl BridgeFamily {
    pub fn of<B: Bridge>() -> Self {
        fn describe<B: Bridge>(
            card: &Card,
            vision: &VisionShape,
        ) -> Result<(B::Config, BridgeShape), Problem> {
            let config = config(card)?;
            let shape = B::describe(&config, vision).map_err(at_config(card))?;
            shape.cost.check().map_err(at_config(card))?;
            Ok((config, shape))
        }
        Self {
            describe: |card, vision| describe::<B>(card, vision).map(|(_, shape)| shape),
            build: |card, vision, device| {
                describe::<B>(card, vision)
                    .map(|(config, _)| AnyBridge::new(B::build(&config, vision, device)))
            },
            published: B::published(),
        }
    }
}

impl LanguageFamily {
    pub fn of<L: LanguageModel>() -> Self {
        fn describe<L: LanguageModel>(card: &Card) -> Result<(L::Config, LanguageShape), Problem> {
            let config = config(card)?;
            let shape = L::describe(&config).map_err(at_config(card))?;
            shape.cost.check().map_err(at_config(card))?;
            Ok((config, shape))
        }
        Self {
            describe: |card| describe::<L>(card).map(|(_, shape)| shape),
            build: |card, device| {
                describe::<L>(card).map(|(config, _)| AnyLanguage::new(L::build(&config, device)))
            },
            published: L::published(),
        }
    }
}

/// Adds a family.
///
/// # Panics
/// If the name is taken.
pub(crate) fn add<F>(families: &mut BTreeMap<String, F>, kind: Kind, name: &str, family: F) {
    let before = families.insert(name.to_owned(), family);
    assert!(
        before.is_none(),
        "the {} family `{name}` is registered twice: give one of them another name",
        kind.noun()
    );
}

/// Finds the family of a card, which must be of `kind`.
pub(crate) fn family_or<'a, F>(
    families: &'a BTreeMap<String, F>,
    kind: Kind,
    card: &Card,
    unknown: impl FnOnce() -> Problem,
) -> Result<&'a F, Problem> {
    if card.kind != kind {
        let what = format!("`{}` is a {}, not a {}", card.name, card.kind.noun(), kind.noun());
        let hint = format!("choose a card of `{}/`", kind.folder());
        return Err(Problem::new(what).at(card.text().name()).hint(hint));
    }
    families.get(&card.family).ok_or_else(unknown)
}
