//! Fetches published weights and data into a [`toolkit_store::Store`].
//!
//! [`Fetcher::get`] returns the path of a source, after fetching what is missing. [`Fetcher::plan`]
//! lists beforehand what that would run. Each file is checked against the digests that are known
//! ([`toolkit_store::Digest`], the Hub's etags). It arrives under a temporary name and is renamed,
//! so that the store has whole files only, even with several writers.
//!
//! No code that was fetched is run: of Python only wheels are taken, npm runs no scripts. Package
//! managers see no secrets of this process, end with it, and write into a temporary folder.
//! Downloads and unpacked archives are bounded.
//!
//! | module | purpose |
//! |---|---|
//! | `fetcher`, `get` | [`Fetcher`]: settings, and the code for each kind of source |
//! | `hub`, `listing`, `git` | files and folders of a repository of the Hub |
//! | `http`, `download` | requests with retries, and one file through cut connections |
//! | `package`, `manager`, `tool`, `child`, `environment` | pip, apt and npm as child processes |
//! | `unpack`, `limits` | archives, within bounds |
//! | `error` | [`FetchError`] |
//!
//! ```
//! use toolkit_fetch::Fetcher;
//! use toolkit_store::Store;
//!
//! let fetcher = Fetcher::new(Store::new("nowhere")).hub_at("https://huggingface.co");
//! let plan = fetcher.plan(&"hf:Salesforce/blip2-opt-2.7b#config.json".parse()?)?;
//! let url = "https://huggingface.co/Salesforce/blip2-opt-2.7b/resolve/main/config.json";
//! assert_eq!(plan, [url]);
//! # Ok::<(), toolkit_fetch::FetchError>(())
//! ```

mod child;
mod download;
mod environment;
mod error;
mod fetcher;
mod get;
mod git;
mod http;
mod hub;
mod limits;
mod listing;
mod manager;
mod package;
mod tool;
mod unpack;

pub use error::FetchError;
pub use fetcher::Fetcher;
