//! Comparison of outputs with those of the reference.

use super::reference::{Reference, not_finite};
use crate::CheckpointError;
use burn::tensor::Tensor;
use serde::Serialize;
use std::collections::BTreeMap;
use toolkit_core::params::{Values, floats};

/// The difference from the reference that is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// A share of the largest magnitude of the tensor.
    OfLargest(f64),
    /// A share of the value itself.
    OfValue(f64),
    /// A difference on the scale of the values.
    Absolute(f64),
    /// No difference: token ids.
    Exact,
}

/// Difference allowed in a tensor that is zero but for rounding.
const ROUNDING: f64 = 1e-8;

impl Bound {
    fn of(name: &str) -> Self {
        if name.starts_with("pixel_values/") {
            Self::Absolute(1e-6)
        } else if name.ends_with("_ids") {
            Self::Exact
        } else if !name.contains(".grad.") && (name.ends_with(".loss") || name.contains(".loss_")) {
            Self::OfValue(1e-5)
        } else {
            Self::OfLargest(1e-4)
        }
    }

    /// Returns the largest difference allowed, given the largest magnitude.
    fn limit(self, largest: f64) -> f64 {
        match self {
            Self::OfLargest(share) | Self::OfValue(share) => (share * largest).max(ROUNDING),
            Self::Absolute(limit) => limit,
            Self::Exact => 0.0,
        }
    }
}

/// The comparison of one output.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Name in the reference, without `output/`.
    pub name: String,
    /// Shape in the reference.
    pub shape: Vec<usize>,
    /// Largest difference; none if it could not be compared.
    pub largest_difference: Option<f64>,
    /// Largest difference over the largest magnitude of the reference.
    pub relative_difference: Option<f64>,
    /// Difference that is allowed.
    pub bound: Bound,
    /// `true` if the difference is allowed.
    pub ok: bool,
    /// Reason that it could not be compared.
    pub note: Option<String>,
}

/// Outputs that were computed, to be compared at the end.
pub(crate) struct Outputs<'a> {
    reference: &'a Reference,
    ours: BTreeMap<String, Values>,
    notes: BTreeMap<String, String>,
}

impl<'a> Outputs<'a> {
    pub(crate) fn new(reference: &'a Reference) -> Self {
        Self { reference, ours: BTreeMap::new(), notes: BTreeMap::new() }
    }

    /// Adds our tensor for output `name`.
    pub(crate) fn put<const D: usize>(&mut self, name: &str, tensor: Tensor<D>) {
        let shape = tensor.dims().to_vec();
        self.put_values(name, Values { shape, data: floats(tensor) });
    }

    pub(crate) fn put_values(&mut self, name: &str, values: Values) {
        self.ours.insert(name.to_owned(), values);
    }

    /// Adds the reason that output `name` was not computed.
    pub(crate) fn note(&mut self, name: &str, why: impl Into<String>) {
        self.notes.insert(name.to_owned(), why.into());
    }

    /// Compares every output of the reference.
    pub(crate) fn rows(&self) -> Result<Vec<Row>, CheckpointError> {
        self.reference.outputs().map(|name| self.row(name)).collect()
    }

    fn row(&self, name: &str) -> Result<Row, CheckpointError> {
        let full = format!("output/{name}");
        let shape =
            self.reference.tensors.info(&full).map(|info| info.shape.clone()).unwrap_or_default();
        let bound = Bound::of(name);
        let failed = |note: String| Row {
            name: name.to_owned(),
            shape: shape.clone(),
            largest_difference: None,
            relative_difference: None,
            bound,
            ok: false,
            note: Some(note),
        };
        let Some(ours) = self.ours.get(name) else {
            let note = self.notes.get(name).cloned();
            return Ok(failed(
                note.unwrap_or_else(|| "this checkpoint does not compute it".to_owned()),
            ));
        };
        let theirs = match bound {
            Bound::Exact => {
                self.reference.tensors.read_ints(&full)?.into_iter().map(|id| id as f32).collect()
            }
            _ => self.reference.tensors.read(&full)?,
        };
        // A number by itself is a tensor of one in some libraries.
        let alike = |a: &[usize], b: &[usize]| {
            a == b || (a.iter().all(|&n| n == 1) && b.iter().all(|&n| n == 1))
        };
        if !alike(&ours.shape, &shape) || ours.data.len() != theirs.len() {
            return Ok(failed(format!("ours is {:?}", ours.shape)));
        }
        if let Some(what) = not_finite(&theirs, &shape) {
            return Ok(failed(format!("the reference holds {what}")));
        }
        let mut difference = 0.0_f64;
        let mut largest = 0.0_f64;
        for (&a, &b) in ours.data.iter().zip(&theirs) {
            let apart = (f64::from(a) - f64::from(b)).abs();
            // A NaN is not within any bound; `max` would hide it.
            difference = if apart.is_nan() { f64::INFINITY } else { difference.max(apart) };
            largest = largest.max(f64::from(b).abs());
        }
        Ok(Row {
            name: name.to_owned(),
            shape,
            largest_difference: Some(difference),
            relative_difference: Some(if difference == 0.0 { 0.0 } else { difference / largest }),
            bound,
            ok: difference <= bound.limit(largest),
            note: None,
        })
    }
}
