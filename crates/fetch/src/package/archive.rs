//! The archive of a package: found in a folder, unpacked within bounds.

use crate::child::{self, Running};
use crate::limits::Room;
use crate::manager::Commands;
use crate::tool;
use crate::unpack::{self, Counted, Form};
use crate::{FetchError, Fetcher};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use toolkit_store::layout::Manager;
use toolkit_store::{Step, StepProgress};

impl Fetcher {
    /// Unpacks a package file, `.whl`, `.tgz` or `.deb`, into the new folder `to`: inside it,
    /// within the bounds; no code of it runs. `stated` is the unpacked size of a card, in bytes.
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
        // Of a `.deb` the unpacked bytes are counted, and their number is unknown.
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

    /// Unpacks a `.deb`.
    // `dpkg-deb -x` would unpack links that lead anywhere. As a stream of tar, the content goes
    // through the same checks as other archives.
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

/// Finds the one archive that the command left in `folder`.
pub(super) fn find(manager: Manager, folder: &Path, command: &str) -> Result<PathBuf, FetchError> {
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
