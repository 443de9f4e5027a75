//! The published names of one family.

use super::{Corners, Part, Recipe, Scheme};

/// Renames a parameter; `None` if files of that form do not have it.
type Rename = fn(&str) -> Option<Recipe>;

/// Published names of a family's parameters, and of the tensors beside them in the same files.
///
/// Start with [`PublishedNames::vision`], [`PublishedNames::bridge`] or
/// [`PublishedNames::language`] and state the differences.
#[derive(Clone, Copy, Debug)]
pub struct PublishedNames {
    part: Part,
    hugging_face: Rename,
    lavis: Rename,
    lavis_level: &'static str,
    lavis_projection: &'static str,
    alone: fn(&str) -> Vec<Recipe>,
    optional: fn(&str) -> Option<&'static str>,
    rest: &'static [&'static str],
    rest_of_whole: &'static [&'static str],
    corners: Option<Corners>,
}

/// Levels before the names of an encoder in the files of some publishers.
const VISION_LEVELS: [&str; 4] = ["vision_model.", "visual_encoder.", "visual.", "backbone."];

/// Levels of numbered blocks in an encoder.
const BLOCKS: [&str; 4] =
    ["encoder.layers.", "encoder.layer.", "blocks.", "transformer.resblocks."];

/// Beginnings of names in a file of CLIP that belong to its text tower and its heads.
const TEXT_TOWER: [&str; 6] = [
    "text_model.",
    "visual_projection.",
    "text_projection",
    "logit_scale",
    "token_embedding.",
    "ln_final.",
];

impl PublishedNames {
    const fn new(part: Part) -> Self {
        Self {
            part,
            hugging_face: same,
            lavis: same,
            lavis_level: "",
            lavis_projection: "opt_proj.",
            alone: |_| Vec::new(),
            optional: |_| None,
            rest: &[],
            rest_of_whole: &[],
            corners: None,
        }
    }

    /// Creates the names of an encoder: its own below `vision_model.`, none in LAVIS.
    #[must_use]
    pub const fn vision() -> Self {
        Self {
            lavis: |_| None,
            lavis_level: "visual_encoder.",
            rest: &["post_layernorm.", "ln_post.", "proj"],
            ..Self::new(Part::Vision)
        }
    }

    /// Creates the names of a bridge: its own, without a level.
    #[must_use]
    pub const fn bridge() -> Self {
        Self::new(Part::Bridge)
    }

    /// Creates the names of a language model: its own below `language_model.`.
    #[must_use]
    pub const fn language() -> Self {
        Self { lavis_level: "language_model.", ..Self::new(Part::Language) }
    }

    /// Returns the names of the projection to this language model.
    #[must_use]
    pub const fn projection(&self) -> Self {
        Self { lavis_level: self.lavis_projection, ..Self::new(Part::Projection) }
    }

    /// Sets the names in transformers' BLIP-2, without the level of the part.
    #[must_use]
    pub const fn hugging_face(self, hugging_face: Rename) -> Self {
        Self { hugging_face, ..self }
    }

    /// Sets the names in LAVIS, without the level of the part.
    #[must_use]
    pub const fn lavis(self, lavis: Rename) -> Self {
        Self { lavis, ..self }
    }

    /// Sets LAVIS's levels of a language model and of the projection to it.
    #[must_use]
    pub const fn lavis_levels(self, model: &'static str, projection: &'static str) -> Self {
        Self { lavis_level: model, lavis_projection: projection, ..self }
    }

    /// Sets the further names in files of this part alone.
    #[must_use]
    pub const fn alone(self, alone: fn(&str) -> Vec<Recipe>) -> Self {
        Self { alone, ..self }
    }

    /// Sets the groups of parameters that a whole checkpoint has entirely or not at all.
    ///
    /// `group` returns the group of a parameter, `None` if every checkpoint has it.
    #[must_use]
    pub const fn optional(self, group: fn(&str) -> Option<&'static str>) -> Self {
        Self { optional: group, ..self }
    }

