//! One TOML file about one thing.

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
use toolkit_system::problem::Problem;

/// What a card is about; each kind has a folder.
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
    /// What metrics need to read.
    Metric,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Vision,
        Self::Bridge,
        Self::Language,
        Self::Dataset,
        Self::Task,
        Self::Model,
        Self::Metric,
    ];

    /// The folder of its cards.
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

    /// What to call one such thing in a message.
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

    /// The keys of its cards; those in the first list must be there.
    fn keys(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Vision => (&["family"], &["config", "weights", "preprocess"]),
            Self::Bridge => (&["family"], &["config", "weights", "tokenizer", "init"]),
            Self::Language => (&["family"], &["config", "weights", "tokenizer", "prompt"]),
            Self::Dataset => (&["kind"], &["config", "packages"]),
            Self::Task => {
                (&["kind", "version"], &["config", "decoding", "presets", "prompt", "published"])
            }
            Self::Model => (&["vision", "bridge"], &["language", "weights", "prompt"]),
            Self::Metric => (&["kind"], &["packages"]),
        }
    }
}

/// Keys that every card may have.
const COMMON: [&str; 5] = ["about", "facts", "scores", "licence", "source"];

/// A card whose keys and types are checked; only `[config]` and `[decoding]` wait for someone who
/// knows them.
#[derive(Clone, Debug)]
pub struct Card {
    /// What it is about.
    pub kind: Kind,
    /// Its name: the file's, without the ending.
    pub name: String,
    /// The registry folder it is in; its files are relative to that.
    pub origin: Origin,
    /// `family` of a part, `kind` of a data set or task, empty for a model.
    pub family: String,
    /// Of a task: changes when scores stop being comparable. Otherwise 0.
    pub version: u32,
    /// One line.
    pub about: String,
    /// `[weights]`.
    pub weights: Option<WeightsSection>,
    /// `[preprocess]` of a vision card.
    pub preprocess: Option<Preprocess>,
    /// `[tokenizer]` of a language or bridge card. See [`Card::tokenizer`].
    pub tokenizer_section: Option<TokenizerSection>,
    /// `[prompt]`: by task.
    pub prompt: BTreeMap<String, String>,
    /// `[init]` of a bridge card.
    pub init: BTreeMap<String, String>,
    /// `[packages]` of a data set's card: sources by what they are called in `[config]`.
    pub packages: BTreeMap<String, String>,
    /// `[packages.sha256]`: digests of their archives.
    pub packages_sha256: BTreeMap<String, String>,
    /// `[packages.bytes]`: sizes of what they unpack to.
    pub packages_bytes: BTreeMap<String, u64>,
    /// `[facts]`.
    pub facts: Facts,
    /// `[scores]`: scores that the weights reach, accuracies in percent.
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
    /// Parses the text of a card; `origin` is where its files are looked for.
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

    /// The text of the card, for [`Source::error_at`].
    #[must_use]
    pub fn text(&self) -> &Source {
        &self.text
    }

    /// `[config]` as a `T`; a card without one has an empty one.
    ///
    /// # Errors
    /// At the key or value that does not fit.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        self.section("config")
    }

    /// Any table of the card as a `T`; one that is not there is empty.
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

    /// A file of the registry folder that the card is in, such as `weights/x.safetensors`, or an
    /// absolute path.
    ///
    /// # Errors
    /// If it is not there or cannot be read.
    pub fn bytes(&self, file: &str) -> Result<Cow<'static, [u8]>, Problem> {
        self.read_source("", file, None)
    }
}

/// The same struct serves all kinds, so which keys a kind has is checked here, with its own
/// suggestions.
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
