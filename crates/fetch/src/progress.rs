//! How a long download says where it is.

/// Told about each long step. Steps follow one another; each [`begin`](Self::begin) has one
/// [`end`](Self::end), after errors too.
pub trait Progress {
    /// A step starts. `total` is in bytes, `None` when nobody knows.
    fn begin(&self, what: &str, total: Option<u64>);
    /// This many bytes more are done.
    fn advance(&self, bytes: u64);
    /// This many bytes are there from an earlier try. They count as done and say nothing about
    /// speed.
    fn kept(&self, bytes: u64) {
        self.advance(bytes);
    }
    /// The step is over, well or not.
    fn end(&self);
    /// Something to know that is no step, in one line. Said to nobody unless implemented.
    fn note(&self, _line: &str) {}
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _: &str, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}

/// Ends its step when it is dropped, so that no early return forgets to.
pub(crate) struct Step<'a>(&'a dyn Progress);

impl<'a> Step<'a> {
    pub(crate) fn new(progress: &'a dyn Progress, what: &str, total: Option<u64>) -> Self {
        progress.begin(what, total);
        Self(progress)
    }

    pub(crate) fn advance(&self, bytes: u64) {
        self.0.advance(bytes);
    }

    pub(crate) fn kept(&self, bytes: u64) {
        self.0.kept(bytes);
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
