//! A graph of jobs on a fixed number of workers.
//!
//! Every job runs in a rayon pool of its own of `threads` threads. On small models two jobs of one
//! thread each are far faster than one job of two. A job's pool never changes size, so results do
//! not depend on how many jobs run at the same time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Work of a job.
type JobWork<'a, E> = Box<dyn FnOnce() -> Result<(), E> + Send + 'a>;

/// A job of a [`JobGraph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobId(usize);

/// A piece of work with its place in a graph.
struct Job<'a, E> {
    name: String,
    after: Vec<JobId>,
    work: JobWork<'a, E>,
}

/// Jobs that wait for each other.
pub struct JobGraph<'a, E> {
    jobs: Vec<Job<'a, E>>,
}

impl<E> Default for JobGraph<'_, E> {
    fn default() -> Self {
        Self { jobs: Vec::new() }
    }
}

/// A panic of a job, with its message.
#[derive(Debug, PartialEq, Eq)]
pub struct Panicked(pub String);

/// The first failure of a graph of jobs.
#[derive(Debug, PartialEq, Eq)]
pub struct FailedJob<E> {
    /// Name of the job.
    pub job: String,
    /// Error of the job.
    pub error: E,
}

impl<'a, E: Send + From<Panicked>> JobGraph<'a, E> {
    /// Adds a job called `name` in messages, which starts when the jobs `after` have ended well.
    pub fn add(
        &mut self,
        name: &str,
        after: Vec<JobId>,
        work: impl FnOnce() -> Result<(), E> + Send + 'a,
    ) -> JobId {
        self.jobs.push(Job { name: name.to_owned(), after, work: Box::new(work) });
        JobId(self.jobs.len() - 1)
    }

    /// Runs all jobs, earlier ones first where several are ready. After a failure no further job is
    /// started. A job that panics has failed.
    ///
    /// # Errors
    /// The first failure, with the name of its job.
    pub fn run(self, workers: usize, threads: usize) -> Result<(), FailedJob<E>> {
        let count = self.jobs.len();
        let queue = Queue {
            state: Mutex::new(State {
                waiting: self.jobs.into_iter().map(Some).collect(),
                done: vec![false; count],
                running: 0,
                failed: None,
            }),
            changed: Condvar::new(),
        };
        std::thread::scope(|scope| {
            for _ in 0..workers.clamp(1, count.max(1)) {
                scope.spawn(|| {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
                    while let Some((id, job)) = queue.next() {
                        let result = catch_unwind(AssertUnwindSafe(|| match &pool {
                            Ok(pool) => pool.install(job.work),
                            Err(_) => (job.work)(),
                        }));
                        let result =
                            result.unwrap_or_else(|panic| Err(Panicked(message(&*panic)).into()));
                        queue.end(id, job.name, result);
                    }
                });
            }
        });
        let state = queue.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.failed.map_or(Ok(()), Err)
    }
}

/// State of a graph that is run.
struct State<'a, E> {
    waiting: Vec<Option<Job<'a, E>>>,
    done: Vec<bool>,
    running: usize,
    failed: Option<FailedJob<E>>,
}

/// Queue from which the workers take jobs.
struct Queue<'a, E> {
    state: Mutex<State<'a, E>>,
    changed: Condvar,
}

impl<'a, E> Queue<'a, E> {
    fn lock(&self) -> MutexGuard<'_, State<'a, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the first job that is ready, waiting for one if need be; `None` if none will be.
    fn next(&self) -> Option<(JobId, NamedWork<'a, E>)> {
        let mut state = self.lock();
        loop {
            if state.failed.is_some() || state.waiting.iter().all(Option::is_none) {
                return None;
            }
            if let Some(next) = state.take_ready() {
                state.running += 1;
                return Some(next);
            }
            if state.running == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Notes the result of a job and wakes the workers that wait for it.
    fn end(&self, id: JobId, job: String, result: Result<(), E>) {
        let mut state = self.lock();
        state.running -= 1;
        match result {
            Ok(()) => state.done[id.0] = true,
            Err(error) => state.failed = state.failed.take().or(Some(FailedJob { job, error })),
        }
        self.changed.notify_all();
    }
}

/// A job that was taken from its queue.
struct NamedWork<'a, E> {
    name: String,
    work: JobWork<'a, E>,
}

impl<'a, E> State<'a, E> {
    fn take_ready(&mut self) -> Option<(JobId, NamedWork<'a, E>)> {
        let done = &self.done;
        let is_ready = |job: &Option<Job<'a, E>>| {
            job.as_ref().is_some_and(|job| job.after.iter().all(|id| done[id.0]))
        };
        let at = self.waiting.iter().position(is_ready)?;
        let Job { name, work, .. } = self.waiting[at].take()?;
        Some((JobId(at), NamedWork { name, work }))
    }
}

/// Returns the message of a panic.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn dependencies_come_first_and_a_failure_stops_the_rest() {
        let order = Mutex::new(Vec::new());
        let work = |name: &'static str, ok: bool| {
            let order = &order;
            move || {
                order.lock().unwrap().push(name);
                if ok { Ok(()) } else { Err(Panicked("broken".to_owned())) }
            }
        };
        let mut graph = JobGraph::default();
        graph.add("c", vec![JobId(1), JobId(2)], work("c", true));
        graph.add("b", vec![JobId(2)], work("b", true));
        graph.add("a", vec![], work("a", true));
        assert_eq!(graph.run(2, 1), Ok(()));
        assert_eq!(*order.lock().unwrap(), ["a", "b", "c"]);
        order.lock().unwrap().clear();
        let mut graph = JobGraph::default();
        let x = graph.add("x", vec![], work("x", false));
        graph.add("y", vec![x], work("y", true));
        let error = Panicked("broken".to_owned());
        assert_eq!(graph.run(1, 1), Err(FailedJob { job: "x".to_owned(), error }));
        assert_eq!(*order.lock().unwrap(), ["x"]);
    }

    #[test]
    fn a_panic_is_a_failure_and_nobody_waits_for_it() {
        let mut graph = JobGraph::default();
        let bad = graph.add("bad", vec![], || panic!("out of range"));
        graph.add("next", vec![bad], || Ok(()));
        let error = Panicked("out of range".to_owned());
        assert_eq!(graph.run(2, 1), Err(FailedJob { job: "bad".to_owned(), error }));
    }
}
