//! How a long download says where it is.

/// Told about each long step. Steps follow one another; each [`begin`](Self::begin) has one
/// [`end`](Self::end), after errors too.
pub trait StepProgress {
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

impl StepProgress for NoProgress {
    fn begin(&self, _: &str, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}

/// Ends its step when it is dropped, so that no early return forgets to.
pub struct Step<'a>(&'a dyn StepProgress);

impl<'a> Step<'a> {
    /// Begins a step.
    pub fn new(progress: &'a dyn StepProgress, what: &str, total: Option<u64>) -> Self {
        progress.begin(what, total);
        Self(progress)
    }

    /// Adds finished bytes.
    pub fn advance(&self, bytes: u64) {
        self.0.advance(bytes);
    }

    /// Adds bytes that are there from an earlier try.
    pub fn kept(&self, bytes: u64) {
        self.0.kept(bytes);
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
