//! Where the things of a scene go: grid cells with a little jitter, never overlapping.

use crate::scene::{Kind, Placed};
use toolkit_seed::Stream;

/// Side of a thing that shares the canvas with others, in sixteenths: 28 of 64 pixels.
const SMALL: usize = 7;

/// Places things on a canvas of `size` pixels.
pub(crate) fn place(
    size: usize,
    kind: Kind,
    things: &[usize],
    copies: usize,
    draw: &mut Stream,
) -> Vec<Placed> {
    if kind == Kind::Single {
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
        Kind::Beside => {
            let y = draw.between(0, cell);
            vec![(0, y), (cell, y)]
        }
        Kind::Stacked => {
            let x = draw.between(0, cell);
            vec![(x, 0), (x, cell)]
        }
        Kind::Single | Kind::Copies | Kind::Grid => {
            let number = if kind == Kind::Copies { copies } else { things.len() };
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
