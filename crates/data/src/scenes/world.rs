//! The things that scenes are made of, and the selection of those that are held out for testing.

use super::colour::{BACKGROUNDS, ColourNamer};
use super::names::{article, ordered, plural};
use super::sprite::{Sprite, bounds};
use crate::{DataError, ScenesConfig};
use image::RgbaImage;
use std::collections::HashMap;
use std::sync::OnceLock;
use toolkit_seed::{Stream, key};
use twemoji_assets::png::PngTwemojiAsset;

/// Share of the opaque pixels that one colour needs for a thing to be "a red one".
const CLEAR_COLOUR: f32 = 0.45;
/// And the next colour may have at most this part of that share: an airplane half grey, half blue
/// is neither.
const RUNNER_UP: f32 = 0.6;
/// A thing with this share of a colour would melt into a background of that colour.
const HIDDEN: f32 = 0.3;
/// Smallest and largest side of a drawn thing, in sixteenths of the canvas.
pub(crate) const STEPS: std::ops::RangeInclusive<usize> = 5..=15;

/// A thing that is pictured.
#[derive(Clone, Debug)]
pub struct Thing {
    /// CLDR name, one lower-case word.
    pub name: String,
    /// The plural of the name.
    pub plural: String,
    /// `a` or `an`.
    pub article: &'static str,
    /// The emoji it is drawn as.
    pub emoji: &'static str,
    /// CLDR group, such as `AnimalsAndNature`.
    pub cldr_group: String,
    /// Kind: an index into [`crate::GROUPS`].
    pub group: usize,
    /// Colour, an index into [`crate::COLOURS`], if one covers at least 45 % of it and no other
    /// nearly as much.
    pub colour: Option<usize>,
    /// The share of each of the [`crate::COLOURS`] among its opaque pixels.
    pub shares: [f32; 11],
    /// The picture, 72 x 72 pixels.
    pub picture: RgbaImage,
}

impl Thing {
    /// Returns the name with its article: "a dog".
    #[must_use]
    pub fn with_article(&self) -> String {
        format!("{} {}", self.article, self.name)
    }
}

/// The things of a configuration, with their pictures scaled as scenes need them.
pub struct World {
    pub(crate) config: ScenesConfig,
    things: Vec<Thing>,
    held_out: Vec<bool>,
    pub(crate) seen: Vec<usize>,
    pub(crate) unseen: Vec<usize>,
    pub(crate) reserved: Vec<(usize, usize)>,
    /// For each colour, how often a question about it is asked where it could be.
    pub(crate) ask_colour: [f64; 11],
    sprites: Vec<OnceLock<Sprite>>,
}

/// Returns the colour a thing is called by, if one is clear.
fn clear_colour(shares: &[f32; 11]) -> Option<usize> {
    let most = (0..shares.len()).find(|&c| shares.iter().all(|&share| share <= shares[c]))?;
    let others = || shares.iter().enumerate().filter(|(c, _)| *c != most);
    let clear = others().all(|(_, &share)| share <= RUNNER_UP * shares[most]);
    (shares[most] >= CLEAR_COLOUR && clear).then_some(most)
}

/// Creates the error of a thing whose picture is missing or damaged.
fn no_picture(name: &str, reason: &str) -> DataError {
    let what = format!("scenes: no usable picture for '{name}': {reason}");
    DataError::new(what, "build with the versions of twemoji-assets and emojis in Cargo.toml")
}

fn load(
    name: &'static str,
    group: usize,
    emoji: &emojis::Emoji,
    namer: &mut ColourNamer,
) -> Result<Thing, DataError> {
    let fail = |reason: &str| no_picture(name, reason);
    // One crate writes the mark for "as a picture" (U+FE0F) where the other leaves it out.
    let bare = emoji.as_str().replace('\u{FE0F}', "");
    let asset = PngTwemojiAsset::from_emoji(emoji.as_str())
        .or_else(|| PngTwemojiAsset::from_emoji(&bare))
        .ok_or_else(|| fail("twemoji-assets has no picture of it"))?;
    let picture = image::load_from_memory_with_format(asset.data.0, image::ImageFormat::Png)
        .map_err(|error| fail(&error.to_string()))?
        .to_rgba8();
    let (_, _, width, height) = bounds(&picture);
    if picture.pixels().filter(|pixel| pixel[3] >= 128).count() < 350 || width.max(height) < 40 {
        return Err(fail("too few opaque pixels to be recognised"));
    }
    let shares = namer.shares(&picture);
    Ok(Thing {
        name: name.to_owned(),
        plural: plural(name),
        article: article(name),
        emoji: asset.emoji,
        cldr_group: format!("{:?}", emoji.group()),
        group,
        colour: clear_colour(&shares),
        shares,
        picture,
    })
}

