//! Pictures with captions and questions.
//!
//! [`Scenes`] draws its data set from a seed with real emoji pictures, so that vision-language
//! pre-training can be tried end to end without a download; [`Small`] is real pictures with
//! captions that people wrote, and [`EasyVqa`] a published set of questions, both from packages of
//! public registries; [`Published`] reads COCO, VQAv2 and others in the files that their publishers
//! give out; [`Folder`] reads anyone's pictures. All are a [`Dataset`].
//!
//! The emoji pictures are Twemoji (copyright Twitter, Inc and other contributors, CC-BY 4.0), by
//! way of the crate `twemoji-assets`; who publishes rendered scenes has to say so.

mod captions;
mod colour;
mod config;
mod dataset;
mod error;
mod folder;
mod font;
mod image;
mod lanes;
mod lists;
mod names;
mod passes;
mod place;
mod preprocess;
mod published;
mod questions;
mod render;
mod resize;
mod scene;
mod scenes;
mod sheet;
mod small;
mod sprite;
mod text;
mod words;
mod world;

pub use self::image::{
    Alpha, check_most_pixels, decode, decode_as, decode_bytes, is_picture, most_pixels,
    set_most_pixels, unread_picture,
};
pub use colour::{COLOURS, ColourNamer};
pub use config::ScenesConfig;
pub use dataset::{Dataset, Item, Question, answer_type};
pub use error::DataError;
pub use folder::{Folder, FolderCheck, check_folder, pictures_below};
pub use lists::{Fault, Field, Finding, Findings, Value, check_rows};
pub use names::GROUPS;
pub use preprocess::{Fit, Preprocess};
pub use published::{
    Check, CheckOptions, DATA_VARIABLE, Format, ImageName, Published, PublishedConfig, SplitConfig,
    check,
};
pub use render::PictureLabels;
pub use resize::resize;
pub use scene::{Kind, Placed, Scene};
pub use scenes::Scenes;
pub use sheet::contact_sheet;
pub use small::{EasyVqa, EasyVqaConfig, Small, SmallConfig, Source, normalise};
pub use text::SceneText;
pub use words::words;
pub use world::{Thing, World};
