//! Progress of downloads.

use super::{Log, Task};
use std::sync::{Mutex, MutexGuard, PoisonError};
use toolkit_system::progress::Progress as _;

/// Progress of downloads and of reading what was downloaded.
pub struct FetchProgress<'a> {
    log: &'a Log,
    /// Task in progress, with its size in bytes; 0 if the size is unknown.
    task: Mutex<Option<(Task, u64)>>,
}

impl<'a> FetchProgress<'a> {
    /// Creates the progress of downloads that `log` shows.
    #[must_use]
    pub fn new(log: &'a Log) -> Self {
        Self { log, task: Mutex::new(None) }
    }

    fn task(&self) -> MutexGuard<'_, Option<(Task, u64)>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl toolkit_store::StepProgress for FetchProgress<'_> {
    fn begin(&self, what: &str, total: Option<u64>) {
        let (task, total) = (self.log.bytes_task(what), total.unwrap_or(0));
        task.start(0, total);
        *self.task() = Some((task, total));
    }

    fn resumed(&self, bytes: u64) {
        if let Some((task, total)) = &*self.task() {
            task.start(bytes, *total);
        }
    }

    fn advance(&self, bytes: u64) {
        if let Some((task, _)) = &*self.task() {
            task.advance(bytes);
        }
    }

    fn end(&self) {
        if let Some((task, _)) = self.task().take() {
            task.finish();
        }
    }

    fn note(&self, line: &str) {
        self.log.line(line);
    }
}
