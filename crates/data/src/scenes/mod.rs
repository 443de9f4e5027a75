//! The `scenes` data set: drawn pictures of emoji with captions and questions, from a seed.
//!
//! | module | purpose |
//! |---|---|
//! | [`config`] | settings |
//! | [`names`], [`words`] | tables: nouns, wordings |
//! | [`world`] | the things that scenes are made of, and which of them are held out |
//! | [`place`], [`scene`] | positions of things, and one scene as a function of seed and index |
//! | [`sprite`], [`render`], [`colour`] | pixels |
//! | [`captions`], [`questions`], [`text`] | text |
//! | [`dataset`] | one split |

mod captions;
mod colour;
mod config;
mod dataset;
mod names;
mod place;
mod questions;
mod render;
mod scene;
mod sprite;
mod text;
mod words;
mod world;

pub use colour::{COLOURS, ColourNamer};
pub use config::ScenesConfig;
pub use dataset::{ScenePictures, Scenes};
pub use names::GROUPS;
pub(crate) use names::article;
pub use place::{Arrangement, Placed};
pub use render::PictureLabels;
pub use scene::Scene;
pub use text::SceneText;
pub use words::words;
pub use world::{Thing, World};
