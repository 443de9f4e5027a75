//! The folder on disk that fetched files are in: sources, digests, and what is there. No network.
//!
//! A [`Source`] is one line of text that names a file or folder on the model Hub or inside a
//! package of pip, apt or npm. A [`Store`] finds it on disk and checks it. `toolkit-fetch` brings
//! what is missing; a crate that only reads what was fetched depends on this one.
//!
//! | module | purpose |
//! |---|---|
//! | [`Source`], [`Package`] | names of published files and folders |
//! | [`Digest`], [`digest`] | what bytes must be, and what they are |
//! | [`Store`] | the folder: what is there, and whether it is as it came |
//! | [`layout`] | where the files of a repository or package are below the root |
//! | [`inventory`] | SHA-256, length and time of each file when it came |
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
