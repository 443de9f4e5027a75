//! Lists of texts in the files people have: JSON in its shapes, JSON Lines, CSV and TSV, plain
//! text.
//!
//! [`rows`] walks a JSON file row by row without holding it, and [`row::Row`] takes the values of
//! one row by the names that tools give them. A broken row spoils nothing but itself. [`table`]
//! does the same for CSV and TSV. Faults go to a [`fault::FaultSink`], which stops
//! (opening a data set) or counts (`toolkit data check`).

pub(crate) mod at;
pub(crate) mod fault;
pub(crate) mod form;
pub(crate) mod json_stream;
pub(crate) mod keys;
mod objects;
pub(crate) mod paths;
pub(crate) mod row;
pub(crate) mod rows;
pub(crate) mod several;
pub(crate) mod table;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod values;
mod walk;

pub use fault::{Fault, Finding, Findings};
pub use form::{Field, FieldType, check_rows};
