//! A sample that is written into a shard.

use super::member::Members;
use crate::shards::texts::{OWN_KEY, Own};
use crate::{DataError, Dataset, Item, PictureFile};
use ::image::ImageFormat;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{Cursor, Result, Write};
use toolkit_system::problem::Problem;

/// A picture with its texts, to be written into a shard.
#[derive(Clone, Debug)]
pub struct PackedSample {
    /// The picture.
    pub picture: PictureFile,
    /// The texts.
    pub item: Item,
    /// Further keys of the JSON.
    pub more: Map<String, Value>,
    /// Numbers of the sample by name, which are summed up over the shard.
    pub counts: BTreeMap<String, u64>,
}

impl PackedSample {
    /// Reads an item of a data set. A picture that is rendered is written as PNG, and on white; its
    /// pixels are the same. Any other picture keeps the bytes that it has.
    ///
    /// # Errors
    /// If the picture cannot be read.
    pub fn of(data: &dyn Dataset, index: usize) -> std::result::Result<Self, DataError> {
        let item = data.item(index).into_owned();
        let picture = match data.picture_file(index)? {
            Some(picture) => picture,
            None => {
                let mut bytes = Cursor::new(Vec::new());
                let write = data.image(index)?.write_to(&mut bytes, ImageFormat::Png);
                write.map_err(|error| {
                    Problem::new(format_args!("cannot write {} as PNG: {error}", item.id))
                        .hint("look at it with `toolkit data preview`")
                })?;
                PictureFile { bytes: bytes.into_inner(), ending: "png".to_owned() }
            }
        };
        Ok(Self { picture, item, more: Map::new(), counts: BTreeMap::new() })
    }

    /// Writes the members of the sample.
    pub(super) fn write<W: Write>(&self, number: u64, to: &mut Members<W>) -> Result<()> {
        let key = format!("{number:09}");
        let Item { id, depicts, group, captions, questions } = self.item.clone();
        to.add(&format!("{key}.{}", self.picture.ending), &self.picture.bytes)?;
        let own = Own { id, depicts, group, questions };
        let mut row = match captions.as_slice() {
            [] => json!({}),
            [one] => json!({ "caption": one }),
            several => json!({ "captions": several }),
        };
        row[OWN_KEY] = serde_json::to_value(own)?;
        for (name, value) in &self.more {
            row[name] = value.clone();
        }
        to.add(&format!("{key}.json"), &serde_json::to_vec(&row)?)?;
        match captions.as_slice() {
            [one] => to.add(&format!("{key}.txt"), one.as_bytes()),
            _ => Ok(()),
        }
    }
}
