//! Questions about the kind of thing, for pictures whose folder names it.
//!
//! For each kind and split exactly half of the yes/no questions are answered by yes: two pictures
//! of different kinds are drawn, and both are asked for the kind of the one and of the other. So
//! neither the words nor the picture alone say more than chance.

use super::kinds::{ALSO, KINDS};
use crate::{Question, answer_type};
use toolkit_seed::Stream;

const WHAT: [&str; 3] =
    ["what kind of thing is this?", "what kind of thing is shown?", "what sort of thing is this?"];
const FINER: [&str; 2] = ["what kind of {k} is this?", "what kind of {k} is shown?"];
const IS: [&str; 3] = ["is this {a}?", "is it {a}?", "does the picture show {a}?"];

/// The kinds of one picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub kind: &'static str,
    pub finer: Option<&'static str>,
}

fn question(text: String, answers: Vec<String>, kind: &str) -> Question {
    let answer_type = answer_type(&answers[0]).to_owned();
    Question { id: 0, text, answers, kind: kind.to_owned(), answer_type }
}

/// Returns an answer and the others that count as right.
fn right(kind: &str) -> Vec<String> {
    let also = ALSO.iter().find(|(name, _)| *name == kind).map_or(&[][..], |(_, also)| also);
    std::iter::once(kind).chain(also.iter().copied()).map(str::to_owned).collect()
}

/// Writes the questions of every picture of one source and split (`None`: its kind is not known),
/// with ids still to be given. `label` names the draw.
pub(crate) fn ask(seed: u64, label: &str, pictures: &[Option<Asked>]) -> Vec<Vec<Question>> {
    let mut out: Vec<Vec<Question>> = pictures.iter().map(|_| Vec::new()).collect();
    for (at, asked) in pictures.iter().enumerate() {
        let Some(asked) = asked else { continue };
        let mut draw = Stream::new(seed, &format!("small/what/{label}"), at as u64);
        out[at].push(question(draw.choose(&WHAT).to_string(), right(asked.kind), "category"));
        if let Some(finer) = asked.finer {
            let text = draw.choose(&FINER).replace("{k}", asked.kind);
            out[at].push(question(text, right(finer), "subcategory"));
        }
    }
    let mut draw = Stream::new(seed, &format!("small/is/{label}"), 0);
    for (a, b) in couples(pictures, &mut draw) {
        let kinds = [a, b].map(|at| pictures[at].map_or("", |asked| asked.kind));
        for kind in kinds {
            let name = KINDS.iter().find(|(name, _)| *name == kind).map_or(kind, |(_, name)| name);
            let text = draw.choose(&IS).replace("{a}", name);
            for (at, own) in [a, b].into_iter().zip(kinds) {
                let answer = if own == kind { "yes" } else { "no" };
                out[at].push(question(text.clone(), vec![answer.to_owned()], "category_yesno"));
            }
        }
    }
    out
}

/// Draws pairs of pictures of different kinds in a single pass over a random order. All that is
/// left over is of one kind.
fn couples(pictures: &[Option<Asked>], draw: &mut Stream) -> Vec<(usize, usize)> {
    let (mut waiting, mut couples): (Vec<usize>, _) = (Vec::new(), Vec::new());
    let kind = |at: usize| pictures[at].map(|asked| asked.kind);
    for at in draw.permutation(pictures.len()) {
        if kind(at).is_none() {
            continue;
        }
        match waiting.last() {
            Some(&other) if kind(other) != kind(at) => {
                waiting.pop();
                couples.push((other, at));
            }
            _ => waiting.push(at),
        }
    }
    couples
}
