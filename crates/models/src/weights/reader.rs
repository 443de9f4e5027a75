//! Fits tensors of files to parameters: everything that does not fit is told at once, and nothing
//! is read before.

use super::WeightsError;
use super::levels::{self, Ways};
use super::names::{self, Part, Piece, Recipe, Side};
use crate::vision::position::{Corners, resize_grid};
use burn::module::Module;
use burn::tensor::DType;
use std::collections::{BTreeMap, BTreeSet};
use toolkit_core::params::{self, Info, Mismatch, Values};
use toolkit_formats::Tensors;

/// How the parameters of one part are made.
#[derive(Debug, Default)]
pub struct Plan {
    recipes: BTreeMap<String, Recipe>,
    /// Position tables that are resized, with the side of the file's grid.
    resized: BTreeMap<String, usize>,
    corners: Option<Corners>,
}

impl Plan {
    /// Whether a parameter is in the file.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.recipes.contains_key(name)
    }

    /// The position tables that the file has for another image size, and the side of its grid.
    pub fn resized(&self) -> impl Iterator<Item = (&str, usize)> {
        self.resized.iter().map(|(name, side)| (name.as_str(), *side))
    }
}

/// One weight file that is being fitted.
pub struct Reader {
    tensors: Tensors,
    used: BTreeSet<String>,
    wrong: Mismatch,
    /// Names that the parameters which are not there would have.
    ways: Ways,
    /// Of a file of one part: which, its family, and how many blocks are wanted.
    alone: Option<(Part, String, usize)>,
}

impl Reader {
    /// Makes a reader of a whole checkpoint. Takes off the levels that a training program put
    /// around all names: the known ones, and any others behind which the bridge is found. Every
    /// checkpoint has a bridge.
    #[must_use]
    pub fn new(tensors: Tensors) -> Self {
        let mut reader = Self::unwrapped(tensors, true);
        reader.take_off(Part::Bridge, "qformer", &["query_tokens", "ln_vision.weight"]);
        reader
    }

    fn unwrapped(tensors: Tensors, whole: bool) -> Self {
        let names: Vec<String> = tensors.names().map(str::to_owned).collect();
        let tensors =
            tensors.renamed(names::without_wrappers(names.iter().map(String::as_str), whole));
        Self {
            tensors,
            used: BTreeSet::new(),
            wrong: Mismatch::default(),
            ways: Ways::default(),
            alone: None,
        }
    }

    /// Of a file of one part, which may have more of the model that it was cut from.
    #[must_use]
    pub fn of_part(tensors: Tensors, part: Part, family: &str) -> Self {
        Self { alone: Some((part, family.to_owned(), 0)), ..Self::unwrapped(tensors, false) }
    }

    /// Takes off the levels that all names share, if only behind them there is one of `parameters`.
    pub fn take_off(&mut self, part: Part, family: &str, parameters: &[&str]) {
        let recipes: Vec<Recipe> =
            parameters.iter().flat_map(|name| names::recipes(part, family, name)).collect();
        let there = |level: &str| {
            let has = |name: &str| self.tensors.info(&format!("{level}{name}")).is_some();
            recipes.iter().any(|recipe| recipe.names().all(has))
        };
        let level = names::shared(self.tensors.names())
            .into_iter()
            .find(|level| there(level))
            .unwrap_or_default();
        if !level.is_empty() {
            let bare = |name: &str| name.strip_prefix(&level).unwrap_or(name).to_owned();
            self.tensors = self.tensors.clone().renamed(bare);
        }
    }

    /// The same of a file of one part.
    fn take_off_alone(&mut self, part: Part, family: &str, infos: &[Info]) {
        if self.alone.is_some() {
            let parameters: Vec<&str> = infos.iter().map(|info| info.name.as_str()).collect();
            self.take_off(part, family, &parameters);
        }
    }

    /// The file.
    #[must_use]
    pub fn tensors(&self) -> &Tensors {
        &self.tensors
    }