impl World {
    /// Loads and measures the things of `config` and draws which are held out.
    ///
    /// # Errors
    /// If a setting cannot be met or a picture is missing.
    pub fn new(config: &ScenesConfig) -> Result<Self, DataError> {
        config.check()?;
        let mut by_name: HashMap<String, &emojis::Emoji> = HashMap::new();
        for emoji in emojis::iter() {
            by_name.entry(emoji.name().to_owned()).or_insert(emoji);
        }
        let mut namer = ColourNamer::new();
        let mut things = Vec::with_capacity(config.things);
        for (name, group) in ordered().into_iter().take(config.things) {
            let emoji = by_name
                .get(name)
                .ok_or_else(|| no_picture(name, "the emojis crate has no such name"))?;
            things.push(load(name, group, emoji, &mut namer)?);
        }
        let mut held_out = vec![false; things.len()];
        let order = Stream::new(config.seed, "scenes/held_out", 0).permutation(things.len());
        for &thing in order.iter().take(config.held_out) {
            held_out[thing] = true;
        }
        let (unseen, seen): (Vec<usize>, Vec<usize>) =
            (0..things.len()).partition(|&thing| held_out[thing]);
        let mut coloured = [0_usize; 11];
        for colour in things.iter().filter_map(|thing| thing.colour) {
            coloured[colour] += 1;
        }
        let sprites = (0..things.len() * STEPS.count()).map(|_| OnceLock::new()).collect();
        let mut world = Self {
            config: config.clone(),
            things,
            held_out,
            seen,
            unseen,
            reserved: Vec::new(),
            // Rare colours are asked for more often, so that naming the commonest one is not a good
            // guess.
            ask_colour: coloured.map(|count| (5.0 / count.max(1) as f64).clamp(0.2, 0.9)),
            sprites,
        };
        for (at, &a) in world.seen.iter().enumerate() {
            for &b in &world.seen[at + 1..] {
                if world.is_reserved(a, b) {
                    world.reserved.push((a, b));
                }
            }
        }
        if world.reserved.is_empty() && config.test_combinations > 0 {
            return Err(DataError::new(
                "scenes: no pair of things is reserved for new combinations",
                "use more things or another seed, or set test_combinations to 0",
            ));
        }
        Ok(world)
    }

    /// Returns the settings of the world.
    #[must_use]
    pub fn config(&self) -> &ScenesConfig {
        &self.config
    }

    /// Returns all things. Labels and scenes use their index.
    #[must_use]
    pub fn things(&self) -> &[Thing] {
        &self.things
    }

    /// Returns `true` if a thing never occurs in `train` and `val`.
    #[must_use]
    pub fn is_held_out(&self, thing: usize) -> bool {
        self.held_out[thing]
    }

    /// Returns `true` if two things never occur together in `train` and `val`: about 10 % of pairs,
    /// drawn by a hash of the names so that a pair stays reserved when the world grows.
    #[must_use]
    pub fn is_reserved(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.things[a].name, &self.things[b].name);
        let (first, second) = if a < b { (a, b) } else { (b, a) };
        a != b
            && key(format!("{}/pair/{first}/{second}", self.config.seed).as_bytes())
                .is_multiple_of(10)
    }

    /// Returns `true` if a thing is easy to see on the background (an index into the eight
    /// backgrounds).
    pub(crate) fn stands_out(&self, thing: usize, background: usize) -> bool {
        let shares = &self.things[thing].shares;
        let share = shares[BACKGROUNDS[background].0];
        share < HIDDEN && shares.iter().any(|&other| other > share)
    }

    /// Returns a thing scaled to `steps` sixteenths of the canvas, made on first use.
    pub(crate) fn sprite(&self, thing: usize, steps: usize) -> &Sprite {
        let at = thing * STEPS.count() + (steps - STEPS.start());
        self.sprites[at].get_or_init(|| {
            Sprite::new(&self.things[thing].picture, steps * self.config.size as usize / 16)
        })
    }
}
