//! Features of the frozen image encoder, computed once and cached on disk.
//!
//! A row is the encoder's output for one image in half precision, `[tokens, width]`. Rows are read
//! from a memory-mapped file. So memory does not grow with the data set, and processes share the
//! pages that they read. A thread reads and widens the rows of the next step while the present step
//! is computed. Features outside of the cache are rounded in the same way
//! ([`round_to_half`](toolkit_core::params::round_to_half)), so cached and live features are equal.
//!
//! Rows are written in groups, and a kill loses at most one group. Every block of rows has a
//! SHA-256, which is checked before the block is first used. If one block is damaged,
//! [`Features::mend`] checks all blocks and computes the damaged ones again.

mod file;
mod header;
mod mapped;
mod mend;
mod recipe;

pub(crate) use recipe::is_unreadable;
pub use recipe::{Recipe, pixels};

use crate::TrainError;
use burn::tensor::{Device, Tensor, TensorData};
use file::{Part, Paths};
use header::{Found, GROUP, Header, Layout};
use mapped::Mapped;
use recipe::halves;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use toolkit_data::{Dataset, Preprocess};
use toolkit_system::digest::sha256_hex;
use toolkit_system::problem::Problem;
use toolkit_system::progress::Progress;

/// Cached features of every readable image of a data set.
#[derive(Debug)]
pub struct Features {
    mapped: Arc<Mapped>,
    paths: Paths,
    unreadable: Arc<Vec<usize>>,
    /// Row of the file of each readable image; `None` if all are readable.
    readable: Option<Arc<Vec<usize>>>,
    ahead: Mutex<Option<Ahead>>,
    /// Nanoseconds that `batch` waited for rows.
    waited: AtomicU64,
}

/// Rows that a thread reads in advance.
#[derive(Debug)]
struct Ahead {
    rows: Vec<usize>,
    values: JoinHandle<std::io::Result<Vec<f32>>>,
}

/// Number of images that are encoded at a time.
pub const ENCODED_TOGETHER: usize = GROUP;

/// Returns the name of a cache: a hash of everything that its values depend on.
#[must_use]
pub fn cache_key(encoder_sha256: &str, preprocess: &Preprocess, dataset: &dyn Dataset) -> String {
    // The number counts changes of arithmetic: features of an earlier build are not mixed in.
    let text =
        format!("features-2 {encoder_sha256} {} {}", preprocess.key(), dataset.fingerprint());
    sha256_hex(text.as_bytes())[..16].to_owned()
}

impl Features {
    /// Opens the cache in `dir`; computes the rows that are missing.
    ///
    /// `note` receives lines for the log.
    ///
    /// # Errors
    /// If too many images are unreadable, and errors of the file system.
    pub fn open(
        dir: &Path,
        recipe: &Recipe<'_>,
        progress: &dyn Progress,
        note: &dyn Fn(&str),
    ) -> Result<Self, TrainError> {
        let layout = Layout::new(
            recipe.key,
            [recipe.dataset.len(), recipe.shape.tokens, recipe.shape.width],
        )?;
        let paths = Paths::new(dir, recipe.key);
        let again =
            |why: &str| note(&format!("{}: {why}; it is computed again", paths.data.display()));
        let whole = match Header::find(&paths.header, &layout)? {
            Found::Whole(header) => match std::fs::metadata(&paths.data) {
                Ok(data) if data.len() == layout.bytes() => Some(header),
                Ok(_) => {
                    again("it is not as long as its header says");
                    None
                }
                Err(e) if e.kind() == ErrorKind::NotFound => None,
                Err(e) => return Err(Problem::io("read", &paths.data, e).into()),
            },
            Found::None => None,
            Found::Unusable(why) => {
                again(&why);
                None
            }
        };
        let header = match whole {
            Some(header) => header,
            None => {
                std::fs::create_dir_all(dir).map_err(|e| Problem::io("make", dir, e))?;
                recipe.fill(Part::open(paths.clone(), layout)?, progress, note)?
            }
        };
        recipe.allow(header.unreadable.len(), None)?;
        Self::at(paths, header)
    }

    /// Maps the file of a whole cache.
    fn at(paths: Paths, header: Header) -> Result<Self, TrainError> {
        let (sums, rows) = (header.sums(), header.layout.rows);
        let mapped = Mapped::open(&paths.data, header.layout, sums)
            .map_err(|e| Problem::io("open", &paths.data, e))?;
        let missing = &header.unreadable;
        let readable = (!missing.is_empty()).then(|| {
            Arc::new((0..rows).filter(|row| missing.binary_search(row).is_err()).collect())
        });
        let unreadable = Arc::new(header.unreadable);
        Ok(Self {
            mapped: Arc::new(mapped),
            paths,
            unreadable,
            readable,
            ahead: Mutex::default(),
            waited: AtomicU64::new(0),
        })
    }

