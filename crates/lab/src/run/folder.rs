//! Names of files and folders of a run.

/// Folder of partial results of a job. It is removed once the whole result is written; after a kill
/// the job continues from it.
pub(crate) const PIECES: &str = "pieces";
