//! Packages: the archive that a package manager brings becomes a folder of the store.

mod archive;
mod download;
mod record;

use crate::manager::Commands;
use crate::tool;
use crate::{FetchError, Fetcher};
use record::Record;
use std::path::{Path, PathBuf};
use toolkit_store::digest::{compare, sha256_of};
use toolkit_store::inventory::{Depth, Inventory};
use toolkit_store::layout::Manager;
use toolkit_store::lock::lock;
use toolkit_store::{Digest, Package, StepProgress};
use toolkit_system::problem::Problem;

/// A package that is wanted as a folder of the store.
#[derive(Clone, Copy)]
struct Request<'a> {
    manager: Manager,
    package: &'a Package,
    digest: &'a Digest,
    /// Folder of the store that the package is unpacked to.
    folder: &'a Path,
}

impl Request<'_> {
    /// Returns the name of its lock.
    fn key(&self) -> String {
        format!("{}-{}", self.manager.name(), self.manager.folder_name(self.package))
    }
}

impl Fetcher {
    /// Returns the folder below `tmp` that a package is downloaded to.
    fn package_temp(&self, manager: Manager, package: &Package) -> PathBuf {
        self.store().root().join("tmp").join(format!(
            "{}-{}",
            manager.name(),
            manager.folder_name(package)
        ))
    }

    /// Lists the commands that [`Fetcher::get_package`] would run.
    pub(crate) fn plan_package(&self, manager: Manager, package: &Package) -> Vec<String> {
        if manager.folder(self.store().root(), package).is_dir() {
            return Vec::new();
        }
        let temp = self.package_temp(manager, package);
        let args = manager.args(package, &temp);
        let line = match self.tools(manager).first() {
            Some(tool) => tool.line(&args),
            None => tool::line(&manager.programs()[0].join(" "), &args),
        };
        if manager != Manager::Apt {
            return vec![line];
        }
        let folder = tool::quote(&temp.to_string_lossy());
        vec![
            format!("cd {folder} && {line}"),
            format!("dpkg-deb --fsys-tarfile {folder}/{}_*.deb", package.name),
        ]
    }

    /// Returns the path of a package, or of its member, after fetching the package if it is not
    /// there.
    pub(crate) fn get_package(
        &self,
        manager: Manager,
        package: &Package,
        digest: &Digest,
        progress: &dyn StepProgress,
    ) -> Result<PathBuf, FetchError> {
        let folder = manager.folder(self.store().root(), package);
        let request = Request { manager, package, digest, folder: &folder };
        self.mend_package(&request, progress)?;
        self.fetch_if_missing(&request, progress)?;
        self.check_record(&request)?;
        match &package.member {
            None => Ok(folder),
            Some(member) => self.member(&request, member, progress),
        }
    }

    /// Fetches a package that is not there; offline that is an error.
    fn fetch_if_missing(
        &self,
        request: &Request<'_>,
        progress: &dyn StepProgress,
    ) -> Result<(), FetchError> {
        let Request { manager, package, folder, .. } = *request;
        if folder.is_dir() {
            return Ok(());
        }
        if self.is_offline() {
            let plan = self.plan_package(manager, package);
            return Err(self.offline_error(&manager.source(package), &plan));
        }
        let _lock = lock(self.store().root(), &request.key(), progress)?;
        // Another process may have fetched it while this one waited for the lock.
        if folder.is_dir() { Ok(()) } else { self.fetch_package(request, progress) }
    }

    /// Compares the digest of the archive, which the record has, with the one that is known.
    fn check_record(&self, request: &Request<'_>) -> Result<(), FetchError> {
        let Some(expected) = &request.digest.package_sha256 else { return Ok(()) };
        let folder = request.folder;
        let got = Record::read(folder)?;
        if let Err(error) = compare(&got.archive, expected, &got.sha256, folder, self.removed()) {
            self.remove(folder)?;
            return Err(error.into());
        }
        Ok(())
    }

    /// Returns the path of a member of a package, its digest checked.
    fn member(
        &self,
        request: &Request<'_>,
        member: &str,
        progress: &dyn StepProgress,
    ) -> Result<PathBuf, FetchError> {
        let folder = request.folder;
        let path = folder.join(member);
        if !path.exists() {
            let what = format!("no `{member}` in {}", folder.display());
            return Err(Problem::new(what).hint(listing(folder, member)).into());
        }
        if let Some(expected) = &request.digest.sha256 {
            let got = sha256_of(&path, progress)?;
            if let Err(error) = compare(member, expected, &got, &path, self.removed()) {
                self.remove(folder)?;
                return Err(error.into());
            }
        }
        Ok(path)
    }

