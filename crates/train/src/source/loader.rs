//! Threads that prepare samples ahead of the step that needs them.

use crate::TrainError;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use toolkit_system::problem::Problem;
use toolkit_system::unwind::caught;

/// Work of the threads: the value of one task.
type Load<K, T> = dyn Fn(&K) -> T + Send + Sync;

/// Threads that turn tasks into values, batch by batch.
///
/// A value depends on its task only, so neither the number of threads nor their order shows.
pub(crate) struct Loader<K, T> {
    shared: Arc<Shared<K, T>>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared<K, T> {
    state: Mutex<State<K, T>>,
    /// A task was added, or the threads shall end.
    added: Condvar,
    /// A value was finished.
    finished: Condvar,
}

struct State<K, T> {
    tasks: VecDeque<(u64, usize, K)>,
    batches: BTreeMap<u64, Vec<Option<Result<T, String>>>>,
    closed: bool,
}

impl<K, T> Shared<K, T> {
    fn state(&self) -> MutexGuard<'_, State<K, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Send + 'static, T: Send + 'static> Loader<K, T> {
    /// Starts `threads` threads that call `load`; 0 means one for each core.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub fn new(
        threads: usize,
        load: impl Fn(&K) -> T + Send + Sync + 'static,
    ) -> Result<Self, TrainError> {
        let state = State { tasks: VecDeque::new(), batches: BTreeMap::new(), closed: false };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            added: Condvar::new(),
            finished: Condvar::new(),
        });
        let load: Arc<Load<K, T>> = Arc::new(load);
        let mut loader = Self { shared, threads: Vec::new() };
        for _ in 0..thread_count(threads) {
            let (shared, load) = (loader.shared.clone(), load.clone());
            let thread = std::thread::Builder::new().name("loader".to_owned());
            let started = thread.spawn(move || work(&shared, &*load));
            let started = started.map_err(|e| {
                Problem::new(format!("no thread for loading pictures: {e}"))
                    .hint("set `compute.loaders` to fewer threads")
            })?;
            loader.threads.push(started);
        }
        Ok(loader)
    }

    /// Returns `true` if `batch` was announced and not taken.
    pub fn is_announced(&self, batch: u64) -> bool {
        self.shared.state().batches.contains_key(&batch)
    }

    /// Announces the tasks of a batch.
    pub fn announce(&self, batch: u64, tasks: Vec<K>) {
        let mut state = self.shared.state();
        state.batches.insert(batch, tasks.iter().map(|_| None).collect());
        state.tasks.extend(tasks.into_iter().enumerate().map(|(at, task)| (batch, at, task)));
        self.shared.added.notify_all();
    }

    /// Waits for the values of an announced batch. Returns them, and the time that it waited.
    ///
    /// # Errors
    /// If a thread panicked at one of its tasks, or the batch was not announced.
    pub fn take(&self, batch: u64) -> Result<(Vec<T>, Duration), TrainError> {
        let began = Instant::now();
        let mut state = self.shared.state();
        // Batches that nobody took, as after a jump to another step.
        state.tasks.retain(|(of, _, _)| *of >= batch);
        state.batches.retain(|of, _| *of >= batch);
        let unfinished = |state: &mut State<K, T>| {
            state.batches.get(&batch).is_some_and(|values| values.iter().any(Option::is_none))
        };
        state = self
            .shared
            .finished
            .wait_while(state, unfinished)
            .unwrap_or_else(PoisonError::into_inner);
        let values = state.batches.remove(&batch);
        drop(state);
        let values = values.ok_or_else(|| Problem::defect("a batch was not announced"))?;
        let values: Result<Vec<T>, String> = values.into_iter().flatten().collect();
        Ok((values.map_err(Problem::defect)?, began.elapsed()))
    }
}

impl<K, T> Drop for Loader<K, T> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.closed = true;
        state.tasks.clear();
        drop(state);
        self.shared.added.notify_all();
        for thread in self.threads.drain(..) {
            // A thread catches the panics of its tasks.
            let _ = thread.join();
        }
    }
}

/// Takes tasks until the loader is dropped.
fn work<K, T>(shared: &Shared<K, T>, load: &Load<K, T>) {
    loop {
        let state = shared.state();
        let waited =
            shared.added.wait_while(state, |state| state.tasks.is_empty() && !state.closed);
        let next = waited.unwrap_or_else(PoisonError::into_inner).tasks.pop_front();
        let Some((batch, at, task)) = next else { return };
        let value = caught(|| load(&task));
        if let Some(values) = shared.state().batches.get_mut(&batch) {
            values[at] = Some(value);
            shared.finished.notify_all();
        }
    }
}

/// Returns the number of loader threads for a setting, where 0 means one for each core.
pub(crate) fn thread_count(setting: usize) -> usize {
    match setting {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_the_order_of_their_tasks() {
        for threads in [1, 3, 8] {
            let loader = Loader::new(threads, |&task: &u64| {
                std::thread::sleep(Duration::from_micros(task * 7 % 90));
                task * task
            })
            .unwrap();
            for batch in 0..4 {
                loader.announce(batch, (0..50).map(|at| batch * 50 + at).collect());
            }
            // Batch 2 is passed over.
            for batch in [0, 1, 3] {
                assert!(loader.is_announced(batch));
                let (values, _) = loader.take(batch).unwrap();
                let wanted: Vec<u64> = (0..50).map(|at| (batch * 50 + at).pow(2)).collect();
                assert_eq!(values, wanted);
            }
            assert!(!loader.is_announced(2));
        }
    }

    #[test]
    fn a_panic_is_an_error_of_its_batch() {
        let loader = Loader::new(2, |&task: &u64| assert_ne!(task, 7, "seven")).unwrap();
        loader.announce(0, vec![7, 1, 2]);
        loader.announce(1, vec![3]);
        assert!(loader.take(0).unwrap_err().to_string().contains("seven"));
        assert!(loader.take(1).is_ok());
        assert!(loader.take(5).is_err());
    }
}
