//! Names of data, as experiments and commands write them.

use std::path::Path;

/// The name of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataName<'a> {
    /// `folder:PATH`: pictures of a folder.
    Folder(&'a Path),
    /// `shards:GLOB`: tar files, or folders of them.
    Shards(&'a str),
    /// `parquet:GLOB`: parquet files with the bytes of pictures, or folders of them.
    Parquet(&'a str),
    /// `table:FILE`: captions in TSV, CSV or JSON Lines, beside their pictures.
    Table(&'a str),
    /// `card:split`: one split of a card.
    Split {
        /// Name of the card.
        card: &'a str,
        /// Name of the split.
        split: &'a str,
    },
    /// `card`: a card without a split.
    Card(&'a str),
}

impl<'a> DataName<'a> {
    /// The forms of names, for help and errors.
    pub const FORMS: &'static str =
        "`scenes:train`, `folder:PATH`, `shards:GLOB`, `parquet:GLOB` or `table:FILE`";

    /// Tells the forms apart.
    ///
    /// ```
    /// use toolkit_data::DataName;
    ///
    /// let name = DataName::parse("scenes:train");
    /// assert_eq!(name, DataName::Split { card: "scenes", split: "train" });
    /// assert_eq!(DataName::parse("folder:my/photos"), DataName::Folder("my/photos".as_ref()));
    /// let shards = DataName::parse("shards:cc3m/{00..15}.tar");
    /// assert_eq!(shards, DataName::Shards("cc3m/{00..15}.tar"));
    /// ```
    #[must_use]
    pub fn parse(name: &'a str) -> Self {
        match name.split_once(':') {
            Some(("folder", path)) => Self::Folder(Path::new(path)),
            Some(("shards", patterns)) => Self::Shards(patterns),
            Some(("parquet", patterns)) => Self::Parquet(patterns),
            Some(("table", patterns)) => Self::Table(patterns),
            Some((card, split)) => Self::Split { card, split },
            None => Self::Card(name),
        }
    }

    /// Returns the name of the card; `None` if the name is one of files.
    #[must_use]
    pub fn card(self) -> Option<&'a str> {
        match self {
            Self::Folder(_) | Self::Shards(_) | Self::Parquet(_) | Self::Table(_) => None,
            Self::Split { card, .. } | Self::Card(card) => Some(card),
        }
    }

    /// Returns a short title: the card, or the last folder before any pattern.
    ///
    /// ```
    /// use toolkit_data::DataName;
    ///
    /// let title = |name| DataName::parse(name).title();
    /// assert_eq!(title("scenes:train"), "scenes");
    /// assert_eq!(title("folder:my/photos/"), "photos");
    /// assert_eq!(title("shards:/data/cc3m/{00..15}.tar::/data/sbu/*.tar"), "cc3m");
    /// assert_eq!(title("shards:part-{0..3}.tar"), "part-");
    /// assert_eq!(title("shards:/data/cc3m/"), "cc3m");
    /// assert_eq!(title("shards:one.tar"), "one");
    /// assert_eq!(title("table:web/captions.tsv"), "captions");
    /// ```
    #[must_use]
    pub fn title(self) -> &'a str {
        match self {
            Self::Folder(path) => last(path.to_str().unwrap_or_default()),
            Self::Split { card, .. } | Self::Card(card) => card,
            Self::Shards(patterns) | Self::Parquet(patterns) | Self::Table(patterns) => {
                let first = patterns.split("::").next().unwrap_or_default().trim();
                match first.find(['{', '*', '?', '[']) {
                    None => without_ending(last(first)),
                    Some(pattern) => match first[..pattern].rsplit_once('/') {
                        Some((folder, _)) if !last(folder).is_empty() => last(folder),
                        _ if pattern > 0 => last(&first[..pattern]),
                        _ => "shards",
                    },
                }
            }
        }
    }

    /// Returns the name of the data set that is opened. Unlike [`DataName::title`] it tells the
    /// shards of one folder apart.
    ///
    /// ```
    /// use toolkit_data::DataName;
    ///
    /// let label = |name| DataName::parse(name).label();
    /// assert_eq!(label("scenes:train"), "scenes:train");
    /// assert_eq!(label("shards:/data/cc3m/{00..15}.tar"), "shards:cc3m/{00..15}.tar");
    /// assert_eq!(label("shards:/data/cc3m/::/data/sbu/*.tar"), "shards:cc3m::sbu/*.tar");
    /// ```
    #[must_use]
    pub fn label(self) -> String {
        match self {
            Self::Folder(_) => format!("folder:{}", self.title()),
            Self::Split { card, split } => format!("{card}:{split}"),
            Self::Card(card) => card.to_owned(),
            Self::Shards(patterns) | Self::Parquet(patterns) | Self::Table(patterns) => {
                let short = |pattern: &str| {
                    let parts: Vec<&str> = pattern.split('/').filter(|p| !p.is_empty()).collect();
                    let file = parts.last().is_some_and(|last| {
                        last.contains(['{', '*', '?', '[']) || without_ending(last) != *last
                    });
                    parts[parts.len().saturating_sub(if file { 2 } else { 1 })..].join("/")
                };
                let words: Vec<String> = patterns.split("::").map(str::trim).map(short).collect();
                let scheme = match self {
                    Self::Parquet(_) => "parquet",
                    Self::Table(_) => "table",
                    _ => "shards",
                };
                format!("{scheme}:{}", words.join("::"))
            }
        }
    }
}

/// Takes the ending off the name of a file of samples.
fn without_ending(name: &str) -> &str {
    let endings = [".tar", ".parquet", ".tsv", ".csv", ".jsonl", ".ndjson", ".json"];
    endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

/// Returns the last part of a path.
fn last(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}
