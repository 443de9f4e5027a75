//! Names that the parameters of a family have in published files.
//!
//! A family states them in [`VisionEncoder::published`](crate::VisionEncoder::published) and its
//! likes. [`PublishedNames::recipes`] lists for one parameter every way it is published, best known
//! first. A reader takes the first way whose tensors are all in the file, so that nobody has to say
//! which form a file has. Writers ask for one [`Scheme`].
//!
//! ```
//! use toolkit_core::published::{Piece, PublishedNames, Recipe, Scheme};
//!
//! fn original(name: &str) -> Option<Recipe> {
//!     Some(Recipe::whole(name.replace("layers.", "blocks.")))
//! }
//!
//! let names = PublishedNames::vision().lavis(original);
//! let lavis = names.recipe(Scheme::Lavis, "layers.0.weight").unwrap();
//! assert_eq!(lavis.0, [Piece::Whole("visual_encoder.blocks.0.weight".to_owned())]);
//! ```

mod names;
mod recipe;

pub use names::PublishedNames;
pub use recipe::{Piece, Recipe};

/// Part of a whole model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Vision encoder.
    Vision,
    /// Bridge, `ln_vision` included.
    Bridge,
    /// Projection from the bridge to the language model.
    Projection,
    /// Language model.
    Language,
}

/// Naming scheme of whole checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// transformers' BLIP-2.
    HuggingFace,
    /// LAVIS.
    Lavis,
    /// This toolkit's: `vision.`, `bridge.`, `language_projection.`, `language.` and the names of
    /// the parts.
    Own,
}

impl Scheme {
    /// All schemes, best known first.
    pub const ALL: [Self; 3] = [Self::HuggingFace, Self::Lavis, Self::Own];
}

/// Alignment of two grids of positions when one is resized to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corners {
    /// The outer edges of the corner cells coincide (`align_corners=False`): EVA, DINOv2.
    Edges,
    /// The centres of the corner cells coincide (`align_corners=True`): CLIP in LAVIS.
    Centres,
}
