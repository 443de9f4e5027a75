//! Registry folders: the one in the binary, and folders that overlay it.

use include_dir::{Dir, include_dir};
use std::borrow::Cow;
use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};

static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../registry");

/// The registry folder that a card is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The `registry/` of the repository, compiled into the binary.
    Embedded,
    /// A folder on disk.
    Folder(PathBuf),
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Folder(folder) => write!(f, "{}", folder.display()),
        }
    }
}

impl Origin {
    /// Returns the name of a file of this folder for errors.
    pub(crate) fn show(&self, file: &str) -> String {
        match self {
            _ if Path::new(file).is_absolute() => file.to_owned(),
            Self::Embedded => format!("registry/{file}"),
            Self::Folder(folder) => folder.join(file).display().to_string(),
        }
    }

    /// Reads a file of this folder. An absolute path is read from disk in any case.
    pub(crate) fn read(&self, file: &str) -> Result<Cow<'static, [u8]>, String> {
        let path = match self {
            _ if Path::new(file).is_absolute() => PathBuf::from(file),
            Self::Folder(folder) => folder.join(file),
            Self::Embedded => {
                let Some(entry) = EMBEDDED.get_entry(file) else {
                    return Err("not in the embedded registry".to_owned());
                };
                return embedded(entry).map(Cow::Borrowed).ok_or_else(|| "is a folder".to_owned());
            }
        };
        toolkit_system::input::read(&path).map(Cow::Owned).map_err(|error| error.to_string())
    }

    /// Lists the `.toml` files in a subfolder, without the ending, in no order. A missing subfolder
    /// has none.
    pub(crate) fn names(&self, subfolder: &str) -> Vec<String> {
        let stem = |path: &Path| {
            let toml = path.extension().is_some_and(|ending| ending == "toml");
            path.file_stem().and_then(|stem| stem.to_str()).filter(|_| toml).map(str::to_owned)
        };
        match self {
            Self::Embedded => match EMBEDDED.get_dir(subfolder) {
                Some(folder) => folder.files().filter_map(|file| stem(file.path())).collect(),
                None => Vec::new(),
            },
            Self::Folder(folder) => match std::fs::read_dir(folder.join(subfolder)) {
                Ok(entries) => entries.flatten().filter_map(|entry| stem(&entry.path())).collect(),
                Err(_) => Vec::new(),
            },
        }
    }
}

fn embedded(entry: &'static include_dir::DirEntry<'static>) -> Option<&'static [u8]> {
    entry.as_file().map(include_dir::File::contents)
}

/// Lists the files of the embedded registry with their bytes, named like `vision/vit-nano.toml`.
#[must_use]
pub fn embedded_files() -> Vec<(String, &'static [u8])> {
    fn walk(folder: &'static Dir<'static>, files: &mut Vec<(String, &'static [u8])>) {
        for file in folder.files() {
            files.push((file.path().to_string_lossy().replace('\\', "/"), file.contents()));
        }
        for inner in folder.dirs() {
            walk(inner, files);
        }
    }
    let mut files = Vec::new();
    walk(&EMBEDDED, &mut files);
    files.sort();
    files
}
