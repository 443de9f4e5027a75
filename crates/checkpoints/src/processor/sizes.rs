//! Sizes as transformers writes them: a number, `[height, width]`, or an object.

use crate::CheckpointError;
use crate::json::Json;
use serde_json::Value;

/// A size that pictures are resized to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// A square of this side.
    Square(usize),
    /// A shorter edge of this length.
    ShortestEdge(usize),
}

/// Reads the size of key `key`. A number by itself is a square if `to_square`, otherwise the
/// shortest edge.
pub(super) fn read(
    json: &Json,
    key: &str,
    to_square: bool,
) -> Result<Option<Size>, CheckpointError> {
    let size = match json.value().get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(_)) => object(json, key)?,
        Some(Value::Array(sides)) if sides.len() != 2 => {
            return Err(
                json.wrong(key, format!("has {} numbers, wanted [height, width]", sides.len()))
            );
        }
        Some(Value::Array(sides)) => {
            let side = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok());
            match (side(&sides[0]), side(&sides[1])) {
                (Some(height), Some(width)) => square(json, key, height, width)?,
                _ => return Err(json.wrong(key, "is no pair of whole numbers")),
            }
        }
        Some(_) => match (json.side(key)?, to_square) {
            (Some(side), false) => Size::ShortestEdge(side),
            (side, _) => Size::Square(side.unwrap_or_default()),
        },
    };
    let (Size::Square(side) | Size::ShortestEdge(side)) = size;
    if side == 0 || side > Json::MOST_PIXELS {
        return Err(json.wrong(key, format!("is {side} pixels, wanted 1 to {}", Json::MOST_PIXELS)));
    }
    Ok(Some(size))
}

fn object(json: &Json, key: &str) -> Result<Size, CheckpointError> {
    let sides = json.object(key);
    let named =
        sides.value().as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let mut names: Vec<&str> = named.map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    match names[..] {
        ["height", "width"] => {
            let side = |name| sides.side(name).map(Option::unwrap_or_default);
            square(json, key, side("height")?, side("width")?)
        }
        ["shortest_edge"] => {
            Ok(Size::ShortestEdge(sides.side("shortest_edge")?.unwrap_or_default()))
        }
        _ => {
            let known = |name: &&&str| !["height", "width", "shortest_edge"].contains(*name);
            Err(match names.iter().find(known) {
                Some(name) => sides
                    .wrong(name, "is not built; known: `height` with `width`, or `shortest_edge`"),
                None => json.wrong(
                    key,
                    format!("has {names:?}, wanted `height` with `width`, or `shortest_edge`"),
                ),
            })
        }
    }
}

fn square(json: &Json, key: &str, height: usize, width: usize) -> Result<Size, CheckpointError> {
    if height == width {
        return Ok(Size::Square(height));
    }
    Err(json.wrong(key, format!("is {height} x {width}; only squares are built")))
}
