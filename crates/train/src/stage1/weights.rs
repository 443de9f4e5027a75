//! Losses by name, and their weights in an experiment.

use super::{PAPER, Stage1Loss};
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A loss and its name in experiments and logs.
#[derive(Clone)]
pub struct NamedLoss {
    /// Name, such as `itc`.
    pub name: String,
    /// The loss.
    pub loss: Arc<dyn Stage1Loss>,
}

impl NamedLoss {
    /// Names a loss.
    pub fn new(name: &str, loss: impl Stage1Loss) -> Self {
        Self { name: name.to_owned(), loss: Arc::new(loss) }
    }
}

/// A loss that is trained; made by [`LossWeights::select`].
#[derive(Clone)]
pub struct WeightedLoss {
    /// Name, such as `itc`.
    pub name: String,
    /// Weight in the sum.
    pub weight: f64,
    /// Loss of a model that ignores its input.
    pub trivial: Option<f64>,
    /// The loss.
    pub loss: Arc<dyn Stage1Loss>,
}

/// Facts about the training data that trivial baselines are computed from.
#[derive(Clone, Copy, Debug)]
pub struct Corpus<'a> {
    /// Token ids of each image's captions.
    pub captions: &'a [Vec<Vec<u32>>],
    /// Number of token ids that the text tower predicts.
    pub vocab: usize,
    /// Label smoothing.
    pub smoothing: f64,
    /// Images of a step.
    pub batch: usize,
}

/// Weights by the names of losses; 0 leaves a loss out, and its forward pass with it.
///
/// In a file this is a table such as `{ itc = 1.0, itm = 0.5 }`. Names are not checked here: the
/// registry knows them.
#[derive(Clone, Debug, PartialEq)]
pub struct LossWeights(BTreeMap<String, f64>);

impl Default for LossWeights {
    fn default() -> Self {
        Self::of(&[])
    }
}

impl LossWeights {
    /// Creates weights from some of them; the others have their default.
    #[must_use]
    pub fn of(named: &[(&str, f64)]) -> Self {
        Self::with_defaults(named.iter().map(|&(name, weight)| (name.to_owned(), weight)).collect())
    }

    fn with_defaults(mut named: BTreeMap<String, f64>) -> Self {
        for name in PAPER {
            named.entry(name.to_owned()).or_insert(1.0);
        }
        Self(named)
    }

    /// Returns the weight of a loss.
    #[must_use]
    pub fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(0.0)
    }

    /// Returns all names and weights: those of the paper in its order, then others by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        let paper = PAPER.into_iter().map(|name| (name, self.get(name)));
        let others = self.0.iter().filter(|(name, _)| !PAPER.contains(&name.as_str()));
        paper.chain(others.map(|(name, weight)| (name.as_str(), *weight)))
    }

    /// Returns `true` if no loss is trained.
    #[must_use]
    pub fn all_zero(&self) -> bool {
        self.0.values().all(|weight| *weight == 0.0)
    }

    /// Selects those of `all` that have a weight, with their trivial baselines.
    #[must_use]
    pub fn select(&self, all: Vec<NamedLoss>, corpus: &Corpus<'_>) -> Vec<WeightedLoss> {
        let weighted = |NamedLoss { name, loss }: NamedLoss| {
            let weight = self.get(&name);
            let trained = weight != 0.0;
            trained.then(|| WeightedLoss { trivial: loss.trivial(corpus), name, weight, loss })
        };
        all.into_iter().filter_map(weighted).collect()
    }
}

impl<'de> Deserialize<'de> for LossWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::with_defaults)
    }
}

/// Ids of runs are hashes of this: a loss that is not trained must not change them.
impl Serialize for LossWeights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, weight) in self.iter() {
            if PAPER.contains(&name) || weight != 0.0 {
                map.serialize_entry(name, &weight)?;
            }
        }
        map.end()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::LossWeights;

    #[test]
    fn files_from_before_mean_the_same() {
        let read = |text: &str| serde_json::from_str::<LossWeights>(text).unwrap();
        let write = |text: &str| serde_json::to_string(&read(text)).unwrap();
        assert_eq!(read("{}"), LossWeights::default());
        assert_eq!(write(r#"{"itm": 0, "mine": 0.0}"#), r#"{"itc":1.0,"itm":0.0,"itg":1.0}"#);
        assert_eq!(
            write(r#"{"mine": 2, "itc": 0.5}"#),
            r#"{"itc":0.5,"itm":1.0,"itg":1.0,"mine":2.0}"#
        );
        assert!(read(r#"{"itc": 0, "itm": 0, "itg": 0}"#).all_zero());
    }
}
