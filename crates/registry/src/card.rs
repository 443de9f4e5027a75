//! Cards: TOML files, each about one thing.

use crate::sections::{
    Facts, Licence, Parts, Preprocess, Provenance, Raw, TokenizerSection, WeightsSection,
};
use crate::spanned::{parse, suggest};
use crate::{Origin, Source};
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toolkit_core::{check_mean, check_std};
use toolkit_data::TextProcessor;
use toolkit_system::problem::Problem;

/// The subject of a card; each kind has a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Frozen image encoders.
    Vision,
    /// Bridges.
    Bridge,
    /// Language models.
    Language,
    /// Data sets.
    Dataset,
    /// Evaluations.
    Task,
    /// Compositions of three parts.
    Model,
    /// Files that metrics read.
    Metric,
}

impl Kind {
    /// Kinds in the order of listings.
    pub const ALL: [Self; 7] = [
        Self::Vision,
        Self::Bridge,
        Self::Language,
        Self::Dataset,
        Self::Task,
        Self::Model,
        Self::Metric,
    ];

    /// Returns the folder of its cards.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Vision => "vision",
            Self::Bridge => "bridge",
            Self::Language => "language",
            Self::Dataset => "datasets",
            Self::Task => "tasks",
            Self::Model => "models",
            Self::Metric => "metrics",
        }
    }

    /// Returns the noun for messages.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Vision => "vision encoder",
            Self::Bridge => "bridge",
            Self::Language => "language model",
            Self::Dataset => "data set",
            Self::Task => "task",
            Self::Model => "model",
            Self::Metric => "metric",
        }
    }

    /// Returns the keys of its cards: those that are required, and those that are allowed.
    fn keys(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Vision => (&["family"], &["config", "weights", "preprocess"]),
            Self::Bridge => (&["family"], &["config", "weights", "tokenizer", "init"]),
            Self::Language => (&["family"], &["config", "weights", "tokenizer", "prompt"]),
            Self::Dataset => (&["kind"], &["config", "packages", "text_processor"]),
            Self::Task => (
                &["kind", "version"],
                &["config", "decoding", "presets", "prompt", "published", "text_processor"],
            ),
            Self::Model => (&["vision", "bridge"], &["language", "weights", "prompt"]),
            Self::Metric => (&["kind"], &["packages"]),
        }
    }
}

/// Keys that every card may have.
const COMMON: [&str; 5] = ["about", "facts", "scores", "licence", "source"];

/// A card whose keys and types are checked. `[config]` and `[decoding]` are checked by the family,
/// format or task.
#[derive(Clone, Debug)]
pub struct Card {
    /// Subject.
    pub kind: Kind,
    /// Name of the file, without the ending.
    pub name: String,
    /// Registry folder of the card; its files are relative to that.
    pub origin: Origin,
    /// `family` of a part, `kind` of a data set or task, empty for a model.
    pub family: String,
    /// Version of a task, which changes when scores stop being comparable; otherwise 0.
    pub version: u32,
    /// Description in one line.
    pub about: String,
    /// `[weights]`.
    pub weights: Option<WeightsSection>,
    /// `[preprocess]` of a vision card.
    pub preprocess: Option<Preprocess>,
    /// `[tokenizer]` of a language or bridge card. See [`Card::tokenizer`].
    pub tokenizer_section: Option<TokenizerSection>,
    /// `[text_processor]` of a data set's training captions, or of a task's questions and texts.
    pub text_processor: Option<TextProcessor>,
    /// `[prompt]`: by task.
    pub prompt: BTreeMap<String, String>,
    /// `[init]` of a bridge card.
    pub init: BTreeMap<String, String>,
    /// `[packages]` of a data set's card: sources by their names in `[config]`.
    pub packages: BTreeMap<String, String>,
    /// `[packages.sha256]`: digests of their archives.
    pub packages_sha256: BTreeMap<String, String>,
    /// `[packages.bytes]`: unpacked sizes in bytes.
    pub packages_bytes: BTreeMap<String, u64>,
    /// `[facts]`.
    pub facts: Facts,
    /// `[scores]` of the weights, accuracies in percent.
    pub scores: BTreeMap<String, f64>,
    /// `[licence]`.
    pub licence: Licence,
    /// `[source]`.
    pub source: Provenance,
    /// The three names of a model card.
    pub parts: Option<Parts>,
    text: Source,
}

