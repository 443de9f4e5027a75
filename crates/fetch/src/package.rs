//! Packages: how the archive that a package manager gives becomes a folder of the store.

use crate::child::{self, Running};
use crate::limits::Room;
use crate::manager::{Commands, versions_of};
use crate::tool::{self, Tool};
use crate::unpack::{self, Counted, Form};
use crate::{FetchError, Fetcher};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use toolkit_store::digest::{compare, sha256_of};
use toolkit_store::inventory::{Depth, Inventory};
use toolkit_store::layout::Manager;
use toolkit_store::lock::lock;
use toolkit_store::{Digest, Package, Step, StepProgress};
use toolkit_system::problem::Problem;

/// Written next to an unpacked package: what it came from.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    archive: String,
    sha256: String,
    command: String,
}

impl Fetcher {
    fn package_temp(&self, manager: Manager, package: &Package) -> PathBuf {
        self.store().root().join("tmp").join(format!(
            "{}-{}",
            manager.name(),
            manager.folder_name(package)
        ))
    }

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

    /// The package is asked for once, then it is a folder; the member is looked up in it.
    pub(crate) fn get_package(
        &self,
        manager: Manager,
        package: &Package,
        digest: &Digest,
        progress: &dyn StepProgress,
    ) -> Result<PathBuf, FetchError> {
        let folder = manager.folder(self.store().root(), package);
        let key = format!("{}-{}", manager.name(), manager.folder_name(package));
        self.mend_package(&folder, &key, progress)?;
        if !folder.is_dir() {
            if self.is_offline() {
                return Err(self.offline_error(
                    &manager.source(package),
                    &self.plan_package(manager, package),
                ));
            }
            let _lock = lock(self.store().root(), &key, progress)?;
            if !folder.is_dir() {
                self.fetch_package(manager, package, &folder, digest, progress)?;
            }
        }
        if let Some(expected) = &digest.package_sha256 {
            let record = record_file(&folder);
            let text = std::fs::read(&record).map_err(FetchError::io("read", &record))?;
            let got: Record = serde_json::from_slice(&text).map_err(|error| {
                FetchError::archive(
                    &record,
                    format!("bad record: {error}"),
                    "remove the file and the folder next to it",
                )
            })?;
            if let Err(error) =
                compare(&got.archive, expected, &got.sha256, &folder, self.removed())
            {
                self.remove(&folder)?;
                return Err(error.into());
            }
        }
        let Some(member) = &package.member else { return Ok(folder) };
        let path = folder.join(member);
        if !path.exists() {
            let what = format!("no `{member}` in {}", folder.display());
            return Err(Problem::new(what).hint(listing(&folder, member)).into());
        }
        if let Some(expected) = &digest.sha256 {
            let got = sha256_of(&path, progress)?;
            if let Err(error) = compare(member, expected, &got, &path, self.removed()) {
                self.remove(&folder)?;
                return Err(error.into());
            }
        }
        Ok(path)
    }

    /// Compares a package that is here with its inventory, and removes it if it is damaged, so that
    /// it is fetched again; offline that is an error.
    fn mend_package(
        &self,
        folder: &Path,
        key: &str,
        progress: &dyn StepProgress,
    ) -> Result<(), FetchError> {
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
        let _lock = lock(self.store().root(), key, progress)?;
        // Another process may have fetched it again meanwhile.
        if inventory.damaged("", Depth::Whole, progress).is_ok_and(|damaged| damaged.is_empty()) {
            return Ok(());
        }
        progress
            .note(&format!("{} is damaged: {what}; the package is fetched again", file.display()));
        self.remove(folder)
    }

    /// Downloads and unpacks below `tmp`, then renames; the lock is held. What a killed process
    /// left is cleared first.
    fn fetch_package(
        &self,
        manager: Manager,
        package: &Package,
        folder: &Path,
        digest: &Digest,
        progress: &dyn StepProgress,
    ) -> Result<(), FetchError> {
        let all = self.package_temp(manager, package);
        let clear = || if all.exists() { std::fs::remove_dir_all(&all) } else { Ok(()) };
        clear().map_err(FetchError::io("remove", &all))?;
        // A name of its own: nothing that a program of a killed run still writes is ever used.
        let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
        let temp = all.join(format!("{}-{now}", std::process::id()));
        std::fs::create_dir_all(&temp).map_err(FetchError::io("create", &temp))?;
        let result = self.fetch_into(manager, package, folder, &temp, digest, progress);
        // If this fails, the next call clears it, and the first error matters more.
        let _ = clear();
        result
    }

