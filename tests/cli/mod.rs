//! The command line.

mod errors;
mod help;
mod published;
mod reproduce;
mod resume;
mod score;
mod show;
mod support;
mod use_trained;
