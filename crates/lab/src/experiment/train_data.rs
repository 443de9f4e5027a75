//! `data.train` of an experiment: a name, or a mixture.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use toolkit_data::{DataError, Dataset, MixtureSplit};
use toolkit_registry::{Instead, Registry};

/// Pre-training pairs: `train = "card:split"`, or the sources of a mixture.
///
/// ```
/// use toolkit_lab::experiment::spec::TrainData;
///
/// #[derive(serde::Deserialize)]
/// struct Data {
///     train: TrainData,
/// }
/// let named: Data = toml::from_str("train = \"coco:train\"")?;
/// assert_eq!(named.train.names(), ["coco:train"]);
/// let mixed = "[[train.source]]\ndata = \"coco:train\"\n[[train.source]]\ndata = \"folder:web\"";
/// let mixed: Data = toml::from_str(mixed)?;
/// assert_eq!(mixed.train.names(), ["coco:train", "folder:web"]);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum TrainData {
    /// Name of data.
    Named(String),
    /// Several sources.
    Mixture(MixtureSplit),
}

impl TrainData {
    /// Returns the names of the data.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Named(name) => vec![name.clone()],
            Self::Mixture(mixture) => mixture.names(),
        }
    }

    /// Opens the data.
    ///
    /// # Errors
    /// As [`Registry::open_data_or`] and [`Registry::open_mixture`].
    pub fn open(
        &self,
        registry: &Registry,
        instead: Instead<'_>,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        match self {
            Self::Named(name) => registry.open_data_or(name, instead),
            Self::Mixture(mixture) => registry.open_mixture(&self.to_string(), mixture, instead),
        }
    }
}

impl Display for TrainData {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Mixture(mixture) => {
                let names: Vec<&str> = mixture.source.iter().map(|one| one.name()).collect();
                write!(f, "mixture:{}", names.join("+"))
            }
        }
    }
}

/// Reads a string or a table. serde's `untagged` would lose the position of an error.
impl<'de> Deserialize<'de> for TrainData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrMixture;
        impl<'de> Visitor<'de> for NameOrMixture {
            type Value = TrainData;
            fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str("a name of data, or a table with `[[data.train.source]]`")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<TrainData, E> {
                Ok(TrainData::Named(name.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TrainData, A::Error> {
                MixtureSplit::deserialize(MapAccessDeserializer::new(map)).map(TrainData::Mixture)
            }
        }
        deserializer.deserialize_any(NameOrMixture)
    }
}