    /// Plans every parameter of `infos`. Of a bridge, a side that the file has nothing of is left
    /// out.
    pub fn plan(
        &mut self,
        part: Part,
        family: &str,
        infos: &[Info],
        corners: Option<Corners>,
    ) -> Plan {
        self.take_off_alone(part, family, infos);
        if let Some((_, _, layers)) = &mut self.alone {
            *layers = names::layers(infos);
        }
        let found: Vec<Option<Recipe>> =
            infos.iter().map(|info| self.find(part, family, info)).collect();
        let sides: BTreeSet<Side> = if part == Part::Bridge {
            infos
                .iter()
                .zip(&found)
                .filter(|(_, f)| f.is_some())
                .map(|(info, _)| names::side(&info.name))
                .collect()
        } else {
            BTreeSet::new()
        };
        let mut plan = Plan { corners, ..Plan::default() };
        for (info, recipe) in infos.iter().zip(found) {
            let Some(recipe) = recipe else {
                // A file of one part is called by our names, which are those of most published
                // parts.
                let called = names::recipes(part, family, &info.name);
                let whole = called.first().filter(|_| self.alone.is_none());
                let name = whole
                    .and_then(|r| r.names().next().map(str::to_owned))
                    .unwrap_or(info.name.clone());
                self.ways.add(part, family, &info.name, &name);
                let absent = self.alone.is_none()
                    && part == Part::Bridge
                    && names::side(&info.name) != Side::Query;
                if !absent || sides.contains(&names::side(&info.name)) {
                    self.wrong.missing.push(name);
                }
                continue;
            };
            self.used.extend(recipe.names().map(str::to_owned));
            let shape = self.shape(&recipe, info);
            if shape.as_deref().map(squeezed) != Some(squeezed(&info.shape)) {
                let resizable = corners.is_some() && info.name.contains("position_embedding");
                match shape
                    .as_deref()
                    .and_then(|shape| grid(shape, &info.shape))
                    .filter(|_| resizable)
                {
                    Some(side) => {
                        plan.resized.insert(info.name.clone(), side);
                    }
                    None => {
                        let found: Vec<String> = recipe
                            .names()
                            .map(|name| format!("{name}: file has {:?}", self.stored(name)))
                            .collect();
                        let cause = likely_cause(&info.name, shape.as_deref(), &info.shape)
                            .unwrap_or_default();
                        let found = found.join(" and ");
                        self.wrong
                            .misshaped
                            .push(format!("{found}, model wants {:?}{cause}", info.shape));
                        continue;
                    }
                }
            }
            plan.recipes.insert(info.name.clone(), recipe);
        }
        plan
    }

    /// Says whether the file has any of these parameters. In a file of one part, levels around all
    /// names are taken off first.
    #[must_use]
    pub fn has_any(&mut self, part: Part, family: &str, infos: &[Info]) -> bool {
        self.take_off_alone(part, family, infos);
        infos.iter().any(|info| self.find(part, family, info).is_some())
    }

    /// The error that names have a level too many, if that is why none of these parameters was
    /// found.
    #[must_use]
    pub fn behind_a_level(&self, part: Part, family: &str, infos: &[Info]) -> Option<WeightsError> {
        let mut ways = Ways::default();
        infos.iter().for_each(|info| ways.add(part, family, &info.name, &info.name));
        let level = ways.level(self.tensors.names())?;
        // A few names that look alike are not the part.
        let most = level.tensors.len() * 2 >= infos.len();
        most.then(|| levels::mixed(&self.tensors, &level.name, &Mismatch::default()))
    }

    fn find(&self, part: Part, family: &str, info: &Info) -> Option<Recipe> {
        let there = |recipe: &Recipe| recipe.names().all(|name| self.tensors.info(name).is_some());
        names::recipes(part, family, &info.name).into_iter().find(there)
    }

    fn stored(&self, name: &str) -> Vec<usize> {
        self.tensors.info(name).map(|info| info.shape.clone()).unwrap_or_default()
    }

    /// The shape that a recipe comes to, if its pieces go together. Numbers alone do not tell: a
    /// matrix that lies on its side has as many.
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

    /// Ends the planning.
    ///
    /// # Errors
    /// With every missing, unexpected and mis-shaped tensor, copies of tied tensors that differ
    /// included.
    pub fn check(&mut self) -> Result<(), WeightsError> {
        let left: Vec<String> = self
            .tensors
            .names()
            .filter(|name| !self.used.contains(*name))
            .map(str::to_owned)
            .collect();
        for name in left {
            if names::is_buffer(&name) {
                continue;
            }
            let twin =
                names::twin(&name).into_iter().flatten().find(|twin| self.used.contains(twin));
            if let Some(twin) = twin {
                if self.tensors.read(&name)? != self.tensors.read(&twin)? {
                    let own = name.ends_with("lm_head.weight")
                        && !twin.ends_with("decoder.embed_tokens.weight");
                    let more = if own {
                        "; with `tie_word_embeddings` = false it has a head of its own"
                    } else {
                        ""
                    };
                    self.wrong.misshaped.push(format!(
                        "{name}: differs from {twin}, which the model ties it to{more}"
                    ));
                }
                continue;
            }
            let rest = |(part, family, layers): &(Part, String, usize)| {
                names::is_rest_of(*part, family, &name, *layers)
            };
            if !self.alone.as_ref().is_some_and(rest) {
                self.wrong.unexpected.push(name);
            }
        }
        if self.wrong.is_empty() {
            return Ok(());
        }
        let mut mismatch = Box::new(std::mem::take(&mut self.wrong));
        if let Some(level) = self.ways.level(mismatch.unexpected.iter().map(String::as_str)) {
            let there: BTreeSet<&String> = level.tensors.values().flatten().collect();
            mismatch.missing.retain(|name| !there.contains(name));
            mismatch.unexpected.retain(|name| !level.tensors.contains_key(name));
            return Err(levels::mixed(&self.tensors, &level.name, &mismatch));
        }
        Err(WeightsError::Mismatch { file: self.tensors.path().display().to_string(), mismatch })
    }

