//! Threads that stay awake between short products.
//!
//! To write one token, a language model computes some seventy products of a few tenths of a
//! millisecond. The threads of a pool fall asleep between them, and waking one takes a good part of
//! that time. The helpers here spin on a counter for a moment before they sleep. They take no other
//! work, and only the thread whose products they share waits for them, so no deadlock is possible.

use std::cell::RefCell;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// Number of times that a helper looks for work before it sleeps: some hundred microseconds, longer
/// than the time between two products.
const LOOKS: usize = 10_000;

thread_local! {
    // Each thread has a team of its own, so that threads do not wait for each other.
    static TEAM: RefCell<Option<Team>> = const { RefCell::new(None) };
}

/// Pieces of one product.
struct Work {
    piece: Box<dyn Fn(usize) + Send + Sync>,
    count: usize,
    next: AtomicUsize,
    done: AtomicUsize,
    failed: AtomicBool,
}

impl Work {
    /// Computes pieces until none is left to begin.
    fn take_part(&self) {
        loop {
            let i = self.next.fetch_add(1, Ordering::Relaxed);
            if i >= self.count {
                return;
            }
            if catch_unwind(AssertUnwindSafe(|| (self.piece)(i))).is_err() {
                self.failed.store(true, Ordering::Relaxed);
            }
            self.done.fetch_add(1, Ordering::Release);
        }
    }
}

/// The state that the helpers watch.
#[derive(Default)]
struct Board {
    work: Mutex<Option<Arc<Work>>>,
    /// Number of the current work; the largest number ends the team.
    number: AtomicU64,
}

const END: u64 = u64::MAX;

impl Board {
    fn help(&self) {
        let mut seen = 0;
        loop {
            let mut looks = 0;
            let now = loop {
                match self.number.load(Ordering::Acquire) {
                    END => return,
                    now if now != seen => break now,
                    _ if looks < LOOKS => spin_loop(),
                    // A wake-up that comes before is kept, and one without work finds the number
                    // unchanged.
                    _ => thread::park(),
                }
                looks += 1;
            };
            seen = now;
            let work = self.work.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(work) = work {
                work.take_part();
            }
        }
    }
}

/// The helpers of one thread.
struct Team {
    board: Arc<Board>,
    helpers: Vec<JoinHandle<()>>,
    /// Number of threads that the team was made for.
    threads: usize,
}

impl Team {
    fn new(threads: usize) -> Self {
        let board = Arc::new(Board::default());
        let start = |i: usize| {
            let board = board.clone();
            thread::Builder::new().name(format!("product {i}")).spawn(move || board.help())
        };
        // If the system gives fewer threads, or none, the work is done all the same.
        let helpers = (1..threads).map_while(|i| start(i).ok()).collect();
        Self { board, helpers, threads }
    }

    fn put(&self, work: Option<Arc<Work>>) {
        *self.board.work.lock().unwrap_or_else(PoisonError::into_inner) = work;
    }

    /// Announces work `number` and wakes at least so many helpers.
    fn call(&self, number: u64, helpers: usize) {
        self.board.number.store(number, Ordering::Release);
        self.helpers.iter().take(helpers).for_each(|helper| helper.thread().unpark());
    }

    fn run(&self, work: Arc<Work>) {
        let number = self.board.number.load(Ordering::Relaxed) + 1;
        self.put(Some(work.clone()));
        self.call(number, work.count - 1);
        work.take_part();
        let mut looks = 0;
        while work.done.load(Ordering::Acquire) < work.count {
            looks += 1;
            if looks < LOOKS { spin_loop() } else { thread::yield_now() }
        }
        // Drop the work now: it holds a matrix.
        self.put(None);
        assert!(!work.failed.load(Ordering::Relaxed), "a piece of a product panicked");
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.call(END, usize::MAX);
        for helper in self.helpers.drain(..) {
            // It cannot have panicked: pieces are caught.
            let _ = helper.join();
        }
    }
}

/// Returns `f(0)` to `f(count - 1)`, computed on as many threads as the current rayon pool has.
pub(super) fn pieces<R: Send + 'static>(
    count: usize,
    f: impl Fn(usize) -> R + Send + Sync + 'static,
) -> Vec<R> {
    let threads = rayon::current_num_threads();
    if threads.min(count) < 2 {
        return (0..count).map(f).collect();
    }
    let found: Arc<Vec<Mutex<Option<R>>>> =
        Arc::new((0..count).map(|_| Mutex::new(None)).collect());
    let of_pieces = found.clone();
    let piece = Box::new(move |i: usize| {
        let made = f(i);
        *of_pieces[i].lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
    });
    let work = Work { piece, count, next: 0.into(), done: 0.into(), failed: false.into() };
    TEAM.with_borrow_mut(|team| {
        if team.as_ref().is_none_or(|team| team.threads != threads) {
            *team = Some(Team::new(threads));
        }
        if let Some(team) = team {
            team.run(Arc::new(work));
        }
    });
    let take = |slot: &Mutex<Option<R>>| slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    found.iter().filter_map(take).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pool<T: Send>(threads: usize, f: impl FnOnce() -> T + Send) -> T {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("threads can be started").install(f)
    }

    #[test]
    fn every_piece_is_done_once_and_in_its_place() {
        for threads in [1, 2, 3, 8] {
            in_pool(threads, || {
                for round in 0..300 {
                    let count = round % 11;
                    assert_eq!(
                        pieces(count, move |i| i * round),
                        (0..count).map(|i| i * round).collect::<Vec<_>>()
                    );
                }
            });
        }
    }

    /// A team is made once, for any number of pieces, and drops the work that it has finished.
    #[test]
    fn nothing_is_made_anew_and_nothing_is_kept() {
        in_pool(3, || {
            let work = Arc::new(());
            let helpers = |count: usize| {
                let work = work.clone();
                pieces(count, move |_| Arc::strong_count(&work));
                let id = |helper: &JoinHandle<()>| helper.thread().id();
                TEAM.with_borrow(|team| {
                    team.iter().flat_map(|team| &team.helpers).map(id).collect::<Vec<_>>()
                })
            };
            let first = helpers(9);
            assert_eq!(first.len(), 2);
            assert!((2..9).all(|count| helpers(count) == first));
            // A helper may be about to put down what it has just finished.
            let began = std::time::Instant::now();
            while Arc::strong_count(&work) > 1 && began.elapsed().as_secs() < 10 {
                thread::yield_now();
            }
            assert_eq!(Arc::strong_count(&work), 1);
        });
    }

    #[test]
    fn helpers_that_fell_asleep_are_woken() {
        in_pool(2, || {
            for _ in 0..3 {
                assert_eq!(pieces(4, |i| i), [0, 1, 2, 3]);
                thread::sleep(std::time::Duration::from_millis(20));
            }
        });
    }

    /// Threads with teams of their own do not wait for each other.
    #[test]
    fn many_at_a_time() {
        in_pool(4, || {
            rayon::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|_| {
                        for round in 0..100 {
                            let sum: usize = pieces(8, move |i| i + round).into_iter().sum();
                            assert_eq!(sum, 28 + 8 * round);
                        }
                    });
                }
            });
        });
    }

    #[test]
    fn a_piece_that_panics_is_told_and_the_team_goes_on() {
        in_pool(2, || {
            let bad = catch_unwind(|| pieces(5, |i| assert_ne!(i, 3)));
            assert!(bad.is_err());
            assert_eq!(pieces(3, |i| i), [0, 1, 2]);
        });
    }
}