    fn fetch_into(
        &self,
        manager: Manager,
        package: &Package,
        folder: &Path,
        temp: &Path,
        digest: &Digest,
        progress: &dyn StepProgress,
    ) -> Result<(), FetchError> {
        let command = self.download(manager, package, temp, progress)?;
        let archive = find_archive(manager, temp, &command)?;
        let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let sha256 = sha256_of(&archive, progress)?;
        if let Some(expected) = &digest.package_sha256 {
            compare(
                &name,
                expected,
                &sha256,
                &archive,
                "it was removed; another file was published, or the digest is of another one",
            )?;
        }
        let unpacked = temp.join("unpacked");
        std::fs::create_dir(&unpacked).map_err(FetchError::io("create", &unpacked))?;
        self.unpack(&archive, &unpacked, digest.package_bytes, progress)?;

        let entries = Inventory::count(&unpacked, progress)?;
        let record = serde_json::json!(Record { archive: name, sha256, command });
        if let Some(parent) = folder.parent() {
            std::fs::create_dir_all(parent).map_err(FetchError::io("create", parent))?;
        }
        let (from, to) = (temp.join("record"), record_file(folder));
        std::fs::write(&from, format!("{record:#}\n")).map_err(FetchError::io("write", &from))?;
        std::fs::rename(&from, &to).map_err(FetchError::io("write", &to))?;
        Inventory::of_package(self.store().root(), folder).write(&entries)?;
        std::fs::rename(&unpacked, folder).map_err(FetchError::io("write", folder))
    }

    /// Those of the manager's programs that are there.
    fn tools(&self, manager: Manager) -> Vec<Tool> {
        manager.programs().iter().filter_map(|words| self.tool(words)).collect()
    }

    fn tool(&self, words: &[&str]) -> Option<Tool> {
        Tool::find(words, &self.program_path())
    }

    /// Runs the package manager in `temp`; gives the command that worked.
    fn download(
        &self,
        manager: Manager,
        package: &Package,
        temp: &Path,
        progress: &dyn StepProgress,
    ) -> Result<String, FetchError> {
        let args = manager.args(package, temp);
        let tools = self.tools(manager);
        for (at, tool) in tools.iter().enumerate() {
            let command = tool.line(&args);
            let step = Step::new(
                progress,
                &format!("{} {} {}", manager.name(), package.name, package.version),
                None,
            );
            let stderr = match child::run(
                tool,
                manager,
                &args,
                temp,
                self.limits().packed(),
                Some(&step),
            )? {
                Ok(_) => return Ok(command),
                Err(stderr) => stderr,
            };
            let no_pip = manager == Manager::Pip && stderr.contains("No module named pip");
            if no_pip && at + 1 < tools.len() {
                continue;
            }
            let (what, hint) = match self.offered(manager, package, &stderr, temp)? {
                Some(versions) => (
                    format!("apt does not offer {} {}", package.name, package.version),
                    format!(
                        "it offers {versions}; run `apt-get update` as root if its lists are old"
                    ),
                ),
                None => manager.explain(package, &stderr),
            };
            return Err(FetchError::tool(what, &command, hint));
        }
        let names: Vec<&str> = manager.programs().iter().map(|words| words[0]).collect();
        let hint = format!(
            "install {}, or run the command where it is and copy {}",
            names[0],
            self.store().root().display()
        );
        let command = tool::line(&manager.programs()[0].join(" "), &args);
        Err(FetchError::tool(format!("no {} on PATH", names.join(", ")), &command, hint))
    }

    /// Which versions apt has, if the wanted one is not among them.
    fn offered(
        &self,
        manager: Manager,
        package: &Package,
        stderr: &str,
        temp: &Path,
    ) -> Result<Option<String>, FetchError> {
        if manager != Manager::Apt || !stderr.contains("was not found") {
            return Ok(None);
        }
        let Some(tool) = self.tool(&["apt-cache"]) else { return Ok(None) };
        let args = ["policy".into(), package.name.clone().into()];
        let policy = child::run(&tool, manager, &args, temp, self.limits().packed(), None)?
            .unwrap_or_default();
        let versions = versions_of(&policy);
        Ok((!versions.is_empty()).then(|| versions.join(", ")))
    }

