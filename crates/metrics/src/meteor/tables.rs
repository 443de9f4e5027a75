//! Tables of METEOR, read from the folder of pycocoevalcap.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::MeteorError;
use super::java;
use super::normaliser::{Prefix, Prefixes};
use super::paraphrases::Paraphrases;
use super::synonyms::Synonyms;

/// Content of the jar and of the paraphrase file for English; empty by default.
#[derive(Default)]
pub struct Tables {
    /// Words that count less.
    pub function_words: HashSet<String>,
    /// Words that keep their full stop.
    pub prefixes: Prefixes,
    /// WordNet.
    pub synonyms: Synonyms,
    /// The file of the paraphrase table, and the part of it that was needed so far.
    paraphrase_file: Option<PathBuf>,
    paraphrases: Mutex<Arc<Paraphrases>>,
}

impl Tables {
    /// Reads `meteor/meteor-1.5.jar` below `folder`, and looks for `meteor/data/paraphrase-en.gz`.
    pub fn open(folder: &Path) -> Result<Self, MeteorError> {
        let meteor = folder.join("meteor");
        let jar = meteor.join("meteor-1.5.jar");
        if !jar.is_file() {
            return Err(MeteorError::NoJar { folder: folder.to_owned() });
        }
        let paraphrases = meteor.join("data").join("paraphrase-en.gz");
        if let Err(source) = toolkit_system::input::open(&paraphrases) {
            return Err(MeteorError::Io { file: paraphrases, source });
        }
        Ok(Self { paraphrase_file: Some(paraphrases), ..Self::of_jar(&jar)? })
    }

    /// Returns `true` if the tables were read.
    pub fn is_whole(&self) -> bool {
        self.paraphrase_file.is_some()
    }

    /// The paraphrases of these words. The file is read again when there is a new word among them;
    /// what was needed before stays.
    pub fn paraphrases<'a>(
        &self,
        words: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<Arc<Paraphrases>, MeteorError> {
        // A panic elsewhere leaves the part that was there.
        let mut part = self.paraphrases.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &self.paraphrase_file
            && !part.covers(words.clone())
        {
            let all: Vec<String> =
                part.words().map(str::to_owned).chain(words.map(str::to_owned)).collect();
            *part = Arc::new(Paraphrases::read(file, &all)?);
        }
        Ok(Arc::clone(&part))
    }

    fn of_jar(jar: &Path) -> Result<Self, MeteorError> {
        let file = toolkit_system::input::open(jar)
            .map_err(|source| MeteorError::Io { file: jar.to_owned(), source })?;
        let damaged = |entry: &str, reason: String| MeteorError::Jar {
            file: jar.to_owned(),
            entry: entry.to_owned(),
            reason,
        };
        let mut archive = zip::ZipArchive::new(std::io::BufReader::new(file))
            .map_err(|error| damaged("(directory)", error.to_string()))?;
        let mut entry = |name: &str| {
            let mut text = String::new();
            let mut reader =
                archive.by_name(name).map_err(|error| damaged(name, error.to_string()))?;
            reader.read_to_string(&mut text).map_err(|error| damaged(name, error.to_string()))?;
            Ok(text)
        };
        Ok(Self {
            function_words: entry("function/english.words")?.lines().map(str::to_owned).collect(),
            prefixes: prefixes(&entry("nonbreaking/english.prefixes")?),
            synonyms: Synonyms::read(
                &entry("synonym/english.exceptions")?,
                &entry("synonym/english.synsets")?,
            )?,
            ..Self::default()
        })
    }
}

/// Reads one prefix a line, perhaps marked; `#` begins a comment.
fn prefixes(table: &str) -> Prefixes {
    let lines = table.lines().filter_map(|line| {
        let mut tokens = java::tokens(line);
        let prefix = tokens.next().filter(|prefix| !prefix.starts_with('#'))?;
        let numeric = tokens.next() == Some("#NUMERIC_ONLY#");
        Some((prefix.to_owned(), if numeric { Prefix::BeforeNumber } else { Prefix::Always }))
    });
    lines.collect()
}
