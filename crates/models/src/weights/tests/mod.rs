//! Parts and files in every published form, whole and damaged.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod blocks;
mod forms;
mod levels;
mod reader;
mod weights;
