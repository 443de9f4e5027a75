//! The package managers: which command fetches a package, and what its errors mean.

use crate::paths::percent;
use crate::{Package, Source};
use std::ffi::OsString;
use std::path::Path;

/// Who knows the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manager {
    Pip,
    Apt,
    Npm,
}

impl Manager {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pip => "pip",
            Self::Apt => "apt",
            Self::Npm => "npm",
        }
    }

    /// The programs that will do, the first of them that is there is taken.
    pub(crate) fn programs(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Pip => &[&["python3", "-m", "pip"], &["pip3"], &["pip"]],
            Self::Apt => &[&["apt-get"]],
            Self::Npm => &[&["npm"]],
        }
    }

    /// The arguments that put the archive into `folder`, which is also where it runs.
    pub(crate) fn args(self, package: &Package, folder: &Path) -> Vec<OsString> {
        let Package { name, version, .. } = package;
        let (words, spec): (&[&str], _) = match self {
            Self::Pip => {
                (&["download", "--no-deps", "--disable-pip-version-check", "-d"], format!("{name}=={version}"))
            }
            Self::Apt => (&["download"], format!("{name}={version}")),
            Self::Npm => (&["pack", "--ignore-scripts", "--pack-destination"], format!("{name}@{version}")),
        };
        let mut args: Vec<OsString> = words.iter().map(OsString::from).collect();
        if self != Self::Apt {
            args.push(folder.into());
        }
        args.push(spec.into());
        args
    }

    /// What to try after the program said `stderr`.
    pub(crate) fn hint(self, package: &Package, stderr: &str) -> String {
        let Package { name, version, .. } = package;
        match self {
            Self::Pip if stderr.contains("No matching distribution") => format!(
                "check name and version on the index (`pip index versions {name}`); \
                 a wheel only for another Python or system is not found"
            ),
            Self::Npm if stderr.contains("E404") || stderr.contains("ETARGET") => {
                format!("check name and version: `npm view {name} versions`")
            }
            Self::Apt => format!(
                "run `apt-get update` as root if its lists are old or missing, \
                 and check the version: `apt-cache policy {name}`"
            ),
            _ => format!("check the network and that {name} {version} is published; the command can be run by hand"),
        }
    }

    pub(crate) fn source(self, package: &Package) -> Source {
        match self {
            Self::Pip => Source::Pip(package.clone()),
            Self::Apt => Source::Apt(package.clone()),
            Self::Npm => Source::Npm(package.clone()),
        }
    }
}

/// Python takes `A_b` and `a-b` for the same package.
pub(crate) fn folder_name(manager: Manager, package: &Package) -> String {
    let name = match manager {
        Manager::Pip => package.name.to_ascii_lowercase().replace(['_', '.'], "-"),
        _ => package.name.clone(),
    };
    format!("{}@{}", percent(&name, "@+"), percent(&package.version, "+!"))
}

/// The versions in the table that `apt-cache policy` prints: ` *** 1.2-3 500` or `     1.2-3 500`, sources further in.
pub(crate) fn versions_of(policy: &str) -> Vec<&str> {
    let table = policy.lines().skip_while(|line| line.trim() != "Version table:").skip(1);
    table
        .filter(|line| line.starts_with("     ") && !line.starts_with("      ") || line.starts_with(" *** "))
        .filter_map(|line| line[5..].split_whitespace().next())
        .collect()
}
