//! Places of the things of a scene: grid cells with a little jitter, never overlapping.

use toolkit_seed::Stream;

/// An arrangement of the things of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    /// A single thing.
    Single,
    /// Two to four of the same thing.
    Copies,
    /// Two things, the first to the left of the second.
    Beside,
    /// Two things, the first above the second.
    Stacked,
    /// Three or four different things in a 2 x 2 grid.
    Grid,
}

/// A thing on the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Index in [`crate::World::things`].
    pub thing: usize,
    /// Left edge in pixels.
    pub x: usize,
    /// Top edge in pixels.
    pub y: usize,
    /// Side in sixteenths of the canvas.
    pub steps: usize,
}

/// Side of a thing that shares the canvas with others, in sixteenths: 28 of 64 pixels.
const SMALL: usize = 7;

/// Places things on a canvas of `size` pixels.
pub(crate) fn place(
    size: usize,
    kind: Arrangement,
    things: &[usize],
    copies: usize,
    draw: &mut Stream,
) -> Vec<Placed> {
    if kind == Arrangement::Single {
        let steps = draw.between(SMALL, 11);
        let free = size - steps * size / 16;
        return vec![Placed {
            thing: things[0],
            x: draw.between(0, free),
            y: draw.between(0, free),
            steps,
        }];
    }
    // Half a canvas minus a small thing leaves four 64ths: the middle of them, and a jitter of two
    // either way.
    let (cell, slack) = (size / 2, size / 2 - SMALL * size / 16);
    // Top left corners before jitter.
    let corners: Vec<(usize, usize)> = match kind {
        // The row (or column) of a pair is anywhere, so that a place on the canvas does not give
        // the order away.
        Arrangement::Beside => {
            let y = draw.between(0, cell);
            vec![(0, y), (cell, y)]
        }
        Arrangement::Stacked => {
            let x = draw.between(0, cell);
            vec![(x, 0), (x, cell)]
        }
        Arrangement::Single | Arrangement::Copies | Arrangement::Grid => {
            let number = if kind == Arrangement::Copies { copies } else { things.len() };
            let mut cells = draw.permutation(4);
            cells.truncate(number);
            cells.sort_unstable();
            cells.into_iter().map(|at| ((at % 2) * cell, (at / 2) * cell)).collect()
        }
    };
    let mut placed = Vec::with_capacity(corners.len());
    for (at, (x, y)) in corners.into_iter().enumerate() {
        let thing = things[at.min(things.len() - 1)];
        placed.push(Placed {
            thing,
            x: x + draw.between(0, slack),
            y: y + draw.between(0, slack),
            steps: SMALL,
        });
    }
    placed
}
