//! Statistics over the cells of an experiment.
//!
//! | module | purpose |
//! |---|---|
//! | [`grid`] | cells as rows: one for each combination of axis values, with a cell for each seed |
//! | [`curves`] | mean and band over seeds at each step |
//! | [`compare`] | paired tests of rows, over seeds and over questions |
//! | [`summary`] | what a report prints, as data |

pub(crate) mod compare;
pub(crate) mod curves;
pub(crate) mod grid;
pub(crate) mod summary;
