//! The source of a published file or folder: one line for a card, a command line or a log.

use crate::paths;
use crate::problem::bad_source;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::{Display, Formatter};
use std::path::PathBuf;
use std::str::FromStr;
use toolkit_system::problem::Problem;

/// The place that a file or folder is fetched from.
///
/// The text, which serde uses too, has one of these forms:
/// * `hf:owner/name@rev#path`: a file of a model repository on the Hub; without `@rev` the branch
///   `main`, without `#path` the whole folder;
/// * `pip:pkg==version#member`, `apt:pkg=version#member`, `npm:pkg@version#member`: a file or
///   folder inside an unpacked package; without `#member` the whole package;
/// * `file:path`: a file or folder of this machine.
///
/// Printing and reading again gives the same value. Only the first `#` separates, so a path may
/// have more of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// A model repository of the Hub.
    Hf {
        /// `owner/name`.
        repo: String,
        /// A branch, a tag or, to pin the content, the 40 hex digits of a commit.
        rev: String,
        /// A file of it; `None` for the whole folder.
        path: Option<String>,
    },
    /// A Python package that has a wheel; source archives are not taken.
    Pip(Package),
    /// A Debian package; members are as installed, without the first slash: `usr/share/..`.
    Apt(Package),
    /// A Node package, `name` or `@scope/name`; the top folder `package/` is dropped.
    Npm(Package),
    /// A file or folder that is already here.
    File(PathBuf),
}

/// A version of a package, and a member of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Package {
    /// The name the package manager knows.
    pub name: String,
    /// The exact version.
    pub version: String,
    /// A file or folder relative to the unpacked package; `None` for all of it.
    pub member: Option<String>,
}

impl Source {
    /// Returns `true` if the text always means the same bytes.
    ///
    /// It does for a commit of the Hub, and for a package as long as its registry replaces no
    /// published version. It does not for a branch or tag of the Hub, or a file of this machine.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        match self {
            Self::Hf { rev, .. } => paths::is_commit(rev),
            Self::Pip(_) | Self::Apt(_) | Self::Npm(_) => true,
            Self::File(_) => false,
        }
    }
}

const FORMS: &str = "write hf:owner/name@rev#path, pip:pkg==version#member, apt:pkg=version#member, \
     npm:pkg@version#member or file:path";

impl FromStr for Source {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let bad = |what: &str, hint: &str| bad_source(text, what, hint);
        if text.contains(char::is_control) {
            return Err(bad("a source is one line without control characters", FORMS));
        }
        let (scheme, rest) =
            text.split_once(':').ok_or_else(|| bad("no scheme before a `:`", FORMS))?;
        if scheme == "file" {
            return if rest.is_empty() {
                Err(bad("no path", "write file:path"))
            } else {
                Ok(Self::File(PathBuf::from(rest)))
            };
        }
        let (head, member) = match rest.split_once('#') {
            Some((head, member)) => (head, Some(member.to_owned())),
            None => (rest, None),
        };
        if member.as_deref().is_some_and(|member| !paths::is_inside(member)) {
            return Err(bad(
                "what follows `#` is no path inside a folder",
                "write it relative, with `/`, without `.` and `..`",
            ));
        }
        let text = Text { whole: text, scheme, head, member };
        match scheme {
            "hf" => text.repository(),
            "pip" => text.package("==", word_fits).map(Self::Pip),
            "apt" => {
                text.package("=", |name| word_fits(name) && !name.contains('_')).map(Self::Apt)
            }
            "npm" => text.package("@", npm_name_fits).map(Self::Npm),
            _ => Err(bad(&format!("unknown scheme `{scheme}`"), FORMS)),
        }
    }
}

/// The parts of a source's text.
struct Text<'a> {
    whole: &'a str,
    scheme: &'a str,
    /// The text between `:` and `#`.
    head: &'a str,
    /// The text behind `#`.
    member: Option<String>,
}

