//! The command line.

mod errors;
mod help;
mod published;
mod resume;
mod show;
mod support;
mod use_trained;
