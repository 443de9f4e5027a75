//! The `small` data set: real pictures with captions that people wrote, taken from packages of
//! public registries.
//!
//! Each source reads the folder of one unpacked package and gives [`Pair`]s; [`Small`] puts them
//! together, splits them so that no caption is in two splits, and asks questions about what the
//! folders of the packages say. `easy_vqa` is a data set of its own, with its own splits.
//!
//! Nothing is downloaded here: folders are given by the caller, and a missing one is an error that
//! says what to run.

mod config;
mod dataset;
mod easy_vqa;
mod gcompris;
mod google_emoji;
mod kinds;
mod normal;
mod openclipart;
mod pair;
mod picture;
mod pysiogame;
mod qml;
mod questions;
mod rcc;
mod split;
mod stamps;
mod twemoji;
mod walk;

pub use config::{SmallConfig, SmallSource};
pub use dataset::{Small, SmallPictures};
pub use easy_vqa::{EasyVqa, EasyVqaConfig, EasyVqaPictures};
pub use normal::normalise;

/// The name of the data set in errors and hints.
pub(crate) const NAME: &str = "small";

#[cfg(test)]
mod tests;
