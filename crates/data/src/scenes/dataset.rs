//! The `scenes` data set: one split of drawn scenes, text in memory, pictures on demand.

use super::render::render;
use super::scene::{Rule, Scene, SceneStream, Share};
use crate::dataset::{at, hex};
use crate::{DataError, Dataset, Item, ScenesConfig, World};
use image::RgbImage;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Part of every fingerprint. To be raised when rendering changes, because the fingerprint covers
/// what is rendered from (pictures of things, places, colours) and not every pixel.
const VERSION: u32 = 1;

/// One split of the `scenes` data set.
pub struct Scenes {
    name: String,
    world: Arc<World>,
    scenes: Vec<Scene>,
    items: Vec<Item>,
}

impl Scenes {
    /// Draws the scenes of `train`, `val` or `test`.
    ///
    /// # Errors
    /// If there is no such split or a setting cannot be met.
    pub fn open(config: &ScenesConfig, split: &str) -> Result<Self, DataError> {
        Self::with_world(Arc::new(World::new(config)?), split)
    }

    /// As [`Scenes::open`], for a world that is there already.
    ///
    /// # Errors
    /// If there is no such split.
    pub fn with_world(world: Arc<World>, split: &str) -> Result<Self, DataError> {
        let config = world.config().clone();
        // Label, share, rule, how many, group, and a number that keeps question ids of splits
        // apart.
        let parts: &[(&str, Share, Rule, usize, &str, u64)] = match split {
            "train" => &[("train", Share::Train, Rule::Seen, config.train, "seen", 0)],
            "val" => &[("val", Share::Val, Rule::Seen, config.val, "seen", 1)],
            "test" => &[
                ("test-seen", Share::Test, Rule::Seen, config.test, "seen", 2),
                (
                    "test-comb",
                    Share::Test,
                    Rule::NewCombination,
                    config.test_combinations,
                    "new_combination",
                    3,
                ),
                ("test-new", Share::Test, Rule::NewThing, config.test_new, "new_thing", 4),
            ],
            other => {
                return Err(DataError::setting(
                    format!("no split '{other}'"),
                    "the splits are train, val and test",
                ));
            }
        };
        let (mut scenes, mut items) = (Vec::new(), Vec::new());
        for &(label, share, rule, number, group, code) in parts {
            let source = SceneStream { seed: config.seed, label, share, rule };
            let drawn: Vec<(Scene, Item)> = (0..number as u64)
                .into_par_iter()
                .map(|index| {
                    let scene = Scene::draw(&world, &source, index);
                    let text = world.describe(&source, &scene, index, (code << 40) | (index << 4));
                    let id = format!("{label}-{index:06}");
                    let depicts = scene.description(&world);
                    let (captions, questions) = (text.captions, text.questions);
                    let item = Item { id, depicts, group: group.to_owned(), captions, questions };
                    (scene, item)
                })
                .collect();
            for (scene, item) in drawn {
                scenes.push(scene);
                items.push(item);
            }
        }
        Ok(Self { name: format!("scenes:{split}"), world, scenes, items })
    }

    /// The things.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What is drawn in an item: the ground truth.
    #[must_use]
    pub fn scene(&self, index: usize) -> &Scene {
        &self.scenes[index]
    }
}

impl Dataset for Scenes {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn item(&self, index: usize) -> &Item {
        &self.items[index]
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        let scene = at(&self.scenes, index, &self.name)?;
        Ok(render(&self.world, scene))
    }

    fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{} version {VERSION} size {}", self.name, self.world.config().size));
        for thing in self.world.things() {
            hash.update(&thing.name);
            hash.update(thing.picture.as_raw());
        }
        for (scene, item) in self.scenes.iter().zip(&self.items) {
            hash.update(format!("{:?} {:?}\n", scene, item));
        }
        hash.update(format!("{:?}", super::colour::BACKGROUNDS));
        hex(&hash.finalize())
    }
}
