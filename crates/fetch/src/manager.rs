//! Package managers: the command that fetches a package, and the meaning of errors.

use crate::error::one_line;
use crate::tool;
use std::ffi::OsString;
use std::path::Path;
use toolkit_store::layout::Manager;
use toolkit_store::{Package, Source};

/// Commands of a package manager, and the meaning of their errors.
pub(crate) trait Commands {
    /// Lists the programs that will do; the first of them that is there is taken.
    fn programs(self) -> &'static [&'static [&'static str]];
    /// Lists the endings of the archives that it brings.
    ///
    /// For Python only wheels are taken: pip runs code of a source archive to learn its metadata.
    fn archives(self) -> &'static [&'static str];
    /// Returns the arguments that put the archive into `folder`, which is also where it runs. None
    /// of the three runs code of the package with them.
    fn args(self, package: &Package, folder: &Path) -> Vec<OsString>;
    /// Returns the meaning of `stderr`, and what to try.
    fn explain(self, package: &Package, stderr: &str) -> (String, String);
    /// Returns the source of a package.
    fn source(self, package: &Package) -> Source;
}

impl Commands for Manager {
    fn programs(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Pip => &[&["python3", "-m", "pip"], &["pip3"], &["pip"]],
            Self::Apt => &[&["apt-get"]],
            Self::Npm => &[&["npm"]],
        }
    }

    fn archives(self) -> &'static [&'static str] {
        match self {
            Self::Pip => &[".whl"],
            Self::Apt => &[".deb"],
            Self::Npm => &[".tgz"],
        }
    }

    fn args(self, package: &Package, folder: &Path) -> Vec<OsString> {
        let Package { name, version, .. } = package;
        let (words, spec): (&[&str], _) = match self {
            Self::Pip => (
                &[
                    "download",
                    "--only-binary=:all:",
                    "--no-deps",
                    "--no-input",
                    "--no-cache-dir",
                    "--disable-pip-version-check",
                    "-d",
                ],
                format!("{name}=={version}"),
            ),
            Self::Apt => (&["download"], format!("{name}={version}")),
            Self::Npm => {
                (&["pack", "--ignore-scripts", "--pack-destination"], format!("{name}@{version}"))
            }
        };
        let mut args: Vec<OsString> = words.iter().map(OsString::from).collect();
        if self != Self::Apt {
            args.push(folder.into());
        }
        args.push(spec.into());
        args
    }

    fn explain(self, package: &Package, stderr: &str) -> (String, String) {
        let Package { name, version, .. } = package;
        let failed = format!("{} failed: {}", self.name(), tool::summary(stderr));
        if self == Self::Pip {
            if stderr.contains("No module named pip") {
                let what = "this Python has no pip".to_owned();
                return (what, "install pip, or put `pip3` on PATH".to_owned());
            }
            if stderr.trim_end().ends_with("MemoryError") {
                let hint = "the metadata of the package is damaged or hostile";
                return (
                    "pip used up the 2 GB of memory that it may have".to_owned(),
                    hint.to_owned(),
                );
            }
            if let Some(why) = unreachable_index(stderr) {
                let hint = "check the network, PIP_INDEX_URL and PIP_FIND_LINKS";
                return (format!("pip cannot ask its index: {why}"), hint.to_owned());
            }
            if stderr.contains("No matching distribution") {
                let offered = offered_by_pip(stderr);
                return (
                    format!("there is no wheel for {name} {version}{offered}"),
                    format!(
                        "check name and version (`pip index versions {name}`); a wheel for another Python or \
                         system does not count, and source archives are not taken, for pip runs their code"
                    ),
                );
            }
        }
        let hint = match self {
            Self::Npm if stderr.contains("E404") || stderr.contains("ETARGET") => {
                format!("check name and version: `npm view {name} versions`")
            }
            Self::Apt => format!(
                "run `apt-get update` as root if its lists are old or missing, \
                 and check the version: `apt-cache policy {name}`"
            ),
            _ => format!(
                "check the network and that {name} {version} is published; the command can be run \
                by hand"
            ),
        };
        (failed, hint)
    }

    fn source(self, package: &Package) -> Source {
        match self {
            Self::Pip => Source::Pip(package.clone()),
            Self::Apt => Source::Apt(package.clone()),
            Self::Npm => Source::Npm(package.clone()),
        }
    }
}

/// Finds the reason in pip's warnings if its index did not answer. pip's last line then names no
/// reason, only that there is no such package.
fn unreachable_index(stderr: &str) -> Option<String> {
    let signs = ["Retrying (", "Could not fetch URL", "Error, Credentials not correct"];
    let line = stderr.lines().rfind(|line| signs.iter().any(|sign| line.contains(sign)))?;
    let line = line.trim().trim_start_matches("WARNING: ");
    // `Retrying (Retry(..)) after connection broken by 'X': /simple/name/`: the cause is what
    // counts.
    Some(one_line(line.split_once("broken by ").map_or(line, |(_, cause)| cause)))
}

/// Lists the versions that have a wheel, after pip's message: ` (there are wheels for 0.1, 0.2)`.
fn offered_by_pip(stderr: &str) -> String {
    let versions = stderr.split("(from versions: ").nth(1).and_then(|rest| rest.split(')').next());
    match versions.filter(|versions| !versions.is_empty() && *versions != "none") {
        Some(versions) => format!(" (there are wheels for {})", one_line(versions)),
        None => String::new(),
    }
}

/// Lists the versions in the table that `apt-cache policy` prints. A line is ` *** 1.2-3 500` or `
/// 1.2-3 500`; lines of sources are indented more.
pub(crate) fn versions_of(policy: &str) -> Vec<&str> {
    let table = policy.lines().skip_while(|line| line.trim() != "Version table:").skip(1);
    table
        .filter(|line| {
            line.starts_with("     ") && !line.starts_with("      ") || line.starts_with(" *** ")
        })
        .filter_map(|line| line[5..].split_whitespace().next())
        .collect()
}