    /// Returns the same cache for another reader.
    ///
    /// Readers share the file and its checked blocks. Each reads ahead for itself.
    #[must_use]
    pub fn another(&self) -> Self {
        Self {
            mapped: self.mapped.clone(),
            paths: self.paths.clone(),
            unreadable: self.unreadable.clone(),
            readable: self.readable.clone(),
            ahead: Mutex::default(),
            waited: AtomicU64::new(0),
        }
    }

    /// Writes features as a cache with the name `key` in `dir`.
    ///
    /// `shape` is `[rows, tokens, width]`. Each of `rows` has `tokens * width` values.
    ///
    /// # Errors
    /// If the number or the length of the rows is another, and errors of the file system.
    pub fn write(
        dir: &Path,
        key: &str,
        shape: [usize; 3],
        mut rows: impl Iterator<Item = Vec<f32>>,
    ) -> Result<Self, TrainError> {
        let [count, tokens, width] = shape;
        let paths = Paths::new(dir, key);
        std::fs::create_dir_all(dir).map_err(|e| Problem::io("make", dir, e))?;
        paths.remove_part();
        let mut part = Part::open(paths.clone(), Layout::new(key, shape)?)?;
        let mut written = 0;
        loop {
            let mut bytes = Vec::new();
            for row in rows.by_ref().take(GROUP) {
                if row.len() != tokens * width {
                    let what = format!(
                        "row {written} has {} values, wanted {tokens} x {width}",
                        row.len()
                    );
                    return Err(Problem::new(what).hint("all images have as many tokens").into());
                }
                bytes.extend(halves(&row));
                written += 1;
            }
            // No bytes: all rows are written, or rows have no values.
            if bytes.is_empty() {
                break;
            }
            part.append(&bytes, &[])?;
        }
        if written != count {
            let what = format!("{written} rows are not {count}");
            return Err(Problem::new(what).hint("give one for each image").into());
        }
        Self::at(paths, part.finish()?)
    }

    /// Returns the number of readable images.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.mapped.layout().rows - self.unreadable.len()
    }

    /// Returns the images of the data set that could not be read.
    ///
    /// Trap: they have no row, so row 0 is the first readable image.
    #[must_use]
    pub fn unreadable(&self) -> &[usize] {
        &self.unreadable
    }

    /// Converts rows of readable images to rows of the file.
    ///
    /// A row that does not exist becomes one behind the end of the file: reading it is an error.
    fn stored(&self, rows: &[usize]) -> Vec<usize> {
        let row = |&row: &usize| match &self.readable {
            Some(all) => all.get(row).copied().unwrap_or(self.mapped.layout().rows + row),
            None => row,
        };
        rows.iter().map(row).collect()
    }

    /// Starts a thread that reads `rows` for the next [`Features::batch`] of the same rows.
    pub fn read_ahead(&self, rows: Vec<usize>) {
        let (mapped, stored) = (self.mapped.clone(), self.stored(&rows));
        let spawned = std::thread::Builder::new()
            .name("features".to_owned())
            .spawn(move || mapped.read(&stored));
        // Without a thread, `batch` reads the rows itself.
        if let Ok(values) = spawned {
            *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Ahead { rows, values });
        }
    }

    /// Reads the features of `rows`, `[rows, tokens, width]`.
    ///
    /// # Errors
    /// If the file was truncated while in use, or a block of it is damaged.
    pub fn batch(&self, rows: &[usize], device: &Device) -> Result<Tensor<3>, TrainError> {
        let began = Instant::now();
        let ahead = self
            .ahead
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take_if(|ahead| ahead.rows == rows);
        let values = match ahead.map(|ahead| ahead.values.join()) {
            Some(Ok(read)) => read,
            _ => self.mapped.read(&self.stored(rows)),
        };
        self.waited.fetch_add(began.elapsed().as_nanos() as u64, Ordering::Relaxed);
        let path = || self.paths.data.display().to_string();
        let values = values.map_err(|e| match e.kind() {
            ErrorKind::InvalidData => {
                TrainError::DamagedFeatures { path: path(), what: e.to_string() }
            }
            _ => Problem::io("read", &self.paths.data, e).into(),
        })?;
        let layout = self.mapped.layout();
        Ok(Tensor::from_data(
            TensorData::new(values, [rows.len(), layout.tokens, layout.width]),
            device,
        ))
    }

    /// Returns the time that [`Features::batch`] waited for rows since this was last asked.
    pub fn waited(&self) -> Duration {
        Duration::from_nanos(self.waited.swap(0, Ordering::Relaxed))
    }

    /// Returns `true` if a damaged block was read.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        !self.mapped.damaged().is_empty()
    }
}
