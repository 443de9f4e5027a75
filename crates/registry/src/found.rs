//! Files that cards name: in the registry folder, on disk or in the store of fetched files.

use crate::Card;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toolkit_core::params::Values;
use toolkit_models::bridge::qformer::of_bert;
use toolkit_models::weights::{WeightsError, is_buffer};
use toolkit_store::{Digest, NoProgress, Source, Store};
use toolkit_system::digest::sha256_hex;
use toolkit_system::problem::Problem;

/// The place of a file's bytes.
pub(crate) enum Found {
    /// Bytes that are compiled into the binary.
    Bytes(&'static [u8]),
    /// A file on disk.
    File(PathBuf),
}

/// A file or folder that a card names and that is not in its registry folder.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Published source.
    pub source: Source,
    /// Digest that it must have.
    pub digest: Digest,
}

/// Returns `true` if a text names a published source, not a path.
fn is_remote(text: &str) -> bool {
    ["hf:", "pip:", "apt:", "npm:"].iter().any(|start| text.starts_with(start))
}

/// Lists the sources that a card names and that have to be fetched: weights, tokenizer, text
/// encoder, packages of a data set.
///
/// # Errors
/// At the first source that is not written as one.
pub fn sources(card: &Card) -> Result<Vec<Remote>, Problem> {
    let mut all = Vec::new();
    let mut put = |at: &str, source: &str, digest: Digest| {
        if is_remote(source) {
            all.push(Remote { source: card.remote(at, source)?, digest });
        }
        Ok::<(), Problem>(())
    };
    if let Some(weights) = &card.weights {
        let digest = Digest {
            sha256: weights.sha256.clone(),
            package_sha256: weights.package_sha256.clone(),
            package_bytes: weights.package_bytes,
        };
        put("weights.source", &weights.source, digest)?;
    }
    if let Some(tokenizer) = &card.tokenizer_section {
        put(
            "tokenizer.file",
            &tokenizer.file,
            Digest { sha256: tokenizer.sha256.clone(), ..Digest::default() },
        )?;
    }
    if let Some(bert) = card.init.get("bert") {
        let (sha256, package_sha256) =
            (card.init.get("sha256").cloned(), card.init.get("package_sha256").cloned());
        put("init.bert", bert, Digest { sha256, package_sha256, ..Digest::default() })?;
    }
    for (name, source) in &card.packages {
        let package_sha256 = card.packages_sha256.get(name).cloned();
        let package_bytes = card.packages_bytes.get(name).copied();
        put(
            &format!("packages.{name}"),
            source,
            Digest { sha256: None, package_sha256, package_bytes },
        )?;
    }
    Ok(all)
}

impl Card {
    /// Lists the sources of this card that are not on this machine.
    ///
    /// # Errors
    /// As [`sources`].
    pub fn not_here(&self) -> Result<Vec<Remote>, Problem> {
        let store = Store::standard();
        Ok(sources(self)?
            .into_iter()
            .filter(|remote| store.have(&remote.source).is_none())
            .collect())
    }

    fn remote(&self, at: &str, source: &str) -> Result<Source, Problem> {
        source.parse().map_err(|error: Problem| self.text().error_at(at, error.to_string(), ""))
    }

