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

mod dataset;
mod error;
mod folder;
mod format;
mod image;
mod items;
mod lists;
mod name;
mod published;
mod scenes;
mod sheet;
mod small;

pub use self::image::{
    Alpha, Fit, Preprocess, check_most_pixels, decode, decode_as, decode_bytes, is_picture,
    most_pixels, resize, set_most_pixels, unread_picture,
};
pub use dataset::{Dataset, Item, Question, answer_type};
pub use error::DataError;
pub use folder::{Folder, FolderCheck, FolderPictures, check_folder, pictures_below};
pub use format::{DatasetCard, DatasetFormat, OnPictures, UserFiles};
pub use items::{Items, Pictures};
pub use lists::{Fault, Field, FieldType, Finding, Findings, check_rows};
pub use name::DataName;
pub use published::{
    AnnotationFormat, Check, CheckOptions, DATA_VARIABLE, ImageName, Published, PublishedConfig,
    PublishedPictures, SplitConfig, check,
};
pub use scenes::{
    Arrangement, COLOURS, ColourNamer, GROUPS, PictureLabels, Placed, Scene, ScenePictures,
    SceneText, Scenes, ScenesConfig, Thing, World, words,
};
pub use sheet::contact_sheet;
pub use small::{
    EasyVqa, EasyVqaConfig, EasyVqaPictures, Small, SmallConfig, SmallPictures, SmallSource,
    normalise,
};
