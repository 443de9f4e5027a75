//! The folder on disk that all fetched files are in.

use crate::digest::{compare, sha256_of};
use crate::inventory::{Depth, Inventory};
use crate::layout::{Manager, Repository};
use crate::problem::{bad_source, damaged, io};
use crate::{Digest, Source, StepProgress};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use toolkit_system::problem::Problem;

/// The folder of fetched files.
///
/// Below the root are `hf/owner--name/<commit>/path`, and `pip`, `apt` and `npm` with a folder
/// `name@version` for each unpacked package. Next to that folder are `name@version.json`, about the
/// archive it is from, and `name@version.files.json`, with the digest of each file. Processes share
/// these files: do not write to them.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the store at `root`, which is made when something is fetched.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        // Package managers run in another folder.
        Self { root: std::path::absolute(&root).unwrap_or(root) }
    }

    /// Opens the user's store: `$TOOLKIT_CACHE`, or `$XDG_CACHE_HOME/toolkit`, or
    /// `~/.cache/toolkit`.
    #[must_use]
    pub fn standard() -> Self {
        Self::new(standard_root(|name| env::var_os(name)))
    }

    /// Returns the folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the place of the file or folder, if it is there. Checks no digest.
    #[must_use]
    pub fn have(&self, source: &Source) -> Option<PathBuf> {
        match source {
            Source::Hf { repo, rev, path } => {
                Repository::new(&self.root, repo, rev).have(path.as_deref())
            }
            Source::Pip(package) => Manager::Pip.have(&self.root, package),
            Source::Apt(package) => Manager::Apt.have(&self.root, package),
            Source::Npm(package) => Manager::Npm.have(&self.root, package),
            Source::File(path) => path.exists().then(|| path.clone()),
        }
    }

    /// Checks a file or folder before it is used: the length and time of a fetched one, and the
    /// digest of a file.
    ///
    /// # Errors
    /// If it is not there, changed, or has another digest; if a digest of a folder is wanted.
    pub fn verify(
        &self,
        path: &Path,
        digest: &Digest,
        progress: &dyn StepProgress,
    ) -> Result<(), Problem> {
        digest.check_form(&Source::File(path.to_owned()))?;
        std::fs::metadata(path).map_err(io("read", path))?;
        self.as_it_came(path, progress)?;
        let Some(expected) = &digest.sha256 else { return Ok(()) };
        if path.is_dir() {
            return Err(no_digest(&Source::File(path.to_owned())));
        }
        let hint = "it is not the file that was meant; it was left as it is";
        compare("the file", expected, &sha256_of(path, progress)?, path, hint)
    }

    /// Checks that a file or folder of this store has the length and time it was fetched with.
    fn as_it_came(&self, path: &Path, progress: &dyn StepProgress) -> Result<(), Problem> {
        let Some((inventory, name)) = Inventory::of(&self.root, path) else { return Ok(()) };
        match inventory.damaged(&name, Depth::Quick, progress)?.into_iter().next() {
            None => Ok(()),
            Some((file, what)) => {
                let hint = "`toolkit data fetch` of the same name fetches it again; `toolkit \
                    doctor --check` looks at all";
                Err(damaged(&file, &what, hint))
            }
        }
    }
}

/// Creates the error of a digest that is wanted of a folder.
#[must_use]
pub fn no_digest(source: &Source) -> Problem {
    let hint = "name a file after `#`, or use package_sha256";
    bad_source(&source.to_string(), "a folder has no sha256", hint)
}

fn standard_root(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || set("HOME").or_else(|| set("USERPROFILE")).unwrap_or_else(env::temp_dir);
    let cache = || set("XDG_CACHE_HOME").unwrap_or_else(|| home().join(".cache")).join("toolkit");
    set("TOOLKIT_CACHE").unwrap_or_else(cache)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_root_is_the_first_that_is_set() {
        let root = |set: &[(&str, &str)]| {
            standard_root(|name| {
                set.iter().find(|(own, _)| *own == name).map(|(_, value)| OsString::from(value))
            })
        };
        let all = [("TOOLKIT_CACHE", "/t"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(root(&all), Path::new("/t"));
        assert_eq!(root(&all[1..]), Path::new("/x/toolkit"));
        assert_eq!(root(&all[2..]), Path::new("/h/.cache/toolkit"));
        assert_eq!(root(&[("TOOLKIT_CACHE", ""), ("HOME", "/h")]), Path::new("/h/.cache/toolkit"));
    }

    #[test]
    fn tools_get_an_absolute_root() {
        assert!(Store::new("some/where").root().is_absolute());
    }
}
