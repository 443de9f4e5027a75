//! What can go wrong with data, said as what, where and what to do.

use std::path::PathBuf;

/// An error of this crate: one line that says what, where and a `hint:`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder could not be read.
    #[error("cannot read {}: {source} (hint: check that it exists and may be read)", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A picture file is damaged, too large or of a format that is not read.
    #[error("cannot decode the picture {}: {reason} (hint: {hint})", path.display())]
    Decode {
        /// The picture file.
        path: PathBuf,
        /// What the decoder said, on one line.
        reason: String,
        /// Advice: what to do about it.
        hint: String,
    },
    /// A line of a text file does not say what it should.
    #[error("{}:{line}: {what} (hint: {hint})", path.display())]
    Line {
        /// The text file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
        /// Advice: what to do about it.
        hint: String,
    },
    /// A folder holds nothing to read.
    #[error("no picture in {}{passed} (hint: put pictures there, with captions in same-named .txt \
        files or in captions.jsonl)", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
        /// Files there that are not read, with `; ` in front; empty if there are none.
        passed: String,
    },
    /// A setting of the `scenes` data set cannot be met.
    #[error("scenes: {what} (hint: {hint})")]
    Setting {
        /// What is wrong.
        what: String,
        /// Advice: what to do about it.
        hint: String,
    },
    /// A built-in picture is missing or damaged: the `twemoji-assets` or `emojis` crate changed.
    #[error(
        "scenes: no usable picture for '{name}': {reason} (hint: build with the versions named in \
        Cargo.toml)"
    )]
    Asset {
        /// The CLDR name of the thing.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A package that pictures come from is not there or does not hold what it should, or a setting
    /// of a data set made of packages cannot be met.
    #[error("{dataset}: {what} (hint: {hint})")]
    Package {
        /// The data set.
        dataset: &'static str,
        /// What is missing.
        what: String,
        /// Advice: what to do about it.
        hint: String,
    },
    /// A Qt resource file (`.rcc`) is damaged or of a kind that is not read.
    #[error("cannot read the Qt resource file {}: {what} (hint: run `toolkit data fetch small` to \
        get the package again)", path.display())]
    Resource {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the byte.
        what: String,
    },
    /// An annotation file of a published data set is cut off, of another format or says something
    /// impossible.
    #[error("{}: {what}; hint: {hint}", path.display())]
    Annotation {
        /// The annotation file.
        path: PathBuf,
        /// What is wrong, with the row or id.
        what: String,
        /// Advice: what to do about it.
        hint: String,
    },
    /// A published data set is not where it should be, or its card asks for what cannot be.
    #[error("{what}; hint: {hint}")]
    Published {
        /// What is missing or wrong.
        what: String,
        /// Advice: what to put where.
        hint: String,
    },
    /// A picture that a list names is not there.
    #[error("{what}; hint: {hint}")]
    Missing {
        /// The picture, and where it was looked for.
        what: String,
        /// Advice: what to put where.
        hint: String,
    },
    /// An item that does not exist was asked for.
    #[error("{dataset} has {len} items, but item {index} was asked for (hint: indices start at 0)")]
    Index {
        /// The data set.
        dataset: String,
        /// What was asked for.
        index: usize,
        /// How many there are.
        len: usize,
    },
}

impl DataError {
    pub(crate) fn setting(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Setting { what: what.into(), hint: hint.into() }
    }

    /// Something of a package is missing; the hint says how to get it.
    pub(crate) fn package(dataset: &'static str, what: impl Into<String>) -> Self {
        Self::Package {
            dataset,
            what: what.into(),
            hint: format!("run `toolkit data fetch {dataset}`"),
        }
    }

    /// A published data set is not there, or its card is wrong.
    pub(crate) fn published(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Published { what: what.into(), hint: hint.into() }
    }

    /// A picture that a list names is not there.
    pub(crate) fn missing(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Missing { what: what.into(), hint: hint.into() }
    }

    /// Says whether one picture cannot be had: it is damaged, of an unknown format, gone, or may
    /// not be read. Others of the same data may be fine.
    ///
    /// Judges errors of [`crate::Dataset::image`] and of decoding a file.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::Decode { .. } | Self::Missing { .. })
    }

    /// A setting of a data set made of packages cannot be met.
    pub(crate) fn choice(
        dataset: &'static str,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::Package { dataset, what: what.into(), hint: hint.into() }
    }
}
