//! Text: tables, sentences, lists, and the way numbers are written.
//!
//! | module | purpose |
//! |---|---|
//! | [`write`] | numbers, units, escaping |
//! | [`table`] | a table and its three forms |
//! | [`tables`], [`retrieval`], [`differences`], [`cost`] | the tables of a report |
//! | [`cells`] | pieces that these tables share |
//! | [`verdict`] | the result in sentences |
//! | [`samples`] | pictures with the answers of the models |
//! | [`notes`], [`glossary`] | remarks and terms at the end of a report |

pub(crate) mod cells;
pub(crate) mod cost;
pub(crate) mod differences;
pub(crate) mod glossary;
pub(crate) mod notes;
pub(crate) mod retrieval;
pub(crate) mod samples;
pub(crate) mod table;
pub(crate) mod tables;
pub(crate) mod verdict;
pub(crate) mod write;
