//! Places of repositories and packages below the root of a store.
//!
//! `hf/owner--name/<commit>/path` are the files of a repository, `refs/<branch>` the commit that a
//! branch last stood for, `listings/<commit>` the names of a whole folder. Packages are in `pip`,
//! `apt` and `npm`, each in a folder `name@version`.

use crate::Package;
use crate::paths::{is_commit, percent};
use std::path::{Path, PathBuf};

/// The folder of one repository of the Hub at a revision.
#[derive(Clone, Debug)]
pub struct Repository {
    folder: PathBuf,
    rev: String,
}

impl Repository {
    /// Finds the folder of `owner/name` in the store at `root`.
    #[must_use]
    pub fn new(root: &Path, repo: &str, rev: &str) -> Self {
        Self { folder: root.join("hf").join(repo.replace('/', "--")), rev: rev.to_owned() }
    }

    /// Returns the folder of all commits.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the file with the commit of the revision.
    #[must_use]
    pub fn ref_file(&self) -> PathBuf {
        self.folder.join("refs").join(percent(&self.rev, ""))
    }

    /// Returns the file with the names of a whole folder.
    #[must_use]
    pub fn listing_file(&self, commit: &str) -> PathBuf {
        self.folder.join("listings").join(commit)
    }

    /// Returns the commit of the revision, as far as the store knows.
    #[must_use]
    pub fn known_commit(&self) -> Option<String> {
        if is_commit(&self.rev) {
            return Some(self.rev.clone());
        }
        let text = std::fs::read_to_string(self.ref_file()).ok()?;
        Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// Returns the names of a whole folder, if it was listed.
    #[must_use]
    pub fn known_listing(&self, commit: &str) -> Option<Vec<String>> {
        let text = std::fs::read_to_string(self.listing_file(commit)).ok()?;
        Some(text.lines().map(str::to_owned).collect())
    }

    /// Returns the place of a file, or of the whole folder, if it is there.
    #[must_use]
    pub fn have(&self, path: Option<&str>) -> Option<PathBuf> {
        let commit = self.known_commit()?;
        let folder = self.folder.join(&commit);
        match path {
            Some(path) => Some(folder.join(path)).filter(|path| path.is_file()),
            None => {
                let names = self.known_listing(&commit)?;
                names.iter().all(|name| folder.join(name).is_file()).then_some(folder)
            }
        }
    }
}

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// Python's.
    Pip,
    /// Debian's.
    Apt,
    /// Node's.
    Npm,
}

impl Manager {
    /// Managers, in the order of this list.
    pub const ALL: [Self; 3] = [Self::Pip, Self::Apt, Self::Npm];

    /// Returns its name, which is also its folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pip => "pip",
            Self::Apt => "apt",
            Self::Npm => "npm",
        }
    }

    /// Returns the name of the folder of a package. Python takes `A_b` and `a-b` for the same one.
    #[must_use]
    pub fn folder_name(self, package: &Package) -> String {
        let name = match self {
            Self::Pip => package.name.to_ascii_lowercase().replace(['_', '.'], "-"),
            Self::Apt | Self::Npm => package.name.clone(),
        };
        format!("{}@{}", percent(&name, "@+"), percent(&package.version, "+!"))
    }

    /// Returns the folder of a package in the store at `root`, whether it is there or not.
    #[must_use]
    pub fn folder(self, root: &Path, package: &Package) -> PathBuf {
        root.join(self.name()).join(self.folder_name(package))
    }

    /// Returns the place of a package, or of its member, if it is there.
    #[must_use]
    pub fn have(self, root: &Path, package: &Package) -> Option<PathBuf> {
        let folder = self.folder(root, package);
        let path =
            package.member.as_ref().map_or_else(|| folder.clone(), |member| folder.join(member));
        (folder.is_dir() && path.exists()).then_some(path)
    }
}
