//! The command line.

mod bench;
mod capfilt;
mod convert;
mod damage;
mod errors;
mod fetch;
mod floors;
mod foreign;
mod help;
mod live;
mod measure;
mod mixture;
mod parquet;
mod published;
mod reproduce;
mod resume;
mod score;
mod shards;
mod show;
mod start;
mod support;
mod train;
mod train_data;
mod unfit;
mod unreadable;
mod use_trained;
