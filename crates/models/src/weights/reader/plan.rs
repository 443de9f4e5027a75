//! Plans: each parameter of a part gets the tensors that it is made of.

use super::Reader;
use super::shapes::{grid, likely_cause, squeezed, third};
use std::collections::{BTreeMap, BTreeSet};
use toolkit_core::params::Info;
use toolkit_core::published::{Corners, Piece, PublishedNames, Recipe};

/// Tensors that the parameters of one part are made of.
#[derive(Debug, Default)]
pub struct Plan {
    pub(super) recipes: BTreeMap<String, Recipe>,
    /// Position tables that are resized, with the side of the file's grid.
    pub(super) resized: BTreeMap<String, usize>,
    pub(super) corners: Option<Corners>,
}

impl Plan {
    /// Returns `true` if a parameter is in the file.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.recipes.contains_key(name)
    }

    /// Returns the tensors of the file that a parameter is made of; none if it is not in the file.
    pub fn tensors(&self, name: &str) -> impl Iterator<Item = &str> {
        self.recipes.get(name).into_iter().flat_map(Recipe::names)
    }

    /// Returns the position tables that the file has for another image size, each with the side of
    /// its grid.
    pub fn resized(&self) -> impl Iterator<Item = (&str, usize)> {
        self.resized.iter().map(|(name, side)| (name.as_str(), *side))
    }
}

/// Verdict on the shape of a stored parameter.
enum Fit {
    /// It is the shape of the parameter.
    Same,
    /// It is a position table for another image size, with a grid of this side.
    Resizable(usize),
    /// It is another shape, as a line for the report.
    Wrong(String),
}

impl Reader {
    /// Plans every parameter of `infos`. In a whole checkpoint, optional groups that the file has
    /// nothing of are left out. Parameters that do not fit are reported by [`Reader::check`].
    pub fn plan(&mut self, names: &PublishedNames, infos: &[Info]) -> Plan {
        self.take_off_alone(names, infos);
        if let Some((_, layers)) = &mut self.alone {
            *layers = count_blocks(infos);
        }
        let found: Vec<Option<Recipe>> = infos.iter().map(|info| self.find(names, info)).collect();
        let groups: BTreeSet<&str> = infos
            .iter()
            .zip(&found)
            .filter(|(_, recipe)| recipe.is_some())
            .filter_map(|(info, _)| names.optional_group(&info.name))
            .collect();
        let mut plan = Plan { corners: names.corners(), ..Plan::default() };
        for (info, recipe) in infos.iter().zip(found) {
            let Some(recipe) = recipe else {
                self.note_missing(names, info, &groups);
                continue;
            };
            self.used.extend(recipe.names().map(str::to_owned));
            match self.fit(&recipe, info, names.corners().is_some()) {
                Fit::Same => {}
                Fit::Resizable(side) => drop(plan.resized.insert(info.name.clone(), side)),
                Fit::Wrong(line) => {
                    self.wrong.misshaped.push(line);
                    continue;
                }
            }
            plan.recipes.insert(info.name.clone(), recipe);
        }
        plan
    }

    /// Notes a parameter that no tensor was found for, unless the file lacks its whole group.
    fn note_missing(&mut self, names: &PublishedNames, info: &Info, groups: &BTreeSet<&str>) {
        // A file of one part is reported by our names, which are those of most published parts.
        let recipes = names.recipes(&info.name);
        let published = recipes.first().filter(|_| self.alone.is_none());
        let name = published
            .and_then(|recipe| recipe.names().next().map(str::to_owned))
            .unwrap_or(info.name.clone());
        self.ways.add(names, &info.name, &name);
        let group = names.optional_group(&info.name).filter(|_| self.alone.is_none());
        if group.is_none_or(|group| groups.contains(group)) {
            self.wrong.missing.push(name);
        }
    }

    /// Compares the shape that a recipe comes to with that of the parameter.
    fn fit(&self, recipe: &Recipe, info: &Info, resizes: bool) -> Fit {
        let shape = self.shape(recipe, info);
        if shape.as_deref().map(squeezed) == Some(squeezed(&info.shape)) {
            return Fit::Same;
        }
        let resizable = resizes && info.name.contains("position_embedding");
        let side = shape.as_deref().and_then(|shape| grid(shape, &info.shape));
        if let Some(side) = side.filter(|_| resizable) {
            return Fit::Resizable(side);
        }
        let stored = |name| format!("{name}: file has {:?}", self.stored(name));
        let found = recipe.names().map(stored).collect::<Vec<_>>().join(" and ");
        let cause = likely_cause(&info.name, shape.as_deref(), &info.shape).unwrap_or_default();
        Fit::Wrong(format!("{found}, model wants {:?}{cause}", info.shape))
    }

    fn stored(&self, name: &str) -> Vec<usize> {
        self.tensors.info(name).map(|info| info.shape.clone()).unwrap_or_default()
    }

    /// Returns the shape that a recipe comes to, if its pieces go together.
    ///
    /// The number of values alone does not tell: a transposed matrix has as many.
    fn shape(&self, recipe: &Recipe, info: &Info) -> Option<Vec<usize>> {
        match &recipe.0[..] {
            [Piece::Whole(name)] => Some(self.stored(name)),
            [Piece::Third(name, _)] => third(&self.stored(name)),
            pieces if pieces.contains(&Piece::Zeros) => {
                let part = third(&info.shape)?;
                let fits =
                    recipe.names().all(|name| squeezed(&self.stored(name)) == squeezed(&part));
                fits.then(|| info.shape.clone())
            }
            _ => {
                let width = *info.shape.last()?;
                let rows = recipe.names().map(|name| {
                    let shape = self.stored(name);
                    let rows = shape.iter().product::<usize>().checked_div(width)?;
                    (shape.last() == Some(&width)).then_some(rows)
                });
                Some(vec![rows.sum::<Option<usize>>()?, width])
            }
        }
    }
}

/// Counts the numbered blocks of a part.
fn count_blocks(infos: &[Info]) -> usize {
    let number = |info: &Info| info.name.split('.').find_map(|level| level.parse::<usize>().ok());
    infos.iter().filter_map(number).max().map_or(0, |last| last + 1)
}