    /// Sets the beginnings of names that files of this part hold and the part does not read, such
    /// as its head. Levels of publishers before the names are taken off first.
    #[must_use]
    pub const fn rest(self, beginnings: &'static [&'static str]) -> Self {
        Self { rest: beginnings, ..self }
    }

    /// Sets the beginnings of further names that are not read, where no level stands before them:
    /// those of the other parts of a whole model.
    #[must_use]
    pub const fn rest_of_whole(self, beginnings: &'static [&'static str]) -> Self {
        Self { rest_of_whole: beginnings, ..self }
    }

    /// Sets how the family's sources align the grids when they resize a position table (LAVIS
    /// `eva_vit.py`, `clip_vit.py`). Without it, tables are not resized.
    #[must_use]
    pub const fn resized_by(self, corners: Corners) -> Self {
        Self { corners: Some(corners), ..self }
    }

    /// Returns the part that these are names of.
    #[must_use]
    pub const fn part(&self) -> Part {
        self.part
    }

    /// Returns the alignment of resized position tables.
    #[must_use]
    pub const fn corners(&self) -> Option<Corners> {
        self.corners
    }

    /// Returns the optional group of a parameter.
    #[must_use]
    pub fn optional_group(&self, name: &str) -> Option<&'static str> {
        (self.optional)(name)
    }

    /// Returns every way in which parameter `name` is published.
    #[must_use]
    pub fn recipes(&self, name: &str) -> Vec<Recipe> {
        let schemes = Scheme::ALL.into_iter().filter_map(|scheme| self.recipe(scheme, name));
        let mut all: Vec<Recipe> = schemes.collect();
        let (own, alone) = (Recipe::whole(name), (self.alone)(name));
        if self.part == Part::Language {
            // Any copy of a tied table will do, and its own name is the best.
            all.push(own);
            all.extend(alone);
        } else {
            all.extend(alone);
            all.push(own);
        }
        all
    }

    /// Returns the tensors of parameter `name` in a whole checkpoint of a scheme, `None` if such
    /// checkpoints do not have it.
    #[must_use]
    pub fn recipe(&self, scheme: Scheme, name: &str) -> Option<Recipe> {
        let (level, recipe) = match scheme {
            Scheme::HuggingFace => (self.hugging_face_level(), (self.hugging_face)(name)?),
            Scheme::Lavis => (self.lavis_level, (self.lavis)(name)?),
            Scheme::Own => (self.own_level(), Recipe::whole(name)),
        };
        Some(recipe.under(level))
    }

    fn hugging_face_level(&self) -> &'static str {
        match self.part {
            Part::Vision => "vision_model.",
            Part::Bridge => "",
            Part::Projection => "language_projection.",
            Part::Language => "language_model.",
        }
    }

    fn own_level(&self) -> &'static str {
        match self.part {
            Part::Vision => "vision.",
            Part::Bridge => "bridge.",
            Part::Projection => "language_projection.",
            Part::Language => "language.",
        }
    }

    /// Returns `true` if a tensor of a file of this part alone belongs to the model that the part
    /// was cut from: blocks from number `layers` on, final norms, heads, CLIP's text tower.
    #[must_use]
    pub fn is_rest(&self, name: &str, layers: usize) -> bool {
        if self.part != Part::Vision {
            return false;
        }
        let bare = VISION_LEVELS.iter().find_map(|level| name.strip_prefix(level)).unwrap_or(name);
        let block = BLOCKS.iter().find_map(|stem| bare.strip_prefix(stem));
        let number = block.and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
        number.is_some_and(|number| number >= layers)
            || begins(bare, self.rest)
            || begins(name, &TEXT_TOWER)
            || (name == bare && begins(name, self.rest_of_whole))
    }
}

fn same(name: &str) -> Option<Recipe> {
    Some(Recipe::whole(name))
}

fn begins(name: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| name.starts_with(beginning))
}
