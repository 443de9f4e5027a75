//! Tensors of a file, made of parameters.

use super::Written;
use crate::CheckpointError;
use toolkit_core::params::{Info, Values};
use toolkit_core::published::{Part, Piece, Scheme};

/// A function that reads the values of one parameter when they are written.
pub(super) type Fetch<'a> = dyn Fn(Part, &Info) -> Result<Values, CheckpointError> + 'a;

/// The part of a parameter that a tensor of the file takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The whole parameter.
    Whole,
    /// A third of its rows, counted from 0.
    Third(usize),
}

/// A tensor of the file: rows of parameters under each other.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    /// Parameters, or parts of them, in the order of rows.
    from: Vec<(Part, Info, Cut)>,
    /// Index of a third that must be zero, because the form has no place for it.
    zero: Option<usize>,
}

impl Target {
    /// Creates a tensor with the name and shape of a file, from one piece of a parameter.
    fn new(name: &str, shape: Vec<usize>, from: (Part, Info, Cut)) -> Self {
        Self { name: name.to_owned(), shape, from: vec![from], zero: None }
    }

    /// Returns the number of elements.
    pub(crate) fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Reads the values, row by row.
    ///
    /// # Errors
    /// If they cannot be read, or a bias that the form has no place for is not zero.
    pub(crate) fn read(&self, values: &Fetch<'_>) -> Result<Vec<f32>, CheckpointError> {
        let mut all = Vec::with_capacity(self.count());
        for (part, info, cut) in &self.from {
            let data = values(*part, info)?.data;
            let third = data.len() / 3;
            if let Some(at) = self.zero
                && data[at * third..(at + 1) * third].iter().any(|&x| x != 0.0)
            {
                let hint = "convert to a form that keeps all three biases, such as Hugging Face's";
                return Err(CheckpointError::new(
                    format!("the keys of `{}` have a bias", info.name),
                    self.name.clone(),
                    hint,
                ));
            }
            match cut {
                Cut::Whole => all.extend(data),
                Cut::Third(at) => all.extend_from_slice(&data[at * third..(at + 1) * third]),
            }
        }
        Ok(all)
    }
}

/// Makes the tensors of a scheme's file, sorted by name. Lists the parameters that it has no place
/// for.
pub(super) fn targets(model: &Written<'_>, scheme: Scheme) -> (Vec<Target>, Vec<String>) {
    let mut all: Vec<Target> = Vec::new();
    let mut left_out = Vec::new();
    for (names, info) in &model.parameters {
        let part = names.part();
        let Some(recipe) = names.recipe(scheme, &info.name) else {
            left_out.push(info.name.clone());
            continue;
        };
        match &recipe.0[..] {
            [Piece::Third(name, _)] => join(&mut all, name, part, info),
            [Piece::Whole(name)] => {
                // A temperature is a number by itself in LAVIS.
                let shape = if info.name == "temp" { Vec::new() } else { info.shape.clone() };
                all.push(Target::new(name, shape, (part, info.clone(), Cut::Whole)));
            }
            pieces => split(&mut all, pieces, part, info),
        }
    }
    for target in &mut all {
        target.from.sort_by_key(|(_, info, _)| {
            ["q_proj", "k_proj", "v_proj"].iter().position(|m| info.name.contains(m))
        });
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    (all, left_out)
}

/// Adds a third of a fused tensor of the file. They are sorted as query, key and value
/// afterwards.
fn join(all: &mut Vec<Target>, name: &str, part: Part, info: &Info) {
    let from = (part, info.clone(), Cut::Whole);
    match all.iter_mut().find(|target| target.name == name) {
        Some(target) => target.from.push(from),
        None => {
            let mut shape = info.shape.clone();
            shape[0] *= 3;
            all.push(Target::new(name, shape, from));
        }
    }
}

/// Adds the thirds of a fused parameter as tensors of their own.
fn split(all: &mut Vec<Target>, pieces: &[Piece], part: Part, info: &Info) {
    let zero = pieces.iter().position(|piece| *piece == Piece::Zeros);
    for (at, piece) in pieces.iter().enumerate() {
        if let Piece::Whole(name) = piece {
            let mut shape = info.shape.clone();
            shape[0] /= 3;
            let target = Target::new(name, shape, (part, info.clone(), Cut::Third(at)));
            all.push(Target { zero, ..target });
        }
    }
}
