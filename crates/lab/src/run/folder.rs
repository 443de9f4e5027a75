//! Names of files and folders of a run.

use std::path::{Path, PathBuf};

/// Name of the list of files in its folder.
pub const DONE_FILE: &str = "done.json";

/// Name of the file that says what a run is made of.
pub const MANIFEST_FILE: &str = "manifest.json";

/// Name of the file with the time and memory that a run took.
pub(crate) const COST_FILE: &str = "cost.json";

/// Name of the file with the final scores of a cell, and with those of a stage-1 run.
pub const SCORES_FILE: &str = "scores.json";

/// Name of the file with the intervals of the scores of a stage-1 run.
pub const INTERVALS_FILE: &str = "intervals.json";

/// Name of the report on the weights that a training started from.
pub const START_FILE: &str = "start.json";

/// Folder of partial results of a job. It is removed once the whole result is written; after a kill
/// the job continues from it.
pub(crate) const PIECES: &str = "pieces";

/// Hint for files that the run makes again.
pub const AGAIN: &str = "the same `toolkit run` command writes it again";

/// Folders whose subfolders have lists of files of their own.
pub(crate) const LISTED_FOLDERS: [&str; 3] = ["stage1", "controls", "cells"];

/// Folder of a run.
#[derive(Clone, Debug)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// Names the folder `root`. It need not exist yet.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self(root.to_owned())
    }

    /// Returns the folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Returns the folder of cached features.
    #[must_use]
    pub fn features(&self) -> PathBuf {
        self.0.join("features")
    }

    /// Returns the folder of the stage-1 run with this key.
    #[must_use]
    pub fn stage1(&self, key: &str) -> PathBuf {
        self.0.join("stage1").join(key)
    }

    /// Returns the folder of the blind control with this key.
    #[must_use]
    pub fn control(&self, key: &str) -> PathBuf {
        self.0.join("controls").join(key)
    }

    /// Returns the folder of the cell with this id.
    #[must_use]
    pub fn cell(&self, id: &str) -> PathBuf {
        self.0.join("cells").join(id)
    }

    /// Returns the folder of the stage-2 training of the cell with this id.
    #[must_use]
    pub fn stage2(&self, id: &str) -> PathBuf {
        self.cell(id).join("stage2")
    }
}

/// Returns the hint for a manifest that is damaged or gone: it alone knows earlier builds, so no
/// command makes it again unasked.
#[must_use]
pub fn manifest_hint(run: &Path) -> String {
    let list = run.join(DONE_FILE);
    let remove = match (run.join(MANIFEST_FILE).exists(), list.exists()) {
        (true, true) => format!("remove it and {}: ", list.display()),
        (true, false) => "remove it: ".to_owned(),
        (false, true) => format!("remove {}: ", list.display()),
        (false, false) => String::new(),
    };
    format!(
        "{remove}the same `toolkit run` command then writes it anew, without the earlier builds \
        that it named"
    )
}
