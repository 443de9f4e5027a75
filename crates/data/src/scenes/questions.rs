//! Questions about a scene whose answers cannot be guessed from the words alone.
//!
//! Yes and no alternate within each kind of scene (which comes first is drawn), so that they are
//! balanced exactly and not only on average. What is absent is drawn as what is present is, half of
//! the time from the same group, so that a name in the question says nothing about the answer.

use super::place::Arrangement;
use super::scene::{Rule, Scene, SceneStream};
use super::words::{QUESTIONS, RELATIONS, fill};
use crate::{COLOURS, Question, World, answer_type};
use toolkit_seed::Stream;

/// Asks about one scene.
pub(crate) struct Asker<'a> {
    pub world: &'a World,
    pub source: &'a SceneStream<'a>,
    pub scene: &'a Scene,
    /// Id of the first question; the others follow.
    pub first_id: u64,
    /// `true` to ask for the colour of the thing.
    pub colour: bool,
}

/// Questions as they are asked, with ids that follow one another.
struct Asked {
    next_id: u64,
    questions: Vec<Question>,
}

impl Asked {
    /// Adds a question of a kind in one of its wordings.
    fn add(&mut self, draw: &mut Stream, kind: &'static str, slots: &[(&str, &str)], answer: &str) {
        let wordings =
            QUESTIONS.iter().find(|(name, _)| *name == kind).map_or(&[""][..], |(_, all)| all);
        self.questions.push(Question {
            id: self.next_id,
            text: fill(wordings[draw.below(wordings.len())], slots),
            answers: vec![answer.to_owned()],
            kind: kind.to_owned(),
            answer_type: answer_type(answer).to_owned(),
        });
        self.next_id += 1;
    }
}

impl Asker<'_> {
    /// Asks all questions of the scene.
    pub(crate) fn ask(&self, draw: &mut Stream) -> Vec<Question> {
        let scene = self.scene;
        let mut asked = Asked { next_id: self.first_id, questions: Vec::with_capacity(5) };
        if matches!(scene.kind, Arrangement::Single | Arrangement::Copies) {
            self.about_one_thing(&mut asked, draw);
        }
        let ask_number = match scene.kind {
            Arrangement::Grid => true,
            Arrangement::Single => scene.ordinal % 3 == 1,
            Arrangement::Beside | Arrangement::Stacked => scene.ordinal % 5 == 2,
            Arrangement::Copies => false,
        };
        if ask_number {
            asked.add(draw, "how_many_things", &[], &scene.count().to_string());
        }
        // A grid has no other question to fill up with, so it gets one of each.
        let there = self.yes("exists");
        let turns: &[bool] =
            if scene.kind == Arrangement::Grid { &[there, !there] } else { &[there] };
        for &there in turns {
            let noun = self.world.things()[self.named(there, draw)].with_article();
            asked.add(draw, "exists", &[("n", &noun)], if there { "yes" } else { "no" });
        }
        // Every scene has a background, and naming it is easy: asked each time, it would be a
        // quarter of all questions and hide the others. Text for language models keeps it in.
        if self.source.rule == Rule::All || scene.ordinal.is_multiple_of(4) {
            asked.add(draw, "colour_background", &[], COLOURS[scene.background]);
        }
        if matches!(scene.kind, Arrangement::Beside | Arrangement::Stacked) {
            self.about_a_pair(&mut asked, draw);
        }
        asked.questions
    }

    /// Asks for the name, the number and the colour of the only kind of thing.
    fn about_one_thing(&self, asked: &mut Asked, draw: &mut Stream) {
        let (scene, thing) = (self.scene, &self.world.things()[self.scene.things[0]]);
        asked.add(draw, "what", &[], &thing.name);
        // A third of the single things, all of the two to four: then one to four are about
        // equally frequent.
        if scene.kind == Arrangement::Copies || scene.ordinal.is_multiple_of(3) {
            asked.add(draw, "count", &[("s", &thing.plural)], &scene.count().to_string());
        }
        if let Some(colour) = thing.colour.filter(|_| self.colour) {
            asked.add(draw, "colour_thing", &[], COLOURS[colour]);
        }
    }

    /// Asks for the relation of two things, openly and by yes or no.
    fn about_a_pair(&self, asked: &mut Asked, draw: &mut Stream) {
        let (scene, things) = (self.scene, self.world.things());
        let relations = RELATIONS[usize::from(scene.kind == Arrangement::Stacked)];
        // A new thing is the answer and not in the question, where reading its name would be no
        // test.
        let one = usize::from(draw.chance(0.5));
        let held_out = scene.things.iter().position(|&thing| self.world.is_held_out(thing));
        let answer = if self.source.rule == Rule::NewThing { held_out.unwrap_or(one) } else { one };
        let name = |at: usize| things[scene.things[at]].name.as_str();
        let slots = [("rel", relations[answer]), ("b", name(1 - answer))];
        asked.add(draw, "relation", &slots, name(answer));
        let yes = self.yes("relation_yesno");
        let a = usize::from(draw.chance(0.5));
        let relation = if yes { relations[a] } else { relations[1 - a] };
        let slots = [("a", name(a)), ("b", name(1 - a)), ("rel", relation)];
        asked.add(draw, "relation_yesno", &slots, if yes { "yes" } else { "no" });
    }

    /// Returns yes for one of every two scenes of a kind; a coin decides which.
    fn yes(&self, what: &str) -> bool {
        let pair = matches!(self.scene.kind, Arrangement::Beside | Arrangement::Stacked);
        let kind = if pair { "Pair".to_owned() } else { format!("{:?}", self.scene.kind) };
        let coin =
            self.source.stream(&format!("{what}/{kind}"), self.scene.ordinal / 2).chance(0.5);
        coin ^ self.scene.ordinal.is_multiple_of(2)
    }

    /// Draws the thing that an "is there" question names.
    fn named(&self, there: bool, draw: &mut Stream) -> usize {
        let (world, shown) = (self.world, &self.scene.things);
        let like = *draw.choose(shown);
        if there {
            return like;
        }
        let allowed = |thing: usize| match self.source.rule {
            Rule::All => true,
            // Held-out things are asked for as often when absent as when present.
            Rule::NewThing => world.is_held_out(thing) == world.is_held_out(like),
            Rule::Seen | Rule::NewCombination => !world.is_held_out(thing),
        };
        let group = world.things()[like].group;
        let absent: Vec<usize> = (0..world.things().len())
            .filter(|thing| allowed(*thing) && !shown.contains(thing))
            .collect();
        let near: Vec<usize> =
            absent.iter().copied().filter(|&thing| world.things()[thing].group == group).collect();
        let pool = if near.is_empty() || draw.chance(0.5) { &absent } else { &near };
        if pool.is_empty() { (like + 1) % world.things().len() } else { *draw.choose(pool) }
    }
}