    /// Unpacks a package file, `.whl`, `.tgz` or `.deb`, into the new folder `to`: inside it,
    /// within the bounds, and nothing of it runs. `stated` is the unpacked size that a card gives.
    ///
    /// # Errors
    /// If the archive is damaged or hostile, or unpacks to more than the bounds allow. What was
    /// unpacked until then stays.
    pub fn unpack(
        &self,
        archive: &Path,
        to: &Path,
        stated: Option<u64>,
        progress: &dyn StepProgress,
    ) -> Result<(), FetchError> {
        let size = std::fs::metadata(archive).map_err(FetchError::io("read", archive))?.len();
        let name = archive.file_name().unwrap_or_default().to_string_lossy();
        let mut room = self.limits().room(size, stated);
        // Of a `.deb` the unpacked bytes are counted, and nobody knows how many there are.
        let step = Step::new(
            progress,
            &format!("unpack {name}"),
            (!name.ends_with(".deb")).then_some(size),
        );
        if name.ends_with(".whl") {
            unpack::zip(archive, to, &mut room, &step)
        } else if name.ends_with(".tgz") {
            unpack::tgz(archive, to, &mut room, &step)
        } else {
            self.unpack_deb(archive, to, &mut room, &step)
        }
    }

    /// `dpkg-deb -x` would unpack links that lead anywhere; as a stream it goes through the same
    /// checks as the others.
    fn unpack_deb(
        &self,
        archive: &Path,
        to: &Path,
        room: &mut Room,
        step: &Step<'_>,
    ) -> Result<(), FetchError> {
        let args = ["--fsys-tarfile".into(), archive.as_os_str().to_owned()];
        let folder = archive.parent().unwrap_or(to);
        let tool = self.tool(&["dpkg-deb"]).ok_or_else(|| {
            let command = tool::line("dpkg-deb", &args);
            FetchError::tool("no dpkg-deb on PATH", &command, "install the package `dpkg`")
        })?;
        let mut running = Running::start(&tool, Manager::Apt, &args, folder, Stdio::piped())?;
        let mut stream = running
            .stdout()
            .ok_or_else(|| FetchError::archive(archive, "no stream", "try again"))?;
        let unpacked = unpack::tar(archive, Counted(&mut stream, step), to, room, Form::Debian);
        let failed = |stderr: &str| {
            let what = format!("dpkg-deb failed: {}", tool::summary(stderr));
            FetchError::tool(what, &tool.line(&args), "the download may be damaged; try again")
        };
        if let Err(error) = unpacked {
            // Before the pipe is closed: its complaint of that would hide why.
            drop(running);
            drop(stream);
            let stderr = child::errors_in(folder);
            return Err(if stderr.trim().is_empty() { error } else { failed(&stderr) });
        }
        let status = running.wait().map_err(FetchError::io("wait for", archive))?;
        if status.success() { Ok(()) } else { Err(failed(&child::errors_in(folder))) }
    }
}

fn record_file(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".json");
    folder.with_file_name(name)
}

/// Finds the one archive that the command left in `folder`.
fn find_archive(manager: Manager, folder: &Path, command: &str) -> Result<PathBuf, FetchError> {
    let others = ["whl", "zip", "tgz", "gz", "deb", "bz2", "xz"];
    let is_archive = |path: &PathBuf| {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        // A link may lead anywhere, such as to a file whose content is none of the package's.
        path.symlink_metadata().is_ok_and(|data| data.is_file()) && others.contains(&extension)
    };
    let entries = std::fs::read_dir(folder).map_err(FetchError::io("read", folder))?;
    let mut archives: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(is_archive).collect();
    let (what, hint) = match (archives.pop(), archives.is_empty()) {
        (Some(archive), true) => {
            let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if manager.archives().iter().any(|ending| name.ends_with(ending)) {
                return Ok(archive);
            }
            let wanted = manager.archives().join(", ");
            (
                format!("the command brought `{name}`, not {wanted}"),
                "only such archives run no code when fetched",
            )
        }
        (first, _) => (
            format!(
                "the command left {} archives, not one",
                archives.len() + usize::from(first.is_some())
            ),
            "run it by hand and see what it does",
        ),
    };
    Err(FetchError::tool(what, command, hint))
}

/// What is there instead of `member`: the names in the deepest folder of it that exists.
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
