//! The text of scenes: captions and questions, for the data set and as an endless stream for
//! language models.

use super::captions::captions;
use super::questions::Asker;
use super::scene::{Rule, Scene, SceneStream, Share};
use super::words::{BESIDE, COPIES, GRID, NUMBERS, QUESTIONS, RELATIONS, SINGLE, STACKED, words};
use crate::{COLOURS, Question, World};
use std::collections::BTreeSet;

/// A scene in words only: for pre-training language models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SceneText {
    /// Captions in distinct wordings.
    pub captions: Vec<String>,
    /// Questions that those captions answer.
    pub questions: Vec<Question>,
}

impl World {
    /// Writes the texts of scene `index` of `source`.
    pub(crate) fn describe(
        &self,
        source: &SceneStream,
        scene: &Scene,
        index: u64,
        first_id: u64,
    ) -> SceneText {
        let mut draw = source.stream("text", index);
        let colour = match (scene.things.as_slice(), self.things()[scene.things[0]].colour) {
            ([_], Some(colour)) => draw.chance(self.ask_colour[colour]),
            _ => false,
        };
        let questions = Asker { world: self, source, scene, first_id, colour }.ask(&mut draw);
        SceneText {
            captions: captions(self, scene, self.config.captions_per_scene, colour, &mut draw),
            questions,
        }
    }

    fn stream_of_text(seed: u64) -> SceneStream<'static> {
        SceneStream { seed, label: "text", share: Share::Text, rule: Rule::All }
    }

    /// Writes scene `index` of an endless stream that shares no scene with the splits. All things
    /// and all combinations occur: the language model has read about everything, only the training
    /// of the bridge has not seen it.
    #[must_use]
    pub fn text(&self, seed: u64, index: u64) -> SceneText {
        let source = Self::stream_of_text(seed);
        let scene = Scene::draw(self, &source, index);
        self.describe(&source, &scene, index, index << 4)
    }

    /// Returns every word and punctuation mark that a caption, question or answer can contain,
    /// sorted. Plurals are words of their own.
    #[must_use]
    pub fn vocabulary(&self) -> Vec<String> {
        let mut all: BTreeSet<String> = BTreeSet::new();
        let mut add = |text: &str| all.extend(words(text));
        let wordings = [&SINGLE, &COPIES, &BESIDE, &STACKED, &GRID];
        let captions = wordings.iter().flat_map(|w| w.full.iter().chain(w.part));
        for template in captions.chain(QUESTIONS.iter().flat_map(|(_, all)| all.iter())) {
            // Without its slots.
            let fixed = template
                .split('{')
                .map(|part| part.split_once('}').map_or(part, |(_, after)| after));
            add(&fixed.collect::<Vec<_>>().join(" "));
        }
        for relation in RELATIONS.iter().flatten().chain(&NUMBERS).chain(&COLOURS) {
            add(relation);
        }
        add("a an and , yes no 1 2 3 4 background");
        for thing in self.things() {
            add(&thing.name);
            add(&thing.plural);
        }
        all.into_iter().collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Dataset, Scenes, ScenesConfig};
    use std::sync::Arc;

    #[test]
    fn the_stream_shares_no_scene_with_the_splits() {
        let world = Arc::new(World::new(&ScenesConfig::default()).unwrap());
        let source = World::stream_of_text(9);
        let read: BTreeSet<String> = (0..20_000)
            .map(|index| Scene::draw(&world, &source, index).description(&world))
            .collect();
        for split in ["train", "val", "test"] {
            let data = Scenes::with_world(world.clone(), split).unwrap();
            for index in 0..data.len() {
                assert!(!read.contains(&data.scene(index).description(&world)));
            }
        }
    }
}
