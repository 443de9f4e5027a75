//! Progress of work that takes longer than a moment.

/// Receiver of progress; the command line implements it as a bar.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use toolkit_system::progress::Progress;
///
/// #[derive(Default)]
/// struct Counter(AtomicU64);
///
/// impl Progress for Counter {
///     fn start(&self, done: u64, _total: u64) {
///         self.0.store(done, Ordering::Relaxed);
///     }
///     fn advance(&self, more: u64) {
///         self.0.fetch_add(more, Ordering::Relaxed);
///     }
///     fn finish(&self) {}
/// }
///
/// let counter = Counter::default();
/// counter.start(10, 100);
/// counter.advance(5);
/// assert_eq!(counter.0.load(Ordering::Relaxed), 15);
/// ```
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

/// Receiver of the progress of several tasks and of notes; the command line implements it.
pub trait Reporter: Sync {
    /// Begins a task with steps of its own.
    fn task(&self, name: &str) -> Box<dyn Progress + Send>;
    /// Begins a task whose steps are bytes.
    fn bytes_task(&self, name: &str) -> Box<dyn Progress + Send> {
        self.task(name)
    }
    /// Writes a line to the log.
    fn note(&self, line: &str);
}

impl Reporter for Silent {
    fn task(&self, _: &str) -> Box<dyn Progress + Send> {
        Box::new(Self)
    }
    fn note(&self, _: &str) {}
}

/// A receiver that shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _: u64, _: u64) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
}