    /// Reads what was planned into `module`, one tensor at a time; `seen` is told of every one.
    /// Matrices are kept as `dtype`.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn load<M: Module>(
        &self,
        module: M,
        plan: &Plan,
        dtype: DType,
        mut seen: impl FnMut(&Info),
    ) -> Result<M, WeightsError> {
        let mut failed = None;
        let module = params::map_as(module, dtype, |info| {
            let recipe = plan.recipes.get(&info.name).filter(|_| failed.is_none())?;
            seen(info);
            let values = self.values(recipe, info, plan);
            values.map_err(|error| failed = Some(error)).ok()
        });
        failed.map_or(Ok(module), Err)
    }

    /// The values of one planned parameter.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn value(&self, plan: &Plan, info: &Info) -> Result<Option<Values>, WeightsError> {
        plan.recipes.get(&info.name).map(|recipe| self.values(recipe, info, plan)).transpose()
    }

    fn values(&self, recipe: &Recipe, info: &Info, plan: &Plan) -> Result<Values, WeightsError> {
        let mut data = Vec::new();
        for piece in &recipe.0 {
            match piece {
                Piece::Whole(name) if recipe.0.len() == 1 => data = self.tensors.read(name)?,
                Piece::Whole(name) => data.extend(self.tensors.read(name)?),
                Piece::Third(name, part) => {
                    let all = self.tensors.read(name)?;
                    let third = all.len() / 3;
                    data.extend_from_slice(&all[part * third..(part + 1) * third]);
                }
                Piece::Zeros => {
                    data.resize(data.len() + info.shape.iter().product::<usize>() / 3, 0.0)
                }
            }
        }
        if let (Some(&side), Some(corners)) = (plan.resized.get(&info.name), plan.corners) {
            let width = info.shape.last().copied().unwrap_or(1);
            let wanted = info.shape.iter().product::<usize>() / width - 1;
            let grid = resize_grid(&data[width..], width, side, wanted.isqrt(), corners);
            data.truncate(width);
            data.extend(grid);
        }
        Ok(Values { shape: info.shape.clone(), data })
    }
}

/// The key of a configuration that says how many rows a table has, where that is all that does not
/// fit.
fn likely_cause(name: &str, found: Option<&[usize]>, wanted: &[usize]) -> Option<String> {
    const TABLES: [(&str, &str); 7] = [
        ("embed_tokens.weight", "vocab_size"),
        ("shared.weight", "vocab_size"),
        ("lm_head.weight", "vocab_size"),
        ("word_embeddings.weight", "vocab_size"),
        ("cls.bias", "vocab_size"),
        ("embed_positions.weight", "max_position_embeddings"),
        ("position_embeddings.weight", "max_position_embeddings"),
    ];
    let (rows, rest) = found?.split_first()?;
    let (_, key) = TABLES.iter().find(|(end, _)| name.ends_with(end))?;
    (wanted.get(1..) == Some(rest))
        .then(|| format!("; `{key}` is likely wrong: the file has {rows} rows"))
}

/// A shape without dimensions of 1, which forms differ in.
fn squeezed(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|&n| n != 1).collect()
}

/// A third of the rows.
fn third(shape: &[usize]) -> Option<Vec<usize>> {
    let (rows, rest) = shape.split_first()?;
    rows.is_multiple_of(3).then(|| [&[rows / 3], rest].concat())
}

/// The side of the square grid in a position table of `found`, if it can be resized to `wanted`: a
/// class row and a square number of others in both, of one width.
fn grid(found: &[usize], wanted: &[usize]) -> Option<usize> {
    let (found, wanted) = (squeezed(found), squeezed(wanted));
    let ([rows, width], [to, same]) = (&found[..], &wanted[..]) else { return None };
    let square =
        |rows: usize| rows.checked_sub(1).filter(|n| n.isqrt().pow(2) == *n).map(usize::isqrt);
    (width == same).then_some(())?;
    square(*to)?;
    square(*rows).filter(|&side| side > 0)
}
