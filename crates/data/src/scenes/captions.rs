//! Captions of a scene in distinct wordings.

use super::names::article;
use super::place::Arrangement;
use super::scene::Scene;
use super::words::{BESIDE, COPIES, GRID, NUMBERS, SINGLE, STACKED, Wordings, fill};
use crate::{COLOURS, World};
use toolkit_seed::Stream;

fn wordings(kind: Arrangement) -> &'static Wordings {
    match kind {
        Arrangement::Single => &SINGLE,
        Arrangement::Copies => &COPIES,
        Arrangement::Beside => &BESIDE,
        Arrangement::Stacked => &STACKED,
        Arrangement::Grid => &GRID,
    }
}

/// Joins names: "a dog, a key and a bus".
fn list(things: &[String]) -> String {
    match things {
        [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
        _ => things.concat(),
    }
}

/// Writes `number` captions; one in four describes only a part. With `colour`, all others name the
/// colour of the thing.
pub(crate) fn captions(
    world: &World,
    scene: &Scene,
    number: usize,
    colour: bool,
    draw: &mut Stream,
) -> Vec<String> {
    let wordings = wordings(scene.kind);
    let partial = number / 4;
    let full = draw.permutation(wordings.full.len());
    let part = draw.permutation(wordings.part.len());
    let full = full.into_iter().map(|at| (wordings.full[at], colour)).take(number - partial);
    let part = part.into_iter().map(|at| (wordings.part[at], false)).take(partial);
    let mut chosen: Vec<(&str, bool)> = full.chain(part).collect();
    draw.shuffle(&mut chosen);
    chosen
        .into_iter()
        .map(|(template, colour)| caption(world, scene, template, colour, draw))
        .collect()
}

fn caption(
    world: &World,
    scene: &Scene,
    template: &str,
    colour: bool,
    draw: &mut Stream,
) -> String {
    let background = COLOURS[scene.background];
    let bg = format!("{} {background} background", article(background));
    let thing = &world.things()[scene.things[0]];
    let own = thing
        .colour
        .filter(|_| colour || draw.chance(0.3))
        .map(|colour| format!("{} ", COLOURS[colour]));
    let own = own.unwrap_or_default();
    let bare = format!("{own}{}", thing.name);
    let mut nouns: Vec<String> =
        scene.things.iter().map(|&thing| world.things()[thing].with_article()).collect();
    let mut slots = vec![("bg", bg), ("c", background.to_owned())];
    match scene.kind {
        Arrangement::Single => {
            slots.extend([("n", format!("{} {bare}", article(&bare))), ("m", bare)])
        }
        Arrangement::Copies => {
            let many = format!("{} {own}{}", NUMBERS[scene.count() - 1], thing.plural);
            slots.extend([("p", many), ("s", thing.plural.clone())]);
        }
        Arrangement::Beside | Arrangement::Stacked => {
            slots.extend([("l", nouns[0].clone()), ("r", nouns[1].clone())]);
            draw.shuffle(&mut nouns);
            slots.extend([("x", nouns[0].clone()), ("y", nouns[1].clone())]);
        }
        Arrangement::Grid => {
            draw.shuffle(&mut nouns);
            slots.extend([
                ("x", nouns[0].clone()),
                ("y", nouns[1].clone()),
                ("list", list(&nouns)),
            ]);
            slots.push(("w", NUMBERS[scene.count() - 1].to_owned()));
        }
    }
    let slots: Vec<(&str, &str)> =
        slots.iter().map(|(name, text)| (*name, text.as_str())).collect();
    fill(template, &slots)
}