impl Card {
    /// Parses the text of a card. Its files are relative to `origin`.
    ///
    /// # Errors
    /// At the first key that is unknown, missing or of the wrong type.
    pub fn parse(kind: Kind, name: &str, origin: Origin, text: &str) -> Result<Self, Problem> {
        let text = Source::new(origin.show(&format!("{}/{name}.toml", kind.folder())), text)?;
        check_keys(kind, &text)?;
        let raw: Raw = text.parse()?;
        if let Some(weights) = raw.weights.as_ref().filter(|weights| weights.sha256.is_none()) {
            let folder = weights.source.starts_with("hf:")
                && weights.source.contains('@')
                && !weights.source.contains('#');
            if !folder {
                return Err(text.error_at(
                    "weights",
                    "missing key `sha256` in `weights`",
                    "add `sha256 = ..`",
                ));
            }
        }
        if let Some(Preprocess { mean, std, .. }) = raw.preprocess {
            let wrong = |key: &str, what: String| {
                let place = format!("preprocess.{key}");
                text.error_at(
                    &place,
                    format!("`{place}` {what}"),
                    "give the statistics that the encoder was trained with",
                )
            };
            check_std(std).map_err(|what| wrong("std", what))?;
            check_mean(mean, std).map_err(|what| wrong("mean", what))?;
        }
        let parts = raw.vision.zip(raw.bridge).map(|(vision, bridge)| Parts {
            vision,
            bridge,
            language: raw.language,
        });
        Ok(Self {
            kind,
            name: name.to_owned(),
            origin,
            family: raw.family.or(raw.kind).unwrap_or_default(),
            version: raw.version.unwrap_or_default(),
            about: raw.about,
            weights: raw.weights,
            preprocess: raw.preprocess,
            tokenizer_section: raw.tokenizer,
            text_processor: raw.text_processor,
            prompt: raw.prompt,
            init: raw.init,
            packages: raw.packages.sources,
            packages_sha256: raw.packages.sha256,
            packages_bytes: raw.packages.bytes,
            facts: raw.facts,
            scores: raw.scores,
            licence: raw.licence,
            source: raw.source,
            parts,
            text,
        })
    }

    /// Returns the text of the card, for [`Source::error_at`].
    #[must_use]
    pub fn text(&self) -> &Source {
        &self.text
    }

    /// Reads `[config]` as a `T`; a card without one has an empty one.
    ///
    /// # Errors
    /// At the key or value that does not fit.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        self.section("config")
    }

    /// Reads a table of the card as a `T`; a missing one is empty.
    ///
    /// # Errors
    /// At the key or value that does not fit.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Result<T, Problem> {
        let root = self.text.root();
        if let Some(table) = root.get_ref().get(name) {
            return parse(&self.text, table);
        }
        parse(&self.text, &Spanned::new(0..0, DeValue::Table(DeTable::new()))).map_err(
            |mut error| {
                error.what += &format!(": the card has no `[{name}]`");
                error
            },
        )
    }

    /// Reads a file of the card's registry folder, such as `weights/x.safetensors`, or of an
    /// absolute path.
    ///
    /// # Errors
    /// If it is not there or cannot be read.
    pub fn bytes(&self, file: &str) -> Result<Cow<'static, [u8]>, Problem> {
        self.read_source("", file, None)
    }
}

/// Checks the keys of a card of this kind. One struct serves all kinds, so serde cannot.
fn check_keys(kind: Kind, text: &Source) -> Result<(), Problem> {
    let (required, optional) = kind.keys();
    let table = text.table();
    let known: Vec<&str> = required.iter().chain(optional).chain(&COMMON).copied().collect();
    if let Some(key) = table.keys().find(|key| !known.contains(&key.get_ref().as_ref())) {
        let what = format!("unknown key `{}` in a {} card", key.get_ref(), kind.noun());
        return Err(text.error(key.span(), what, suggest(key.get_ref(), &known)));
    }
    if let Some(key) = required.iter().find(|key| !table.contains_key(**key)) {
        return Err(text.error(
            0..0,
            format!("missing key `{key}`"),
            format!("add `{key} = ..` above the first table"),
        ));
    }
    Ok(())
}
