//! The command line.

mod bench;
mod damage;
mod errors;
mod fetch;
mod help;
mod measure;
mod published;
mod reproduce;
mod resume;
mod score;
mod show;
mod support;
mod unfit;
mod use_trained;
