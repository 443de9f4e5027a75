//! Published vision-language data sets, in the files of their publishers on disk.
//!
//! A card names for each split a [`AnnotationFormat`], annotation files and folders of pictures; a new data
//! set in a known format is a new card, not code. Each format is a file here that turns rows into
//! items by way of [`builder::Builder`].
//! [`Published::open`] stops at the first thing that is wrong, [`check`] counts everything that is.
//!
//! Nothing is downloaded: an error says which file belongs where, and where its publisher has it.

mod builder;
mod check;
mod coco;
mod config;
mod dataset;
mod genome;
mod gqa;
mod image_name;
mod karpathy;
mod lacking;
mod lavis;
mod load;
mod pictures;
mod sums;
#[cfg(test)]
mod tests;
mod vqa;

pub(crate) use check::look_at;
pub use check::{Check, CheckOptions, check};
pub use config::{AnnotationFormat, PublishedConfig, SplitConfig};
pub use dataset::Published;
pub use image_name::ImageName;
pub use pictures::PublishedPictures;
