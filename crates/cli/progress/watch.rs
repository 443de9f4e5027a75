//! Progress of a run by the files that its jobs write.

use super::Log;
use super::task::{Unit, bar};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Thread that shows how many files of a list exist, until it is dropped.
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn start(log: &Log, name: &str, files: Vec<PathBuf>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (log, name, stopped) = (log.clone(), name.to_owned(), stop.clone());
        let thread = std::thread::spawn(move || count_files(&log, &name, files, &stopped));
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn count_files(log: &Log, name: &str, files: Vec<PathBuf>, stop: &AtomicBool) {
    let there = || files.iter().filter(|file| file.exists()).count() as u64;
    let mut seen = there();
    let bar = match log {
        Log::Bars(bars) => Some(bar(bars, name, Unit::Pieces, files.len() as u64, seen)),
        _ => None,
    };
    let mut looked = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100));
        if looked.elapsed() < Duration::from_secs(1) {
            continue;
        }
        looked = Instant::now();
        let now = there();
        match &bar {
            Some(bar) => bar.set_position(now),
            None if now != seen => log.line(&format!("{name}: {now}/{}", files.len())),
            None => {}
        }
        seen = now;
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}
