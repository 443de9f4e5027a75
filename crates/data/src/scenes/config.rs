//! The settings of the `scenes` data set.

use crate::DataError;
use serde::{Deserialize, Serialize};

/// Settings of the `scenes` data set. Every field has a default, so an empty table is a valid
/// configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScenesConfig {
    /// Seed of every random draw.
    pub seed: u64,
    /// Side of the square pictures in pixels, a multiple of 16.
    pub size: u32,
    /// Number of things in the world.
    pub things: usize,
    /// Number of things that never occur in `train` and `val`.
    pub held_out: usize,
    /// Scenes in `train`.
    pub train: usize,
    /// Scenes in `val`.
    pub val: usize,
    /// Scenes in `test` made as those of `train` are (group `seen`).
    pub test: usize,
    /// Scenes in `test` with a pair of things never seen together (group `new_combination`).
    pub test_combinations: usize,
    /// Scenes in `test` with a held-out thing (group `new_thing`).
    pub test_new: usize,
    /// Captions for each scene, in distinct wordings.
    pub captions_per_scene: usize,
}

impl Default for ScenesConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            size: 64,
            things: 120,
            held_out: 12,
            train: 4_000,
            val: 300,
            test: 300,
            test_combinations: 100,
            test_new: 100,
            captions_per_scene: 4,
        }
    }
}

impl ScenesConfig {
    /// Checks that every setting can be met.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn check(&self) -> Result<(), DataError> {
        let most = super::names::count();
        let fail = |what: String, hint: &str| Err(DataError::new(format!("scenes: {what}"), hint));
        if !self.size.is_multiple_of(16) || !(32..=512).contains(&self.size) {
            return fail(
                format!("size = {}", self.size),
                "a multiple of 16 from 32 to 512; 64 is the default",
            );
        }
        if !(24..=most).contains(&self.things) {
            return fail(
                format!("things = {}, but the world has 24 to {most}", self.things),
                "120 is the default",
            );
        }
        if self.held_out * 2 > self.things {
            return fail(
                format!(
                    "held_out = {} of {} things leaves too few to train on",
                    self.held_out, self.things
                ),
                "hold out at most half",
            );
        }
        if self.test_new > 0 && self.held_out == 0 {
            return fail(
                format!(
                    "test_new = {} scenes need a held-out thing, but held_out = 0",
                    self.test_new
                ),
                "set held_out to 1 or more, or test_new to 0",
            );
        }
        if !(1..=8).contains(&self.captions_per_scene) {
            return fail(
                format!("captions_per_scene = {}", self.captions_per_scene),
                "1 to 8 distinct wordings exist",
            );
        }
        Ok(())
    }
}
