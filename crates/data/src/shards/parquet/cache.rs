//! Pages that were read last.
//!
//! A page holds some to hundreds of pictures, and those of one window of the training's order come
//! from a few dozen pages, one after the other and again. All files share one budget of memory.

use parquet::data_type::ByteArray;
use std::collections::HashMap;
use std::io::Result;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Bytes of pages that are kept, of all files together.
const BUDGET: usize = 1 << 30;

/// Values of a page.
pub(super) type Page = Arc<Vec<Option<ByteArray>>>;

/// Number of a file, and place in it.
type Key = (u64, u64);

/// A page, once it was read. Who reads it holds the lock, so that others wait.
type Slot = Arc<Mutex<Option<Page>>>;

#[derive(Default)]
struct Kept {
    pages: HashMap<Key, (Slot, usize, u64)>,
    bytes: usize,
    uses: u64,
}

static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);
static FILES: AtomicU64 = AtomicU64::new(0);

/// The pages of one open file.
pub(super) struct Pages(u64);

impl Pages {
    /// Creates the pages of a file that is opened now.
    pub fn new() -> Self {
        Self(FILES.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the page at a place, which `read` reads unless it is kept.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn get(
        &self,
        at: u64,
        read: impl FnOnce() -> Result<Vec<Option<ByteArray>>>,
    ) -> Result<Page> {
        let key = (self.0, at);
        let slot = with(|kept| kept.slot(key));
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = &*slot {
            return Ok(page.clone());
        }
        let page = Arc::new(read()?);
        *slot = Some(page.clone());
        let bytes = page.iter().flatten().map(ByteArray::len).sum();
        with(|kept| kept.read(key, bytes));
        Ok(page)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        with(|kept| kept.remove(|key| key.0 == self.0));
    }
}

fn with<T>(act: impl FnOnce(&mut Kept) -> T) -> T {
    act(&mut KEPT.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Kept {
    fn slot(&mut self, key: Key) -> Slot {
        self.uses += 1;
        let now = self.uses;
        let entry = self.pages.entry(key).or_default();
        entry.2 = now;
        entry.0.clone()
    }

    /// Counts a page that was read, and lets those go that were used longest ago.
    fn read(&mut self, key: Key, bytes: usize) {
        if let Some(entry) = self.pages.get_mut(&key).filter(|entry| entry.1 == 0) {
            entry.1 = bytes;
            self.bytes += bytes;
        }
        while self.bytes > BUDGET && self.pages.len() > 1 {
            let others = self.pages.iter().filter(|(other, _)| **other != key);
            let Some(oldest) = others.min_by_key(|(_, entry)| entry.2).map(|(key, _)| *key) else {
                return;
            };
            self.remove(|key| *key == oldest);
        }
    }

    fn remove(&mut self, is: impl Fn(&Key) -> bool) {
        let bytes = &mut self.bytes;
        self.pages.retain(|key, entry| {
            let goes = is(key);
            *bytes -= if goes { entry.1 } else { 0 };
            !goes
        });
    }
}
