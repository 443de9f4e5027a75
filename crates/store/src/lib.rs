//! The store of fetched files: a folder on disk, sources and digests. No network.
//!
//! A [`Source`] is one line of text that names a file or folder on the model Hub or inside a
//! package of pip, apt or npm. A [`Store`] finds it on disk and checks it. `toolkit-fetch` fetches
//! what is missing; a crate that only reads fetched files depends on this one.
//!
//! | module | purpose |
//! |---|---|
//! | [`Source`], [`Package`] | names of published files and folders |
//! | [`Digest`], [`digest`] | digests that are wanted, and those of files |
//! | [`Store`] | the folder: finding, checking |
//! | [`layout`] | places of repositories and packages below the root |
//! | [`inventory`] | SHA-256, length and time of each fetched file |
//! | [`StepProgress`], [`Step`] | progress of long steps |
//! | [`lock`], [`paths`], [`problem`] | one writer at a time, safe names, errors |
//!
//! ```
//! use toolkit_store::{Source, Store};
//!
//! let source: Source = "pip:emoji==2.14.0#emoji/unicode_codes/emoji.json".parse()?;
//! assert!(source.is_pinned());
//! let store = Store::new("nowhere");
//! assert_eq!(store.have(&source), None);
//! # Ok::<(), toolkit_system::problem::Problem>(())
//! ```

mod check;
pub mod digest;
pub mod inventory;
pub mod layout;
pub mod lock;
pub mod paths;
pub mod problem;
mod progress;
mod source;
mod store;

pub use check::{Checked, Damage};
pub use digest::Digest;
pub use progress::{NoProgress, Step, StepProgress};
pub use source::{Package, Source};
pub use store::{Store, no_digest};
