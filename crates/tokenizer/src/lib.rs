//! Text to token ids and back. Every id is compared with the table it will be looked up in.
//!
//! The `tokenizers` crate panics on some damaged files, when they are read or when they are used.
//! [`toolkit_system::unwind::caught`] stands around each of its calls, so that such a file is an
//! error with its name.
//!
//! | module | purpose |
//! |---|---|
//! | [`TokenTable`] | rows of the embedding table that ids are looked up in |
//! | [`TextTokenizer`] | a `tokenizer.json` with its special ids: encode, decode |
//! | `report` | messages on special tokens in texts, and on tokens without a row |
//!
//! ```
//! use toolkit_tokenizer::{TextTokenizer, TokenTable};
//!
//! let file = br#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
//!     "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,
//!     "decoder": null, "model": {"type": "WordLevel", "unk_token": "[UNK]",
//!     "vocab": {"[UNK]": 0, "a": 1, "dog": 2, "cat": 3}}}"#;
//! let tokenizer = TextTokenizer::read(file, "tokenizer.json", TokenTable::of_language(3))?;
//! assert_eq!(tokenizer.encode("a dog")?, [1, 2]);
//! assert_eq!(tokenizer.decode(&[1, 2])?, "a dog");
//! // The language model has rows for the ids 0 to 2.
//! assert!(tokenizer.encode("a cat").is_err());
//! # Ok::<(), toolkit_system::problem::Problem>(())
//! ```

mod report;
mod table;
mod text;

pub use table::TokenTable;
pub use text::TextTokenizer;
