//! Scenes, and draws of scenes such that the parts of the data set share none.
//!
//! The part of a scene is a hash of its description, not a set of what was drawn before. So scene
//! `i` of a part is a pure function of the seed and `i`, the endless text stream needs no
//! bookkeeping, and the parts stay disjoint for all sizes.

use super::colour::{BACKGROUNDS, COLOURS};
use super::place::{Arrangement, Placed, place};
use crate::World;
use toolkit_seed::{Stream, key};

/// A scene: everything that its picture and its text are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// The arrangement.
    pub kind: Arrangement,
    /// The different things: one for [`Arrangement::Single`] and [`Arrangement::Copies`], in order for pairs, by
    /// cell for a grid.
    pub things: Vec<usize>,
    /// The colour of the background, an index into [`crate::COLOURS`].
    pub background: usize,
    /// Places of all drawn things.
    pub placed: Vec<Placed>,
    /// Number of this scene among those of its kind; answers alternate by it to be balanced.
    pub(crate) ordinal: u64,
}

/// A part of all scenes that a draw may use. The numbers are percents of all descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    Train,
    Val,
    Test,
    Text,
}

impl Share {
    fn holds(self, bucket: u64) -> bool {
        match self {
            Self::Train => bucket < 45,
            Self::Val => (45..55).contains(&bucket),
            Self::Test => (55..70).contains(&bucket),
            Self::Text => bucket >= 70,
        }
    }
}

/// A rule of which things a scene may contain together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Neither held-out things nor reserved pairs.
    Seen,
    /// A reserved pair of things that are not held out.
    NewCombination,
    /// A held-out thing.
    NewThing,
    /// Everything.
    All,
}

/// The name of an endless stream of scenes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SceneStream<'a> {
    pub seed: u64,
    pub label: &'a str,
    pub share: Share,
    pub rule: Rule,
}

impl SceneStream<'_> {
    pub(crate) fn stream(&self, what: &str, index: u64) -> Stream {
        Stream::new(self.seed, &format!("scenes/{}/{what}", self.label), index)
    }
}

/// Scenes come in blocks of this many, each with the same number of each kind in shuffled order.
const BLOCK: u64 = 20;

/// Returns the arrangement of scene `index` and the number of scenes of it that came before.
fn kind(source: &SceneStream, index: u64) -> (Arrangement, u64) {
    let counts: [u64; 4] =
        if source.rule == Rule::NewCombination { [0, 0, 14, 6] } else { [5, 5, 7, 3] };
    let block = index / BLOCK;
    let order = source.stream("kind", block).permutation(BLOCK as usize);
    let mut slot = order[(index % BLOCK) as usize] as u64;
    for (at, &count) in counts.iter().enumerate() {
        if slot < count {
            let ordinal = block * count + slot;
            let upright = source.stream("axis", ordinal).chance(0.5);
            let kinds = [
                Arrangement::Single,
                Arrangement::Copies,
                if upright { Arrangement::Stacked } else { Arrangement::Beside },
                Arrangement::Grid,
            ];
            return (kinds[at], ordinal);
        }
        slot -= count;
    }
    (Arrangement::Single, index)
}

fn pick(world: &World, rule: Rule, number: usize, draw: &mut Stream) -> Vec<usize> {
    let all: Vec<usize>;
    let pool: &[usize] = if rule == Rule::All {
        all = (0..world.things().len()).collect();
        &all
    } else {
        &world.seen
    };
    let mut things = match rule {
        Rule::NewCombination => {
            let (a, b) = *draw.choose(&world.reserved);
            vec![a, b]
        }
        Rule::NewThing => vec![*draw.choose(&world.unseen)],
        Rule::Seen | Rule::All => vec![],
    };
    while things.len() < number {
        let thing = *draw.choose(pool);
        if !things.contains(&thing) {
            things.push(thing);
        }
    }
    draw.shuffle(&mut things);
    things
}

/// Describes the content of a scene without exact places. Two scenes with the same description
/// count as the same scene.
fn description(
    world: &World,
    kind: Arrangement,
    things: &[usize],
    copies: usize,
    background: usize,
) -> String {
    let mut names: Vec<&str> =
        things.iter().map(|&thing| world.things()[thing].name.as_str()).collect();
    if kind == Arrangement::Grid {
        names.sort_unstable();
    }
    format!("{kind:?}/{copies}/{}/{}", names.join("+"), COLOURS[background])
}

impl Scene {
    /// Draws scene `index` of `source`.
    pub(crate) fn draw(world: &World, source: &SceneStream, index: u64) -> Self {
        let (mut kind, ordinal) = kind(source, index);
        let mut draw = source.stream("scene", index);
        for attempt in 1_u64.. {
            // A tiny world may have no single scene left in a part; a pair of things always is.
            if attempt == 500 {
                kind = Arrangement::Beside;
            }
            let number = match kind {
                Arrangement::Single | Arrangement::Copies => 1,
                Arrangement::Beside | Arrangement::Stacked => 2,
                Arrangement::Grid => draw.between(3, 4),
            };
            let copies = if kind == Arrangement::Copies { draw.between(2, 4) } else { 1 };
            let things = pick(world, source.rule, number, &mut draw);
            let allowed = |a: usize| things.iter().all(|&b| !world.is_reserved(a, b));
            if matches!(source.rule, Rule::Seen | Rule::NewThing)
                && !things.iter().all(|&a| allowed(a))
            {
                continue;
            }
            let backgrounds: Vec<usize> = (0..BACKGROUNDS.len())
                .filter(|&background| {
                    things.iter().all(|&thing| world.stands_out(thing, background))
                })
                .collect();
            if backgrounds.is_empty() {
                continue;
            }
            let background = BACKGROUNDS[*draw.choose(&backgrounds)].0;
            let text = description(world, kind, &things, copies, background);
            if source.share.holds(key(format!("{}/{text}", world.config().seed).as_bytes()) % 100) {
                let placed = place(world.config().size as usize, kind, &things, copies, &mut draw);
                return Self { kind, things, background, placed, ordinal };
            }
        }
        unreachable!("the loop above has no end")
    }

    /// Returns the number of things that are drawn.
    #[must_use]
    pub fn count(&self) -> usize {
        self.placed.len()
    }

    /// Returns the scene in words that differ from those of every other scene.
    #[must_use]
    pub fn description(&self, world: &World) -> String {
        let copies = if self.kind == Arrangement::Copies { self.count() } else { 1 };
        description(world, self.kind, &self.things, copies, self.background)
    }
}
