//! Tests of the built binary, from outside.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod cli;