impl Text<'_> {
    /// Reads `owner/name@rev`.
    fn repository(self) -> Result<Source, Problem> {
        let (repo, rev) = self.head.split_once('@').unwrap_or((self.head, "main"));
        // The Hub allows no `--`; the store writes `owner--name`.
        let fits = |(owner, name)| word_fits(owner) && word_fits(name) && !repo.contains("--");
        if !repo.split_once('/').is_some_and(fits) {
            return Err(self.bad(
                &format!("`{repo}` is no owner/name"),
                "write hf:owner/name@rev#path; a model known by one name has an owner too, \
                see its page",
            ));
        }
        if !rev_fits(rev) {
            return Err(self.bad(
                &format!("`{rev}` is no revision"),
                "write a branch, a tag or a commit after `@`",
            ));
        }
        Ok(Source::Hf { repo: repo.to_owned(), rev: rev.to_owned(), path: self.member })
    }

    /// Reads a name and a version with `separator` between them.
    fn package(self, separator: &str, name_fits: fn(&str) -> bool) -> Result<Package, Problem> {
        let (scheme, head) = (self.scheme, self.head);
        // An npm scope starts with the separator, so the first character never separates.
        let at = head
            .char_indices()
            .nth(1)
            .and_then(|(first, _)| Some(first + head[first..].find(separator)?));
        let hint = format!("write {scheme}:name{separator}version, the version in full");
        let at = at.ok_or_else(|| self.bad("no version", &hint))?;
        let (name, version) = (&head[..at], &head[at + separator.len()..]);
        if !name_fits(name) {
            return Err(self.bad(&format!("`{name}` is no package name"), &hint));
        }
        if !version_fits(version) {
            return Err(self.bad(&format!("`{version}` is no exact version"), &hint));
        }
        Ok(Package { name: name.to_owned(), version: version.to_owned(), member: self.member })
    }

    /// Creates the error of a text that is no source.
    fn bad(&self, what: &str, hint: &str) -> Problem {
        bad_source(self.whole, what, hint)
    }
}

/// Returns `true` for `name` and `@scope/name`.
fn npm_name_fits(name: &str) -> bool {
    match name.strip_prefix('@') {
        Some(scoped) => {
            scoped.split_once('/').is_some_and(|(scope, name)| word_fits(scope) && word_fits(name))
        }
        None => word_fits(name),
    }
}

/// Returns `true` for a name that is safe as an argument of a command (no leading `-`) and as a
/// folder (no leading `.`, no `/`).
fn word_fits(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && word.len() <= 100
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c))
}

/// Returns `true` for an exact version. A range or tag (`^1`, `>=2`, `latest`) changes its meaning.
fn version_fits(version: &str) -> bool {
    version.starts_with(|c: char| c.is_ascii_digit())
        && version.len() <= 100
        && version.chars().all(|c| c.is_ascii_alphanumeric() || "+-._~:!".contains(c))
}

/// Returns `true` for a name of a branch, tag or commit, as git allows them. Characters with a
/// meaning to a shell, an address or a file system are refused.
fn rev_fits(rev: &str) -> bool {
    rev.len() <= 200
        && rev
            .split('/')
            .all(|part| word_fits(part) && !part.ends_with('.') && !part.contains(".."))
}

impl Display for Source {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let member = match self {
            Self::Hf { repo, rev, path } => {
                write!(f, "hf:{repo}")?;
                if rev != "main" {
                    write!(f, "@{rev}")?;
                }
                path
            }
            Self::Pip(Package { name, version, member }) => {
                write!(f, "pip:{name}=={version}")?;
                member
            }
            Self::Apt(Package { name, version, member }) => {
                write!(f, "apt:{name}={version}")?;
                member
            }
            Self::Npm(Package { name, version, member }) => {
                write!(f, "npm:{name}@{version}")?;
                member
            }
            Self::File(path) => return write!(f, "file:{}", path.display()),
        };
        member.as_ref().map_or(Ok(()), |member| write!(f, "#{member}"))
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
