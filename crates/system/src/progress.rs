//! Progress of work that takes longer than a moment.

/// Receiver of progress; the command line implements it as a bar.
pub trait Progress: Sync {
    /// Begins work of `total` units, of which `done` were there already.
    fn start(&self, done: u64, total: u64);
    /// Adds `more` finished units.
    fn advance(&self, more: u64);
    /// Sets the text beside the bar, such as the current loss; the next `advance` shows it.
    fn message(&self, _: &str) {}
    /// Ends the work.
    fn finish(&self);
}

/// A receiver that shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _: u64, _: u64) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
}
