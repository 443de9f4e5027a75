//! Progress of long steps, such as downloads.

/// An observer of long steps. Steps follow one another; each [`begin`](Self::begin) has one
/// [`end`](Self::end), after errors too.
pub trait StepProgress {
    /// Begins a step of `total` bytes; `None` if the size is unknown.
    fn begin(&self, what: &str, total: Option<u64>);
    /// Adds finished bytes.
    fn advance(&self, bytes: u64);
    /// Adds bytes that are there from an earlier try. They count as done, not for the speed.
    fn resumed(&self, bytes: u64) {
        self.advance(bytes);
    }
    /// Ends the step, after success or an error.
    fn end(&self);
    /// Reports one line that is no step. Does nothing by default.
    fn note(&self, _line: &str) {}
}

/// An observer that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl StepProgress for NoProgress {
    fn begin(&self, _: &str, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}

/// A step that ends when it is dropped, so that an early return cannot forget it.
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
    pub fn resumed(&self, bytes: u64) {
        self.0.resumed(bytes);
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
