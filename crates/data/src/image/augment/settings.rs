//! The form of augmentation in files: the name of a preset, or a table.

use super::{Augment, RandAugment};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::fmt::{self, Formatter};

/// Names of presets; those of LAVIS's processors that augment are named as there.
const PRESETS: [&str; 3] = ["none", "blip2_image_train", "blip_image_train"];

/// The keys of the table.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    crop: Option<[f64; 2]>,
    #[serde(default)]
    flip: f64,
    #[serde(default)]
    randaugment: Option<RandAugmentTable>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RandAugmentTable {
    #[serde(default = "two")]
    n: u32,
    #[serde(default = "five")]
    m: u32,
}

fn two() -> u32 {
    2
}

fn five() -> u32 {
    5
}

impl Augment {
    /// Returns the preset of a name; none if there is no such preset.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        let crop_and_flip = Self { crop: Some([0.5, 1.0]), flip: 0.5, randaugment: None };
        match name {
            "none" => Some(Self::default()),
            "blip2_image_train" => Some(crop_and_flip),
            "blip_image_train" => {
                let randaugment = Some(RandAugment { n: two(), m: five() });
                Some(Self { randaugment, ..crop_and_flip })
            }
            _ => None,
        }
    }

    /// Returns the names of all presets.
    #[must_use]
    pub fn presets() -> &'static [&'static str] {
        &PRESETS
    }
}

impl Table {
    /// Compares the values with their ranges.
    fn checked(self) -> Result<Augment, String> {
        let Self { crop, flip, randaugment } = self;
        if let Some([least, most]) = crop
            && !(0.0 < least && least <= most && most <= 1.0)
        {
            return Err(format!(
                "crop is [{least}, {most}], but must be shares of the area such as [0.5, 1.0]: \
                 above 0, at most 1, the lesser first"
            ));
        }
        if !(0.0..=1.0).contains(&flip) {
            return Err(format!("flip is {flip}, but is a probability, from 0 to 1"));
        }
        if let Some(RandAugmentTable { n, m }) = randaugment
            && (n == 0 || n > 16 || m > 10)
        {
            return Err(format!(
                "randaugment has n = {n} and m = {m}, but n is from 1 to 16 and m from 0 to 10"
            ));
        }
        let randaugment = randaugment.map(|RandAugmentTable { n, m }| RandAugment { n, m });
        Ok(Augment { crop, flip, randaugment })
    }
}

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = Augment;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("an augmentation: a name or a table with `crop`, `flip`, `randaugment`")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Augment, E> {
        Augment::preset(name).ok_or_else(|| E::unknown_variant(name, &PRESETS))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Augment, A::Error> {
        Table::deserialize(MapAccessDeserializer::new(map))?.checked().map_err(A::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Augment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::Augment;

    fn read(value: &str) -> Result<Augment, String> {
        #[derive(serde::Deserialize)]
        struct Stage {
            augment: Augment,
        }
        let stage: Result<Stage, _> = toml::from_str(&format!("augment = {value}"));
        stage.map(|stage| stage.augment).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn presets_and_their_tables_are_the_same() {
        for (preset, table, json) in [
            ("none", "{}", "{}"),
            (
                "blip2_image_train",
                "{ crop = [0.5, 1.0], flip = 0.5 }",
                r#"{"crop":[0.5,1.0],"flip":0.5}"#,
            ),
            (
                "blip_image_train",
                "{ crop = [0.5, 1], flip = 0.5, randaugment = { n = 2, m = 5 } }",
                r#"{"crop":[0.5,1.0],"flip":0.5,"randaugment":{"n":2,"m":5}}"#,
            ),
        ] {
            let named = read(&format!("{preset:?}")).unwrap();
            assert_eq!(named, read(table).unwrap());
            assert_eq!(Some(named.clone()), Augment::preset(preset));
            // Ids are hashes of this.
            assert_eq!(serde_json::to_string(&named).unwrap(), json);
            assert_eq!(serde_json::from_str::<Augment>(json).unwrap(), named);
            assert_eq!(named.is_none(), preset == "none");
            assert!(Augment::presets().contains(&preset));
        }
        assert_eq!(
            read("{ randaugment = {} }").unwrap().randaugment,
            Augment::preset("blip_image_train").unwrap().randaugment
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (value, part) in [
            ("\"blip\"", "unknown variant `blip`, expected one of `none`, `blip2_image_train`"),
            ("3", "an augmentation: a name or a table"),
            ("{ crops = 1 }", "unknown field `crops`"),
            ("{ randaugment = { k = 1 } }", "unknown field `k`"),
            ("{ crop = [0.0, 1.0] }", "crop is [0, 1]"),
            ("{ crop = [0.9, 0.5] }", "the lesser first"),
            ("{ crop = [0.5, 1.5] }", "at most 1"),
            ("{ crop = [nan, 1.0] }", "crop is [NaN, 1]"),
            ("{ flip = 1.5 }", "flip is 1.5"),
            ("{ flip = nan }", "flip is NaN"),
            ("{ randaugment = { n = 0 } }", "n is from 1 to 16"),
            ("{ randaugment = { m = 11 } }", "m from 0 to 10"),
        ] {
            let error = read(value).unwrap_err();
            assert!(error.contains(part), "{value}: {error}");
        }
    }
}