    /// Compares a package that is there with its inventory. A damaged one is removed, so that it is
    /// fetched again; offline it is an error.
    fn mend_package(
        &self,
        request: &Request<'_>,
        progress: &dyn StepProgress,
    ) -> Result<(), FetchError> {
        let folder = request.folder;
        if !folder.is_dir() {
            return Ok(());
        }
        let inventory = Inventory::of_package(self.store().root(), folder);
        let damaged = match inventory.damaged("", Depth::Whole, progress) {
            Ok(damaged) => damaged.into_iter().next(),
            Err(error) if self.is_offline() => return Err(error.into()),
            Err(error) => Some((folder.to_owned(), error.to_string())),
        };
        let Some((file, what)) = damaged else { return Ok(()) };
        if self.is_offline() {
            return Err(FetchError::damaged(
                &file,
                &what,
                "fetch it again where there is a network",
            ));
        }
        let _lock = lock(self.store().root(), &request.key(), progress)?;
        // Another process may have fetched it again meanwhile.
        if inventory.damaged("", Depth::Whole, progress).is_ok_and(|damaged| damaged.is_empty()) {
            return Ok(());
        }
        progress
            .note(&format!("{} is damaged: {what}; the package is fetched again", file.display()));
        self.remove(folder)
    }

    /// Downloads and unpacks below `tmp`, then renames. The caller holds the lock. Files of a
    /// killed process are removed first.
    fn fetch_package(
        &self,
        request: &Request<'_>,
        progress: &dyn StepProgress,
    ) -> Result<(), FetchError> {
        let all = self.package_temp(request.manager, request.package);
        let clear = || if all.exists() { std::fs::remove_dir_all(&all) } else { Ok(()) };
        clear().map_err(FetchError::io("remove", &all))?;
        // A name of its own: nothing that a program of a killed run still writes is ever used.
        let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
        let temp = all.join(format!("{}-{now}", std::process::id()));
        std::fs::create_dir_all(&temp).map_err(FetchError::io("create", &temp))?;
        let result = self.fetch_into(request, &temp, progress);
        // If this fails, the next call clears it, and the first error matters more.
        let _ = clear();
        result
    }

    /// Downloads a package to `temp`, checks and unpacks it there, then moves it into the store.
    fn fetch_into(
        &self,
        request: &Request<'_>,
        temp: &Path,
        progress: &dyn StepProgress,
    ) -> Result<(), FetchError> {
        let Request { manager, package, digest, folder } = *request;
        let command = self.download(manager, package, temp, progress)?;
        let archive = archive::find(manager, temp, &command)?;
        let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let sha256 = sha256_of(&archive, progress)?;
        if let Some(expected) = &digest.package_sha256 {
            let hint =
                "it was removed; another file was published, or the digest is of another one";
            compare(&name, expected, &sha256, &archive, hint)?;
        }
        let unpacked = temp.join("unpacked");
        std::fs::create_dir(&unpacked).map_err(FetchError::io("create", &unpacked))?;
        self.unpack(&archive, &unpacked, digest.package_bytes, progress)?;

        let entries = Inventory::count(&unpacked, progress)?;
        Record { archive: name, sha256, command }.write(folder, temp)?;
        Inventory::of_package(self.store().root(), folder).write(&entries)?;
        std::fs::rename(&unpacked, folder).map_err(FetchError::io("write", folder))
    }
}

/// Lists the names in the deepest folder of `member` that exists, for the hint of an error.
fn listing(folder: &Path, member: &str) -> String {
    let mut at = Path::new(member).parent();
    while let Some(part) = at.filter(|part| !folder.join(part).is_dir()) {
        at = part.parent();
    }
    let at = at.unwrap_or(Path::new(""));
    let entries = std::fs::read_dir(folder.join(at)).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let shown = names.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more =
        if names.len() > 8 { format!(" and {} more", names.len() - 8) } else { String::new() };
    let place =
        if at.as_os_str().is_empty() { "it".to_owned() } else { format!("`{}`", at.display()) };
    crate::error::one_line(&format!("{place} has {shown}{more}"))
}
