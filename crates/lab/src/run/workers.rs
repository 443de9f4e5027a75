//! Jobs that depend on each other, on a fixed number of workers.
//!
//! Every job runs in a rayon pool of its own of `threads` threads. On small models two jobs of one
//! thread each are far faster than one job of two, and because a job's pool never changes size,
//! results do not depend on how many run beside it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex};

/// A piece of work.
pub struct Job<'a, E> {
    /// What it is called in messages.
    pub name: String,
    /// Indices of jobs that must have ended well before it starts.
    pub after: Vec<usize>,
    /// The work.
    pub run: Box<dyn FnOnce() -> Result<(), E> + Send + 'a>,
}

/// A job panicked, and said this.
#[derive(Debug, PartialEq, Eq)]
pub struct Panicked(pub String);

struct State<'a, E> {
    waiting: Vec<Option<Job<'a, E>>>,
    done: Vec<bool>,
    running: usize,
    failed: Option<(String, E)>,
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// Runs all jobs, earlier ones first where they are ready. After a failure no further job is
/// started. A job that panics has failed: the others must not wait for it.
///
/// # Errors
/// The first failure, with the name of its job.
pub fn run<E: Send + From<Panicked>>(
    jobs: Vec<Job<'_, E>>,
    workers: usize,
    threads: usize,
) -> Result<(), (String, E)> {
    let count = jobs.len();
    let state = State {
        waiting: jobs.into_iter().map(Some).collect(),
        done: vec![false; count],
        running: 0,
        failed: None,
    };
    let (state, changed) = (Mutex::new(state), Condvar::new());
    let lock = || state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..workers.clamp(1, count.max(1)) {
            scope.spawn(|| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
                let mut held = lock();
                loop {
                    if held.failed.is_some() || held.waiting.iter().all(Option::is_none) {
                        return;
                    }
                    let done = &held.done;
                    let ready = held.waiting.iter().position(|job| {
                        job.as_ref().is_some_and(|j| j.after.iter().all(|&a| done[a]))
                    });
                    let Some((at, job)) =
                        ready.and_then(|at| held.waiting[at].take().map(|job| (at, job)))
                    else {
                        if held.running == 0 {
                            return;
                        }
                        held =
                            changed.wait(held).unwrap_or_else(std::sync::PoisonError::into_inner);
                        continue;
                    };
                    held.running += 1;
                    drop(held);
                    let run = job.run;
                    let result = catch_unwind(AssertUnwindSafe(|| match &pool {
                        Ok(pool) => pool.install(run),
                        Err(_) => run(),
                    }));
                    let result = result.unwrap_or_else(|panic| Err(Panicked(said(&*panic)).into()));
                    held = lock();
                    held.running -= 1;
                    match result {
                        Ok(()) => held.done[at] = true,
                        Err(error) => held.failed = held.failed.take().or(Some((job.name, error))),
                    }
                    changed.notify_all();
                }
            });
        }
    });
    let state = state.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    state.failed.map_or(Ok(()), Err)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn dependencies_come_first_and_a_failure_stops_the_rest() {
        let order = Mutex::new(Vec::new());
        let job = |name: &str, after: Vec<usize>, ok: bool| {
            let (order, name) = (&order, name.to_owned());
            let label = name.clone();
            Job {
                name,
                after,
                run: Box::new(move || {
                    order.lock().unwrap().push(label);
                    if ok { Ok(()) } else { Err(Panicked("broken".to_owned())) }
                }),
            }
        };
        assert_eq!(
            run(
                vec![job("c", vec![1, 2], true), job("b", vec![2], true), job("a", vec![], true)],
                2,
                1
            ),
            Ok(())
        );
        assert_eq!(*order.lock().unwrap(), ["a", "b", "c"]);
        order.lock().unwrap().clear();
        let failed = run(vec![job("x", vec![], false), job("y", vec![0], true)], 1, 1);
        assert_eq!(failed, Err(("x".to_owned(), Panicked("broken".to_owned()))));
        assert_eq!(*order.lock().unwrap(), ["x"]);
    }

    #[test]
    fn a_panic_is_a_failure_and_nobody_waits_for_it() {
        let bad =
            Job { name: "bad".to_owned(), after: vec![], run: Box::new(|| panic!("out of range")) };
        let next = Job { name: "next".to_owned(), after: vec![0], run: Box::new(|| Ok(())) };
        assert_eq!(
            run(vec![bad, next], 2, 1),
            Err(("bad".to_owned(), Panicked("out of range".to_owned())))
        );
    }
}
