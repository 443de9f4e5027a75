//! Pictures with captions and questions.
//!
//! A [`Dataset`] has texts and pictures by number. Each data set comes from a
//! [`DatasetFormat`], which a card names by its `kind`; outside crates register formats of their own
//! with `Registry::dataset`.
//!
//! | module | purpose |
//! |---|---|
//! | `dataset`, `items` | the contract [`Dataset`], and [`Items`], which implements it for texts in memory |
//! | `sources` | [`SourceRows`]: the sources that a data set is joined from |
//! | `format`, `name` | the contract [`DatasetFormat`], and the names `card:split` and `folder:PATH` |
//! | `scenes` | [`Scenes`]: drawn pictures from a seed, for a first run without a download |
//! | `small` | [`Small`] and [`EasyVqa`]: real pictures from packages of public registries |
//! | `published` | [`Published`]: COCO, VQAv2 and others, in the files of their publishers |
//! | `folder` | [`Folder`]: anyone's pictures |
//! | `shards` | [`Shards`]: tar files of pictures and texts, of any size |
//! | `mixture` | [`Mixture`]: several sources with ratios |
//! | `lists` | lists of texts as JSON, CSV and TSV, and their faults |
//! | `text_processor`, `processed` | [`TextProcessor`]: LAVIS' cleaning of captions and questions |
//! | `image` | picture files to pixels, resizing, [`Preprocess`], [`Augment`] |
//! | `sheet` | [`contact_sheet`]: a preview of a data set |
//! | `error` | [`DataError`] |
//!
//! ```
//! use toolkit_data::{Dataset, Preprocess, Scenes, ScenesConfig};
//!
//! let config = ScenesConfig { train: 4, ..ScenesConfig::default() };
//! let data = Scenes::open(&config, "train")?;
//! assert_eq!((data.len(), data.item(0).captions.len()), (4, 4));
//!
//! let preprocess = Preprocess::square(32, [0.5; 3], [0.5; 3]);
//! let pixels = preprocess.apply(&data.image(0)?);
//! assert_eq!(pixels.len(), 3 * 32 * 32);
//! # Ok::<(), toolkit_data::DataError>(())
//! ```
//!
//! The emoji pictures of scenes are Twemoji (copyright Twitter, Inc and other contributors, CC-BY
//! 4.0), by way of the crate `twemoji-assets`. Publications of rendered scenes have to say so.

mod dataset;
mod error;
mod folder;
mod format;
mod image;
mod items;
mod kept_sums;
mod lists;
mod mixture;
mod name;
mod opening;
mod processed;
mod published;
mod root;
mod scenes;
mod shards;
mod sheet;
mod small;
mod sources;
mod text_processor;

pub use self::image::{
    Alpha, Augment, AugmentDraw, CropBox, Fit, Operation, OperationName, Preprocess, RandAugment,
    check_most_pixels, decode, decode_as, decode_bytes, is_picture, most_pixels, resize,
    set_most_pixels, unread_picture,
};
/// The pixels of a picture, re-exported so that formats need no dependency of their own.
pub use ::image::RgbImage;
pub use dataset::{Dataset, Item, PictureFile, Question, ShardInfo, answer_type};
pub use error::DataError;
pub use folder::{Folder, FolderCheck, FolderPictures, check_folder, pictures_below};
pub use format::{DatasetCard, DatasetFormat, OnPictures, OpenByName, UserFiles};
pub use items::{Items, Pictures};
pub use lists::{Fault, Field, FieldType, Finding, Findings, check_rows};
pub use mixture::{Mixture, MixtureConfig, MixtureSource, MixtureSplit, NaturalShare};
pub use name::DataName;
pub use opening::Opening;
pub use processed::Processed;
pub use published::{
    AnnotationFormat, Check, CheckOptions, ImageName, Published, PublishedConfig,
    PublishedPictures, SplitConfig, check,
};
pub use root::DATA_VARIABLE;
pub use scenes::{
    Arrangement, COLOURS, ColourNamer, GROUPS, PictureLabels, Placed, Scene, ScenePictures,
    SceneText, Scenes, ScenesConfig, Thing, World, words,
};
pub use shards::{
    PackedSample, ShardForm, ShardOptions, ShardSize, ShardSplit, ShardStats, ShardWriter, Shards,
    ShardsConfig,
};
pub use sheet::contact_sheet;
pub use small::{
    EasyVqa, EasyVqaConfig, EasyVqaPictures, Small, SmallConfig, SmallPictures, SmallSource,
    normalise,
};
pub use sources::SourceRows;
pub use text_processor::{TextProcessor, TextRules};
