//! Threads that do not fall asleep between short pieces of work.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Keeps the other threads of the current rayon pool awake until it is dropped.
///
/// A rayon thread without work sleeps within microseconds, and waking it takes longer than many a product of a matrix with a vector,
/// of which a language model does a hundred for each token that it writes. While this is held, idle threads look for work again and
/// again, as OpenMP's do. Results do not depend on it. A pool of one thread is left alone.
#[must_use = "threads are awake only while this is held"]
pub struct Awake(Arc<AtomicBool>);

impl Awake {
    /// In the pool of the current thread; outside of a pool nothing is done.
    pub fn hold() -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let Some(owner) = rayon::current_thread_index().filter(|_| rayon::current_num_threads() > 1) else {
            return Self(done);
        };
        let seen = done.clone();
        // A broadcast runs on its own thread only: a job that others could take might be taken by the thread that waits for them.
        rayon::spawn_broadcast(move |context| {
            while context.index() != owner && !seen.load(Ordering::Relaxed) {
                if rayon::yield_now() != Some(rayon::Yield::Executed) {
                    spin_loop();
                }
            }
        });
        Self(done)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
