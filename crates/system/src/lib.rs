//! Services that every floor needs: files, errors, progress. No tensor, no burn.
//!
//! | module | purpose |
//! |---|---|
//! | [`digest`] | SHA-256 as text |
//! | [`encoding`] | encoding of a text file, by its first bytes |
//! | [`input`] | files that others wrote: opened only if they are regular files |
//! | [`files`] | files and folders of ours: they appear whole or not at all |
//! | [`memory`] | memory of this process |
//! | [`problem`] | the form of every error: what, where, what to try |
//! | [`progress`] | progress of work that takes longer than a moment |
//! | [`size`] | numbers of bytes, as people write them |
//! | [`tool`] | calls of small programs of the system |
//! | [`unwind`] | panics of other people's code as errors |
//!
//! ```
//! let read = toolkit_system::unwind::caught(|| "12x".parse::<u8>().unwrap());
//! assert!(read.unwrap_err().contains("InvalidDigit"));
//! ```

pub mod digest;
pub mod encoding;
pub mod files;
pub mod input;
pub mod memory;
pub mod problem;
pub mod progress;
pub mod size;
pub mod tool;
pub mod unwind;
