//! Settings of a processor file.

use super::sizes::{self, Size};
use super::{CLIP_MEAN, CLIP_STD, keys};
use crate::CheckpointError;
use crate::json::Json;
use toolkit_core::{check_mean, check_std};
use toolkit_data::{Fit, Preprocess};

const BICUBIC: usize = 3;
/// Pillow's filters; the index is Pillow's number.
const FILTERS: [&str; 6] = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];

/// A class of transformers, with its defaults.
struct Class {
    name: &'static str,
    /// `true` if a single number as `size` is the side of a square, not the shortest edge.
    to_square: bool,
    center_crop: bool,
    mean: [f32; 3],
    std: [f32; 3],
    resample: usize,
}

const BLIP: Class = Class {
    name: "Blip",
    to_square: true,
    center_crop: false,
    mean: CLIP_MEAN,
    std: CLIP_STD,
    resample: BICUBIC,
};
const CLASSES: [Class; 5] = [
    BLIP,
    Class { name: "CLIP", to_square: false, center_crop: true, ..BLIP },
    Class { name: "Bit", to_square: false, center_crop: true, ..BLIP },
    Class { name: "Siglip", to_square: false, mean: [0.5; 3], std: [0.5; 3], ..BLIP },
    Class { name: "ViT", mean: [0.5; 3], std: [0.5; 3], resample: 2, ..BLIP },
];

/// Reads the preparation of pixels for an encoder of side `side`.
///
/// # Errors
/// If anything in it is not built, or it makes pixels of another side.
pub(super) fn preprocess(json: &Json, side: usize) -> Result<Preprocess, CheckpointError> {
    if !json.value().is_object() {
        return Err(json.wrong_whole("is no JSON object"));
    }
    keys::check(json)?;
    let class = class(json)?;
    for key in ["do_resize", "do_rescale", "do_normalize", "do_convert_rgb"] {
        if json.flag(key)? == Some(false) {
            return Err(json.wrong(
                key,
                "is false; encoders of BLIP-2 take pixels that went through all steps",
            ));
        }
    }
    let filter = json.count("resample")?.unwrap_or(class.resample);
    if filter != BICUBIC {
        let name = FILTERS.get(filter).map(|name| format!(" ({name})")).unwrap_or_default();
        return Err(json.wrong("resample", format!("is {filter}{name}; only 3 (bicubic) is built")));
    }
    if json.number("rescale_factor")?.is_some_and(|factor| (factor * 255.0 - 1.0).abs() > 1e-9) {
        return Err(json.wrong("rescale_factor", "is not 1/255"));
    }
    let (made, fit) = fit(json, class, side)?;
    padding(json, made)?;
    let std = json.channels("image_std")?.unwrap_or(class.std);
    check_std(std).map_err(|what| json.wrong("image_std", what))?;
    let mean = json.channels("image_mean")?.unwrap_or(class.mean);
    check_mean(mean, std).map_err(|what| json.wrong("image_mean", what))?;
    if made != side {
        let key = if matches!(fit, Fit::Stretch) && !json.has("crop_size") {
            "size"
        } else {
            "crop_size"
        };
        let what = format!("makes pictures {made} pixels wide, the encoder takes {side}");
        return Err(json.wrong(key, what));
    }
    Ok(Preprocess { size: made as u32, fit, mean, std })
}

/// Returns the class that the file names; BLIP's if it names none.
fn class(json: &Json) -> Result<&'static Class, CheckpointError> {
    let (key, name) = match json.text("image_processor_type")? {
        Some(name) => ("image_processor_type", name),
        None => match json.text("feature_extractor_type")? {
            Some(name) => ("feature_extractor_type", name),
            None => return Ok(&CLASSES[0]),
        },
    };
    let bare = name.trim_end_matches("Fast").trim_end_matches("Pil");
    let bare = bare
        .strip_suffix("ImageProcessor")
        .or(bare.strip_suffix("FeatureExtractor"))
        .unwrap_or(bare);
    CLASSES.iter().find(|class| class.name == bare).ok_or_else(|| {
        let known: Vec<String> =
            CLASSES.iter().map(|class| format!("`{}ImageProcessor`", class.name)).collect();
        json.wrong(
            key,
            format!("is `{name}`, whose pixels are not built; known: {}", known.join(", ")),
        )
    })
}

/// Returns the side of the resulting square, and the way to it. The default is the encoder's side.
fn fit(json: &Json, class: &Class, side: usize) -> Result<(usize, Fit), CheckpointError> {
    let to_square = json.flag("default_to_square")?.unwrap_or(class.to_square);
    let default = if class.center_crop { Size::ShortestEdge(side) } else { Size::Square(side) };
    let mut size = sizes::read(json, "size", to_square)?.unwrap_or(default);
    // An old key of CLIP's, from before `size` could name a square.
    if let (Size::ShortestEdge(edge), Some(true)) = (size, json.flag("use_square_size")?) {
        size = Size::Square(edge);
    }
    if !json.flag("do_center_crop")?.unwrap_or(class.center_crop) {
        return match size {
            Size::Square(side) => Ok((side, Fit::Stretch)),
            Size::ShortestEdge(_) => {
                let what =
                    "is the shortest edge, and `do_center_crop` is not true: no square comes out";
                Err(json.wrong("size", what))
            }
        };
    }
    let crop = match sizes::read(json, "crop_size", true)? {
        None => side,
        Some(Size::Square(crop)) => crop,
        Some(Size::ShortestEdge(_)) => {
            return Err(json.wrong("crop_size", "is no height and width"));
        }
    };
    Ok(match size {
        Size::Square(side) if side == crop => (crop, Fit::Stretch),
        Size::Square(side) => (crop, Fit::StretchThenCrop(side as u32)),
        Size::ShortestEdge(edge) => (crop, Fit::ShortestEdgeThenCrop(edge as u32)),
    })
}

/// Checks the padding. Pictures of one size are padded only to a larger one.
fn padding(json: &Json, made: usize) -> Result<(), CheckpointError> {
    if json.flag("do_pad")? != Some(true) {
        return Ok(());
    }
    match sizes::read(json, "pad_size", true)? {
        None => Ok(()),
        Some(size) if size == Size::Square(made) => Ok(()),
        Some(_) => Err(json.wrong(
            "pad_size",
            format!("is not the {made} pixels that are there; padding is not built"),
        )),
    }
}
