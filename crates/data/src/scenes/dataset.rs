//! One split of drawn scenes: text in memory, pictures rendered on demand.

use super::render::render;
use super::scene::{Rule, Scene, SceneStream, Share};
use crate::dataset::hex;
use crate::{
    Alpha, DataError, Dataset, DatasetCard, DatasetFormat, Item, Items, Pictures, ScenesConfig,
    World,
};
use image::RgbImage;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Part of every fingerprint. Raise it when rendering changes: the fingerprint covers the inputs of
/// rendering (pictures of things, places, colours) and not every pixel.
const VERSION: u32 = 1;

/// Pictures of scenes.
pub struct ScenePictures {
    world: Arc<World>,
    scenes: Vec<Scene>,
}

/// One split of the `scenes` data set.
pub type Scenes = Items<ScenePictures>;

/// The scenes of one group in a split.
struct Part {
    /// Name of the random stream.
    label: &'static str,
    share: Share,
    rule: Rule,
    count: usize,
    group: &'static str,
    /// Keeps the ids of questions of different parts apart.
    code: u64,
}

/// Returns the parts of a split.
fn parts(config: &ScenesConfig, split: &str) -> Result<Vec<Part>, DataError> {
    let part =
        |label, share, rule, count, group, code| Part { label, share, rule, count, group, code };
    Ok(match split {
        "train" => vec![part("train", Share::Train, Rule::Seen, config.train, "seen", 0)],
        "val" => vec![part("val", Share::Val, Rule::Seen, config.val, "seen", 1)],
        "test" => {
            let combinations = config.test_combinations;
            let new_combination = Rule::NewCombination;
            vec![
                part("test-seen", Share::Test, Rule::Seen, config.test, "seen", 2),
                part("test-comb", Share::Test, new_combination, combinations, "new_combination", 3),
                part("test-new", Share::Test, Rule::NewThing, config.test_new, "new_thing", 4),
            ]
        }
        other => {
            let what = format!("scenes: no split '{other}'");
            return Err(DataError::new(what, "the splits are train, val and test"));
        }
    })
}

/// Draws the scenes of a part and writes their texts.
fn draw(world: &World, part: &Part) -> Vec<(Scene, Item)> {
    let source = SceneStream {
        seed: world.config().seed,
        label: part.label,
        share: part.share,
        rule: part.rule,
    };
    let one = |index: u64| {
        let scene = Scene::draw(world, &source, index);
        let text = world.describe(&source, &scene, index, (part.code << 40) | (index << 4));
        let item = Item {
            id: format!("{}-{index:06}", part.label),
            depicts: scene.description(world),
            group: part.group.to_owned(),
            captions: text.captions,
            questions: text.questions,
        };
        (scene, item)
    };
    (0..part.count as u64).into_par_iter().map(one).collect()
}

impl Scenes {
    /// Draws the scenes of `train`, `val` or `test`.
    ///
    /// # Errors
    /// If there is no such split or a setting cannot be met.
    pub fn open(config: &ScenesConfig, split: &str) -> Result<Self, DataError> {
        Self::with_world(Arc::new(World::new(config)?), split)
    }

    /// Draws the scenes of a split from a world that exists already.
    ///
    /// # Errors
    /// If there is no such split.
    pub fn with_world(world: Arc<World>, split: &str) -> Result<Self, DataError> {
        let (mut scenes, mut items) = (Vec::new(), Vec::new());
        for part in parts(world.config(), split)? {
            for (scene, item) in draw(&world, &part) {
                scenes.push(scene);
                items.push(item);
            }
        }
        Ok(Self::new(format!("scenes:{split}"), items, ScenePictures { world, scenes }))
    }

    /// Returns the things that are drawn.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.pictures().world
    }

    /// Returns the ground truth of an item.
    #[must_use]
    pub fn scene(&self, index: usize) -> &Scene {
        &self.pictures().scenes[index]
    }
}

impl Pictures for ScenePictures {
    fn image(&self, index: usize, _: &Item, _: Alpha) -> Result<RgbImage, DataError> {
        Ok(render(&self.world, &self.scenes[index]))
    }

    fn fingerprint(&self, name: &str, items: &[Item]) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{name} version {VERSION} size {}", self.world.config().size));
        for thing in self.world.things() {
            hash.update(&thing.name);
            hash.update(thing.picture.as_raw());
        }
        for (scene, item) in self.scenes.iter().zip(items) {
            hash.update(format!("{scene:?} {}\n", item.digest_text()));
        }
        hash.update(format!("{:?}", super::colour::BACKGROUNDS));
        hex(&hash.finalize())
    }
}

impl DatasetFormat for Scenes {
    type Config = ScenesConfig;

    fn from_card(
        config: &ScenesConfig,
        _: &DatasetCard<'_>,
        split: &str,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        Ok(Arc::new(Self::open(config, split)?))
    }

    fn check_config(config: &ScenesConfig) -> Result<(), DataError> {
        config.check()
    }
}