    /// Finds the file that the key `at` names as `file`, and checks its digest.
    pub(crate) fn find(
        &self,
        at: &str,
        file: &str,
        sha256: Option<&str>,
    ) -> Result<Found, Problem> {
        if !is_remote(file) {
            let path = file.strip_prefix("file:").unwrap_or(file);
            if file == path
                && file.split_once(':').is_some_and(|(scheme, _)| {
                    scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric())
                })
            {
                let what = format!("cannot fetch `{file}`");
                return Err(self.text().error_at(
                    at,
                    what,
                    "write `file:`, `hf:`, `pip:`, `apt:` or `npm:`, such as \
                    `file:weights/x.safetensors`",
                ));
            }
            return self.local(at, path, sha256);
        }
        let source = self.remote(at, file)?;
        let Some(path) = Store::standard().have(&source) else {
            let hint = format!("`toolkit data fetch {}` gets it", self.name);
            return Err(self.text().error_at(at, format!("`{file}` is not on this machine"), hint));
        };
        let digest = Digest {
            sha256: sha256.filter(|_| path.is_file()).map(str::to_owned),
            ..Digest::default()
        };
        Store::standard()
            .verify(&path, &digest, &NoProgress)
            .map_err(|error| self.text().error_at(at, error.to_string(), ""))?;
        Ok(Found::File(path))
    }

    fn local(&self, at: &str, file: &str, sha256: Option<&str>) -> Result<Found, Problem> {
        let bytes = self.read(at, file, sha256)?;
        match bytes {
            Cow::Borrowed(bytes) => Ok(Found::Bytes(bytes)),
            Cow::Owned(_) => Ok(Found::File(PathBuf::from(self.origin.show(file)))),
        }
    }

    /// Reads the text encoder that `[init] bert` of a bridge's card names, with the Q-Former's
    /// names of weights.
    ///
    /// # Errors
    /// If the card names none, or the file is missing, changed, not fetched, or of no known format.
    pub fn bert(&self) -> Result<BTreeMap<String, Values>, WeightsError> {
        let Some(file) = self.init.get("bert") else {
            let what = "`model.init` wants BERT weights, but the card names none";
            let hint = "add `bert = \"weights/..\"` under `[init]` or use `init = \"random\"`";
            return Err(self.text().error_at("init", what, hint).into());
        };
        let found = self.find("init.bert", file, self.init.get("sha256").map(String::as_str))?;
        let tensors = tensors(found, &self.origin.show(file))?;
        let mut all = BTreeMap::new();
        for name in tensors.names() {
            let Some(info) = tensors.info(name).filter(|_| !is_buffer(name)) else {
                continue;
            };
            all.insert(
                of_bert(name),
                Values { shape: info.shape.clone(), data: tensors.read(name)? },
            );
        }
        Ok(all)
    }

    /// Reads a file of the registry folder, or of a source that was fetched.
    pub(crate) fn read_source(
        &self,
        at: &str,
        file: &str,
        sha256: Option<&str>,
    ) -> Result<Cow<'static, [u8]>, Problem> {
        if !is_remote(file) {
            return self.read(at, file.strip_prefix("file:").unwrap_or(file), sha256);
        }
        match self.find(at, file, sha256)? {
            Found::Bytes(bytes) => Ok(Cow::Borrowed(bytes)),
            Found::File(path) => {
                toolkit_system::input::read(&path).map(Cow::Owned).map_err(|error| {
                    self.text().error_at(
                        at,
                        format!("cannot read `{}`: {error}", path.display()),
                        "fetch it again",
                    )
                })
            }
        }
    }

    /// Reads a file of the registry folder and checks its digest. Errors point to the key `at`.
    pub(crate) fn read(
        &self,
        at: &str,
        file: &str,
        sha256: Option<&str>,
    ) -> Result<Cow<'static, [u8]>, Problem> {
        let shown = self.origin.show(file);
        let bytes = self.origin.read(file).map_err(|error| {
            let hint =
                format!("paths are relative to the registry folder of the card ({})", self.origin);
            self.text().error_at(at, format!("cannot read `{shown}`: {error}"), hint)
        })?;
        let Some(expected) = sha256 else { return Ok(bytes) };
        let found = sha256_hex(&bytes);
        if !found.eq_ignore_ascii_case(expected) {
            let section = at.split('.').next().unwrap_or_default();
            let what = format!("`{shown}` has sha256 {found}, the card expects {expected}");
            let hint = "the file is not the one the card was written for: fetch or make it again";
            return Err(self.text().error_at(&format!("{section}.sha256"), what, hint));
        }
        Ok(bytes)
    }

    /// Returns the folder of a package that `[packages]` of a data set's card names.
    ///
    /// # Errors
    /// If the card does not name it, or it was not fetched.
    pub fn package(&self, name: &str) -> Result<PathBuf, Problem> {
        let Some(source) = self.packages.get(name) else {
            return Err(self.text().error_at(
                "packages",
                format!("there is no package `{name}`"),
                "add it",
            ));
        };
        let at = format!("packages.{name}");
        match self.find(&at, source, None)? {
            Found::File(path) => Ok(path),
            Found::Bytes(_) => {
                Err(self.text().error_at(&at, format!("`{source}` is no package"), "name a source"))
            }
        }
    }

    /// Returns the folder of published weights that a model card names.
    ///
    /// # Errors
    /// If the card has none, or it was not fetched.
    pub fn weights_folder(&self) -> Result<PathBuf, Problem> {
        let Some(weights) = &self.weights else {
            let what = format!("model `{}` has no `[weights]`: it only composes parts", self.name);
            return Err(self.text().error(
                0..0,
                what,
                "train it with `toolkit run`, or choose a published checkpoint",
            ));
        };
        match self.find("weights.source", &weights.source, weights.sha256.as_deref())? {
            Found::File(path) => Ok(path),
            Found::Bytes(_) => {
                let what = "weights of a model cannot be in the binary";
                Err(self.text().error_at("weights.source", what, "name a folder or a source"))
            }
        }
    }
}

/// Opens a file of weights on disk or in memory.
pub(crate) fn tensors(
    found: Found,
    shown: &str,
) -> Result<toolkit_formats::Tensors, toolkit_formats::FormatError> {
    match found {
        Found::Bytes(bytes) => toolkit_formats::Tensors::from_bytes(shown, bytes.to_vec()),
        Found::File(path) => toolkit_formats::Tensors::open(Path::new(&path)),
    }
}
