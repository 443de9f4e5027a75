//! The tables of a card as types. Free-form tables are maps, all others are strict.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use std::collections::BTreeMap;
use toolkit_core::Ends;
use toolkit_data::TextProcessor;
use toolkit_models::weights::StoredDtype;

/// `[weights]`: the source of the parameters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsSection {
    /// `file:` and a path, relative to the registry folder that the card is in, or absolute;
    /// `hf:owner/name@revision`, with `#file` for one file; `pip:name==version#member`, and `apt:`
    /// and `npm:` likewise.
    pub source: String,
    /// Lower-case hex digest of the file. It is required, since a score belongs to one file, not to
    /// a name. A whole `hf:` folder needs none: its revision names its contents.
    pub sha256: Option<String>,
    /// Lower-case hex digest of the package archive that the file is in.
    pub package_sha256: Option<String>,
    /// Size in bytes of that package, unpacked. Only for one that unpacks to more than is usual.
    pub package_bytes: Option<u64>,
    /// Stored type of all tensors of a safetensors file, if it is to be checked.
    pub dtype: Option<StoredDtype>,
}

impl WeightsSection {
    /// Returns the identity of the weights: the digest, or the source of a folder that has none.
    #[must_use]
    pub fn identity(&self) -> String {
        self.sha256.clone().unwrap_or_else(|| self.source.clone())
    }
}

/// `[preprocess]` of a vision card.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// Height and width in pixels; one number in the card stands for both.
    #[serde(deserialize_with = "size")]
    pub size: [usize; 2],
    /// Mean of each channel, which is subtracted, on the scale 0 to 1.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, by which it is then divided.
    pub std: [f32; 3],
}

/// `[tokenizer]` of a language or bridge card.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerSection {
    /// A `tokenizer.json`, relative to the registry folder that the card is in, or absolute, or a
    /// source as in `[weights]`; `gguf` is the tokenizer that is embedded in the weights.
    pub file: String,
    /// Lower-case hex digest of the file.
    pub sha256: Option<String>,
    /// Beginning of a sequence.
    pub bos: Option<u32>,
    /// End of a sequence, or a list of ends.
    pub eos: Option<Ends>,
    /// Padding.
    pub pad: Option<u32>,
    /// Unknown word.
    pub unk: Option<u32>,
    /// BERT's first token.
    pub cls: Option<u32>,
    /// BERT's last token.
    pub sep: Option<u32>,
    /// BERT's masked token.
    pub mask: Option<u32>,
    /// BLIP's `[DEC]`: stands in for `cls` when the Q-Former writes a caption.
    pub dec: Option<u32>,
    /// First token that the decoder of an encoder-decoder reads.
    pub decoder_start: Option<u32>,
}

impl TokenizerSection {
    /// Lists the special ids by key.
    pub(crate) fn ids(&self) -> Vec<(&'static str, u32)> {
        let ends = self.eos.iter().flat_map(|ends| ends.ids().iter().map(|id| ("eos", *id)));
        let single = [
            ("bos", self.bos),
            ("pad", self.pad),
            ("unk", self.unk),
            ("cls", self.cls),
            ("sep", self.sep),
            ("mask", self.mask),
            ("dec", self.dec),
            ("decoder_start", self.decoder_start),
        ];
        ends.chain(single.into_iter().filter_map(|(key, id)| Some((key, id?)))).collect()
    }
}

/// `[facts]`: sizes that `describe` must return.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Facts {
    /// Number of parameters.
    pub params: Option<u64>,
    /// 10^9 floating-point operations of one forward pass.
    pub gflops: Option<f64>,
}

/// `[licence]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Licence {
    /// SPDX expression.
    pub spdx: Option<String>,
    /// Address of its text.
    pub url: Option<String>,
    /// Remark.
    pub note: Option<String>,
}

/// `[source]`: origin of the thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Provenance {
    /// The paper.
    pub paper: Option<String>,
    /// The file that defines the behaviour.
    pub upstream: Option<String>,
    /// The command or experiment that made the weights.
    pub made_by: Option<String>,
}

/// `[packages]` of a data set's card.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Packages {
    /// Digests of the archives, by package.
    #[serde(default)]
    pub sha256: BTreeMap<String, String>,
    /// Unpacked sizes in bytes, by package. Only for a package that unpacks to more than is usual.
    #[serde(default)]
    pub bytes: BTreeMap<String, u64>,
    /// Sources, by their names in `[config]`.
    #[serde(flatten)]
    pub sources: BTreeMap<String, String>,
}

/// The names of the three part cards that a model card composes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Name of a card in `vision/`.
    pub vision: String,
    /// Name of a card in `bridge/`.
    pub bridge: String,
    /// Name of a card in `language/`; a model for retrieval has none.
    pub language: Option<String>,
}

/// The keys of all kinds of cards. The keys of one kind are checked before ([`crate::Kind`]).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raw {
    pub family: Option<String>,
    pub kind: Option<String>,
    pub version: Option<u32>,
    pub vision: Option<String>,
    pub bridge: Option<String>,
    pub language: Option<String>,
    #[serde(default)]
    pub about: String,
    /// Read later by the family, the format or the metric.
    #[serde(rename = "config")]
    pub _config: Option<BTreeMap<String, IgnoredAny>>,
    #[serde(rename = "decoding")]
    pub _decoding: Option<BTreeMap<String, IgnoredAny>>,
    #[serde(rename = "presets")]
    pub _presets: Option<BTreeMap<String, IgnoredAny>>,
    #[serde(rename = "published")]
    pub _published: Option<Vec<IgnoredAny>>,
    pub weights: Option<WeightsSection>,
    pub preprocess: Option<Preprocess>,
    pub tokenizer: Option<TokenizerSection>,
    pub text_processor: Option<TextProcessor>,
    #[serde(default)]
    pub prompt: BTreeMap<String, String>,
    #[serde(default)]
    pub init: BTreeMap<String, String>,
    #[serde(default)]
    pub packages: Packages,
    #[serde(default)]
    pub scores: BTreeMap<String, f64>,
    #[serde(default)]
    pub facts: Facts,
    #[serde(default)]
    pub licence: Licence,
    #[serde(default)]
    pub source: Provenance,
}

/// Reads `224` or `[224, 224]`. serde's `untagged` would lose the position of an error.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[usize; 2], D::Error> {
    struct Size;
    impl<'de> Visitor<'de> for Size {
        type Value = [usize; 2];
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("one number of pixels or [height, width]")
        }
        fn visit_i64<E: serde::de::Error>(self, side: i64) -> Result<Self::Value, E> {
            let wrong = |_| E::invalid_value(serde::de::Unexpected::Signed(side), &self);
            usize::try_from(side).map(|side| [side; 2]).map_err(wrong)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            Deserialize::deserialize(serde::de::value::SeqAccessDeserializer::new(seq))
        }
    }
    deserializer.deserialize_any(Size)
}
